#include "cli/sweep.hpp"

#include <omp.h>

#include <algorithm>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "cli/result.hpp"
#include "cli/terminal.hpp"
#include "io/error.hpp"

namespace binade::cli {
namespace {

/// The points that are left, and the workers that take them in turn.
class Workers {
 public:
  Workers(results::Sweep& sweep, int threads)
      : sweep_(sweep), pending_(sweep.pending()), progress_(sweep.experiment().name + " sweep") {
    const int wanted = threads > 0 ? threads : omp_get_max_threads();
    const auto points = static_cast<int>(std::min<std::size_t>(pending_.size(), 4096));
    const bool alone = sweep.experiment().measures_time || sweep.experiment().needs_device;
    workers_ = alone ? 1 : std::clamp(points, 1, wanted);
    threads_each_ = std::max(1, wanted / workers_);
  }

  void run() {
    std::vector<std::jthread> team;
    for (int i = 0; i < workers_; ++i) team.emplace_back([this] { work(); });
    team.clear();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void work() {
    omp_set_num_threads(threads_each_);
    for (;;) {
      std::size_t point = 0;
      {
        const std::lock_guard lock(mutex_);
        if (error_ || next_ == pending_.size()) return;
        point = pending_[next_++];
      }
      try {
        finish(point);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
      }
    }
  }

  void finish(std::size_t point) {
    experiments::Arguments arguments = sweep_.arguments(point);
    arguments.threads = threads_each_;
    experiments::Table table;
    const std::string at = "at " + sweep_.grid().label(point) + ": ";
    try {
      table = sweep_.experiment().run(arguments);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(at + error.what());
    } catch (const std::exception& error) {
      throw std::runtime_error(at + error.what());
    }
    const std::lock_guard lock(mutex_);
    sweep_.add(point, table);
    progress_.show(sweep_.done(), sweep_.grid().size());
  }

  results::Sweep& sweep_;
  std::vector<std::size_t> pending_;
  Progress progress_;
  int workers_ = 1, threads_each_ = 1;
  std::mutex mutex_;  // guards what follows, the sweep and the progress
  std::size_t next_ = 0;
  std::exception_ptr error_;
};

results::Sweep checked_sweep(results::SweepPlan plan) {
  try {
    return results::Sweep(std::move(plan));
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
}

}  // namespace

void run_sweep(results::SweepPlan plan, const std::string& directory, Session& session) {
  const bool typed_alone = !plan.tensor && !plan.second_tensor;
  std::optional<OutputDirectory> made;  // goes after the journal in it
  results::Sweep sweep = checked_sweep(std::move(plan));
  made.emplace(directory);
  sweep.keep_in(directory);
  const std::size_t before = sweep.done();
  try {
    Workers(sweep, session.threads).run();
    session.out << sweep.write_csv(session.command_line) << "\n";
  } catch (const std::invalid_argument& error) {
    if (typed_alone) throw UsageError(error.what() + sweep.kept());
    throw io::DataError(error.what() + sweep.kept());
  } catch (const std::exception& error) {
    throw io::DataError(error.what() + sweep.kept());
  }
  session.out << "  " << sweep.grid().size() << " grid points";
  if (before > 0) session.out << ", of which " << before << " were kept from before";
  session.out << "\n";
}

}  // namespace binade::cli
