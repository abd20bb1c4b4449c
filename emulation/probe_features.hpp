// The feature tests of FTTN as rows. Private to this folder.
#pragma once

#include <string>
#include <vector>

#include "probe_rows.hpp"

namespace binade::detail {

/// The questions of FTTN (Li et al., arXiv 2403.00232, table of tests), asked in the target's own
/// types: `precision` fraction bits of the result stand where the paper has FP32's 23, and numbers
/// are moved up until the operands can form them.
std::vector<ProbeFeature> ask_features(const ProbeTarget& target, int precision);

}  // namespace binade::detail
