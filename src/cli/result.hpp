// What a command that computes a table leaves behind: a directory with a CSV.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "binade/experiments/experiment.hpp"
#include "cli/command.hpp"
#include "io/csv.hpp"

namespace binade::cli {

/// A table under its columns, with its provenance. `seed` is "none" where nothing was drawn.
io::Csv to_csv(const std::vector<experiments::Column>& columns, const experiments::Table& table,
               const std::string& seed, const Session& session);

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
