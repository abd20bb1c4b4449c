// experiments/EXPERIMENTS.md, from the registry.
#pragma once

#include <string>

namespace binade::cli {

/// Every experiment as Markdown: question, source, command, kept figure, and what was published
/// beside what it gives here.
std::string experiments_document();

}  // namespace binade::cli
