#include "results/sweep.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "results/table.hpp"

namespace binade::results {
namespace {

using experiments::Axis;
using experiments::Column;

/// A tensor by its name, shape and the FNV-1a hash of its bits: a file that was changed in between
/// is another tensor.
std::string identity(const std::optional<experiments::InputTensor>& tensor) {
  if (!tensor) return "none";
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const float value : tensor->values) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    hash = (hash ^ bits) * 0x100000001b3u;
  }
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return tensor->name + " [" + std::to_string(tensor->rows) + ", " + std::to_string(tensor->cols) +
         "] " + text;
}

std::string joined(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : ", ") + value;
  return text;
}

}  // namespace

Sweep::Sweep(SweepPlan plan) : plan_(std::move(plan)) {
  for (std::size_t point = 0; point < plan_.grid.size(); ++point) {
    (void)experiments::arguments_at(experiment(), plan_.grid, point, plan_.given, plan_.smoke);
  }
}

experiments::Arguments Sweep::arguments(std::size_t point) const {
  experiments::Arguments arguments =
      experiments::arguments_at(experiment(), plan_.grid, point, plan_.given, plan_.smoke);
  arguments.tensor = plan_.tensor;
  arguments.second_tensor = plan_.second_tensor;
  return arguments;
}

Settings Sweep::settings() const {
  Settings settings{{"binade", BINADE_VERSION}, {"experiment", experiment().name}};
  std::map<std::string, std::string> values =
      experiments::arguments_at(experiment(), plan_.grid, 0, plan_.given, plan_.smoke).values;
  std::vector<std::string> names;
  for (const Axis& axis : plan_.grid.axes()) names.push_back(axis.name);
  settings.emplace_back("sweep", joined(names));  // their order is the points'
  for (const Axis& axis : plan_.grid.axes()) {
    settings.emplace_back("sweep " + axis.name, joined(axis.values));
    values.erase(axis.name);
  }
  settings.insert(settings.end(), values.begin(), values.end());
  settings.emplace_back("tensor", identity(plan_.tensor));
  settings.emplace_back("tensor-b", identity(plan_.second_tensor));
  return settings;
}

void Sweep::keep_in(const std::string& directory) {
  directory_ = directory;
  journal_ = std::make_unique<Journal>(stem() + ".journal", settings(), grid().size(),
                                       experiment().columns.size());
}

std::vector<std::size_t> Sweep::pending() const {
  std::vector<std::size_t> points;
  for (std::size_t point = 0; point < grid().size(); ++point) {
    if (!finished().contains(point)) points.push_back(point);
  }
  return points;
}

std::string Sweep::kept() const {
  if (!journal_ || done() == 0) return "";
  return "; " + std::to_string(done()) + " of " + std::to_string(grid().size()) +
         " grid points are kept in '" + journal_->path() + "', the same sweep goes on from there";
}

void Sweep::add(std::size_t point, const experiments::Table& table) {
  FinishedPoint result{{}, table.notes};
  for (const auto& row : table.rows) {
    result.rows.emplace_back();
    std::ranges::transform(row, std::back_inserter(result.rows.back()), cell_text);
  }
  if (journal_) {
    journal_->add(point, std::move(result));
  } else {
    in_memory_.emplace(point, std::move(result));
  }
}

std::vector<Column> Sweep::columns() const {
  std::vector<Column> columns;
  for (const Axis& axis : grid().axes()) {
    const auto parameter =
        std::ranges::find(experiment().parameters, axis.name, &experiments::Parameter::name);
    columns.push_back({"sweep_" + axis.name, "", "of the grid: " + parameter->meaning});
  }
  columns.insert(columns.end(), experiment().columns.begin(), experiment().columns.end());
  return columns;
}

io::Csv Sweep::csv(const std::string& command) const {
  experiments::Table table;
  for (const auto& [point, result] : finished()) {
    std::vector<experiments::Cell> head;
    for (const auto& [name, value] : grid().at(point)) head.emplace_back(value);
    for (const auto& row : result.rows) {
      table.rows.push_back(head);
      table.rows.back().insert(table.rows.back().end(), row.begin(), row.end());
    }
    for (const std::string& note : result.notes) {
      if (std::ranges::find(table.notes, note) == table.notes.end()) table.notes.push_back(note);
    }
  }
  const auto is_seed = [](const Axis& axis) { return axis.name == "seed"; };
  const auto values = arguments(0).values;
  const auto seed = values.find("seed");
  return to_csv(columns(), table,
                seed == values.end()                          ? "none"
                : std::ranges::any_of(grid().axes(), is_seed) ? "swept"
                                                              : seed->second,
                command);
}

std::string Sweep::write_csv(const std::string& command) {
  const std::string path = stem() + ".csv";
  io::write_csv(path, csv(command));
  journal_->remove();
  return path;
}

}  // namespace binade::results
