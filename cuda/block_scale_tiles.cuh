// A matrix and its transpose quantised from one read: a thread block holds a tile of 128 x 128 in
// registers, casts it along its rows, and again along its columns by way of shared memory.
// S: Fp32 or Bf16; E: E4M3 or E5M2. Private to this folder.
#pragma once

#include "block_scale_vectors.cuh"

namespace binade::cuda {

/// Which elements share a scale: those of a row of the tile and of a column of it, of the tile, or
/// of the tensor.
enum class TileScales { kSegments, kSquare, kTensor };

inline constexpr int kTile = kSegment;
inline constexpr int kTileThreads = 512;
template <class S>
inline constexpr int kTileVectors = kTile * kTile / kPerVector<S> / kTileThreads;  ///< of a thread

/// The codes of the transposed tile in words of four rows. Within a column the words lie at their
/// place xor `turn`, so that neither writing nor reading meets in a bank.
template <class S>
struct TurnedTile {
  std::uint32_t word[kTile][kTile / 4];

  __device__ static int turn(int col) {
    return kPerVector<S> == 8 ? col / 8 * 2 : col / 4;
  }
  __device__ void write(int col, int row, std::uint32_t four_codes) {
    word[col][row / 4 ^ turn(col)] = four_codes;
  }
  /// Sixteen codes of a column, from row 16 * part.
  __device__ uint4 read(int col, int part) const {
    const int t = turn(col);
    uint4 v = *reinterpret_cast<const uint4*>(&word[col][(part ^ t / 4) * 4]);
    if ((t & 1) != 0) v = {v.y, v.x, v.w, v.z};
    if ((t & 2) != 0) v = {v.z, v.w, v.x, v.y};
    return v;
  }
};

template <class S, bool kDivide>
struct TileShared {
  static constexpr int kWarps = kTileThreads / 32;
  alignas(16) TurnedTile<S> turned;
  std::uint32_t row_bits[kTile];             ///< largest magnitudes
  std::uint32_t col_bits[kWarps][kTile];     ///< the same, of each warp's rows
  Scaler<kDivide> row_scaler[kTile];
  Scaler<kDivide> col_scalers[kTile];  ///< in the order of their use: see col_scaler

  /// So placed that the lanes of a row, each at its own columns, read side by side.
  __device__ Scaler<kDivide>& col_scaler(int col) {
    constexpr int n = kPerVector<S>;
    return col_scalers[col % n * (kTile / n) + col / n];
  }
};

/// Where a tile lies, and the two jobs: of x and of its transpose.
struct TilePair {
  BlockJob straight, transposed;
};

/// The whole tile by the text: it holds something that the instruction does not do as the rules say.
template <class S, class E, bool kDivide>
__device__ __noinline__ void tile_by_text(const TilePair& jobs, TileShared<S, kDivide>& shared,
                                          std::size_t row0, std::size_t col0,
                                          const detail::EncodePlan<std::uint32_t>& plan) {
  const BlockGrid& g = jobs.straight.grid;
  const auto encode = [&](float x, float factor) {
    const float y = scaled(x, factor, kDivide);
    return detail::encode_word<Rounding::kNearestEven, std::uint32_t>(
        plan, bit_cast<std::uint32_t>(y), 0);
  };
#pragma unroll 1
  for (int i = threadIdx.x; i < kTile * kTile; i += kTileThreads) {
    const std::size_t row = row0 + i / kTile, col = col0 + i % kTile;
    if (row >= g.rows || col >= g.cols) continue;
    const std::uint32_t bits = widened_bits(
        S::format, load_container(jobs.straight.x, kBytes<S>, row * g.cols + col));
    const auto x = bit_cast<float>(bits);
    store_container(jobs.straight.out.codes, 1, row * g.cols + col,
                    encode(x, shared.row_scaler[i / kTile].factor));
    store_container(jobs.transposed.out.codes, 1, col * g.rows + row,
                    encode(x, shared.col_scaler(i % kTile).factor));
  }
}

/// Fills the scalers of a tile's rows and columns. True where the instruction serves all of it.
template <class S, class E, bool kDivide, TileScales scales>
__device__ bool derive_tile(const TilePair& jobs, const Narrowing<E>& narrowing,
                            TileShared<S, kDivide>& shared, std::size_t row0, std::size_t col0,
                            bool is_finite, const TensorMeasure* of_tensor) {
  const BlockGrid& g = jobs.straight.grid;
  const int rows = static_cast<int>(min(std::size_t{kTile}, g.rows - row0));
  const int cols = static_cast<int>(min(std::size_t{kTile}, g.cols - col0));
  if (threadIdx.x >= 2 * kTile) return true;
  const bool is_row = threadIdx.x < kTile;
  const int i = threadIdx.x % kTile;
  std::uint32_t bits = 0;
  Measure measure;
  if constexpr (scales == TileScales::kTensor) {
    bits = of_tensor->amax_bits;
    measure = of_tensor->closer;
  } else if constexpr (scales == TileScales::kSquare) {
    for (int r = threadIdx.x % 32; r < kTile; r += 32) bits = max(bits, shared.row_bits[r]);
    bits = __reduce_max_sync(~0u, bits);
    measure.amax_bits = bits;
    if (!is_finite) {
      measure = {};
      for (int r = threadIdx.x % 32; r < rows; r += 32) {
        const Measure m = scan<S>(jobs.straight.x, (row0 + r) * g.cols + col0, 1, cols);
        measure = {max(measure.amax_bits, m.amax_bits), measure.found | m.found};
      }
      measure = measure.over_lanes(~0u);
    }
  } else {
    if (is_row) {
      bits = shared.row_bits[i];
    } else {
      for (const auto& of_warp : shared.col_bits) bits = max(bits, of_warp[i]);
    }
    measure.amax_bits = bits;
    if (!is_finite && i < (is_row ? rows : cols)) {
      measure = is_row ? scan<S>(jobs.straight.x, (row0 + i) * g.cols + col0, 1, cols)
                       : scan<S>(jobs.straight.x, row0 * g.cols + col0 + i, g.cols, rows);
    }
  }
  const BlockScale scale = block_scale(jobs.straight, E::format, measure.content());
  const auto scaler = Scaler<kDivide>::of(scale.factor);
  (is_row ? shared.row_scaler[i] : shared.col_scaler(i)) = scaler;
  const BlockJob& job = is_row ? jobs.straight : jobs.transposed;
  if constexpr (scales == TileScales::kSegments) {
    const std::size_t along = is_row ? col0 : row0, across = (is_row ? row0 : col0) + i;
    if (across < job.grid.rows) store_scale(job, across * job.grid.grid_cols + along / kTile, scale);
  } else if (i == 0) {
    const std::size_t row = (is_row ? row0 : col0) / kTile, col = (is_row ? col0 : row0) / kTile;
    if (scales == TileScales::kSquare) store_scale(job, row * job.grid.grid_cols + col, scale);
    if (scales == TileScales::kTensor && row + col == 0) store_scale(job, 0, scale);
  }
  return serves(narrowing, scaler, bits);
}

/// The largest magnitudes of the tile's rows and columns into shared memory; whether all are finite.
template <class S, bool kDivide>
__device__ bool measure_tile(const SourceVector<S> (&in)[kTileVectors<S>], TileShared<S, kDivide>& shared,
                             int group, int place) {
  constexpr int n = kPerVector<S>, kLanes = kTile / n;
  const int warp = threadIdx.x / 32;
  bool finite = true;
#pragma unroll
  for (int v = 0; v < kTileVectors<S>; ++v) {
    const std::uint32_t bits = over_row<kLanes>(magnitude_bits<S>(in[v]));
    if (place == 0) shared.row_bits[v / 4 * 64 + group * 4 + v % 4] = bits;
    finite = finite && bits < kInfinityBits;
  }
#pragma unroll
  for (int w = 0; w < 4; ++w) {  // a word of the vectors: one column, or two of 16 bits
    std::uint32_t largest = 0;
#pragma unroll
    for (int v = 0; v < kTileVectors<S>; ++v) {
      largest = n == 8 ? __vmaxu2(largest, in[v].word[w] & 0x7fff7fffu)
                       : max(largest, in[v].word[w] & 0x7fffffffu);
    }
    if constexpr (n == 8) {
      largest = __vmaxu2(largest, __shfl_xor_sync(~0u, largest, 16));  // the warp's other rows
      if (threadIdx.x % 32 < 16) {
        *reinterpret_cast<uint2*>(&shared.col_bits[warp][place * n + 2 * w]) =
            uint2{largest << 16, largest & 0xffff0000u};
      }
    } else {
      shared.col_bits[warp][place * n + w] = largest;
    }
  }
  return finite;
}

/// Element j of a vector, for j known at compile time.
template <class S>
__device__ __forceinline__ float element(const SourceVector<S>& v, int j) {
  if constexpr (std::is_same_v<S, Fp32>) {
    return bit_cast<float>(v.word[j]);
  } else {
    return bit_cast<float>(j % 2 == 0 ? v.word[j / 2] << 16 : v.word[j / 2] & 0xffff0000u);
  }
}

template <class S, class E, bool kDivide, TileScales scales>
__global__ void __launch_bounds__(kTileThreads, 2)
    quantize_tiles(const __grid_constant__ TilePair jobs,
                   const __grid_constant__ Narrowing<E> narrowing,
                   const TensorMeasure* of_tensor) {
  constexpr int n = kPerVector<S>, kLanes = kTile / n;
  __shared__ TileShared<S, kDivide> shared;
  const BlockGrid& g = jobs.straight.grid;
  const auto tiles_across = static_cast<unsigned>((g.cols + kTile - 1) / kTile);
  const std::size_t row0 = blockIdx.x / tiles_across * std::size_t{kTile};
  const std::size_t col0 = blockIdx.x % tiles_across * std::size_t{kTile};
  const int group = threadIdx.x / kLanes, place = threadIdx.x % kLanes;
  const auto row_of = [&](int v) { return v / 4 * 64 + group * 4 + v % 4; };
  const auto index_of = [&](int v) { return (row0 + row_of(v)) * g.cols + col0 + place * n; };
  const bool col_valid = col0 + place * n < g.cols;

  SourceVector<S> in[kTileVectors<S>];
#pragma unroll
  for (int v = 0; v < kTileVectors<S>; ++v) {
    const bool valid = col_valid && row0 + row_of(v) < g.rows;
    in[v] = valid ? load_vector<SourceVector<S>>(jobs.straight.x, index_of(v) / n)
                  : SourceVector<S>{};
  }
  bool finite = true;
  if constexpr (scales != TileScales::kTensor) {
    finite = __syncthreads_and(measure_tile(in, shared, group, place));
  }
  const bool served = __syncthreads_and(derive_tile<S, E, kDivide, scales>(
      jobs, narrowing, shared, row0, col0, finite, of_tensor));
  if (!served) {
    tile_by_text<S, E>(jobs, shared, row0, col0, narrowing.plan);
    return;
  }
#pragma unroll
  for (int v = 0; v < kTileVectors<S>; ++v) {
    const Scaler<kDivide> scaler = shared.row_scaler[row_of(v)];
    float y[n];
    widen(in[v], y);
#pragma unroll
    for (int j = 0; j < n; ++j) y[j] = scaler(y[j]);
    if (col_valid && row0 + row_of(v) < g.rows) {
      store_vector(jobs.straight.out.codes, index_of(v) / n, narrow<E>(y));
    }
  }
#pragma unroll
  for (int j = 0; j < n; ++j) {
    const Scaler<kDivide> scaler = shared.col_scaler(place * n + j);
#pragma unroll
    for (int half = 0; half < kTileVectors<S>; half += 4) {
      float y[4];
#pragma unroll
      for (int v = 0; v < 4; ++v) y[v] = scaler(element<S>(in[half + v], j));
      shared.turned.write(place * n + j, row_of(half), narrow<E>(y).word[0]);
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < kTile * 8; i += kTileThreads) {
    const int col = i / 8, part = i % 8;
    if (col0 + col < g.cols && row0 + part * 16 < g.rows) {
      static_cast<uint4*>(jobs.transposed.out.codes)[((col0 + col) * g.rows + row0) / 16 + part] =
          shared.turned.read(col, part);
    }
  }
}

}  // namespace binade::cuda
