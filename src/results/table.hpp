// A table that was computed, as the CSV that it becomes.
#pragma once

#include <string>
#include <vector>

#include "binade/experiments/experiment.hpp"
#include "io/csv.hpp"

namespace binade::results {

/// A cell as a CSV holds it: numbers as the shortest decimal that reads back as the same.
std::string cell_text(const experiments::Cell& cell);

/// A table under its columns, with its provenance. `seed` is "none" where nothing was drawn;
/// `command` is what one would type to make it again.
io::Csv to_csv(const std::vector<experiments::Column>& columns, const experiments::Table& table,
               const std::string& seed, const std::string& command);

}  // namespace binade::results
