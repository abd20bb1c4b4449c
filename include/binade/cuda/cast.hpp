// Casting arrays on the device: the twins of formats/cast.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "binade/cuda/kernel_facts.hpp"
#include "binade/formats/cast.hpp"

namespace binade::cuda {

/// The twin of binade::cast, on host arrays: the text of codec.hpp, compiled for the device.
///
/// Shapes, Arithmetic, Special values: as binade::cast, to the bit, for every pair of formats,
/// every rounding, and every draw of random_at(seed, i). Determinism: the same bytes each time.
/// Errors: as binade::cast; NoDevice; std::runtime_error when the arrays do not fit in device
/// memory. Tests: tests/twins/cast_test.cpp.
void cast_portable(FloatFormat from, const void* source, FloatFormat to, void* target,
                   std::size_t count, CastRules rules = {}, std::uint64_t seed = 0);

/// Whether cast_hw has instructions for a pair: both among fp32, bf16, fp16, e4m3 and e5m2, and not
/// the same, rounded to nearest even.
bool has_hw_cast(FloatFormat from, FloatFormat to, CastRules rules = {});

/// The same by the instructions of the device (cvt), which round to nearest even.
///
/// Arithmetic: numbers that no rule but the rounding decides go through the instruction; what
/// overflows, and what is not finite, through the text of codec.hpp, unless the rules are the
/// instruction's own. So the bits are those of binade::cast.
/// Errors: also std::invalid_argument where has_hw_cast is false; NoDevice below compute capability
/// 9.0. Tests: tests/twins/cast_test.cpp; verify_conversions.hpp has every input of the
/// instructions alone.
void cast_hw(FloatFormat from, const void* source, FloatFormat to, void* target, std::size_t count,
             CastRules rules = {});

/// A cast between arrays in device memory: by the instructions where has_hw_cast and both arrays
/// start at a multiple of 16 bytes, else by the portable text. Bits and errors as above. Returns at
/// once: the work is queued on the default stream.
void cast_on_device(FloatFormat from, const void* source, FloatFormat to, void* target,
                    std::size_t count, CastRules rules = {}, std::uint64_t seed = 0);

/// What the kernel of cast_on_device takes. Errors: as cast_on_device.
KernelFacts cast_facts(FloatFormat from, FloatFormat to, CastRules rules = {});

}  // namespace binade::cuda
