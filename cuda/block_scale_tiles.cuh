// A matrix and its transpose quantised from one read: a thread block holds a tile of 128 x 128 in
// registers, casts it along its rows, and again along its columns by way of shared memory.
// S: Fp32 or Bf16; E: E4M3 or E5M2. Private to this folder.
#pragma once

#include <bit>

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

/// Magnitudes as containers of S, which order as the numbers do; and as fp32.
template <class S>
using MagnitudeBits = std::conditional_t<kBytes<S> == 2, std::uint16_t, std::uint32_t>;
template <class S>
__device__ std::uint32_t widened_magnitude(MagnitudeBits<S> bits) {
  return static_cast<std::uint32_t>(bits) << (32 - 8 * kBytes<S>);
}

template <class S, bool kDivide>
struct TileShared {
  static constexpr int kWarps = kTileThreads / 32;
  alignas(16) TurnedTile<S> turned;
  alignas(16) MagnitudeBits<S> row_bits[kTile];          ///< the largest
  alignas(16) MagnitudeBits<S> col_bits[kWarps][kTile];  ///< the same, of each warp's rows
  Scaler<S, kDivide> row_scaler[kTile];
  Scaler<S, kDivide> col_scalers[kTile];  ///< in the order of their use: see col_scaler

  /// So placed that the lanes of a row, each at its own columns, read side by side.
  __device__ Scaler<S, kDivide>& col_scaler(int col) {
    constexpr int n = kPerVector<S>;
    return col_scalers[col % n * (kTile / n) + col / n];
  }
};

/// Where a tile lies, and how much of it is in the matrix.
struct TilePlace {
  std::size_t row0, col0;
  int rows, cols;
};

/// The tiles of a matrix by number, along its rows. Divides by the tiles in a row, which many
/// threads do, through a product (Granlund and Montgomery 1994, theorem 4.2 with 31 bits).
struct TileGrid {
  std::size_t rows, cols;  ///< of the matrix
  unsigned across, down, magic, shift;

  explicit TileGrid(const BlockGrid& g)
      : rows(g.rows),
        cols(g.cols),
        across(static_cast<unsigned>((g.cols + kTile - 1) / kTile)),
        down(static_cast<unsigned>((g.rows + kTile - 1) / kTile)),
        shift(31 + static_cast<unsigned>(std::bit_width(across - 1))) {
    magic = static_cast<unsigned>(((std::uint64_t{1} << shift) + across - 1) / across);
  }

  BINADE_HD unsigned count() const { return across * down; }
  __device__ TilePlace place(unsigned tile) const {
    const auto row = static_cast<unsigned>(std::uint64_t{tile} * magic >> shift);
    TilePlace t;
    t.row0 = row * std::size_t{kTile};
    t.col0 = (tile - row * across) * std::size_t{kTile};
    t.rows = static_cast<int>(min(std::size_t{kTile}, rows - t.row0));
    t.cols = static_cast<int>(min(std::size_t{kTile}, cols - t.col0));
    return t;
  }
};

/// The two jobs, of x and of its transpose, and x's tiles.
struct TilePair {
  BlockJob straight, transposed;
  TileGrid grid;
  /// Where each tile of kSegments leaves its scales side by side, of its rows and then its columns:
  /// place_scales puts down those that are to be row-major. Written to their places one by one,
  /// they cost a tenth of the time; column-major, they lie as in the tile.
  float* scales;
  unsigned ahead;  ///< tiles between the one that is cast and the one that is sent for meanwhile
};

/// What a thread holds of the tile: vector v is that of row `row_of(v)` from column `col` on.
template <class S>
struct TileThread {
  static constexpr int n = kPerVector<S>, kLanes = kTile / n;
  SourceVector<S> in[kTileVectors<S>];

  __device__ static int lane() { return threadIdx.x % kLanes; }
  __device__ static int col() { return lane() * n; }
  __device__ static int first_row() { return threadIdx.x / kLanes * 4; }
  __device__ static constexpr int further_rows(int v) { return v / 4 * 64 + v % 4; }
  __device__ static int row_of(int v) { return first_row() + further_rows(v); }
  __device__ static bool holds(int v, const TilePlace& t) {
    return row_of(v) < t.rows && col() < t.cols;
  }
  /// Of this thread's first element, in the matrix.
  __device__ static std::size_t first_index(const TilePlace& t, const BlockGrid& g) {
    return (t.row0 + first_row()) * g.cols + t.col0 + col();
  }
  __device__ void load(const BlockJob& job, const TilePlace& t) {
    const std::size_t first = first_index(t, job.grid) / n, pitch = job.grid.cols / n;
#pragma unroll
    for (int v = 0; v < kTileVectors<S>; ++v) {
      in[v] = holds(v, t) ? load_vector<SourceVector<S>>(job.x, first + further_rows(v) * pitch)
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

/// Sends for a tile that a later thread block will read, so that memory goes on while this one
/// casts. No tile: one that is not there.
template <class S>
__device__ void prefetch_tile(const TilePair& jobs, unsigned tile) {
  constexpr int kLineElements = 128 / kBytes<S>, kLines = kTile / kLineElements;
  if (tile >= jobs.grid.count()) return;
  const TilePlace t = jobs.grid.place(tile);
  const int row = threadIdx.x / kLines, col = threadIdx.x % kLines * kLineElements;
  if (row >= t.rows || col >= t.cols) return;
  const std::size_t at = (t.row0 + row) * jobs.grid.cols + t.col0 + col;
  ptx::prefetch_l2(static_cast<const char*>(jobs.straight.x) + at * kBytes<S>);
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
template <bool kDivide>
__device__ bool measure_tile(const TileThread<Fp32>& mine, TileShared<Fp32, kDivide>& shared) {
  bool finite = true;
  SourceVector<Fp32> largest{};
#pragma unroll
  for (int v = 0; v < kTileVectors<Fp32>; ++v) {
    const std::uint32_t bits = over_row<32>(magnitude_bits<Fp32>(mine.in[v]));
    if (mine.lane() == 0) shared.row_bits[mine.row_of(v)] = bits;
    finite = finite && bits < kInfinityBits;
#pragma unroll
    for (int w = 0; w < 4; ++w) {
      largest.word[w] = max(largest.word[w], mine.in[v].word[w] & 0x7fffffffu);
    }
  }
  store_vector(shared.col_bits[threadIdx.x / 32], mine.lane(), largest);
  return finite;
}

/// The same in pairs of 16 bits: half a warp holds four rows, whose maxima travel two in a word.
template <bool kDivide>
__device__ bool measure_tile(const TileThread<Bf16>& mine, TileShared<Bf16, kDivide>& shared) {
  static_assert(kTileVectors<Bf16> == 4);
  SourceVector<Bf16> largest{};
  std::uint32_t of_row[4] = {};  // its even and its odd columns
#pragma unroll
  for (int v = 0; v < 4; ++v) {
#pragma unroll
    for (int w = 0; w < 4; ++w) {
      const std::uint32_t magnitudes = mine.in[v].word[w] & 0x7fff7fffu;
      of_row[v] = __vmaxu2(of_row[v], magnitudes);
      largest.word[w] = __vmaxu2(largest.word[w], magnitudes);
    }
  }
  const auto both = [](std::uint32_t a, std::uint32_t b) {  // the larger half of each
    return __vmaxu2(__byte_perm(a, b, 0x5410), __byte_perm(a, b, 0x7632));
  };
  const std::uint32_t first = both(of_row[0], of_row[1]), second = both(of_row[2], of_row[3]);
  const bool has_second = threadIdx.x % 16 >= 8;
  std::uint32_t rows = has_second ? second : first;
  rows = __vmaxu2(rows, __shfl_xor_sync(~0u, has_second ? first : second, 8));
#pragma unroll
  for (int step = 4; step != 0; step /= 2) rows = __vmaxu2(rows, __shfl_xor_sync(~0u, rows, step));
  if (threadIdx.x % 8 == 0) {
    *reinterpret_cast<std::uint32_t*>(&shared.row_bits[mine.first_row() + 2 * has_second]) = rows;
  }
#pragma unroll
  for (std::uint32_t& word : largest.word) {  // the warp's other four rows
    word = __vmaxu2(word, __shfl_xor_sync(~0u, word, 16));
  }
  if (threadIdx.x % 32 < 16) {
    store_vector(shared.col_bits[threadIdx.x / 32], mine.lane(), largest);
  }
  constexpr std::uint32_t kInfinity = kInfinityBits >> 16;
  return (rows & 0xffffu) < kInfinity && rows >> 16 < kInfinity;
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
__device__ Measure measure_line(const BlockJob& job, const TileShared<S, kDivide>& shared,
                                const TilePlace& t, const TileLine& line, bool is_finite) {
  MagnitudeBits<S> largest = line.is_row ? shared.row_bits[line.i] : 0;
  if (!line.is_row) {
    for (const auto& of_warp : shared.col_bits) largest = max(largest, of_warp[line.i]);
  }
  if (is_finite || !line.is_inside(t)) return {widened_magnitude<S>(largest), 0};
  const std::size_t cols = job.grid.cols, first = t.row0 * cols + t.col0;
  return line.is_row ? scan<S>(job.x, first + line.i * cols, 1, t.cols)
                     : scan<S>(job.x, first + line.i, cols, t.rows);
}

/// The measure of the whole tile, by each warp for itself.
template <class S, bool kDivide>
__device__ Measure measure_square(const BlockJob& job, const TileShared<S, kDivide>& shared,
                                  const TilePlace& t, bool is_finite) {
  MagnitudeBits<S> largest = 0;
  for (int r = threadIdx.x % 32; r < kTile; r += 32) largest = max(largest, shared.row_bits[r]);
  const std::uint32_t bits = __reduce_max_sync(~0u, widened_magnitude<S>(largest));
  if (is_finite) return {bits, 0};
  Measure all;
  for (int r = threadIdx.x % 32; r < t.rows; r += 32) {
    const Measure m = scan<S>(job.x, (t.row0 + r) * job.grid.cols + t.col0, 1, t.cols);
    all = {max(all.amax_bits, m.amax_bits), all.found | m.found};
  }
  return all.over_lanes(~0u);
}

/// Stores the scale of a line, where it is this tile that does.
template <TileScales scales>
__device__ void store_line_scale(const TilePair& jobs, const TilePlace& t, const TileLine& line,
                                 const BlockScale& scale) {
  const BlockJob& job = line.is_row ? jobs.straight : jobs.transposed;
  const std::size_t row0 = line.is_row ? t.row0 : t.col0, col0 = line.is_row ? t.col0 : t.row0;
  if constexpr (scales == TileScales::kSegments) {
    if (job.out.scale_layout == MatrixLayout::kRowMajor) {
      jobs.scales[blockIdx.x * std::size_t{2 * kTile} + threadIdx.x] = scale.scale;
    } else if (line.is_inside(t)) {
      store_scale_at(job, col0 / kTile * job.grid.grid_rows + row0 + line.i, scale);
    }
  } else if constexpr (scales == TileScales::kSquare) {
    if (line.i == 0) store_scale(job, row0 / kTile * job.grid.grid_cols + col0 / kTile, scale);
  } else if constexpr (scales == TileScales::kLines) {
    if (col0 == 0 && line.is_inside(t)) store_scale(job, row0 + line.i, scale);
  } else {
    if (row0 + col0 + line.i == 0) store_scale_at(job, 0, scale);
  }
}

/// Fills the scaler of a line of the tile and returns its scale. serves_line: whether the
/// instruction does it. before: of the first pass, the tensor's measure, or those of all rows and
/// columns.
template <class S, class E, bool kDivide, TileScales scales>
__device__ BlockScale derive_line(const TilePair& jobs, const Narrowing<E>& narrowing,
                                  TileShared<S, kDivide>& shared, const TilePlace& t,
                                  const TileLine& line, bool is_finite, PassMeasures before,
                                  bool& serves_line) {
  Measure m{};
  if constexpr (scales == TileScales::kSegments) {
    m = measure_line(jobs.straight, shared, t, line, is_finite);
  } else if constexpr (scales == TileScales::kSquare) {
    m = measure_square(jobs.straight, shared, t, is_finite);
  } else if constexpr (scales == TileScales::kTensor) {
    m = before.at(0);
  } else if (line.is_inside(t)) {
    m = before.at(line.i + (line.is_row ? t.row0 : jobs.straight.grid.rows + t.col0));
  }
  const BlockScale scale = block_scale(jobs.straight, E::format, m.content());
  const auto scaler = Scaler<S, kDivide>::of(scale.factor);
  (line.is_row ? shared.row_scaler[line.i] : shared.col_scaler(line.i)) = scaler;
  serves_line = serves(narrowing, scaler, m.largest_bits());
  return scale;
}

/// Casts the tile along its rows, to memory, and along its columns, to shared memory.
template <class S, class E, bool kDivide>
__device__ __forceinline__ void cast_tile(const BlockJob& job, const TileThread<S>& mine,
                                          TileShared<S, kDivide>& shared, const TilePlace& t) {
  constexpr int n = kPerVector<S>;
  const std::size_t first = mine.first_index(t, job.grid) / n, pitch = job.grid.cols / n;
#pragma unroll
  for (int v = 0; v < kTileVectors<S>; ++v) {
    const Scaler<S, kDivide> scaler = shared.row_scaler[mine.row_of(v)];
    float y[n];
    widen(mine.in[v], y);
#pragma unroll
    for (int j = 0; j < n; ++j) y[j] = scaler(y[j]);
    if (mine.holds(v, t)) {
      store_vector(job.out.codes, first + mine.further_rows(v) * pitch, narrow<E>(y));
    }
  }
#pragma unroll
  for (int j = 0; j < n; ++j) {
    const Scaler<S, kDivide> scaler = shared.col_scaler(mine.col() + j);
#pragma unroll
    for (int four = 0; four < kTileVectors<S>; four += 4) {
      float y[4];
#pragma unroll
      for (int v = 0; v < 4; ++v) y[v] = scaler(mine.element(four + v, j));
      shared.turned.write(mine.col() + j, mine.row_of(four), narrow<E>(y).word[0]);
    }
  }
}

/// The transposed tile to memory, sixteen codes at a time.
template <class S>
__device__ __forceinline__ void store_turned(const TilePair& jobs, const TurnedTile<S>& turned,
                                             const TilePlace& t) {
  constexpr int kParts = kTile / 16, kCols = kTileThreads / kParts;
  const int part = threadIdx.x % kParts, first_col = threadIdx.x / kParts;
  if (part * 16 >= t.rows) return;
  const std::size_t pitch = jobs.grid.rows / 16;
  const std::size_t first = (t.col0 + first_col) * pitch + t.row0 / 16 + part;
#pragma unroll
  for (int further = 0; further < kTile; further += kCols) {
    const int col = first_col + further;
    if (col < t.cols) {
      static_cast<uint4*>(jobs.transposed.out.codes)[first + further * pitch] =
          turned.read(col, part);
    }
  }
}

template <class S, class E, bool kDivide, TileScales scales>
__global__ void __launch_bounds__(kTileThreads, kTilesAtOnce)
    quantize_tiles(const __grid_constant__ TilePair jobs,
                   const __grid_constant__ Narrowing<E> narrowing, PassMeasures before) {
  // After a first pass tiles come backwards: what that read last is still in the L2. Asking ahead
  // gains up to a tenth where arithmetic holds memory up, with 16-bit sources; with fp32 nothing.
  // (Thread blocks that stay and copy their next tile to shared memory meanwhile were slower by a
  // tenth to a third.)
  constexpr bool kOnePass = scales == TileScales::kSegments || scales == TileScales::kSquare;
  constexpr bool kAsksAhead = kBytes<S> == 2;
  __shared__ TileShared<S, kDivide> shared;
  const unsigned tile = kOnePass ? blockIdx.x : gridDim.x - 1 - blockIdx.x;
  const TilePlace t = jobs.grid.place(tile);
  TileThread<S> mine;
  mine.load(jobs.straight, t);
  if constexpr (kAsksAhead) {
    prefetch_tile<S>(jobs, kOnePass ? tile + jobs.ahead : tile - jobs.ahead);
  }
  bool finite = true;
  if constexpr (kOnePass) {
    if constexpr (scales == TileScales::kSegments) ptx::grid_lets_next_begin();
    finite = __syncthreads_and(measure_tile(mine, shared));
  } else {
    ptx::grid_awaits_last();
  }
  const TileLine line;
  bool instruction_serves = true;
  BlockScale scale;
  if (TileLine::has_one()) {
    scale = derive_line<S, E, kDivide, scales>(jobs, narrowing, shared, t, line, finite, before,
                                               instruction_serves);
  }
  instruction_serves = __syncthreads_and(instruction_serves);
  // Only now, because all wait for the scalers and nobody for the scales.
  if (TileLine::has_one()) store_line_scale<scales>(jobs, t, line, scale);
  if (!instruction_serves) {
    tile_by_text<S, E>(jobs, shared, t, narrowing.plan);
    return;
  }
  cast_tile<S, E>(jobs.straight, mine, shared, t);
  __syncthreads();
  store_turned(jobs, shared.turned, t);
}

inline constexpr int kPlacedTiles = 16, kPlacingThreads = 512;

/// Thread blocks that place the scales of so many tiles side by side; and those of all tiles, for x
/// or for its transpose.
BINADE_HD constexpr unsigned placing_blocks(unsigned tiles) {
  return (tiles + kPlacedTiles - 1) / kPlacedTiles;
}
BINADE_HD unsigned placing_blocks(const TilePair& jobs, bool straight) {
  const TileGrid& g = jobs.grid;
  const BlockJob& job = straight ? jobs.straight : jobs.transposed;
  if (job.out.scale_layout == MatrixLayout::kColumnMajor) return 0;  // they are in their places
  return straight ? g.down * placing_blocks(g.across) : g.across * placing_blocks(g.down);
}

/// Scales from where tiles left them to their places: a thread block those of 16 neighbours in a
/// row of tiles, or, after as many blocks as x takes, of 16 in a column for the transpose.
__global__ void __launch_bounds__(kPlacingThreads)
    place_scales(const __grid_constant__ TilePair jobs) {
  constexpr int kEach = kTile * kPlacedTiles / kPlacingThreads;  // scales of a thread
  constexpr int kLoads = kPlacingThreads / kTile, kStores = kPlacingThreads / kPlacedTiles;
  __shared__ float gathered[kTile][kPlacedTiles + 1];
  ptx::grid_awaits_last();
  const unsigned across = jobs.grid.across, of_straight = placing_blocks(jobs, true);
  const bool straight = blockIdx.x < of_straight;
  const BlockJob& job = straight ? jobs.straight : jobs.transposed;
  const auto scales = static_cast<unsigned>(job.grid.grid_cols);  // of a row; one of each tile
  const unsigned groups = placing_blocks(scales);
  const unsigned group = straight ? blockIdx.x : blockIdx.x - of_straight;
  const unsigned line = group / groups, first = group % groups * kPlacedTiles;
  const unsigned r = threadIdx.x % kTile;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const unsigned along = threadIdx.x / kTile + i * kLoads, at = min(first + along, scales - 1);
    const std::size_t tile =
        straight ? std::size_t{line} * across + at : std::size_t{at} * across + line;
    gathered[r][along] = jobs.scales[tile * (2 * kTile) + (straight ? 0 : kTile) + r];
  }
  __syncthreads();
  const unsigned along = threadIdx.x % kPlacedTiles;
  if (first + along >= scales) return;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const unsigned of_tile = threadIdx.x / kPlacedTiles + i * kStores;
    const std::size_t row = std::size_t{line} * kTile + of_tile;
    if (row >= job.grid.rows) return;
    const float scale = gathered[of_tile][along];
    store_scale_at(job, row * scales + first + along, {scale, 0.0f, detail::ue8m0_code(scale)});
  }
}

/// The first pass for TileScales::kLines: measures of all rows, then of all columns.
template <class S>
__global__ void __launch_bounds__(kTileThreads, kTilesAtOnce)
    measure_lines(const __grid_constant__ BlockJob job, const __grid_constant__ TileGrid grid,
                  PassMeasures measures) {
  __shared__ TileShared<S, false> shared;
  ptx::grid_lets_next_begin();
  const TilePlace t = grid.place(blockIdx.x);
  TileThread<S> mine;
  mine.load(job, t);
  const bool finite = __syncthreads_and(measure_tile(mine, shared));
  const TileLine line;
  if (!TileLine::has_one() || !line.is_inside(t)) return;
  ptx::grid_awaits_last();
  measures.join(line.i + (line.is_row ? t.row0 : job.grid.rows + t.col0),
                measure_line(job, shared, t, line, finite));
}

}  // namespace binade::cuda
