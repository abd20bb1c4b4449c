// The chain kernel: every output of a tile in registers, its operands unpacked in shared memory.
// Private to this folder.
//
// A block of 128 threads computes tile_shape<Real>() outputs over the whole of K, thread_rows by
// thread_cols a thread; a warp is 4 threads high and 8 wide. Operands come in stages of one or more
// steps, copied one stage ahead. Two blocks share a multiprocessor, so that the pass over exponents
// of one (integer units) meets the sums of the other (floating-point units).
#pragma once

#include <cuda_pipeline.h>

#include "emulated_gemm_epilogue.cuh"
#include "emulated_gemm_lanes.cuh"

namespace binade::cuda::detail {

#define BINADE_INLINE __device__ __forceinline__

/// One thread's part of a tile.
template <class Real_, AlignmentRounding alignment_, bool normalized_>
struct TileThread {
  using Real = Real_;
  using L = Lane<Real>;
  using Sum = StepSum<Real, alignment_>;
  static constexpr bool kNormalized = normalized_;
  static constexpr TileShape kShape = tile_shape<Real>();
  static constexpr int kRows = kShape.thread_rows, kCols = kShape.thread_cols;
  static constexpr int kGroup = 16 / sizeof(Real);  ///< neighbours in a load of 16 bytes
  using Outputs = Real[kRows][kCols];

  /// Places in the tile of this thread's output 0; row() and col() give the others.
  int first_row, first_col;

  BINADE_INLINE TileThread() {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    first_row = warp / kShape.warp_cols * 4 * kRows + lane / 8 * kGroup;
    first_col = warp % kShape.warp_cols * 8 * kCols + lane % 8 * kGroup;
  }
  BINADE_INLINE int row(int i) const { return first_row + i / kGroup * 4 * kGroup + i % kGroup; }
  BINADE_INLINE int col(int j) const { return first_col + j / kGroup * 8 * kGroup + j % kGroup; }
  BINADE_INLINE std::size_t d_row(int i) const {
    return blockIdx.x * std::size_t{kShape.rows()} + row(i);
  }
  BINADE_INLINE std::size_t d_col(int j) const {
    return blockIdx.y * std::size_t{kShape.cols()} + col(j);
  }
  /// Where output (i, j) lies in an array of shared memory that holds those of all threads.
  BINADE_INLINE int slot(int i, int j) const {
    return (i * kCols + j) * kTileThreads + static_cast<int>(threadIdx.x);
  }
  /// body(i, j) for every output, unrolled.
  template <class Body>
  BINADE_INLINE static void each(Body&& body) {
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
#pragma unroll
      for (int j = 0; j < kCols; ++j) body(i, j);
    }
  }
};

/// The operands of one stage in shared memory.
template <class Real>
struct Stage {
  const Real *a, *b;            // [depth, rows], [depth, cols]
  const std::uint32_t* a_code;  // [depth, rows / 2], two rows a word
  const std::uint32_t* b_code;  // [depth, cols], one code in both halves

  BINADE_INLINE Stage(const unsigned char* base, int depth) {
    constexpr TileShape s = tile_shape<Real>();
    a = reinterpret_cast<const Real*>(base);
    a_code = reinterpret_cast<const std::uint32_t*>(a + depth * s.rows());
    b = reinterpret_cast<const Real*>(base + stage_bytes_a<Real>(depth));
    b_code = reinterpret_cast<const std::uint32_t*>(b + depth * s.cols());
  }
};

/// n elements that are loaded together.
template <class E, int n>
struct alignas(sizeof(E) * n) Group {
  E x[n];
};

/// Groups of n elements, `stride` elements from one to the next.
template <int n, int stride, class E, int count>
BINADE_INLINE void load_groups(const E* from, E (&to)[count]) {
#pragma unroll
  for (int g = 0; g < count / n; ++g) {
    const auto group = *reinterpret_cast<const Group<E, n>*>(from + g * stride);
#pragma unroll
    for (int i = 0; i < n; ++i) to[g * n + i] = group.x[i];
  }
}

/// This thread's factors at place k of the stage.
template <class T, class Real = typename T::Real>
BINADE_INLINE void load_factors(const T& t, const Stage<Real>& s, int k, Real (&a)[T::kRows],
                                Real (&b)[T::kCols]) {
  constexpr int V = T::kGroup;
  load_groups<V, 4 * V>(s.a + t.first_row + k * T::kShape.rows(), a);
  load_groups<V, 8 * V>(s.b + t.first_col + k * T::kShape.cols(), b);
}

/// The codes of M that C asks for by itself, two rows a word; M is never lower.
template <class T>
BINADE_INLINE unsigned codes_of_addends(const LanePlan& p, typename T::Real upper_row,
                                        typename T::Real lower_row) {
  using L = typename T::L;
  unsigned fields;
  if (p.plain) {
    constexpr unsigned kField = unsigned{L::kExponentMask} << L::kCodeShift;
    fields = __byte_perm(L::upper(upper_row), L::upper(lower_row), 0x7632) & (kField * 0x10001u);
  } else {
    const auto field = [&p](typename T::Real c) {
      return static_cast<unsigned>(c == 0 ? p.c_zero_field : max(exponent_field(c), p.c_emin_field))
             << L::kCodeShift;
    };
    fields = field(upper_row) | field(lower_row) << 16;
  }
  return __viaddmax_s16x2(fields, p.code_offset, p.lowest_code);
}

/// Pass 1: M of every output, from the exponents of C and of the products.
template <class T>
BINADE_INLINE void find_largest(const LanePlan& p, const T& t, const Stage<typename T::Real>& s,
                                int k0, const typename T::Outputs& c, typename T::Outputs& m) {
  using L = typename T::L;
  constexpr int V = T::kGroup;
  unsigned top[T::kRows / 2][T::kCols];
  T::each([&](int i, int j) {
    if (i % 2 == 0) top[i / 2][j] = codes_of_addends<T>(p, c[i][j], c[i + 1][j]);
  });
#pragma unroll 4
  for (int k = k0; k < k0 + p.step_k; ++k) {
    std::uint32_t a[T::kRows / 2], b[T::kCols];
    load_groups<V / 2, 2 * V>(s.a_code + t.first_row / 2 + k * (T::kShape.rows() / 2), a);
    load_groups<V, 8 * V>(s.b_code + t.first_col + k * T::kShape.cols(), b);
    T::each([&](int i, int j) {
      if (i % 2 == 0) top[i / 2][j] = __viaddmax_s16x2(a[i / 2], b[j], top[i / 2][j]);
    });
  }
  T::each([&](int i, int j) {
    const unsigned pair = top[i / 2][j];
    m[i][j] = L::from_upper(i % 2 == 0 ? pair << 16 : pair & 0xffff0000u);
  });
}

/// The same where e_k is the exponent of the product's leading bit: from the largest product.
template <class T>
BINADE_INLINE void find_largest_product(const LanePlan& p, const T& t,
                                        const Stage<typename T::Real>& s, int k0,
                                        const typename T::Outputs& c, typename T::Outputs& m) {
  using L = typename T::L;
  T::each([&](int i, int j) { m[i][j] = 0; });
#pragma unroll 1
  for (int k = k0; k < k0 + p.step_k; ++k) {
    typename T::Real a[T::kRows], b[T::kCols];
    load_factors(t, s, k, a, b);
    T::each([&](int i, int j) { m[i][j] = fmax(m[i][j], fabs(a[i] * b[j])); });
  }
  T::each([&](int i, int j) {
    const auto of_c = static_cast<std::int16_t>(codes_of_addends<T>(p, c[i][j], c[i][j]));
    const int of_products = (exponent_field(m[i][j]) << L::kCodeShift) +
                            static_cast<std::int16_t>(p.code_offset & 0xffff);
    m[i][j] = L::from_upper(static_cast<unsigned>(max(int{of_c}, of_products)) << 16);
  });
}

/// One step: C becomes D.
template <class T>
BINADE_INLINE void step(const LanePlan& p, const T& t, const Stage<typename T::Real>& s, int k0,
                        typename T::Outputs& c) {
  using L = typename T::L;
  typename T::Outputs m;
  if constexpr (T::kNormalized) {
    find_largest_product(p, t, s, k0, c, m);
  } else {
    find_largest(p, t, s, k0, c, m);
  }
  typename T::Sum sums[T::kRows][T::kCols];
  T::each([&](int i, int j) { sums[i][j].start(m[i][j], c[i][j]); });
#pragma unroll 4
  for (int k = k0; k < k0 + p.step_k; ++k) {
    typename T::Real a[T::kRows], b[T::kCols];
    load_factors(t, s, k, a, b);
    typename L::Operand x[T::kRows], y[T::kCols];
#pragma unroll
    for (int i = 0; i < T::kRows; ++i) x[i] = L::operand(a[i]);
#pragma unroll
    for (int j = 0; j < T::kCols; ++j) y[j] = L::operand(b[j]);
    T::each([&](int i, int j) { sums[i][j].add(x[i], y[j]); });
  }
  T::each([&](int i, int j) {
    const auto exact = sums[i][j].finish();
    c[i][j] = p.plain ? L::masked(exact, p.result_mask) : round_result(p, exact, p.nearest);
  });
}

/// An instruction whose C is added last begins with 0: C waits in shared memory.
template <class T>
BINADE_INLINE void put_aside(const T& t, typename T::Outputs& c, typename T::Real* aside) {
  T::each([&](int i, int j) {
    aside[t.slot(i, j)] = c[i][j];
    c[i][j] = 0;
  });
}
template <class T>
BINADE_INLINE void add_last(const LanePlan& p, const T& t, const typename T::Real* aside,
                            typename T::Outputs& c) {
  T::each([&](int i, int j) { c[i][j] = round_result(p, c[i][j] + aside[t.slot(i, j)], true); });
}

/// The chain's end: it joins the sums, which lie in shared memory like the addends.
template <ScaleOrder order, class T>
BINADE_INLINE void promote_in(const LanePlan& p, const T& t, const Epilogue& e, std::size_t k0,
                              typename T::Outputs& c, float* sums) {
  float sa[T::kRows], sb[T::kCols];
#pragma unroll
  for (int i = 0; i < T::kRows; ++i) sa[i] = e.a.at(min(t.d_row(i), e.m - 1), k0);
#pragma unroll
  for (int j = 0; j < T::kCols; ++j) sb[j] = e.b.at(min(t.d_col(j), e.n - 1), k0);
  T::each([&](int i, int j) {
    float& sum = sums[t.slot(i, j)];
    const auto chain = static_cast<float>(c[i][j] * static_cast<typename T::Real>(p.up));
    sum = joined<order>(k0 == 0 ? 0.0f : sum, chain, sa[i], sb[j]);
    c[i][j] = 0;
  });
}
template <class T>
BINADE_INLINE void promote(const LanePlan& p, const T& t, const Epilogue& e, std::size_t k0,
                           typename T::Outputs& c, float* sums) {
  switch (e.order) {
    case ScaleOrder::kPromoteFmaProduct:
      return promote_in<ScaleOrder::kPromoteFmaProduct>(p, t, e, k0, c, sums);
    case ScaleOrder::kPromoteFmaAThenB:
      return promote_in<ScaleOrder::kPromoteFmaAThenB>(p, t, e, k0, c, sums);
    case ScaleOrder::kPromoteFmaBThenA:
      return promote_in<ScaleOrder::kPromoteFmaBThenA>(p, t, e, k0, c, sums);
    default:
      return promote_in<ScaleOrder::kEpilogueProduct>(p, t, e, k0, c, sums);
  }
}

/// The tile goes through shared memory, where the stages were, so that rows are written whole. Two
/// stages of any depth that a plan has (more than half of what it aims at) take more room than it.
template <class T>
BINADE_INLINE void store_tile(const LanePlan& p, const T& t, const Epilogue& e,
                              const Leftovers& leftovers, const typename T::Outputs& c,
                              const float* sums, float* tile) {
  constexpr int kCols = T::kShape.cols();
  __syncthreads();  // the stages are done with
  T::each([&](int i, int j) {
    tile[t.row(i) * kCols + t.col(j)] =
        e.promotes ? sums[t.slot(i, j)]
                   : static_cast<float>(c[i][j] * static_cast<typename T::Real>(p.up));
  });
  __syncthreads();
#pragma unroll 1
  for (int at = threadIdx.x; at < T::kShape.rows() * kCols; at += kTileThreads) {
    const std::size_t row = blockIdx.x * std::size_t{T::kShape.rows()} + at / kCols;
    const std::size_t col = blockIdx.y * std::size_t{kCols} + at % kCols;
    if (row >= e.m || col >= e.n) continue;
    const float sum = tile[at];
    if (sum != sum) leftovers.add(row * e.n + col);
    e.store(row * e.n + col, e.scale(sum, row, col));
  }
}

/// Copies a stage of both operands, 16 bytes at a time, without waiting.
template <class Real>
BINADE_INLINE void copy_stage(const unsigned char* a, const unsigned char* b, int depth,
                              unsigned char* to) {
  const auto copy = [](const unsigned char* from, unsigned char* target, int bytes) {
    for (int at = threadIdx.x * 16; at < bytes; at += kTileThreads * 16) {
      __pipeline_memcpy_async(target + at, from + at, 16);
    }
  };
  const int a_bytes = static_cast<int>(stage_bytes_a<Real>(depth));
  copy(a, to, a_bytes);
  copy(b, to + a_bytes, static_cast<int>(stage_bytes_b<Real>(depth)));
  __pipeline_commit();
}

/// a and b hold the stages of each tile of rows one after the other: unpack_kernel.
template <class T>
__global__ __launch_bounds__(kTileThreads, 2) void chain_kernel(const LanePlan p, const Epilogue e,
                                                                const unsigned char* a,
                                                                const unsigned char* b,
                                                                const Leftovers leftovers) {
  using Real = typename T::Real;
  extern __shared__ __align__(16) unsigned char shared[];
  const int depth = p.stage_steps * p.step_k;
  const int stages = (p.total_steps + p.stage_steps - 1) / p.stage_steps;
  const std::size_t a_bytes = stage_bytes_a<Real>(depth), b_bytes = stage_bytes_b<Real>(depth);
  auto* aside = reinterpret_cast<Real*>(shared + 2 * (a_bytes + b_bytes));
  auto* sums =
      reinterpret_cast<float*>(aside + (p.added_last ? T::kRows * T::kCols * kTileThreads : 0));
  a += blockIdx.x * stages * a_bytes;
  b += blockIdx.y * stages * b_bytes;
  const T t;
  typename T::Outputs c = {};
  int step_in_chain = 0;
  std::size_t chain = 0;
  copy_stage<Real>(a, b, depth, shared);
  for (int stage = 0; stage < stages; ++stage) {
    __pipeline_wait_prior(0);
    __syncthreads();  // this stage is there, and the one before is done with
    if (stage + 1 < stages) {
      copy_stage<Real>(a + (stage + 1) * a_bytes, b + (stage + 1) * b_bytes, depth,
                       shared + (stage + 1) % 2 * (a_bytes + b_bytes));
    }
    const Stage<Real> operands(shared + stage % 2 * (a_bytes + b_bytes), depth);
    const int steps = min(p.stage_steps, p.total_steps - stage * p.stage_steps);
    for (int s = 0; s < steps; ++s) {
      if (p.added_last && step_in_chain % p.steps == 0) put_aside(t, c, aside);
      step(p, t, operands, s * p.step_k, c);
      ++step_in_chain;
      if (p.added_last && step_in_chain % p.steps == 0) add_last(p, t, aside, c);
      const bool last = stage + 1 == stages && s + 1 == steps;
      if (step_in_chain != p.promotion_steps && !last) continue;
      if (e.promotes) promote(p, t, e, chain * e.interval, c, sums);
      step_in_chain = 0;
      ++chain;
    }
  }
  store_tile(p, t, e, leftovers, c, sums, reinterpret_cast<float*>(shared));
}

#undef BINADE_INLINE

}  // namespace binade::cuda::detail
