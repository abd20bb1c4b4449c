// Running a sweep: its points side by side, one CSV.
#pragma once

#include "cli/command.hpp"
#include "results/sweep.hpp"

namespace binade::cli {

/// Runs what is pending of a sweep and writes its CSV into `directory`. Points run side by side,
/// sharing the session's threads; those of an experiment that measures time or runs on a device go
/// one by one. When one fails, those under way are finished and kept. Errors: what the experiment
/// threw, naming the point; io::DataError; UsageError when what was typed is at fault, which it
/// cannot be alone where the experiment was given tensors.
void run_sweep(results::SweepPlan plan, const std::string& directory, Session& session);

}  // namespace binade::cli
