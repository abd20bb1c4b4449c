// A matrix and its transpose quantised from one read: a thread block holds a tile of 128 x 128 in
// registers, casts it along its rows, and again along its columns by way of shared memory.
// S: Fp32 or Bf16; E: E4M3 or E5M2. Private to this folder.
#pragma once

#include "block_scale_vectors.cuh"
#include "ptx/prefetch.cuh"

namespace binade::cuda {

/// Which elements share a scale: those of a row of the tile (and, transposed, of a column of it),
/// of the tile, of a whole row (column), or of the tensor. The last two need a first pass.
enum class TileScales { kSegments, kSquare, kLines, kTensor };

inline constexpr int kTile = kSegment;
inline constexpr int kTileThreads = 512;
inline constexpr int kTilesAtOnce = 2;  ///< thread blocks of a multiprocessor
template <class S>
inline constexpr int kTileVectors = kTile* kTile / kPerVector<S> / kTileThreads;  ///< of a thread

/// The codes of the transposed tile in words of four rows. Within a column the words lie at their
/// place xor `turn`, so that neither writing nor reading meets in a bank.
template <class S>
struct TurnedTile {
  std::uint32_t word[kTile][kTile / 4];

  __device__ static int turn(int col) { return kPerVector<S> == 8 ? col / 8 * 2 : col / 4; }
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
  std::uint32_t row_bits[kTile];          ///< largest magnitudes
  std::uint32_t col_bits[kWarps][kTile];  ///< the same, of each warp's rows
  Scaler<kDivide> row_scaler[kTile];
  Scaler<kDivide> col_scalers[kTile];  ///< in the order of their use: see col_scaler

  /// So placed that the lanes of a row, each at its own columns, read side by side.
  __device__ Scaler<kDivide>& col_scaler(int col) {
    constexpr int n = kPerVector<S>;
    return col_scalers[col % n * (kTile / n) + col / n];
  }
};

/// The two jobs: of x and of its transpose.
struct TilePair {
  BlockJob straight, transposed;
};

/// Where the tile of this thread block lies, and how much of it is in the matrix.
struct TilePlace {
  std::size_t row0, col0;
  int rows, cols;

  __device__ TilePlace(const BlockGrid& g, unsigned tile) {
    const auto across = static_cast<unsigned>((g.cols + kTile - 1) / kTile);
    row0 = tile / across * std::size_t{kTile};
    col0 = tile % across * std::size_t{kTile};
    rows = static_cast<int>(min(std::size_t{kTile}, g.rows - row0));
    cols = static_cast<int>(min(std::size_t{kTile}, g.cols - col0));
  }
};

/// What a thread holds of the tile: vector v is that of row `row_of(v)` from column `col` on.
template <class S>
struct TileThread {
  static constexpr int n = kPerVector<S>, kLanes = kTile / n;
  SourceVector<S> in[kTileVectors<S>];

  __device__ static int lane() { return threadIdx.x % kLanes; }
  __device__ static int col() { return lane() * n; }
  __device__ static int row_of(int v) { return v / 4 * 64 + threadIdx.x / kLanes * 4 + v % 4; }
  __device__ static bool holds(int v, const TilePlace& t) {
    return row_of(v) < t.rows && col() < t.cols;
  }
  __device__ static std::size_t index_of(int v, const TilePlace& t, const BlockGrid& g) {
    return (t.row0 + row_of(v)) * g.cols + t.col0 + col();
  }
  __device__ void load(const BlockJob& job, const TilePlace& t) {
#pragma unroll
    for (int v = 0; v < kTileVectors<S>; ++v) {
      in[v] = holds(v, t) ? load_vector<SourceVector<S>>(job.x, index_of(v, t, job.grid) / n)
                          : SourceVector<S>{};
    }
  }
  /// Element j of vector v, both known at compile time.
  __device__ float element(int v, int j) const {
    if constexpr (n == 4) {
      return bit_cast<float>(in[v].word[j]);
    } else {
      const std::uint32_t word = in[v].word[j / 2];
      return bit_cast<float>(j % 2 == 0 ? word << 16 : word & 0xffff0000u);
    }
  }
};

/// Asks for a tile that a later thread block will read, so that memory goes on while this one
/// casts.
template <class S>
__device__ void prefetch_tile(const BlockJob& job, unsigned tile) {
  constexpr int kLineElements = 128 / kBytes<S>, kLines = kTile / kLineElements;
  const int row = threadIdx.x / kLines, col = threadIdx.x % kLines * kLineElements;
  if (tile >= gridDim.x || row >= kTile) return;
  const TilePlace t(job.grid, tile);
  if (row >= t.rows || col >= t.cols) return;
  const std::size_t at = (t.row0 + row) * job.grid.cols + t.col0 + col;
  ptx::prefetch_l2(static_cast<const char*>(job.x) + at * kBytes<S>);
}

/// The whole tile by the text: it holds something that the instruction does not do as the rules
/// say.
template <class S, class E, bool kDivide>
__device__ __noinline__ void tile_by_text(const TilePair& jobs, TileShared<S, kDivide>& shared,
                                          TilePlace t,
                                          const detail::EncodePlan<std::uint32_t>& plan) {
  const BlockGrid& g = jobs.straight.grid;
  const auto encode = [&](float x, float factor) {
    const float y = scaled(x, factor, kDivide);
    return detail::encode_word<Rounding::kNearestEven, std::uint32_t>(
        plan, bit_cast<std::uint32_t>(y), 0);
  };
#pragma unroll 1
  for (int i = threadIdx.x; i < kTile * kTile; i += kTileThreads) {
    if (i / kTile >= t.rows || i % kTile >= t.cols) continue;
    const std::size_t row = t.row0 + i / kTile, col = t.col0 + i % kTile;
    const std::uint32_t bits =
        widened_bits(S::format, load_container(jobs.straight.x, kBytes<S>, row * g.cols + col));
    const auto x = bit_cast<float>(bits);
    store_container(jobs.straight.out.codes, 1, row * g.cols + col,
                    encode(x, shared.row_scaler[i / kTile].factor));
    store_container(jobs.transposed.out.codes, 1, col * g.rows + row,
                    encode(x, shared.col_scaler(i % kTile).factor));
  }
}

/// The largest magnitudes of the tile's rows and columns into shared memory; whether this thread's
/// are finite.
template <class S, bool kDivide>
__device__ bool measure_tile(const TileThread<S>& mine, TileShared<S, kDivide>& shared) {
  constexpr int n = kPerVector<S>;
  bool finite = true;
#pragma unroll
  for (int v = 0; v < kTileVectors<S>; ++v) {
    const std::uint32_t bits = over_row<TileThread<S>::kLanes>(magnitude_bits<S>(mine.in[v]));
    if (mine.lane() == 0) shared.row_bits[mine.row_of(v)] = bits;
    finite = finite && bits < kInfinityBits;
  }
  std::uint32_t* const col_bits = &shared.col_bits[threadIdx.x / 32][mine.col()];
#pragma unroll
  for (int w = 0; w < 4; ++w) {  // a word of the vectors: one column, or two of 16 bits
    std::uint32_t largest = 0;
#pragma unroll
    for (int v = 0; v < kTileVectors<S>; ++v) {
      largest = n == 8 ? __vmaxu2(largest, mine.in[v].word[w] & 0x7fff7fffu)
                       : max(largest, mine.in[v].word[w] & 0x7fffffffu);
    }
    if constexpr (n == 8) {
      largest = __vmaxu2(largest, __shfl_xor_sync(~0u, largest, 16));  // the warp's other rows
      if (threadIdx.x % 32 < 16) {
        *reinterpret_cast<uint2*>(col_bits + 2 * w) = {largest << 16, largest & 0xffff0000u};
      }
    } else {
      col_bits[w] = largest;
    }
  }
  return finite;
}

/// The threads that derive scales, a line of the tile each: 128 rows, then 128 columns.
struct TileLine {
  bool is_row = threadIdx.x < kTile;
  int i = threadIdx.x % kTile;

  __device__ static bool has_one() { return threadIdx.x < 2 * kTile; }
  __device__ bool is_inside(const TilePlace& t) const { return i < (is_row ? t.rows : t.cols); }
};

/// The measure of a line, from what measure_tile left.
template <class S, bool kDivide>
__device__ PassMeasure measure_line(const BlockJob& job, const TileShared<S, kDivide>& shared,
                                    const TilePlace& t, const TileLine& line, bool is_finite) {
  std::uint32_t bits = line.is_row ? shared.row_bits[line.i] : 0;
  if (!line.is_row) {
    for (const auto& of_warp : shared.col_bits) bits = max(bits, of_warp[line.i]);
  }
  PassMeasure m{bits, {bits, 0}};
  if (!is_finite && line.is_inside(t)) {
    const std::size_t cols = job.grid.cols, first = t.row0 * cols + t.col0;
    m.closer = line.is_row ? scan<S>(job.x, first + line.i * cols, 1, t.cols)
                           : scan<S>(job.x, first + line.i, cols, t.rows);
  }
  return m;
}

/// The measure of the whole tile, by each warp for itself.
template <class S, bool kDivide>
__device__ PassMeasure measure_square(const BlockJob& job, const TileShared<S, kDivide>& shared,
                                      const TilePlace& t, bool is_finite) {
  std::uint32_t bits = 0;
  for (int r = threadIdx.x % 32; r < kTile; r += 32) bits = max(bits, shared.row_bits[r]);
  bits = __reduce_max_sync(~0u, bits);
  if (is_finite) return {bits, {bits, 0}};
  Measure all;
  for (int r = threadIdx.x % 32; r < t.rows; r += 32) {
    const Measure m = scan<S>(job.x, (t.row0 + r) * job.grid.cols + t.col0, 1, t.cols);
    all = {max(all.amax_bits, m.amax_bits), all.found | m.found};
  }
  return {bits, all.over_lanes(~0u)};
}

/// Stores the scale of a line, where it is this tile that does.
template <TileScales scales>
__device__ void store_line_scale(const TilePair& jobs, const TilePlace& t, const TileLine& line,
                                 const BlockScale& scale) {
  const BlockJob& job = line.is_row ? jobs.straight : jobs.transposed;
  const std::size_t row0 = line.is_row ? t.row0 : t.col0, col0 = line.is_row ? t.col0 : t.row0;
  if constexpr (scales == TileScales::kSegments) {
    if (line.is_inside(t)) {
      store_scale(job, (row0 + line.i) * job.grid.grid_cols + col0 / kTile, scale);
    }
  } else if constexpr (scales == TileScales::kSquare) {
    if (line.i == 0) store_scale(job, row0 / kTile * job.grid.grid_cols + col0 / kTile, scale);
  } else if constexpr (scales == TileScales::kLines) {
    if (col0 == 0 && line.is_inside(t)) store_scale(job, row0 + line.i, scale);
  } else {
    if (row0 + col0 + line.i == 0) store_scale(job, 0, scale);
  }
}

/// Fills the scalers of the tile's rows and columns. True where the instruction serves this
/// thread's line. before: of the first pass, the tensor's measure, or those of all rows and
/// columns.
template <class S, class E, bool kDivide, TileScales scales>
__device__ bool derive_tile(const TilePair& jobs, const Narrowing<E>& narrowing,
                            TileShared<S, kDivide>& shared, const TilePlace& t, bool is_finite,
                            const PassMeasure* before) {
  if (!TileLine::has_one()) return true;
  const TileLine line;
  PassMeasure m{};
  if constexpr (scales == TileScales::kSegments) {
    m = measure_line(jobs.straight, shared, t, line, is_finite);
  } else if constexpr (scales == TileScales::kSquare) {
    m = measure_square(jobs.straight, shared, t, is_finite);
  } else if constexpr (scales == TileScales::kTensor) {
    m = *before;
  } else if (line.is_inside(t)) {
    m = before[line.i + (line.is_row ? t.row0 : jobs.straight.grid.rows + t.col0)];
  }
  const BlockScale scale = block_scale(jobs.straight, E::format, m.closer.content());
  const auto scaler = Scaler<kDivide>::of(scale.factor);
  (line.is_row ? shared.row_scaler[line.i] : shared.col_scaler(line.i)) = scaler;
  store_line_scale<scales>(jobs, t, line, scale);
  return serves(narrowing, scaler, m.amax_bits);
}

/// Casts the tile along its rows, to memory, and along its columns, to shared memory.
template <class S, class E, bool kDivide>
__device__ __forceinline__ void cast_tile(const BlockJob& job, const TileThread<S>& mine,
                                          TileShared<S, kDivide>& shared, const TilePlace& t) {
  constexpr int n = kPerVector<S>;
#pragma unroll
  for (int v = 0; v < kTileVectors<S>; ++v) {
    const Scaler<kDivide> scaler = shared.row_scaler[mine.row_of(v)];
    float y[n];
    widen(mine.in[v], y);
#pragma unroll
    for (int j = 0; j < n; ++j) y[j] = scaler(y[j]);
    if (mine.holds(v, t)) {
      store_vector(job.out.codes, mine.index_of(v, t, job.grid) / n, narrow<E>(y));
    }
  }
#pragma unroll
  for (int j = 0; j < n; ++j) {
    const Scaler<kDivide> scaler = shared.col_scaler(mine.col() + j);
#pragma unroll
    for (int four = 0; four < kTileVectors<S>; four += 4) {
      float y[4];
#pragma unroll
      for (int v = 0; v < 4; ++v) y[v] = scaler(mine.element(four + v, j));
      shared.turned.write(mine.col() + j, mine.row_of(four), narrow<E>(y).word[0]);
    }
  }
}

/// resident: thread blocks that run at one time.
template <class S, class E, bool kDivide, TileScales scales>
__global__ void __launch_bounds__(kTileThreads, kTilesAtOnce)
    quantize_tiles(const __grid_constant__ TilePair jobs,
                   const __grid_constant__ Narrowing<E> narrowing, const PassMeasure* before,
                   unsigned resident) {
  // Asking ahead gains a few per cent where arithmetic holds memory up: with 16-bit sources, whose
  // matrix is not partly in the L2 from a first pass, or whose elements are divided. With fp32 it
  // costs a tenth. (Thread blocks that stay and copy their next tile to shared memory meanwhile
  // were slower by a tenth to a third.)
  constexpr bool kOnePass = scales == TileScales::kSegments || scales == TileScales::kSquare;
  constexpr bool kAsksAhead = kBytes<S> == 2 && (kOnePass || kDivide);
  __shared__ TileShared<S, kDivide> shared;
  const BlockGrid& g = jobs.straight.grid;
  const TilePlace t(g, blockIdx.x);
  TileThread<S> mine;
  mine.load(jobs.straight, t);
  if constexpr (kAsksAhead) prefetch_tile<S>(jobs.straight, blockIdx.x + resident);
  bool finite = true;
  if constexpr (kOnePass) {
    finite = __syncthreads_and(measure_tile(mine, shared));
  }
  if (!__syncthreads_and(
          derive_tile<S, E, kDivide, scales>(jobs, narrowing, shared, t, finite, before))) {
    tile_by_text<S, E>(jobs, shared, t, narrowing.plan);
    return;
  }
  cast_tile<S, E>(jobs.straight, mine, shared, t);
  __syncthreads();
  for (int i = threadIdx.x; i < kTile * 8; i += kTileThreads) {
    const int col = i / 8, part = i % 8;
    if (col < t.cols && part * 16 < t.rows) {
      static_cast<uint4*>(
          jobs.transposed.out.codes)[((t.col0 + col) * g.rows + t.row0) / 16 + part] =
          shared.turned.read(col, part);
    }
  }
}

/// The first pass for TileScales::kLines: measures of all rows, then of all columns.
template <class S>
__global__ void __launch_bounds__(kTileThreads, kTilesAtOnce)
    measure_lines(const __grid_constant__ BlockJob job, PassMeasure* measures) {
  __shared__ TileShared<S, false> shared;
  const TilePlace t(job.grid, blockIdx.x);
  TileThread<S> mine;
  mine.load(job, t);
  const bool finite = __syncthreads_and(measure_tile(mine, shared));
  const TileLine line;
  if (!TileLine::has_one() || !line.is_inside(t)) return;
  const PassMeasure m = measure_line(job, shared, t, line, finite);
  measures[line.i + (line.is_row ? t.row0 : job.grid.rows + t.col0)].join(m.amax_bits, m.closer);
}

}  // namespace binade::cuda
