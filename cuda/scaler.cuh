// What brings the elements of a block to range: x * factor, or x / factor in two or three
// operations that many elements of one factor share. S: Fp32 or Bf16. Private to this folder.
//
// The quotients are those of the CPU (formats/scaled_avx512.hpp, where it is shown that they are
// cast as fl(x / factor) is by trying all that might not be: tests/exhaustive/quotient_test.cpp,
// and scaler_test.cpp for the text below). They need a factor between 2^-60 and 2^60, so that
// nothing underflows but what is zero in every element format here, and a quotient of the largest
// magnitude that is far from overflow: see `serves`. -0 keeps its sign.
#pragma once

#include "binade/formats/catalog.hpp"
#include "containers.cuh"

namespace binade::cuda {

template <class S, bool kDivide>
struct Scaler;

template <class S>
struct Scaler<S, false> {
  float factor;

  __device__ static Scaler of(float factor) { return {factor}; }
  __device__ float operator()(float x) const { return x * factor; }
  __device__ bool serves(float) const { return true; }
};

/// Whether the quotients of magnitudes up to `amax` are cast as fl(x / factor) is.
__device__ __forceinline__ bool quotients_serve(float factor, float inverse, float amax) {
  return factor >= 0x1p-60f && factor <= 0x1p60f && amax * inverse <= 0x1p100f;
}

/// The product with the reciprocal, corrected once by the exact remainder.
template <>
struct Scaler<Fp32, true> {
  float factor, inverse;

  __device__ static Scaler of(float factor) { return {factor, 1.0f / factor}; }
  __device__ float operator()(float x) const {
    const float q = x * inverse;
    return fmaf(-fmaf(q, factor, -x), inverse, q);
  }
  __device__ bool serves(float amax) const { return quotients_serve(factor, inverse, amax); }
};

/// The products with the upper 16 bits of the reciprocal, exact because x has 8, and with the rest
/// of 1 / factor to 24 bits more. The rest is above zero, so that -0 keeps its sign.
template <>
struct alignas(16) Scaler<Bf16, true> {
  float upper, rest, factor;

  __device__ static Scaler of(float factor) {
    const float inverse = 1.0f / factor;
    const auto upper = bit_cast<float>((bit_cast<std::uint32_t>(inverse) - 1) & 0xffffff00u);
    return {upper, fmaf(-factor, upper, 1.0f) * inverse, factor};
  }
  __device__ float operator()(float x) const { return fmaf(x, rest, x * upper); }
  __device__ bool serves(float amax) const { return quotients_serve(factor, upper + rest, amax); }
};

}  // namespace binade::cuda
