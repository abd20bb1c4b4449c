// Block scaling at the speed of memory: vectors of 16 bytes that stay in registers between the
// measuring of a block and its cast. S: Fp32 or Bf16; E: E4M3 or E5M2. Private to this folder.
#pragma once

#include "block_scale_job.cuh"
#include "vectors.cuh"

namespace binade::cuda {

template <class S>
inline constexpr int kPerVector = 16 / kBytes<S>;
template <class S>
using SourceVector = Packed<S, kPerVector<S>>;

/// The largest |x| as bits: above kInfinityBits where there is a NaN.
template <class S>
__device__ std::uint32_t magnitude_bits(const SourceVector<S>& v) {
  std::uint32_t largest = 0;
  if constexpr (std::is_same_v<S, Bf16>) {
    for (const std::uint32_t word : v.word) largest = __vmaxu2(largest, word & 0x7fff7fffu);
    return max(largest << 16, largest & 0xffff0000u);
  } else {
    for (const std::uint32_t word : v.word) largest = max(largest, word & 0x7fffffffu);
    return largest;
  }
}

template <class S>
__device__ void add_each(Measure& m, const SourceVector<S>& v) {
  float x[kPerVector<S>];
  widen(v, x);
  for (const float each : x) m.add(bit_cast<std::uint32_t>(each));
}

template <bool kDivide>
__device__ __forceinline__ float scaled_fast(float x, float factor) {
  return kDivide ? x / factor : x * factor;
}

/// Casts one vector at `index` (in elements) by the text: a block with something in it that the
/// instruction does not do as the rules say. From memory, so that registers need no index.
template <class S, class E>
__device__ __noinline__ void apply_by_text(const void* x, void* codes, std::size_t index,
                                           float factor, bool divides,
                                           const detail::EncodePlan<std::uint32_t>& plan) {
#pragma unroll 1
  for (int i = 0; i < kPerVector<S>; ++i) {
    const std::uint32_t bits = widened_bits(S::format, load_container(x, kBytes<S>, index + i));
    const float y = scaled(bit_cast<float>(bits), factor, divides);
    store_container(codes, 1, index + i,
                    detail::encode_word<Rounding::kNearestEven, std::uint32_t>(
                        plan, bit_cast<std::uint32_t>(y), 0));
  }
}

/// Scales and casts one vector. `amax_bits` is the block's, by magnitude_bits.
template <class S, class E, bool kDivide>
__device__ __forceinline__ void apply_vector(const BlockJob& job, const Narrowing<E>& narrowing,
                                             const SourceVector<S>& v, std::size_t index,
                                             float factor, std::uint32_t amax_bits) {
  constexpr int n = kPerVector<S>;
  const float top = scaled_fast<kDivide>(bit_cast<float>(amax_bits), factor);
  if (!narrowing.serves(top)) {
    apply_by_text<S, E>(job.x, job.out.codes, index, factor, kDivide, narrowing.plan);
    return;
  }
  float y[n];
  widen(v, y);
  for (float& each : y) each = scaled_fast<kDivide>(each, factor);
  store_vector(job.out.codes, index / n, narrow<E>(y));
}

// ---- 1 x 128: a warp for a few blocks --------------------------------------------------------

inline constexpr int kWarpThreads = 256;
inline constexpr int kSegment = 128;  ///< elements of a block

/// Each lane holds kUnits vectors of as many blocks; the lanes of a block share its maximum, one
/// lane derives its scale, and the lanes pass the factors round. kWhole: columns are a multiple of
/// 128, so that the blocks of the matrix follow each other in memory.
template <class S, class E, bool kDivide, bool kWhole, int kUnits>
__global__ void __launch_bounds__(kWarpThreads)
    quantize_segments(const __grid_constant__ BlockJob job,
                      const __grid_constant__ Narrowing<E> narrowing) {
  constexpr int n = kPerVector<S>;
  constexpr int kLanes = kSegment / n;        // of a block: 16 or 32
  constexpr int kBlocksAtOnce = 32 / kLanes;  // in a warp
  const auto grid_cols = static_cast<unsigned>(job.grid.grid_cols);
  const unsigned blocks = static_cast<unsigned>(job.grid.grid_rows) * grid_cols;
  const int lane = threadIdx.x % 32, in_block = lane % kLanes;
  const unsigned warp = (blockIdx.x * kWarpThreads + threadIdx.x) / 32;
  const unsigned first = warp * kUnits * kBlocksAtOnce + lane / kLanes;  // this lane's first block
  const auto place = [&](int u) {  // of vector u of this lane: index in elements, whether in x
    const unsigned block = first + u * kBlocksAtOnce;
    if constexpr (kWhole) {
      return std::pair(std::size_t{block} * kSegment + in_block * n, block < blocks);
    } else {
      const unsigned col = block % grid_cols * kSegment + in_block * n;
      return std::pair(block / grid_cols * job.grid.cols + col,
                       block < blocks && col < job.grid.cols);
    }
  };
  SourceVector<S> in[kUnits];
#pragma unroll
  for (int u = 0; u < kUnits; ++u) {
    const auto [index, valid] = place(u);
    in[u] = valid ? load_vector<SourceVector<S>>(job.x, index / n) : SourceVector<S>{};
  }

  std::uint32_t amax[kUnits];
  std::uint32_t mine = 0;  // of the block whose scale this lane derives
  bool finite = true;
#pragma unroll
  for (int u = 0; u < kUnits; ++u) {
    amax[u] = magnitude_bits<S>(in[u]);
    if constexpr (kLanes == 32) {
      amax[u] = __reduce_max_sync(~0u, amax[u]);
    } else {
#pragma unroll
      for (int step = kLanes / 2; step != 0; step /= 2) {
        amax[u] = max(amax[u], __shfl_xor_sync(~0u, amax[u], step));
      }
    }
    finite = finite && amax[u] < kInfinityBits;
    if (in_block % kUnits == u) mine = amax[u];
  }
  Measure measure{mine, 0};
  if (!__all_sync(~0u, finite)) {  // rare: look closer
#pragma unroll
    for (int u = 0; u < kUnits; ++u) {
      Measure m;
      add_each<S>(m, in[u]);
      for (int step = kLanes / 2; step != 0; step /= 2) {
        m.amax_bits = max(m.amax_bits, __shfl_xor_sync(~0u, m.amax_bits, step));
        m.found |= __shfl_xor_sync(~0u, m.found, step);
      }
      if (in_block % kUnits == u) measure = m;
    }
  }
  const BlockScale scale = block_scale(job, E::format, measure.content());
  const unsigned my_block = first + in_block % kUnits * kBlocksAtOnce;
  if (in_block < kUnits && my_block < blocks) store_scale(job, my_block, scale);

#pragma unroll
  for (int u = 0; u < kUnits; ++u) {
    const float factor = __shfl_sync(~0u, scale.factor, u, kLanes);
    const auto [index, valid] = place(u);
    if (valid) apply_vector<S, E, kDivide>(job, narrowing, in[u], index, factor, amax[u]);
  }
}

// ---- 128 x 128 and rows: a thread block for a block -------------------------------------------

/// The block's measure, from that of each thread's vectors; all threads get it, and the bits of the
/// largest magnitude.
template <class S, int kVectors>
__device__ Measure measure_block(const SourceVector<S> (&in)[kVectors], std::uint32_t& amax_bits) {
  __shared__ std::uint32_t of_warp[32];
  __shared__ Measure closer[32];
  const int warps = (blockDim.x + 31) / 32, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  std::uint32_t largest = 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) largest = max(largest, magnitude_bits<S>(in[v]));
  largest = __reduce_max_sync(~0u, largest);
  if (lane == 0) of_warp[warp] = largest;
  __syncthreads();
  amax_bits = __reduce_max_sync(~0u, lane < warps ? of_warp[lane] : 0);
  if (amax_bits < kInfinityBits) return {amax_bits, 0};
  Measure m;  // rare: look closer
#pragma unroll
  for (int v = 0; v < kVectors; ++v) add_each<S>(m, in[v]);
  m = m.over_lanes(~0u);
  if (lane == 0) closer[warp] = m;
  __syncthreads();
  return (lane < warps ? closer[lane] : Measure{}).over_lanes(~0u);
}

/// kRows: of a block, 1 (whole rows) or 128 (128 x 128). A thread block holds it in kVectors
/// vectors a thread.
template <class S, class E, bool kDivide, int kRows, int kVectors>
__global__ void __launch_bounds__(kRows == 1 ? 1024
                                             : kSegment * kSegment / kPerVector<S> / kVectors)
    quantize_blocks(const __grid_constant__ BlockJob job,
                    const __grid_constant__ Narrowing<E> narrowing) {
  constexpr int n = kPerVector<S>;
  const auto grid_cols = static_cast<unsigned>(job.grid.grid_cols);
  const std::size_t row0 = blockIdx.x / grid_cols * kRows;
  const std::size_t col0 = blockIdx.x % grid_cols * std::size_t{kSegment};
  const auto place =
      [&](int v) {  // of vector v of this thread: index in elements, and whether in x
        const unsigned i = threadIdx.x + v * blockDim.x;
        const std::size_t row = row0 + (kRows == 1 ? 0 : i / (kSegment / n));
        const std::size_t col = kRows == 1 ? std::size_t{i} * n : col0 + i % (kSegment / n) * n;
        return std::pair(row * job.grid.cols + col, row < job.grid.rows && col < job.grid.cols);
      };
  SourceVector<S> in[kVectors];
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const auto [index, valid] = place(v);
    in[v] = valid ? load_vector<SourceVector<S>>(job.x, index / n) : SourceVector<S>{};
  }
  std::uint32_t amax_bits = 0;
  const Measure measure = measure_block<S>(in, amax_bits);
  const BlockScale scale = block_scale(job, E::format, measure.content());
  if (threadIdx.x == 0) store_scale(job, blockIdx.x, scale);
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const auto [index, valid] = place(v);
    if (valid) {
      apply_vector<S, E, kDivide>(job, narrowing, in[v], index, scale.factor, amax_bits);
    }
  }
}

// ---- a tensor: two passes ---------------------------------------------------------------------

inline constexpr int kTensorThreads = 256;
inline constexpr int kTensorVectors = 4;

/// What measure_vectors leaves for apply_vectors; zero before.
struct TensorMeasure {
  std::uint32_t amax_bits;  ///< by magnitude_bits
  Measure closer;           ///< filled where amax_bits is not finite
};

template <class S>
__global__ void __launch_bounds__(kTensorThreads)
    measure_vectors(const void* x, std::size_t vectors, TensorMeasure* measure) {
  const std::size_t base = blockIdx.x * std::size_t{kTensorThreads * kTensorVectors} + threadIdx.x;
  SourceVector<S> in[kTensorVectors];
#pragma unroll
  for (int v = 0; v < kTensorVectors; ++v) {
    const std::size_t at = base + v * kTensorThreads;
    in[v] = at < vectors ? load_vector<SourceVector<S>>(x, at) : SourceVector<S>{};
  }
  std::uint32_t amax_bits = 0;
  const Measure m = measure_block<S>(in, amax_bits);
  if (threadIdx.x != 0) return;
  atomicMax(&measure->amax_bits, amax_bits);
  atomicMax(&measure->closer.amax_bits, m.amax_bits);
  if (m.found != 0) atomicOr(&measure->closer.found, m.found);
}

/// Backwards: what the first pass read last is still in the L2.
template <class S, class E, bool kDivide>
__global__ void __launch_bounds__(kTensorThreads)
    apply_vectors(const __grid_constant__ BlockJob job,
                  const __grid_constant__ Narrowing<E> narrowing, std::size_t vectors,
                  const TensorMeasure* measure) {
  constexpr int n = kPerVector<S>;
  const std::size_t block = gridDim.x - 1 - blockIdx.x;
  const std::size_t base = block * std::size_t{kTensorThreads * kTensorVectors} + threadIdx.x;
  SourceVector<S> in[kTensorVectors];
#pragma unroll
  for (int v = 0; v < kTensorVectors; ++v) {
    const std::size_t at = base + v * kTensorThreads;
    if (at < vectors) in[v] = load_vector<SourceVector<S>>(job.x, at);
  }
  const TensorMeasure found = *measure;
  const BlockScale scale = block_scale(job, E::format, found.closer.content());
  if (block == 0 && threadIdx.x == 0) store_scale(job, 0, scale);
#pragma unroll
  for (int v = 0; v < kTensorVectors; ++v) {
    const std::size_t at = base + v * kTensorThreads;
    if (at < vectors) {
      apply_vector<S, E, kDivide>(job, narrowing, in[v], at * n, scale.factor, found.amax_bits);
    }
  }
}

}  // namespace binade::cuda
