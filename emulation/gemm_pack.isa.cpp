// From rows of codes to the panels of gemm_kernels.hpp: rows are turned as they lie, in 16-byte
// blocks, before they are decoded; decoded numbers then get their exponent codes beside them.
//
// Compiled once per instruction set; everything lives in the anonymous namespace inside BINADE_ISA.
#include <utility>

#include "gemm_loops.hpp"
#include "gemm_vectors.hpp"

namespace binade::detail::BINADE_ISA {
namespace {

/// Vectors a0 b0 a1 b1 ... of the halves of a and b.
template <class V, std::size_t... i>
BINADE_INLINE void interleave(const V& a, const V& b, V& low, V& high, std::index_sequence<i...>) {
  constexpr int n = sizeof...(i);
  low = __builtin_shufflevector(a, b, (i % 2 == 0 ? i / 2 : n + i / 2)...);
  high = __builtin_shufflevector(a, b, (i % 2 == 0 ? (n + i) / 2 : n + (n + i) / 2)...);
}

/// A square of 16 bytes a side, in words: the perfect shuffle of its rows, log2 of them times.
template <class Word>
BINADE_INLINE void transpose_square(const char* in, std::size_t in_bytes, char* out,
                                    std::size_t out_bytes) {
  constexpr std::size_t n = 16 / sizeof(Word);
  using V = Vector<Word, 16>;
  V rows[n], turned[n];
  for (std::size_t i = 0; i < n; ++i) rows[i] = load<V>(in + i * in_bytes);
  for (std::size_t done = 1; done < n; done *= 2) {
    for (std::size_t i = 0; i < n / 2; ++i) {
      interleave(rows[i], rows[i + n / 2], turned[2 * i], turned[2 * i + 1],
                 std::make_index_sequence<n>{});
    }
    for (std::size_t i = 0; i < n; ++i) rows[i] = turned[i];
  }
  for (std::size_t i = 0; i < n; ++i) store(out + i * out_bytes, rows[i]);
}

template <class Word>
void transpose_words(const void* in, std::size_t in_rows, std::size_t in_row_bytes, void* out) {
  constexpr std::size_t n = 16 / sizeof(Word);
  const auto* source = static_cast<const char*>(in);
  auto* target = static_cast<char*>(out);
  const std::size_t out_row_bytes = in_rows * sizeof(Word);
  for (std::size_t row = 0; row < in_rows; row += n) {
    for (std::size_t at = 0; at < in_row_bytes; at += 16) {
      transpose_square<Word>(source + row * in_row_bytes + at, in_row_bytes,
                             target + at / sizeof(Word) * out_row_bytes + row * sizeof(Word),
                             out_row_bytes);
    }
  }
}

void transpose(int word_bytes, const void* in, std::size_t in_rows, std::size_t in_row_bytes,
               void* out) {
  if (word_bytes == 1) transpose_words<std::uint8_t>(in, in_rows, in_row_bytes, out);
  if (word_bytes == 2) transpose_words<std::uint16_t>(in, in_rows, in_row_bytes, out);
  if (word_bytes == 4) transpose_words<std::uint32_t>(in, in_rows, in_row_bytes, out);
}

/// A decoded number without its NaN or infinity, and its exponent code.
struct Split {
  float value;
  int code;
  std::uint32_t special;
};
BINADE_INLINE Split split_one(const SplitPlan& p, float x) {
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x);
  const std::uint32_t field = (bits >> 23) & 255;
  const bool finite = field != 255;
  const float value = finite ? x : 0.0f;
  const int stored = static_cast<int>(field) - 127;
  const int exponent = stored > p.emin ? stored : p.emin;
  return {value, value != 0.0f ? exponent - p.emin + p.zero_gap : p.zero_code, finite ? 0u : 1u};
}

template <class Real>
bool split_loop(const SplitPlan& shared_plan, const float* __restrict values, std::size_t count,
                Real* __restrict out, typename ExponentCode<Real>::type* __restrict code) {
  const SplitPlan p = shared_plan;
  std::uint32_t special = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Split s = split_one(p, values[i]);
    out[i] = static_cast<Real>(s.value);
    code[i] = static_cast<typename ExponentCode<Real>::type>(s.code);
    special |= s.special;
  }
  return special != 0;
}

template <class Real>
bool split_panel_loop(const SplitPlan& shared_plan, const PanelSource<Real>& s) {
  const SplitPlan p = shared_plan;
  std::uint32_t special = 0;
  for (std::size_t k = 0; k < s.depth; ++k) {
    const float* __restrict values =
        s.values + (s.order == nullptr ? k : s.order[k]) * s.stride;
    Real* __restrict up = s.b + 2 * k * s.lanes;
    Real* __restrict down = up + s.lanes;
    typename ExponentCode<Real>::type* __restrict code = s.b_code + k * s.lanes;
    for (std::size_t l = 0; l < s.lanes; ++l) {
      const Split one = split_one(p, values[l]);
      up[l] = static_cast<Real>(one.value > 0.0f ? one.value : 0.0f);
      down[l] = static_cast<Real>(one.value < 0.0f ? one.value : 0.0f);
      code[l] = static_cast<typename ExponentCode<Real>::type>(one.code);
      special |= one.special;
    }
  }
  return special != 0;
}

}  // namespace

void fill_pack_loops(GemmKernels& k) {
  k.transpose = transpose;
  k.single_lanes.split = split_loop<float>;
  k.double_lanes.split = split_loop<double>;
  k.single_lanes.split_panel = split_panel_loop<float>;
  k.double_lanes.split_panel = split_panel_loop<double>;
}

}  // namespace binade::detail::BINADE_ISA
