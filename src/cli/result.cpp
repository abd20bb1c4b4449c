#include "cli/result.hpp"

#include "binade/cuda/device.hpp"
#include "binade/formats/isa.hpp"
#include "io/error.hpp"

namespace binade::cli {
namespace {

std::string cell_text(const experiments::Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  if (const auto* integer = std::get_if<std::int64_t>(&cell)) return std::to_string(*integer);
  return io::number_text(std::get<double>(cell));
}

}  // namespace

io::Csv to_csv(const std::vector<experiments::Column>& columns, const experiments::Table& table,
               const std::string& seed, const Session& session) {
  io::Csv csv;
  csv.provenance = {BINADE_VERSION, session.command_line, seed, std::string(isa_name(isa())),
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

OutputDirectory::OutputDirectory(const std::string& path) {
  std::error_code error;
  for (std::filesystem::path p = path; !p.empty() && !std::filesystem::exists(p, error);
       p = p.parent_path()) {
    made_.push_back(p);
  }
  std::filesystem::create_directories(path, error);
  if (!std::filesystem::is_directory(path)) {
    throw io::DataError("cannot make the directory '" + path +
                        "': " + (error ? error.message() : "it is a file"));
  }
}

OutputDirectory::~OutputDirectory() {
  std::error_code not_empty;
  for (const auto& path : made_) std::filesystem::remove(path, not_empty);
}

}  // namespace binade::cli
