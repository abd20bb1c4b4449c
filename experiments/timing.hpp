// Timing things side by side: interleaved repeats, medians with their spread. Private to this
// folder.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

#include "binade/formats/isa.hpp"
#include "support.hpp"

namespace binade::experiments {

/// One thing to time under one instruction set.
struct Timed {
  Isa isa{};
  double work = 0;  ///< units that one call of `run` does
  std::function<void()> run;
  std::vector<double> seconds{};  ///< of each repeat but the first, which warms up

  /// 1e9 units a second of wall time: quantile 0 the slowest repeat, 0.5 the median, 1 the fastest.
  double rate(double quantile) const {
    std::vector<double> sorted = seconds;
    std::ranges::sort(sorted);
    const auto last = static_cast<double>(sorted.size() - 1);
    return work / sorted[static_cast<std::size_t>((1 - quantile) * last + 0.5)] * 1e-9;
  }
};

/// Every trial in turn, then all of them again: what slows the machine down meets all alike. The
/// ISA in force comes back.
template <typename Trial>  // has Timed's members
void time_interleaved(std::vector<Trial>& trials, std::size_t repeats, const Arguments& arguments) {
  struct RestoreIsa {
    Isa before = isa();
    ~RestoreIsa() { set_isa(before); }
  } restore;
  Progress progress{arguments, (repeats + 1) * trials.size()};
  for (std::size_t repeat = 0; repeat <= repeats; ++repeat) {
    for (Trial& trial : trials) {
      set_isa(trial.isa);
      const auto start = std::chrono::steady_clock::now();
      trial.run();
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
      if (repeat != 0) trial.seconds.push_back(taken.count());
      progress.step();
    }
  }
}

/// "all", or names separated by commas.
inline std::vector<Isa> isa_argument(const Arguments& arguments) {
  const auto names = arguments.text_list("isas");
  if (names == std::vector<std::string>{"all"}) return supported_isas();
  std::vector<Isa> list;
  for (const std::string& name : names) list.push_back(parse_isa(name));
  return list;
}

inline Parameter isa_parameter() {
  return {"isas", "all", "", "instruction sets: all that this processor has, or their names", {}};
}

}  // namespace binade::experiments
