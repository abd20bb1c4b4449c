#include "results/table.hpp"

#include "binade/cuda/device.hpp"
#include "binade/formats/isa.hpp"

namespace binade::results {

std::string cell_text(const experiments::Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  if (const auto* integer = std::get_if<std::int64_t>(&cell)) return std::to_string(*integer);
  return io::number_text(std::get<double>(cell));
}

io::Csv to_csv(const std::vector<experiments::Column>& columns, const experiments::Table& table,
               const std::string& seed, const std::string& command) {
  io::Csv csv;
  csv.provenance = {BINADE_VERSION, command, seed, std::string(isa_name(isa())),
                    cuda::describe_devices()};
  csv.notes = table.notes;
  for (const experiments::Column& column : columns) {
    csv.columns.push_back(column.name);
    csv.notes.push_back("column " + column.name +
                        (column.unit.empty() ? "" : " [" + column.unit + "]") + ": " +
                        column.meaning);
  }
  for (const auto& row : table.rows) {
    csv.rows.emplace_back();
    for (const experiments::Cell& cell : row) csv.rows.back().push_back(cell_text(cell));
  }
  return csv;
}

}  // namespace binade::results
