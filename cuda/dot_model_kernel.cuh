// The kernel behind every form of dot_model_tiles.cuh: load D, step along K, store D.
#pragma once

#include "check.cuh"
#include "dot_model_tiles.cuh"
#include "ptx/wgmma_shapes.cuh"

namespace binade::cuda {

inline constexpr int kTileThreads = 128;
inline constexpr int kCoreBytes = 128;  ///< a core matrix: 8 rows of 16 bytes

/// Where byte `byte` of row `row` lies among core matrices, `cores` of them along K.
template <int cores>
__device__ int core_offset(int row, int byte) {
  return (row / 8 * cores + byte / 16) * kCoreBytes + row % 8 * 16 + byte % 16;
}

/// Copies [rows][16 * cores] bytes into core matrices.
template <int cores>
__device__ void load_operand(std::byte* shared, const std::byte* global, int rows) {
  for (int piece = threadIdx.x; piece < rows * cores; piece += kTileThreads) {
    const int row = piece / cores, byte = piece % cores * 16;
    *reinterpret_cast<uint4*>(shared + core_offset<cores>(row, byte)) =
        *reinterpret_cast<const uint4*>(global + piece * 16);
  }
}

/// A's fragment of this thread: its warp's 16 rows.
__device__ inline void load_fragment_a(std::uint32_t (&a)[4], const std::byte* shared) {
  const int lane = threadIdx.x % 32, row = threadIdx.x / 32 * 16 + lane / 4, byte = lane % 4 * 4;
  for (int i = 0; i < 4; ++i) {
    a[i] = *reinterpret_cast<const std::uint32_t*>(
        shared + core_offset<2>(row + i % 2 * 8, byte + i / 2 * 16));
  }
}

/// D's fragment of this thread: containers of `Word` bits in pairs, rows r and r + 8 of each eight
/// columns. visit(register, address of the pair, whether it is a whole register).
template <class Container, int n, class Visit>
__device__ void for_each_pair(Container* tile, Visit visit) {
  const int lane = threadIdx.x % 32, row = threadIdx.x / 32 * 16 + lane / 4;
#pragma unroll
  for (int j = 0; j < n / 8; ++j) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      visit(2 * j + half, tile + (row + 8 * half) * n + 8 * j + lane % 4 * 2);
    }
  }
}

template <class Op>
__global__ void __launch_bounds__(kTileThreads) tile_kernel(Tiles t) {
  using Container = typename Op::Container;
  constexpr int n = Op::n, b_cores = Op::b_cores;
  constexpr int words = sizeof(Container) / 2;  // registers that a pair of outputs takes
  __shared__ alignas(128) std::byte a[kTileRows * kStepBytes];
  __shared__ alignas(128) std::byte b[n * b_cores * 16];
  std::uint32_t d[n / 4 * words];
  const std::size_t tile = blockIdx.x;
  const auto* c = static_cast<const Container*>(t.c) + tile * kTileRows * n;
  for_each_pair<const Container, n>(c, [&](int pair, const Container* at) {
    for (int w = 0; w < words; ++w) {
      d[pair * words + w] = reinterpret_cast<const std::uint32_t*>(at)[w];
    }
  });
  for (int step = 0; step < t.steps; ++step) {
    const std::size_t index = tile * t.steps + step;
    load_operand<2>(a, t.a + index * sizeof a, kTileRows);
    load_operand<b_cores>(b, t.b + index * sizeof b, n);
    ptx::fence_proxy_async();
    __syncthreads();
    Op::step(d, a, b);
    __syncthreads();
  }
  for_each_pair<Container, n>(static_cast<Container*>(t.d) + tile * kTileRows * n,
                              [&](int pair, Container* at) {
                                for (int w = 0; w < words; ++w) {
                                  reinterpret_cast<std::uint32_t*>(at)[w] = d[pair * words + w];
                                }
                              });
}

template <class Op>
void launch_tiles(const Tiles& t) {
  tile_kernel<Op><<<t.tiles, kTileThreads>>>(t);
  check_launch("matrix instruction");
}

/// wgmma of one type, shape and form.
template <class Types, int n_, bool register_a, int scale_a, int scale_b, int scale_d>
struct WgmmaOp {
  using Container = typename Types::Container;
  static constexpr int n = n_, b_cores = 2;

  static __device__ void step(std::uint32_t* d, const std::byte* a, const std::byte* b) {
    using Instruction = ptx::Wgmma<Types, n, scale_a, scale_b>;
    const auto b_matrix = ptx::plain_descriptor(b, kCoreBytes, b_cores * kCoreBytes);
    std::uint32_t fragment[4];
    if constexpr (register_a) load_fragment_a(fragment, a);
    ptx::wgmma_fence();
    if constexpr (register_a) {
      Instruction::register_a(d, fragment, b_matrix, scale_d);
    } else {
      Instruction::shared_a(d, ptx::plain_descriptor(a, kCoreBytes, 2 * kCoreBytes), b_matrix,
                            scale_d);
    }
    ptx::wgmma_commit();
    ptx::wgmma_wait_all();
  }
};

/// Sparse wgmma; every group of four keeps the same two places.
template <class Types, int n_, int kept>
struct SparseWgmmaOp {
  using Container = typename Types::Container;
  static constexpr int n = n_, b_cores = 4;

  /// Two bits for each of the two stored elements, the lower place first.
  static constexpr std::uint32_t metadata() {
    std::uint32_t pair = 0, found = 0;
    for (std::uint32_t place = 0; place < 4; ++place) {
      if ((kept >> place & 1) != 0) pair |= place << 2 * found++;
    }
    return pair * 0x11111111u;
  }

  static __device__ void step(std::uint32_t* d, const std::byte* a, const std::byte* b) {
    ptx::wgmma_fence();
    ptx::SparseWgmma<Types, n>::shared_a(d, ptx::plain_descriptor(a, kCoreBytes, 2 * kCoreBytes),
                                         ptx::plain_descriptor(b, kCoreBytes, b_cores * kCoreBytes),
                                         metadata());
    ptx::wgmma_commit();
    ptx::wgmma_wait_all();
  }
};

/// mma.sync: each warp its 16 rows, eight columns at a time.
template <class Container_, int n_,
          void (*instruction)(std::uint32_t*, const std::uint32_t*, const std::uint32_t*)>
struct MmaOp {
  using Container = Container_;
  static constexpr int n = n_, b_cores = 2;

  static __device__ void step(std::uint32_t* d, const std::byte* a, const std::byte* b) {
    std::uint32_t fragment[4];
    load_fragment_a(fragment, a);
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int j = 0; j < n / 8; ++j) {
      const int column = 8 * j + lane / 4, byte = lane % 4 * 4;
      const std::uint32_t b_fragment[2] = {
          *reinterpret_cast<const std::uint32_t*>(b + core_offset<2>(column, byte)),
          *reinterpret_cast<const std::uint32_t*>(b + core_offset<2>(column, byte + 16))};
      instruction(d + j * (sizeof(Container) == 4 ? 4 : 2), fragment, b_fragment);
    }
  }
};

}  // namespace binade::cuda
