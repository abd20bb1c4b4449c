// Wide lanes: gemm_wide.hpp says what they hold and why it is exact.
//
// Compiled once per instruction set; everything lives in the anonymous namespace inside BINADE_ISA.
#include <cfenv>

#include "gemm_loops.hpp"
#include "gemm_vectors.hpp"
#include "gemm_wide.hpp"

namespace binade::detail::BINADE_ISA {
namespace {

using L = Lane<double>;
using R = L::R;
using I = L::I;
using Sum = Vector<std::uint64_t>;  // wraps

constexpr std::size_t kWidth = sizeof(R) / sizeof(double);
constexpr double kStart = 0x1.8p52;
constexpr std::int64_t kReach = 200;

BINADE_INLINE I at_most(I x, std::int64_t most) {
  const I limit = I{} + most;
  return x < limit ? x : limit;
}

/// E by the products of one step and a vector of lanes.
template <bool normalizes>
BINADE_INLINE I exponent_of_products(const ChainPlan& p, const WideTask& t, std::size_t a_at,
                                     std::size_t b_at, std::size_t lanes) {
  I top = I{} + p.lowest_exponent;
  for (int k = 0; k < p.step_k; ++k) {
    const std::size_t b = b_at + static_cast<std::size_t>(k) * lanes;
    I e = load<I>(t.b_exponent + b) + t.a_exponent[a_at + k];
    if constexpr (normalizes) {
      const R product = load<R>(t.b + b) * t.a[a_at + k];
      e = product == R{} ? e : e + exponent_of<L>(product);
    }
    top = max_of_lanes(top, e);
  }
  return top;
}

/// x * 2^drop in units of 2^-F, an integer of the mode at hand in the low bits of a pattern.
template <TermRounding rounding>
BINADE_INLINE Sum term(R x, I drop, int fraction_bits) {
  const R scale = power_of_two<L>(at_least(drop, -kReach) + fraction_bits);
  const R start = R{} + kStart;
  if constexpr (rounding == TermRounding::kCut) return (Sum)(L::truncate(x * scale) + start);
  return (Sum)fused(x, scale, start);
}

/// An integer below 2^62 as a number, to odd in its upper bits if fp64 does not hold it.
BINADE_INLINE R to_real(I x) {
  constexpr std::int64_t kLow = 1023, kLarge = std::int64_t{1} << 52;
  const I sticky = (x & kLow) != 0 ? I{} + (kLow + 1) : I{};
  const I odd = (x & ~kLow) | sticky;
  const I beyond = (x >= kLarge) | (x <= -kLarge);
  return __builtin_convertvector(beyond ? odd : x, R);
}

template <int vectors, TermRounding rounding, bool normalizes>
BINADE_INLINE void wide_step(const ChainPlan& p, const WideTask& t, std::size_t a_at,
                             std::size_t b_at, R (&c)[vectors]) {
  constexpr std::size_t lanes = kWidth * vectors;
  I e[vectors];
  Sum sum[vectors];
  const std::uint64_t starts =
      static_cast<std::uint64_t>(p.step_k + 1) * __builtin_bit_cast(std::uint64_t, kStart);
  for (int v = 0; v < vectors; ++v) {
    const I of_c = at_least(exponent_of<L>(c[v]), p.c_emin);
    const I counted = c[v] == R{} ? I{} + p.c_zero_exponent : of_c;
    e[v] = max_of_lanes(
        exponent_of_products<normalizes>(p, t, a_at, b_at + v * kWidth, lanes), counted);
    sum[v] = term<rounding>(c[v] * power_of_two<L>(-of_c), at_most(of_c - e[v], 0),
                            p.fraction_bits) - starts;
  }
  for (int k = 0; k < p.step_k; ++k) {
    const double x = t.a[a_at + k];
    const std::int64_t of_x = t.a_exponent[a_at + k];
    for (int v = 0; v < vectors; ++v) {
      const std::size_t b = b_at + static_cast<std::size_t>(k) * lanes + v * kWidth;
      const I drop = (load<I>(t.b_exponent + b) + of_x) - e[v];
      sum[v] += term<rounding>(load<R>(t.b + b) * x, drop, p.fraction_bits);
    }
  }
  const R infinity = R{} + __builtin_inf();
  for (int v = 0; v < vectors; ++v) {
    const I unit = at_most(at_least(e[v] - p.fraction_bits, -600), 400);
    const R d = round_result<L>(p, to_real((I)sum[v]) * power_of_two<L>(unit), p.nearest);
    const R bounded = d > p.result_max ? infinity : d < -p.result_max ? -infinity : d;
    c[v] = magnitude<L>(c[v]) == infinity ? c[v] : bounded;
  }
}

/// Not inlined: no operation may leave it for the stretch under another rounding mode.
template <int vectors, TermRounding rounding, bool normalizes>
__attribute__((noinline)) void wide_rows(const ChainPlan& shared_plan,
                                         const WideTask& shared_task) {
  constexpr std::size_t lanes = kWidth * vectors;
  const ChainPlan p = shared_plan;  // locals, so that stores cannot change them
  const WideTask t = shared_task;
  const auto step_k = static_cast<std::size_t>(p.step_k);
  for (std::size_t row = 0; row < t.rows; ++row) {
    R c[vectors];
    double* chain = t.chain + row * lanes;
    for (int v = 0; v < vectors; ++v) c[v] = load<R>(chain + v * kWidth);
    for (std::size_t k = 0; k < t.depth; k += step_k) {
      wide_step<vectors, rounding, normalizes>(p, t, row * t.a_stride + k, k * lanes, c);
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
