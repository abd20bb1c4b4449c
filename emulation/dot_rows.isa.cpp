// Rows of 8-bit operands: dot_rows.hpp says what lies in which lane, and what keeps it exact.
//
// Compiled once per instruction set; everything lives in the anonymous namespace inside BINADE_ISA.
// It needs tables of 64 words in registers and shifts of 16-bit lanes by variable amounts, so there
// is a loop for AVX-512 alone.
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // in gcc's own AVX-512 header, bug 105593
#endif

#include "dot_rows.hpp"

#include "gemm_loops.hpp"
#include "gemm_vectors.hpp"

namespace binade::detail::BINADE_ISA {
#if defined(__AVX512BW__)
namespace {

constexpr int kPairs = kRowGroup / 2;

/// Entries of a table for the codes in one byte of each 16-bit lane, `bit` being that byte's first.
struct Table {
  __m512i quarter[4];

  BINADE_INLINE explicit Table(const std::uint16_t* entries) {
    for (int i = 0; i < 4; ++i) quarter[i] = _mm512_load_si512(entries + 32 * i);
  }
  template <int bit>
  BINADE_INLINE __m512i at(__m512i codes) const {
    const __m512i index = bit == 0 ? codes : _mm512_srli_epi16(codes, bit);
    const __mmask32 upper = _mm512_test_epi16_mask(codes, _mm512_set1_epi16(0x40 << bit));
    const __m512i low = _mm512_permutex2var_epi16(quarter[0], index, quarter[1]);
    return _mm512_mask_blend_epi16(upper, low,
                                   _mm512_permutex2var_epi16(quarter[2], index, quarter[3]));
  }
};

/// Half of a step of two rows: the products of even or of odd k.
struct Half {
  __m512i exponents;  ///< in the upper bytes
  __m512i products;   ///< magnitudes, with F fraction bits

  BINADE_INLINE Half() = default;
  BINADE_INLINE Half(__m512i a, __m512i b)
      : exponents(_mm512_adds_epu8(a, b)),
        products(_mm512_maddubs_epi16(_mm512_and_si512(a, _mm512_set1_epi16(0xff)), b)) {}

  /// Sums of two neighbours on the grid of E, whose code is in the upper byte; `sign`: 1 or -1.
  BINADE_INLINE __m512i aligned(__m512i e, __m512i sign) const {
    const __m512i drop = _mm512_srli_epi16(_mm512_sub_epi8(e, exponents), 8);
    return _mm512_madd_epi16(_mm512_srlv_epi16(products, drop), sign);
  }
};

BINADE_INLINE __m512i sign_of_words(__m512i x) {
  return _mm512_or_si512(_mm512_srai_epi16(x, 15), _mm512_set1_epi16(1));
}

struct Maximum {
  static BINADE_INLINE __m512i of(__m512i x, __m512i y) { return _mm512_max_epu16(x, y); }
};
struct Sum {
  static BINADE_INLINE __m512i of(__m512i x, __m512i y) { return _mm512_add_epi32(x, y); }
};

/// Eight vectors of 8 lanes of 32 bits for each of two rows become one, a row a lane: pair i holds
/// rows i and i + 4 below 4, and i + 4 and i + 8 from there on.
template <class Join>
BINADE_INLINE __m512i join_rows(__m512i (&v)[kPairs]) {
  for (int i = 0; i < 4; ++i) {
    v[i] = Join::of(_mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]),
                    _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]));
  }
  for (int i = 0; i < 2; ++i) {
    v[i] = Join::of(_mm512_unpacklo_epi64(v[2 * i], v[2 * i + 1]),
                    _mm512_unpackhi_epi64(v[2 * i], v[2 * i + 1]));
  }
  return Join::of(_mm512_shuffle_i64x2(v[0], v[1], 0x88), _mm512_shuffle_i64x2(v[0], v[1], 0xdd));
}
constexpr int first_row(int pair) { return pair < 4 ? pair : pair + 4; }

/// The chain of a group, a row a lane.
struct Chain {
  __m512 c;
  __mmask16 special = 0;

  /// E by `codes`, the largest of each row in the upper byte, and by C.
  BINADE_INLINE __m512i exponents(const RowPlan& p, __m512i codes) {
    special |= _mm512_cmpeq_epi32_mask(codes, _mm512_set1_epi32(kSpecialCode));
    const __m512i of_c = _mm512_sub_epi32(
        _mm512_and_si512(_mm512_srli_epi32(_mm512_castps_si512(c), 23), _mm512_set1_epi32(255)),
        _mm512_set1_epi32(127));  // of a C of zero: under every other
    const __mmask16 any = _mm512_cmpge_epi32_mask(codes, _mm512_set1_epi32(p.nonzero_code));
    return _mm512_max_epi32(_mm512_mask_add_epi32(_mm512_set1_epi32(p.lowest_exponent), any, codes,
                                                  _mm512_set1_epi32(p.code_offset)),
                            _mm512_max_epi32(of_c, _mm512_set1_epi32(p.lowest_exponent)));
  }

  static BINADE_INLINE __m512 power_of_two(__m512i e) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(e, _mm512_set1_epi32(127)), 23));
  }

  /// C joins the sum of a step's terms; conversion to integers cuts it, and the mask the result.
  BINADE_INLINE void add(const RowPlan& p, __m512i e, __m512i terms) {
    const __m512i f = _mm512_set1_epi32(p.fraction_bits);
    const __m512 units = _mm512_mul_ps(c, power_of_two(_mm512_sub_epi32(f, e)));
    const __m512i sum = _mm512_add_epi32(terms, _mm512_cvttps_epi32(units));
    const __m512 d = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), power_of_two(_mm512_sub_epi32(e, f)));
    const __m512i kept = _mm512_set1_epi32(-(1 << (23 - p.result_mantissa_bits)));
    c = _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(d), kept));
  }
};

BINADE_INLINE __m512i load_pair(const std::uint8_t* low, const std::uint8_t* high, __mmask32 m) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_maskz_loadu_epi8(m, low)),
                            _mm256_maskz_loadu_epi8(m, high), 1);
}

struct Rows {
  const std::uint8_t *a[kRowGroup], *b[kRowGroup];
};

BINADE_INLINE void step(const RowPlan& p, const Table& of_a, const Table& of_b, const Rows& rows,
                        std::size_t k, __mmask32 m, Chain& chain) {
  Half even[kPairs], odd[kPairs];
  __m512i signs[kPairs], top[kPairs];
  for (int i = 0; i < kPairs; ++i) {
    const int r = first_row(i);
    const __m512i a = load_pair(rows.a[r] + k, rows.a[r + 4] + k, m);
    const __m512i b = load_pair(rows.b[r] + k, rows.b[r + 4] + k, m);
    even[i] = Half(of_a.at<0>(a), of_b.at<0>(b));
    odd[i] = Half(of_a.at<8>(a), of_b.at<8>(b));
    signs[i] = _mm512_xor_si512(a, b);
    top[i] = _mm512_max_epu16(even[i].exponents, odd[i].exponents);
  }
  const __m512i both = join_rows<Maximum>(top);
  const __m512i codes = _mm512_srli_epi32(_mm512_max_epu16(both, _mm512_slli_epi32(both, 16)), 24);
  const __m512i e = chain.exponents(p, codes);
  const __m512i code = _mm512_min_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(p.code_offset)),
                                        _mm512_set1_epi32(p.largest_code + kFarBelow));
  const __m512i upper =
      _mm512_or_si512(_mm512_slli_epi32(code, 24),
                      _mm512_and_si512(_mm512_slli_epi32(code, 8), _mm512_set1_epi32(0xff00)));
  __m512i terms[kPairs];
  for (int i = 0; i < kPairs; ++i) {
    const __m512i low = _mm512_set1_epi32(first_row(i));
    const __m512i of_row = _mm512_permutexvar_epi32(
        _mm512_mask_add_epi32(low, 0xff00, low, _mm512_set1_epi32(4)), upper);
    terms[i] =
        _mm512_add_epi32(even[i].aligned(of_row, sign_of_words(_mm512_slli_epi16(signs[i], 8))),
                         odd[i].aligned(of_row, sign_of_words(signs[i])));
  }
  chain.add(p, e, join_rows<Sum>(terms));
}

/// Asks for as many lines as a step takes. Those of the next group, where rows are short, in the
/// order of memory, which the hardware's own prefetching then runs ahead of: the rows of a group
/// are more streams than it follows. Else those of these rows further on, of A and of B in turns.
BINADE_INLINE void prefetch(const RowTask& t, const Rows& rows, std::size_t k) {
  constexpr std::size_t kShort = 8192, kAhead = 512;
  const auto ask = [](const std::uint8_t* p) __attribute__((always_inline)) {
    _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0);
  };
  if (t.k <= kShort) {
    for (std::size_t line = 0; line < kRowGroup * kRowStep; line += 64) {
      ask(t.a + kRowGroup * (t.k + k) + line);
      ask(t.b + kRowGroup * (t.k + k) + line);
    }
  } else {
    const std::uint8_t* const* mine = k % 64 < 32 ? rows.a : rows.b;
    for (std::size_t r = 0; r < kRowGroup; ++r) ask(mine[r] + k + kAhead);
  }
}

/// The k of one step that a row has, as the lowest bits of a mask.
BINADE_INLINE __mmask32 mask_of(std::size_t count) {
  return count >= 32 ? ~__mmask32{0} : (__mmask32{1} << count) - 1;
}

void row_group(const RowPlan& p, const RowTask& t) {
  Rows rows;
  for (std::size_t r = 0; r < kRowGroup; ++r) {
    const std::size_t row = r < t.rows ? r : 0;
    rows.a[r] = t.a + row * t.k;
    rows.b[r] = t.b + row * t.k;
  }
  const Table of_a(p.a), of_b(p.b);
  Chain chain{_mm512_loadu_ps(t.chain)};
  const auto step_k = static_cast<std::size_t>(p.step_k), unit = static_cast<std::size_t>(p.unit);
  std::size_t k = 0;
  for (; step_k == kRowStep && k + kRowStep <= t.k; k += kRowStep) {
    prefetch(t, rows, k);
    step(p, of_a, of_b, rows, k, ~__mmask32{0}, chain);
  }
  for (const std::size_t end = (t.k + unit - 1) / unit * unit; k < end; k += step_k) {
    const std::size_t left = k < t.k ? t.k - k : 0;
    step(p, of_a, of_b, rows, k, mask_of(left < step_k ? left : step_k), chain);
  }
  _mm512_storeu_ps(t.chain, chain.c);
  for (std::size_t r = 0; r < kRowGroup; ++r) t.special[r] |= chain.special >> r & 1;
}

}  // namespace

void fill_row_loops(GemmKernels& k) { k.row_group = row_group; }
#else
void fill_row_loops(GemmKernels&) {}
#endif

}  // namespace binade::detail::BINADE_ISA
