// Which instruction set the array loops use. The bits do not depend on it; a test proves so.
#pragma once

#include <string_view>
#include <vector>

namespace binade {

enum class Isa : unsigned char {
  kBaseline,   ///< what every x86-64 (or any other) processor has
  kX86_64_v3,  ///< AVX2, FMA, F16C
  kX86_64_v4,  ///< AVX-512 F, BW, CD, DQ, VL
};

/// The ISA in force: the widest this processor has, unless set_isa or, at start, the environment
/// variable BINADE_ISA (baseline, x86-64-v3, x86-64-v4) says otherwise.
/// Errors: std::invalid_argument on first use when BINADE_ISA is unknown or not to be had here.
Isa isa();

/// Forces an ISA. Errors: std::invalid_argument when this processor lacks it. Not to be called
/// while other threads compute.
void set_isa(Isa isa);

bool isa_supported(Isa isa);
/// Every ISA this processor can run, narrowest first.
std::vector<Isa> supported_isas();
std::string_view isa_name(Isa isa);
/// Errors: std::invalid_argument naming the three.
Isa parse_isa(std::string_view name);

}  // namespace binade
