// Timing things side by side: interleaved repeats, medians with their spread. Private to this
// folder.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <functional>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "binade/formats/isa.hpp"
#include "support.hpp"

namespace binade::experiments {

/// One thing to time under one instruction set.
struct Timed {
  Isa isa{};
  double work = 0;  ///< units that one call of `run` does
  std::function<void()> run;
  bool several_threads = false;
  std::vector<double> seconds{};  ///< of each repeat but the first, which warms up

  /// 1e9 units a second: quantile 0 the slowest repeat, 0.5 the median, 1 the fastest.
  double rate(double quantile) const {
    std::vector<double> sorted = seconds;
    std::ranges::sort(sorted);
    const auto last = static_cast<double>(sorted.size() - 1);
    return work / sorted[static_cast<std::size_t>((1 - quantile) * last + 0.5)] * 1e-9;
  }
};

/// Seconds of wall time or, of one thread, those that the thread has run: other work on the machine
/// does not lengthen them.
inline double now(bool several_threads) {
#if defined(CLOCK_THREAD_CPUTIME_ID)
  if (timespec t{}; !several_threads && clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0) {
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }
#endif
  const auto t = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(t).count();
}

/// Every trial once, then all of them again in another order: what slows the machine down meets all
/// alike, and none always pays for what the same one left in the caches. The ISA in force comes back.
template <typename Trial>  // has Timed's members
void time_interleaved(std::vector<Trial>& trials, std::size_t repeats, const Arguments& arguments) {
  struct RestoreIsa {
    Isa before = isa();
    ~RestoreIsa() { set_isa(before); }
  } restore;
  Progress progress{arguments, (repeats + 1) * trials.size()};
  std::vector<std::size_t> order(trials.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937 random;  // the same orders in each run
  for (std::size_t repeat = 0; repeat <= repeats; ++repeat) {
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
    for (const std::size_t at : order) {
      Trial& trial = trials[at];
      set_isa(trial.isa);
      const double start = now(trial.several_threads);
      trial.run();
      const double taken = now(trial.several_threads) - start;
      if (repeat != 0) trial.seconds.push_back(taken);
      progress.step();
    }
  }
}

/// "all", or names separated by commas.
inline std::vector<Isa> isa_argument(const Arguments& arguments) {
  const auto names = arguments.text_list("isas");
  if (names == std::vector<std::string>{"all"}) return supported_isas();
  std::vector<Isa> list;
  for (const std::string& name : names) list.push_back(parse_isa(name));
  return list;
}

inline Parameter isa_parameter() {
  return {"isas", "all", "", "instruction sets: all that this processor has, or their names", {}};
}

}  // namespace binade::experiments
