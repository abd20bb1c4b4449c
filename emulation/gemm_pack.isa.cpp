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
void transpose_words(const void* in, std::size_t in_rows, std::size_t in_row_bytes,
                     std::size_t in_stride, void* out) {
  constexpr std::size_t n = 16 / sizeof(Word);
  const auto* source = static_cast<const char*>(in);
  auto* target = static_cast<char*>(out);
  const std::size_t out_row_bytes = in_rows * sizeof(Word);
  for (std::size_t row = 0; row < in_rows; row += n) {
    for (std::size_t at = 0; at < in_row_bytes; at += 16) {
      transpose_square<Word>(source + row * in_stride + at, in_stride,
                             target + at / sizeof(Word) * out_row_bytes + row * sizeof(Word),
                             out_row_bytes);
    }
  }
}

void transpose(int word_bytes, const void* in, std::size_t in_rows, std::size_t in_row_bytes,
               std::size_t in_stride, void* out) {
  const auto words = word_bytes == 1   ? transpose_words<std::uint8_t>
                     : word_bytes == 2 ? transpose_words<std::uint16_t>
                                       : transpose_words<std::uint32_t>;
  words(in, in_rows, in_row_bytes, in_stride, out);
}

/// As many decoded numbers as Real has lanes, without their NaNs and infinities.
template <class Real>
struct Split {
  static constexpr std::size_t width = kVectorBytes / sizeof(Real);
  using Code = typename ExponentCode<Real>::type;
  using F = Vector<float, width * sizeof(float)>;
  using I = Vector<std::int32_t, width * sizeof(float)>;
  using R = typename Lane<Real>::R;

  F value;
  I code;
  I special;  ///< all ones for a NaN or an infinity

  BINADE_INLINE Split(const SplitPlan& p, F x) {
    const I field = ((I)x >> 23) & 255;
    special = field == 255;
    value = (F)((I)x & ~special);
    const I exponent = at_least(field - 127, p.emin) - p.emin + p.zero_gap;
    code = value == F{} ? I{} + p.zero_code : exponent;
  }
  /// A loop over arrays: g++ 12 makes single moves of __builtin_convertvector to bytes.
  BINADE_INLINE void store_codes(Code* __restrict codes) const {
    std::int32_t wide[width];
    store(wide, code);
    for (std::size_t l = 0; l < width; ++l) codes[l] = static_cast<Code>(wide[l]);
  }
  static BINADE_INLINE R real(F x) { return __builtin_convertvector(x, R); }
};

template <class Real>
bool split_loop(const SplitPlan& shared_plan, const float* values, std::size_t count, Real* out,
                typename ExponentCode<Real>::type* code) {
  using S = Split<Real>;
  const SplitPlan p = shared_plan;
  typename S::I special{};
  std::size_t i = 0;
  for (; i + S::width <= count; i += S::width) {
    const S s(p, load<typename S::F>(values + i));
    store(out + i, S::real(s.value));
    s.store_codes(code + i);
    special |= s.special;
  }
  if (i == count) return any_lane(special);
  typename S::F rest{};
  for (std::size_t l = 0; l < S::width && i + l < count; ++l) rest[l] = values[i + l];
  const S s(p, rest);
  for (std::size_t l = 0; l < S::width && i + l < count; ++l) {
    out[i + l] = static_cast<Real>(s.value[l]);
    code[i + l] = static_cast<typename S::Code>(s.code[l]);
  }
  return any_lane(special | s.special);
}

template <class Real>
bool split_panel_loop(const SplitPlan& shared_plan, const PanelSource<Real>& shared_source) {
  using S = Split<Real>;
  const SplitPlan p = shared_plan;
  const PanelSource<Real> t = shared_source;
  typename S::I special{};
  for (std::size_t k = 0; k < t.depth; ++k) {
    const float* values = t.values + (t.order == nullptr ? k : t.order[k]) * t.stride;
    for (std::size_t l = 0; l < t.lanes; l += S::width) {
      const S s(p, load<typename S::F>(values + l));
      Real* b = t.b + 3 * k * t.lanes + l;
      const auto value = S::real(s.value);
      store(b, magnitude<Lane<Real>>(value));
      store(b + t.lanes, positive_part<Lane<Real>>(value));
      store(b + 2 * t.lanes, positive_part<Lane<Real>>(-value));
      s.store_codes(t.b_code + k * t.lanes + l);
      special |= s.special;
    }
  }
  return any_lane(special);
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
