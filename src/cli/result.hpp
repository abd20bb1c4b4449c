// What a command that computes a table leaves behind: a directory with a CSV.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "results/table.hpp"

namespace binade::cli {

/// A table under its columns, with this session's provenance.
inline io::Csv to_csv(const std::vector<experiments::Column>& columns,
                      const experiments::Table& table, const std::string& seed,
                      const Session& session) {
  return results::to_csv(columns, table, seed, session.command_line);
}

/// A directory that is made before the work begins, with its parents, and taken away again when the
/// work fails and left nothing in it.
class OutputDirectory {
 public:
  /// Errors: io::DataError.
  explicit OutputDirectory(const std::string& path);
  ~OutputDirectory();
  OutputDirectory(const OutputDirectory&) = delete;
  OutputDirectory& operator=(const OutputDirectory&) = delete;

 private:
  std::vector<std::filesystem::path> made_;  ///< deepest first
};

}  // namespace binade::cli
