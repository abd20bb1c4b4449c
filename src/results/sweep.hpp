// An experiment over a grid, from its settings to its CSV; who runs the points, the command's
// threads or a Python executor, is the caller's business.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "binade/experiments/sweep.hpp"
#include "io/csv.hpp"
#include "results/journal.hpp"

namespace binade::results {

/// What a sweep is made of.
struct SweepPlan {
  const experiments::Experiment* experiment = nullptr;
  experiments::Grid grid;
  std::map<std::string, std::string> given;  ///< parameters besides those of the grid
  bool smoke = false;
  std::optional<experiments::InputTensor> tensor, second_tensor;
};

/// Points and their rows. The CSV has the experiment's columns behind one column sweep_NAME for
/// each axis, its rows in the order of the grid: the same bytes, whoever ran which point when.
class Sweep {
 public:
  /// Checks the arguments of every point. Errors: std::invalid_argument.
  explicit Sweep(SweepPlan plan);

  const experiments::Experiment& experiment() const { return *plan_.experiment; }
  const experiments::Grid& grid() const { return plan_.grid; }
  experiments::Arguments arguments(std::size_t point) const;

  /// Keeps what is finished in DIRECTORY/NAME_sweep.journal, and begins with what it holds.
  /// Errors: as Journal.
  void keep_in(const std::string& directory);
  /// Lets go of the journal, which another sweep may then take up; this one is over.
  void close() { journal_.reset(); }
  /// The points that are not finished, in their order.
  std::vector<std::size_t> pending() const;
  std::size_t done() const { return finished().size(); }
  /// "; 12 of 20 grid points are kept in ..., the same command goes on": for messages.
  std::string kept() const;
  void add(std::size_t point, const experiments::Table& table);

  std::vector<experiments::Column> columns() const;
  /// Once no point is pending: the table, and DIRECTORY/NAME_sweep.csv, which takes the journal's
  /// place. Returns its path.
  io::Csv csv(const std::string& command) const;
  std::string write_csv(const std::string& command);

 private:
  const std::map<std::size_t, FinishedPoint>& finished() const {
    return journal_ ? journal_->finished() : in_memory_;
  }
  Settings settings() const;
  std::string stem() const { return directory_ + "/" + experiment().name + "_sweep"; }

  SweepPlan plan_;
  std::string directory_;
  std::unique_ptr<Journal> journal_;
  std::map<std::size_t, FinishedPoint> in_memory_;
};

}  // namespace binade::results
