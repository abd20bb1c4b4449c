#include "binade/formats/isa.hpp"

#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>

namespace binade {
namespace {

constexpr Isa kAll[] = {Isa::kBaseline, Isa::kX86_64_v3, Isa::kX86_64_v4};

[[noreturn]] void refuse(Isa isa) {
  throw std::invalid_argument("this processor cannot run " + std::string(isa_name(isa)));
}

Isa initial_isa() {
  // The one thing that the library reads from the environment.
  if (const char* forced = std::getenv("BINADE_ISA"); forced != nullptr && *forced != '\0') {
    const Isa isa = parse_isa(forced);
    if (!isa_supported(isa)) refuse(isa);
    return isa;
  }
  return supported_isas().back();
}

std::optional<Isa> forced_isa;

}  // namespace

bool isa_supported(Isa isa) {
#if defined(BINADE_HAVE_X86_64_LEVELS)
  // Of each level what sets it apart: no processor with these lacks the rest of it.
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return isa == Isa::kBaseline || (isa == Isa::kX86_64_v3 && v3) || (isa == Isa::kX86_64_v4 && v4);
#else
  return isa == Isa::kBaseline;
#endif
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> list;
  for (const Isa isa : kAll) {
    if (isa_supported(isa)) list.push_back(isa);
  }
  return list;
}

Isa isa() {
  if (forced_isa) return *forced_isa;
  static const Isa initial = initial_isa();
  return initial;
}

void set_isa(Isa isa) {
  if (!isa_supported(isa)) refuse(isa);
  forced_isa = isa;
}

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::kX86_64_v3:
      return "x86-64-v3";
    case Isa::kX86_64_v4:
      return "x86-64-v4";
    default:
      return "baseline";
  }
}

Isa parse_isa(std::string_view name) {
  for (const Isa isa : kAll) {
    if (isa_name(isa) == name) return isa;
  }
  throw std::invalid_argument("unknown ISA '" + std::string(name) +
                              "': expected baseline, x86-64-v3 or x86-64-v4");
}

}  // namespace binade
