// Wide lanes: gemm_wide.hpp says what they hold and why it is exact.
//
// Compiled once per instruction set; everything lives in the anonymous namespace inside BINADE_ISA.
#include "gemm_wide.hpp"

#include <cfenv>

#include "gemm_loops.hpp"
#include "gemm_vectors.hpp"

namespace binade::detail::BINADE_ISA {
namespace {

using L = Lane<double>;
using R = L::R;
using I = L::I;
using Sum = Vector<std::uint64_t>;  // wraps

constexpr std::size_t kWidth = sizeof(R) / sizeof(double);
constexpr double kStart = 0x1.8p52;
constexpr std::int64_t kReach = 200, kLowestUnit = -600, kHighestUnit = 400;

/// The exponent of a unit, where powers of it are numbers.
BINADE_INLINE I held(I unit) {
  const I least = at_least(unit, kLowestUnit), most = I{} + kHighestUnit;
  return least < most ? least : most;
}

/// E by the products of one step.
template <bool normalizes, int vectors>
BINADE_INLINE void exponents_of_products(const ChainPlan& p, const WideTask& t, std::size_t a_at,
                                         std::size_t b_at, I (&top)[vectors]) {
  for (int v = 0; v < vectors; ++v) top[v] = I{} + p.lowest_exponent;
  for (int k = 0; k < p.step_k; ++k) {
    const double x = t.a[a_at + k];
    const std::int64_t of_x = t.a_exponent[a_at + k];
    for (int v = 0; v < vectors; ++v) {
      const std::size_t b = b_at + (static_cast<std::size_t>(k) * vectors + v) * kWidth;
      I e = load<I>(t.b_exponent + b) + of_x;
      if constexpr (normalizes) {
        const R product = load<R>(t.b + b) * x;
        e = product == R{} ? e : e + exponent_of<L>(product);
      }
      top[v] = max_of_lanes(top[v], e);
    }
  }
}

/// A number as an integer of the mode at hand, in the low bits of a pattern.
template <TermRounding rounding>
BINADE_INLINE Sum whole(R x, R scale) {
  const R start = R{} + kStart;
  if constexpr (rounding == TermRounding::kCut) return (Sum)(L::truncate(x * scale) + start);
  return (Sum)fused(x, scale, start);
}

/// Integers below 2^62 to odd in their upper 52 bits, where fp64 does not hold them.
template <int vectors>
BINADE_INLINE void shorten(Sum (&sum)[vectors]) {
  constexpr std::int64_t kLow = 1023, kLarge = std::int64_t{1} << 52;
  for (int v = 0; v < vectors; ++v) {
    const I x = (I)sum[v];
    const I odd = (x & ~kLow) | ((x & kLow) != 0 ? I{} + (kLow + 1) : I{});
    const I beyond = (x >= kLarge) | (x <= -kLarge);
    sum[v] = (Sum)(beyond ? odd : x);
  }
}

/// The results of a step, from sums in units of 2^unit.
template <int vectors>
BINADE_INLINE void finish(const ChainPlan& p, Sum (&sum)[vectors], I (&unit)[vectors],
                          R (&c)[vectors]) {
  if (4 * std::int64_t{p.step_k} + 2 > std::int64_t{1} << (52 - p.fraction_bits)) shorten(sum);
  R d[vectors];
  for (int v = 0; v < vectors; ++v) {
    d[v] = __builtin_convertvector((I)sum[v], R) * power_of_two<L>(held(unit[v]));
  }
  if (p.nearest) {
    for (int v = 0; v < vectors; ++v) d[v] = round_result<L>(p, d[v], true);
  } else {
    for (int v = 0; v < vectors; ++v) d[v] = round_result<L>(p, d[v], false);
  }
  if (!p.bounded) {
    for (int v = 0; v < vectors; ++v) d[v] = bound_result<L>(p, c[v], d[v]);
  }
  for (int v = 0; v < vectors; ++v) c[v] = d[v];
}

template <int vectors, TermRounding rounding, bool normalizes>
BINADE_INLINE void wide_step(const ChainPlan& p, const WideTask& t, std::size_t a_at,
                             std::size_t b_at, bool from_zero, R (&c)[vectors]) {
  I unit[vectors];  // E, then E - F: what an integer counts
  Sum sum[vectors];
  const std::uint64_t starts =
      static_cast<std::uint64_t>(p.step_k + 1) * __builtin_bit_cast(std::uint64_t, kStart);
  exponents_of_products<normalizes>(p, t, a_at, b_at, unit);
  for (int v = 0; v < vectors && from_zero; ++v) {  // what the next loop gives for a C of zero
    unit[v] = at_least(unit[v], p.c_zero_exponent) - p.fraction_bits;
    sum[v] = Sum{} + (__builtin_bit_cast(std::uint64_t, kStart) - starts);
  }
  for (int v = 0; v < vectors && !from_zero; ++v) {
    const I stored = at_least(exponent_of<L>(c[v]), p.c_emin);
    const I of_c = c[v] == R{} ? I{} + p.c_zero_exponent : stored;
    unit[v] = max_of_lanes(unit[v], of_c) - p.fraction_bits;
    sum[v] = whole<rounding>(c[v], power_of_two<L>(-held(unit[v]))) - starts;
  }
  for (int k = 0; k < p.step_k; ++k) {
    const double x = t.a[a_at + k];
    const std::int64_t of_x = t.a_exponent[a_at + k] + L::kBias;
    for (int v = 0; v < vectors; ++v) {
      const std::size_t b = b_at + (static_cast<std::size_t>(k) * vectors + v) * kWidth;
      const I up = load<I>(t.b_exponent + b) + of_x - unit[v];
      const R scale = (R)(at_least(up, L::kBias - kReach) << L::kMantissa);
      sum[v] += whole<rounding>(load<R>(t.b + b) * x, scale);
    }
  }
  finish(p, sum, unit, c);
}

/// Not inlined: no operation may leave it for the stretch under another rounding mode.
template <int vectors, TermRounding rounding, bool normalizes>
__attribute__((noinline)) void wide_rows(const ChainPlan& shared_plan,
                                         const WideTask& shared_task) {
  constexpr std::size_t lanes = kWidth * vectors;
  const ChainPlan p = shared_plan;  // locals, so that stores cannot change them
  const WideTask t = shared_task;
  for (std::size_t row = 0; row < t.rows; ++row) {
    R c[vectors];
    double* chain = t.chain + row * lanes;
    for (int v = 0; v < vectors; ++v) c[v] = load<R>(chain + v * kWidth);
    for (std::size_t k = 0; k < t.depth;) {
      R addend[vectors];
      for (int v = 0; v < vectors; ++v) addend[v] = c[v];
      if (p.added_last) {
        for (int v = 0; v < vectors; ++v) c[v] = R{};
      }
      for (int step = 0; step < p.steps; ++step, k += static_cast<std::size_t>(p.step_k)) {
        wide_step<vectors, rounding, normalizes>(p, t, row * t.a_stride + k, k * lanes,
                                                 p.added_last && step == 0, c);
      }
      if (!p.added_last) continue;
      for (int v = 0; v < vectors; ++v) c[v] = join_result<L>(p, addend[v], c[v]);
    }
    for (int v = 0; v < vectors; ++v) store(chain + v * kWidth, c[v]);
  }
}

/// Toward zero what is added to a positive number is floored.
template <int vectors, TermRounding rounding>
void wide_loop(const ChainPlan& p, const WideTask& t) {
  const int mode = std::fegetround();
  if (rounding == TermRounding::kFloor) std::fesetround(FE_TOWARDZERO);
  if (p.normalizes) {
    wide_rows<vectors, rounding, true>(p, t);
  } else {
    wide_rows<vectors, rounding, false>(p, t);
  }
  if (rounding == TermRounding::kFloor) std::fesetround(mode);
}

template <TermRounding rounding>
void fill(GemmKernels& k) {
  constexpr auto at = static_cast<int>(rounding);
  k.wide[0][at] = wide_loop<1, rounding>;
  k.wide[1][at] = wide_loop<2, rounding>;
  k.wide[2][at] = wide_loop<4, rounding>;
}

}  // namespace

void fill_wide_loops(GemmKernels& k) {
  fill<TermRounding::kCut>(k);
  fill<TermRounding::kFloor>(k);
  fill<TermRounding::kNearest>(k);
}

}  // namespace binade::detail::BINADE_ISA
