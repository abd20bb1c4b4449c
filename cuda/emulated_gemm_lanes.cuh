// One output's arithmetic in floating point: emulated_gemm_plan.hpp says why it is exact. Private
// to this folder.
#pragma once

#include "emulated_gemm_plan.hpp"

namespace binade::cuda::detail {

#define BINADE_LANE static __device__ __forceinline__

/// What depends on the kind of lane.
template <class Real>
struct Lane;

template <>
struct Lane<float> : RealBits<float> {
  /// A factor in the forms in which it is multiplied.
  struct Operand {
    float value, magnitude;
  };
  BINADE_LANE Operand operand(float x) { return {x, fabsf(x)}; }
  BINADE_LANE float value(const Operand& x) { return x.value; }
  BINADE_LANE float add_toward_zero(float a, float b) { return __fadd_rz(a, b); }
  BINADE_LANE float fma_toward_zero(float a, float b, float c) { return __fmaf_rz(a, b, c); }
  BINADE_LANE float positive(float x) { return fmaxf(x, 0.0f); }
  BINADE_LANE std::uint32_t upper(float x) { return __float_as_uint(x); }
  BINADE_LANE float from_upper(std::uint32_t w) { return __uint_as_float(w); }
  BINADE_LANE float masked(float x, std::uint64_t mask) {
    return __uint_as_float(__float_as_uint(x) & static_cast<std::uint32_t>(mask));
  }
  /// a * b where it is positive, else 0; exact, as |a * b| < 1.
  BINADE_LANE float positive_product(float a, float b) {
    float p;
    asm("mul.rn.sat.f32 %0, %1, %2;" : "=f"(p) : "f"(a), "f"(b));
    return p;
  }
  BINADE_LANE void add_products(const Operand& a, const Operand& b, float& positives,
                                float& magnitudes) {
    positives = __fadd_rz(positives, positive_product(a.value, b.value));
    magnitudes = __fmaf_rz(a.magnitude, b.magnitude, magnitudes);
  }
};

template <>
struct Lane<double> : RealBits<double> {
  struct Operand {
    double positive, negative, magnitude;
  };
  BINADE_LANE Operand operand(double x) {
    const bool negative = __double2hiint(x) < 0;
    return {negative ? 0.0 : x, negative ? x : 0.0, fabs(x)};
  }
  BINADE_LANE double value(const Operand& x) {  // one of them is 0
    return __double2hiint(x.negative) != 0 ? x.negative : x.positive;
  }
  BINADE_LANE double add_toward_zero(double a, double b) { return __dadd_rz(a, b); }
  BINADE_LANE double fma_toward_zero(double a, double b, double c) { return __fma_rz(a, b, c); }
  BINADE_LANE double positive(double x) { return x > 0 ? x : 0.0; }
  BINADE_LANE std::uint32_t upper(double x) {
    return static_cast<std::uint32_t>(__double2hiint(x));
  }
  BINADE_LANE double from_upper(std::uint32_t w) {
    return __hiloint2double(static_cast<int>(w), 0);
  }
  BINADE_LANE double masked(double x, std::uint64_t mask) {
    return __longlong_as_double(__double_as_longlong(x) & static_cast<long long>(mask));
  }
  BINADE_LANE void add_products(const Operand& a, const Operand& b, double& positives,
                                double& magnitudes) {
    positives = __fma_rz(a.positive, b.positive, positives);
    positives = __fma_rz(a.negative, b.negative, positives);
    magnitudes = __fma_rz(a.magnitude, b.magnitude, magnitudes);
  }
};

template <class Real>
constexpr int kUpperShift = RealBits<Real>::kCodeShift + 16;  ///< of the exponent in the upper 32

/// 2^exponent of the leading bit of x, for normal x.
template <class Real>
__device__ __forceinline__ Real binade_of(Real x) {
  using L = Lane<Real>;
  return L::from_upper(L::upper(x) &
                       (static_cast<std::uint32_t>(L::kExponentMask) << kUpperShift<Real>));
}
template <class Real>
__device__ __forceinline__ int exponent_field(Real x) {
  return static_cast<int>(Lane<Real>::upper(x) >> kUpperShift<Real>) &
         RealBits<Real>::kExponentMask;
}

/// The sums of one step of one output. start takes M and C, finish gives the step's exact sum.
template <class Real, AlignmentRounding alignment>
struct StepSum;

template <class Real>
struct StepSum<Real, AlignmentRounding::kTruncate> {
  using L = Lane<Real>;
  Real positives, magnitudes;

  __device__ __forceinline__ void start(Real m, Real c) {
    positives = L::add_toward_zero(m, L::positive(c));
    magnitudes = L::add_toward_zero(m, fabs(c));
  }
  __device__ __forceinline__ void add(const typename L::Operand& a, const typename L::Operand& b) {
    L::add_products(a, b, positives, magnitudes);
  }
  __device__ __forceinline__ Real finish() const {
    // 2 P - S = M + sum, in (0, 2 M) and on the grid: exact.
    return fma(Real{2}, positives, -magnitudes) - binade_of(positives);
  }
};

template <class Real>
struct StepSum<Real, AlignmentRounding::kFloor> {
  using L = Lane<Real>;
  Real sum;

  BINADE_LANE Real middle(Real m) {
    return L::from_upper(L::upper(m) | (1u << (kUpperShift<Real> - 1)));
  }
  __device__ __forceinline__ void start(Real m, Real c) {
    sum = L::add_toward_zero(middle(m), c);  // of a positive number: a floor
  }
  __device__ __forceinline__ void add(const typename L::Operand& a, const typename L::Operand& b) {
    sum = L::fma_toward_zero(L::value(a), L::value(b), sum);
  }
  __device__ __forceinline__ Real finish() const { return sum - middle(binade_of(sum)); }
};

template <class Real>
struct StepSum<Real, AlignmentRounding::kNearestEven> {
  using L = Lane<Real>;
  Real middle, sum;

  __device__ __forceinline__ void start(Real m, Real c) {
    middle = StepSum<Real, AlignmentRounding::kFloor>::middle(m);
    sum = (middle + c) - middle;
  }
  __device__ __forceinline__ void add(const typename L::Operand& a, const typename L::Operand& b) {
    sum += fma(L::value(a), L::value(b), middle) - middle;
  }
  __device__ __forceinline__ Real finish() const { return sum; }
};

/// The exact x rounded once to D's grid; NaN beyond the range.
template <class Real>
__device__ __forceinline__ Real round_result(const LanePlan& p, Real x, bool nearest) {
  using L = Lane<Real>;
  const int field = max(exponent_field(x), p.result_emin_field);
  // |x| < 2^(kMantissa) units of the grid, so adding as much rounds to the grid.
  const Real large =
      L::from_upper(static_cast<std::uint32_t>(field - p.result_mantissa_bits + L::kMantissa)
                    << kUpperShift<Real>);
  const Real magnitude = fabs(x);
  Real rounded = magnitude;
  if (p.result_mantissa_bits < L::kMantissa) {  // else x has no more bits than the grid
    rounded = (nearest ? magnitude + large : L::add_toward_zero(magnitude, large)) - large;
  }
  if (rounded > static_cast<Real>(p.result_max)) return L::from_upper(~0u);  // a NaN
  return copysign(rounded, x) + Real{0};                                     // -0 becomes +0
}

#undef BINADE_LANE

}  // namespace binade::cuda::detail
