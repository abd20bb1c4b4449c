// The table of array loops, one instance an instruction set. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>

#include "binade/formats/codec.hpp"
#include "binade/formats/isa.hpp"

namespace binade::detail {

inline constexpr int kRoundings = static_cast<int>(Rounding::kStochasticC) + 1;

/// 0 for containers of 8 bits, 1 for 16, 2 for 32, 3 for 64.
constexpr int container_index(FloatFormat f) {
  return bit_width_of(static_cast<std::uint64_t>(f.container_bits())) - 4;
}

struct RandomStream {
  std::uint64_t seed;
  std::uint64_t first;  ///< the index of the first element
};

/// source: fp32 or fp64 bits; target: containers. Padding bits are written as zeros.
template <class Word>
using EncodeLoop = void (*)(const Word* source, void* target, std::size_t count,
                            const EncodePlan<Word>& plan, int padding, RandomStream random);
/// source: containers; target: fp32 or fp64 bits. The format embeds in the target and its normal
/// numbers are normal there.
template <class Word>
using DecodeLoop = void (*)(const void* source, Word* target, std::size_t count, FloatFormat f);

struct CastKernels {
  EncodeLoop<std::uint32_t> encode32[kRoundings][3];
  EncodeLoop<std::uint64_t> encode64[kRoundings][4];
  DecodeLoop<std::uint32_t> decode32[3];
  DecodeLoop<std::uint64_t> decode64[4];
  /// Loops with the format known at compile time, nearest even; null where there is none.
  EncodeLoop<std::uint32_t> (*encode32_named)(FloatFormat f);
};

namespace baseline {
const CastKernels& cast_kernels();
}
#if defined(BINADE_HAVE_X86_64_LEVELS)
namespace x86_64_v3 {
const CastKernels& cast_kernels();
}
namespace x86_64_v4 {
const CastKernels& cast_kernels();
}
#endif

}  // namespace binade::detail
