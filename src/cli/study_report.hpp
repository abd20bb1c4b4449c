// A study as one page that needs nothing but itself.
#pragma once

#include <string>
#include <vector>

#include "binade/experiments/study.hpp"

namespace binade::cli {

/// HTML with inline style and drawings, no script, light and dark: what was found, the recipes side
/// by side, every layer on one scale, every figure.
std::string study_report(const std::string& title, const std::vector<study::Layer>& layers,
                         const study::Options& options, const std::vector<std::string>& notes,
                         const std::string& provenance);

}  // namespace binade::cli
