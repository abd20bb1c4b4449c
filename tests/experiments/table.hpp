// Reading a table by the names of its columns.
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "binade/experiments/experiment.hpp"

namespace binade::experiments {

inline std::size_t column_index(const Experiment& experiment, const std::string& name) {
  for (std::size_t i = 0; i < experiment.columns.size(); ++i) {
    if (experiment.columns[i].name == name) return i;
  }
  throw std::out_of_range("no column " + name);
}

/// A run whose cells are asked for by column name.
struct Result {
  const Experiment& experiment;
  Table table;

  std::string text(std::size_t row, const std::string& column) const {
    return std::get<std::string>(table.rows[row].at(column_index(experiment, column)));
  }
  double number(std::size_t row, const std::string& column) const {
    const Cell& cell = table.rows[row].at(column_index(experiment, column));
    if (const auto* integer = std::get_if<std::int64_t>(&cell)) {
      return static_cast<double>(*integer);
    }
    return std::get<double>(cell);
  }
};

inline Result run_with(const std::string& name, const std::map<std::string, std::string>& given) {
  const Experiment& experiment = find_experiment(name);
  return {experiment, experiment.run(make_arguments(experiment, given))};
}

}  // namespace binade::experiments
