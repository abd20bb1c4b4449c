// The table of array loops, one instance an instruction set. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "binade/formats/cast.hpp"
#include "binade/formats/codec.hpp"
#include "binade/formats/isa.hpp"
#include "binade/formats/scaled_cast.hpp"
#include "encode_lanes.hpp"
#include "narrow_plan.hpp"

namespace binade::detail {

inline constexpr int kRoundings = static_cast<int>(Rounding::kStochasticC) + 1;

/// 0 for containers of 8 bits, 1 for 16, 2 for 32, 3 for 64.
constexpr int container_index(FloatFormat f) {
  return bit_width_of(static_cast<std::uint64_t>(f.container_bits())) - 4;
}

/// Whether a format's codes are the upper bits of fp32's.
constexpr bool is_fp32_prefix(FloatFormat f) {
  FloatFormat widened = f;
  widened.mantissa_bits = kFp32Format.mantissa_bits;
  widened.padding_bits = 0;
  return widened == kFp32Format && f.mantissa_bits >= 1;
}

/// The draws of successive elements.
struct RandomStream {
  std::uint64_t counter;  ///< random_counter of the next one

  constexpr RandomStream(std::uint64_t seed, std::uint64_t index)
      : counter(random_counter(seed, index)) {}
  /// A step that the vectoriser knows, where a product would cost as much as the rest.
  [[gnu::always_inline]] constexpr std::uint32_t next() {
    const std::uint32_t bits = random_mix(counter);
    counter += kRandomStep;
    return bits;
  }
};

template <class Float>
using WordOf = std::conditional_t<sizeof(Float) == 4, std::uint32_t, std::uint64_t>;

// past_caches, in all of them: the target lies on 64 bytes, and whole lines of it are written past
// the caches; end_stream orders them before whatever is written next.

/// target: containers. Padding bits are written as zeros.
template <class Float>
using EncodeLoop = void (*)(const Float* source, void* target, std::size_t count,
                            const EncodePlan<WordOf<Float>>& plan, int padding, RandomStream random,
                            bool past_caches);
/// The same for formats and rules that lanes_serve.
using LanesLoop = void (*)(const float* source, void* target, std::size_t count,
                           const LanePlan& plan, int padding, RandomStream random,
                           bool past_caches);
/// The same for what narrow_kind tells.
using NarrowLoop = void (*)(const float* source, void* target, std::size_t count,
                            const NarrowPlan& plan, bool past_caches);
/// Rounds to values; source and target are apart or the same.
using RoundLoop = void (*)(const float* source, float* target, std::size_t count,
                           const RoundPlan& plan, bool past_caches);
/// source: containers. The format embeds in the target and its normal numbers are normal there.
template <class Float>
using DecodeLoop = void (*)(const void* source, Float* target, std::size_t count, FloatFormat f,
                            bool past_caches);
/// Decodes codes of at most 8 bits, of which `values` are the 256 (bits above the format's
/// ignored), or returns false with nothing done.
using TableLoop = bool (*)(const float* values, const void* source, float* target,
                           std::size_t count, bool past_caches);

/// The loops of ScaledCast (scaled_cast.hpp); null where an instruction set has none.
struct ScaledLoops {
  void (*amax)(const void* x, std::size_t blocks, std::size_t width, std::size_t ahead,
               std::uint32_t* amax);
  void (*cast)(const void* x, std::size_t blocks, std::size_t width, std::size_t ahead,
               const float* factors, bool divides, void* codes, const NarrowPlan& plan,
               CodeStream* stream);
};

struct CastKernels {
  EncodeLoop<float> encode32[kRoundings][3];
  LanesLoop lanes[kRoundings][3][kLaneKinds];  ///< the last index: plan.kind()
  NarrowLoop narrow[kNarrowKinds];             ///< null where an instruction set has none
  EncodeLoop<double> encode64[kRoundings][4];
  ScaledLoops scaled[2];  ///< from fp32, from bf16
  RoundLoop round[2];     ///< to nearest even, plans of plain lanes: formats without -0, with it
  void (*end_stream)();
  DecodeLoop<float> decode32[3];
  DecodeLoop<float> widen32[3];  ///< for formats that is_fp32_prefix tells
  TableLoop table32;             ///< null where an instruction set has none
  DecodeLoop<double> decode64[4];
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

/// Those of the instruction set in force.
const CastKernels& cast_kernels();

}  // namespace binade::detail
