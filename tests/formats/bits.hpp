// What the tests of this folder share: how a hexadecimal code is shown, and rule sets by name.
#pragma once

#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>

#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"

namespace binade {

inline std::string hex(std::uint64_t code) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(code));
  return text;
}

/// Rules from names, as the command line would set them.
inline CastRules rules_of(const std::string& rounding, const std::string& overflow = "saturate",
                          const std::string& nan = "canonical") {
  CastRules rules;
  rules.rounding = parse_rounding(rounding);
  parse_overflow(overflow, rules);
  rules.nan = parse_nan_rule(nan);
  return rules;
}

/// One element through the public array cast.
template <class Target, class Source>
Target cast_one(FloatFormat from, Source x, FloatFormat to, CastRules rules = {}) {
  Target code{};
  cast(from, &x, to, &code, 1, rules);
  return code;
}

inline constexpr float kInf = std::numeric_limits<float>::infinity();

}  // namespace binade
