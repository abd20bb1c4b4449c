// Block scaling at the speed of memory: vectors of 16 bytes that stay in registers between the
// measuring of a block and its cast. S: Fp32 or Bf16; E: E4M3 or E5M2. Private to this folder.
#pragma once

#include "block_scale_job.cuh"
#include "ptx/grid.cuh"
#include "scaler.cuh"
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

/// Whether instructions do a block: its scaling, and the cast of up to its largest magnitude.
template <class S, class E, bool kDivide>
__device__ bool serves(const Narrowing<E>& narrowing, const Scaler<S, kDivide>& scaler,
                       std::uint32_t amax_bits) {
  const float amax = bit_cast<float>(amax_bits);
  return scaler.serves(amax) && narrowing.serves(scaler(amax));
}

/// The measure of a run of elements, from memory: for blocks with something that is not finite.
template <class S>
__device__ __noinline__ Measure scan(const void* x, std::size_t first, std::size_t stride,
                                     std::size_t count) {
  Measure m;
#pragma unroll 1
  for (std::size_t i = 0; i < count; ++i) {
    m.add(widened_bits(S::format, load_container(x, kBytes<S>, first + i * stride)));
  }
  return m;
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

/// Scales and casts one vector of a block whose largest magnitude is amax_bits.
template <class S, class E, bool kDivide>
__device__ __forceinline__ void apply_vector(const BlockJob& job, const Narrowing<E>& narrowing,
                                             const SourceVector<S>& v, std::size_t index,
                                             const Scaler<S, kDivide>& scaler,
                                             std::uint32_t amax_bits) {
  constexpr int n = kPerVector<S>;
  if (!serves(narrowing, scaler, amax_bits)) {
    apply_by_text<S, E>(job.x, job.out.codes, index, scaler.factor, kDivide, narrowing.plan);
    return;
  }
  float y[n];
  widen(v, y);
  for (float& each : y) each = scaler(each);
  store_vector(job.out.codes, index / n, narrow<E>(y));
}

/// The largest magnitude over the lanes that hold a row of `lanes` vectors, to all of them.
template <int lanes>
__device__ std::uint32_t over_row(std::uint32_t bits) {
  if constexpr (lanes == 32) {
    return __reduce_max_sync(~0u, bits);
  } else {
#pragma unroll
    for (int step = lanes / 2; step != 0; step /= 2) {
      bits = max(bits, __shfl_xor_sync(~0u, bits, step));
    }
    return bits;
  }
}

// ---- 1 x 128: a thread block for a few dozen blocks -------------------------------------------

inline constexpr int kSegment = 128;  ///< elements of a block
inline constexpr int kSegmentThreads = 256;
inline constexpr int kUnits = 4;  ///< vectors of a thread
template <class S>
inline constexpr int kSegmentLanes = kSegment / kPerVector<S>;  ///< of a block: 16 or 32
template <class S>
inline constexpr int kSegmentBlocks = kSegmentThreads / kSegmentLanes<S>* kUnits;

/// The lanes of a block find its largest magnitude, one thread a block derives the scale, and the
/// lanes apply it to what they still hold. kWhole: columns are a multiple of 128, so that the
/// blocks of the matrix follow each other in memory.
template <class S, class E, bool kDivide, bool kWhole>
__global__ void __launch_bounds__(kSegmentThreads)
    quantize_segments(const __grid_constant__ BlockJob job,
                      const __grid_constant__ Narrowing<E> narrowing) {
  constexpr int n = kPerVector<S>, kLanes = kSegmentLanes<S>, kBlocks = kSegmentBlocks<S>;
  __shared__ std::uint32_t amax_bits[kBlocks];
  __shared__ Scaler<S, kDivide> scalers[kBlocks];
  const auto grid_cols = static_cast<unsigned>(job.grid.grid_cols);
  const unsigned blocks = static_cast<unsigned>(job.grid.grid_rows) * grid_cols;
  const unsigned first = blockIdx.x * kBlocks;
  const int lane = threadIdx.x % kLanes, slot = threadIdx.x / kLanes;
  const auto slot_of = [&](int u) { return u * (kSegmentThreads / kLanes) + slot; };
  const auto start_of = [&](unsigned block) {  // in elements
    return kWhole ? std::size_t{block} * kSegment
                  : block / grid_cols * job.grid.cols + block % grid_cols * kSegment;
  };
  const auto length_of = [&](unsigned block) {
    return kWhole ? std::size_t{kSegment}
                  : min(std::size_t{kSegment}, job.grid.cols - block % grid_cols * kSegment);
  };
  const auto is_valid = [&](unsigned block) {
    return block < blocks && (kWhole || lane * n < length_of(block));
  };

  SourceVector<S> in[kUnits];
#pragma unroll
  for (int u = 0; u < kUnits; ++u) {
    const unsigned block = first + slot_of(u);
    in[u] = is_valid(block) ? load_vector<SourceVector<S>>(job.x, start_of(block) / n + lane)
                            : SourceVector<S>{};
  }
#pragma unroll
  for (int u = 0; u < kUnits; ++u) {
    const std::uint32_t bits = over_row<kLanes>(magnitude_bits<S>(in[u]));
    if (lane == 0) amax_bits[slot_of(u)] = bits;
  }
  __syncthreads();
  if (const unsigned block = first + threadIdx.x; threadIdx.x < kBlocks && block < blocks) {
    Measure measure{amax_bits[threadIdx.x], 0};
    if (measure.amax_bits >= kInfinityBits) {
      measure = scan<S>(job.x, start_of(block), 1, length_of(block));
    }
    const BlockScale scale = block_scale(job, E::format, measure.content());
    store_scale(job, block, scale);
    scalers[threadIdx.x] = Scaler<S, kDivide>::of(scale.factor);
  }
  __syncthreads();
#pragma unroll
  for (int u = 0; u < kUnits; ++u) {
    const unsigned block = first + slot_of(u);
    if (is_valid(block)) {
      apply_vector(job, narrowing, in[u], start_of(block) + lane * n, scalers[slot_of(u)],
                   amax_bits[slot_of(u)]);
    }
  }
}

// ---- 128 x 128 and rows: a thread block for a block -------------------------------------------

/// The block's measure, from that of each thread's vectors; all threads get it.
template <class S, int kVectors>
__device__ Measure measure_block(const SourceVector<S> (&in)[kVectors]) {
  __shared__ std::uint32_t of_warp[32];
  __shared__ Measure closer[32];
  const int warps = (blockDim.x + 31) / 32, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  std::uint32_t largest = 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) largest = max(largest, magnitude_bits<S>(in[v]));
  largest = __reduce_max_sync(~0u, largest);
  if (lane == 0) of_warp[warp] = largest;
  __syncthreads();
  largest = __reduce_max_sync(~0u, lane < warps ? of_warp[lane] : 0);
  if (largest < kInfinityBits) return {largest, 0};
  Measure m;  // rare: look closer
#pragma unroll
  for (int v = 0; v < kVectors; ++v) add_each<S>(m, in[v]);
  m = m.over_lanes(~0u);
  if (lane == 0) closer[warp] = m;
  __syncthreads();
  return (lane < warps ? closer[lane] : Measure{}).over_lanes(~0u);
}

inline constexpr int kSquareVectors = 8;  ///< of a thread
template <class S>
inline constexpr int kSquareThreads = kSegment* kSegment / kPerVector<S> / kSquareVectors;

/// kRows: of a block, 1 (whole rows) or 128 (128 x 128). A thread block holds it in kVectors
/// vectors a thread.
template <class S, class E, bool kDivide, int kRows, int kVectors>
__global__ void __launch_bounds__(kRows == 1 ? 1024 : kSquareThreads<S>,
                                  kRows == 1 ? 1 : 1024 / kSquareThreads<S>)
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
  const Measure measure = measure_block<S>(in);
  const std::uint32_t amax_bits = measure.largest_bits();
  const BlockScale scale = block_scale(job, E::format, measure.content());
  if (threadIdx.x == 0) store_scale(job, blockIdx.x, scale);
  const auto scaler = Scaler<S, kDivide>::of(scale.factor);
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const auto [index, valid] = place(v);
    if (valid) apply_vector(job, narrowing, in[v], index, scaler, amax_bits);
  }
}

// ---- a tensor: two passes ---------------------------------------------------------------------

inline constexpr int kTensorThreads = 256;
inline constexpr int kTensorVectors = 4;

/// What a first pass over a matrix leaves for the second: the measure of the tensor, or those of
/// its rows and then its columns. Zeros before: clear_measures.
struct PassMeasures {
  std::uint32_t *amax_bits, *found;

  __device__ void clear(std::size_t i) const { amax_bits[i] = found[i] = 0; }
  static constexpr std::size_t bytes(std::size_t count) {
    return 2 * count * sizeof(std::uint32_t);
  }
  static PassMeasures in(void* scratch, std::size_t count) {
    auto* const words = static_cast<std::uint32_t*>(scratch);
    return {words, words + count};
  }
  __device__ void join(std::size_t i, Measure m) const {
    atomicMax(amax_bits + i, m.amax_bits);
    if (m.found != 0) atomicOr(found + i, m.found);
  }
  __device__ Measure at(std::size_t i) const { return {amax_bits[i], found[i]}; }
};

/// A kernel instead of cudaMemset, because the first pass may begin to read meanwhile: a hundredth
/// of the time of rows with the transpose.
__global__ void __launch_bounds__(kTensorThreads)
    clear_measures(PassMeasures measures, std::size_t count) {
  ptx::grid_lets_next_begin();
  const std::size_t i = blockIdx.x * std::size_t{kTensorThreads} + threadIdx.x;
  if (i < count) measures.clear(i);
}

template <class S>
__global__ void __launch_bounds__(kTensorThreads)
    measure_vectors(const void* x, std::size_t vectors, PassMeasures measures) {
  ptx::grid_lets_next_begin();
  const std::size_t base = blockIdx.x * std::size_t{kTensorThreads * kTensorVectors} + threadIdx.x;
  SourceVector<S> in[kTensorVectors];
#pragma unroll
  for (int v = 0; v < kTensorVectors; ++v) {
    const std::size_t at = base + v * kTensorThreads;
    in[v] = at < vectors ? load_vector<SourceVector<S>>(x, at) : SourceVector<S>{};
  }
  const Measure m = measure_block<S>(in);
  ptx::grid_awaits_last();
  if (threadIdx.x == 0) measures.join(0, m);
}

/// Backwards: what the first pass read last is still in the L2.
template <class S, class E, bool kDivide>
__global__ void __launch_bounds__(kTensorThreads)
    apply_vectors(const __grid_constant__ BlockJob job,
                  const __grid_constant__ Narrowing<E> narrowing, std::size_t vectors,
                  PassMeasures measures) {
  constexpr int n = kPerVector<S>;
  const std::size_t block = gridDim.x - 1 - blockIdx.x;
  const std::size_t base = block * std::size_t{kTensorThreads * kTensorVectors} + threadIdx.x;
  SourceVector<S> in[kTensorVectors];
#pragma unroll
  for (int v = 0; v < kTensorVectors; ++v) {
    const std::size_t at = base + v * kTensorThreads;
    if (at < vectors) in[v] = load_vector<SourceVector<S>>(job.x, at);
  }
  ptx::grid_awaits_last();
  const Measure measure = measures.at(0);
  const std::uint32_t amax_bits = measure.largest_bits();
  const BlockScale scale = block_scale(job, E::format, measure.content());
  if (block == 0 && threadIdx.x == 0) store_scale_at(job, 0, scale);
  const auto scaler = Scaler<S, kDivide>::of(scale.factor);
#pragma unroll
  for (int v = 0; v < kTensorVectors; ++v) {
    const std::size_t at = base + v * kTensorThreads;
    if (at < vectors) apply_vector(job, narrowing, in[v], at * n, scaler, amax_bits);
  }
}

}  // namespace binade::cuda
