// The loops of block scaling, compiled once per instruction set and left to the vectoriser. Each
// element is one IEEE operation, so the bits cannot depend on the width.
#include "binade/formats/host_device.hpp"
#include "block_scale_kernels.hpp"

namespace binade::detail::BINADE_ISA {
namespace {

/// body(i) for every i. The matrix comes from memory while it is measured and while it is scaled:
/// each of the two asks for every other line two pages on (formats/cast.isa.cpp says why).
template <std::size_t first_line, class Body>
[[gnu::always_inline]] inline void for_each_ahead(const float* x, std::size_t count, Body body) {
  constexpr std::size_t kRun = 64, kAhead = 8192 / sizeof(float), kLine = 64 / sizeof(float);
  std::size_t i = 0;
  for (; i + kRun <= count; i += kRun) {
    for (std::size_t at = first_line * kLine; at < kRun; at += 2 * kLine) {
      __builtin_prefetch(x + i + kAhead + at);
    }
    for (std::size_t j = i; j < i + kRun; ++j) body(j);
  }
  for (; i < count; ++i) body(i);
}

// Signed comparison, which every vector unit has; magnitudes are never negative.
std::uint32_t amax_bits(const float* x, std::size_t count, std::uint32_t start) {
  auto amax = static_cast<std::int32_t>(start);
  for_each_ahead<0>(
      x, count, [&](std::size_t i) __attribute__((always_inline)) {
        amax = max_of(amax, bit_cast<std::int32_t>(x[i]) & 0x7fffffff);
      });
  return static_cast<std::uint32_t>(amax);
}

void amax_bits_each(const float* x, std::size_t count, std::uint32_t* amax) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto before = static_cast<std::int32_t>(amax[i]);
    amax[i] = static_cast<std::uint32_t>(max_of(before, bit_cast<std::int32_t>(x[i]) & 0x7fffffff));
  }
}

// Of two NaN a processor hands on the first, and which one that is the compiler decides: here the
// element's counts, on every instruction set.
void keep_nan(const float* x, float nan, float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = x[i] != x[i] ? x[i] : nan;
}

void multiply(const float* x, float factor, float* y, std::size_t count) {
  if (factor != factor) return keep_nan(x, factor, y, count);
  for_each_ahead<1>(
      x, count, [&](std::size_t i) __attribute__((always_inline)) { y[i] = x[i] * factor; });
}
void divide(const float* x, float factor, float* y, std::size_t count) {
  if (factor != factor) return keep_nan(x, factor, y, count);
  for_each_ahead<1>(
      x, count, [&](std::size_t i) __attribute__((always_inline)) { y[i] = x[i] / factor; });
}
void multiply_each(const float* x, const float* factor, float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = x[i] != x[i] ? x[i] : x[i] * factor[i];
}
void divide_each(const float* x, const float* factor, float* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) y[i] = x[i] != x[i] ? x[i] : x[i] / factor[i];
}

bool scales(const ScaleLanes& shared_lanes, const std::uint32_t* amax, std::size_t count,
            float* __restrict scale, float* __restrict factor, std::uint8_t* __restrict code) {
  const ScaleLanes lanes = shared_lanes;
  std::uint32_t hard = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const LaneScale b = lane_scale(lanes, bit_cast<float>(amax[i]));
    scale[i] = bit_cast<float>(b.scale);
    factor[i] = bit_cast<float>(b.factor);
    hard |= is_easy_amax(amax[i]) ? 0u : 1u;
  }
  for (std::size_t i = 0; code != nullptr && i < count; ++i) code[i] = ue8m0_code(scale[i]);
  return hard == 0;
}

constexpr BlockKernels kKernels{amax_bits,     amax_bits_each, multiply, divide,
                                multiply_each, divide_each,    scales};

}  // namespace

const BlockKernels& block_kernels() { return kKernels; }

}  // namespace binade::detail::BINADE_ISA
