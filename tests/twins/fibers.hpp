// Kernels on the CPU: as much of CUDA's language as those of block scaling use, with a fiber for
// each thread of a block. Blocks run one after the other; a fiber runs until it meets others, at a
// barrier or in an exchange within its warp, where all lanes take part. It shows what a kernel
// computes, not whether it races: that is compute-sanitizer's to say. Include before kernels.
#pragma once

#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <vector>

#define __device__
#define __global__
#define __shared__ static  // one block at a time
#define __noinline__
#define __forceinline__ inline
#define __grid_constant__
#define __launch_bounds__(...)

struct uint2 {
  unsigned x, y;
};
struct uint4 {
  unsigned x, y, z, w;
};
struct FiberIndex {
  unsigned x;
};
inline FiberIndex threadIdx, blockIdx, blockDim, gridDim;
using std::max, std::min;

namespace fibers {

/// Those who meet: each leaves a value, and has everybody's when the last has come.
struct Group {
  std::vector<unsigned> coming, met;
  unsigned arrived = 0, meetings = 0;

  explicit Group(unsigned size) : coming(size) {}
};

struct Fiber {
  ucontext_t context;
  std::vector<char> stack = std::vector<char>(1 << 16);
  bool done = false;
};

inline std::vector<Fiber> all;
inline ucontext_t scheduler;
inline std::function<void()> kernel;
inline std::vector<Group> block, warps;  // block: one

inline void give_way() { swapcontext(&all[threadIdx.x].context, &scheduler); }

/// threadIdx is that of the running fiber: the scheduler sets it before it goes on.
inline const std::vector<unsigned>& meet(Group& group, unsigned place, unsigned value) {
  group.coming[place] = value;
  const unsigned before = group.meetings;
  if (++group.arrived == group.coming.size()) {
    group.met = group.coming;
    group.arrived = 0;
    ++group.meetings;
  }
  while (group.meetings == before) give_way();
  return group.met;
}

inline std::vector<unsigned> meet_warp(unsigned mask, unsigned value) {
  if (mask != ~0u) throw std::logic_error("fibers: a warp meets whole");
  return meet(warps[threadIdx.x / 32], threadIdx.x % 32, value);
}

inline void run_fiber() {
  kernel();
  all[threadIdx.x].done = true;
  give_way();
}

inline void run_block() {
  for (Fiber& fiber : all) {
    fiber.done = false;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.data();
    fiber.context.uc_stack.ss_size = fiber.stack.size();
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, run_fiber, 0);
  }
  for (int round = 0; round < 100000; ++round) {
    bool any = false;
    for (unsigned t = 0; t < all.size(); ++t) {
      if (all[t].done) continue;
      any = true;
      threadIdx.x = t;
      swapcontext(&scheduler, &all[t].context);
    }
    if (!any) return;
  }
  throw std::logic_error("fibers: threads wait for others that do not come");
}

/// Runs a kernel: body calls it with its arguments. threads: a multiple of 32.
inline void launch(std::size_t blocks, unsigned threads, std::function<void()> body) {
  kernel = std::move(body);
  all.resize(threads);
  blockDim.x = threads;
  gridDim.x = static_cast<unsigned>(blocks);
  for (std::size_t b = 0; b < blocks; ++b) {
    blockIdx.x = static_cast<unsigned>(b);
    block.assign(1, Group(threads));
    warps.assign(threads / 32, Group(32));
    run_block();
  }
}

}  // namespace fibers

inline void __syncthreads() { fibers::meet(fibers::block[0], threadIdx.x, 0); }
inline int __syncthreads_and(int condition) {
  const auto& met = fibers::meet(fibers::block[0], threadIdx.x, condition != 0 ? 1 : 0);
  return std::ranges::count(met, 0u) == 0;
}
inline unsigned __reduce_max_sync(unsigned mask, unsigned value) {
  return std::ranges::max(fibers::meet_warp(mask, value));
}
inline unsigned __reduce_or_sync(unsigned mask, unsigned value) {
  unsigned joined = 0;
  for (const unsigned each : fibers::meet_warp(mask, value)) joined |= each;
  return joined;
}
inline unsigned __shfl_xor_sync(unsigned mask, unsigned value, int step) {
  return fibers::meet_warp(mask, value)[threadIdx.x % 32 ^ static_cast<unsigned>(step)];
}
template <class T>
T __ldg(const T* p) {
  return *p;
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  const std::uint64_t bytes = static_cast<std::uint64_t>(b) << 32 | a;
  unsigned picked = 0;
  for (unsigned i = 0; i < 4; ++i) {
    picked |= static_cast<unsigned>(bytes >> (selector >> 4 * i & 7) * 8 & 0xff) << 8 * i;
  }
  return picked;
}
inline unsigned __vmaxu2(unsigned a, unsigned b) {
  return max(a & 0xffff, b & 0xffff) | max(a >> 16, b >> 16) << 16;
}
template <class T>
T atomicMax(T* p, T value) {
  const T before = *p;
  *p = max(before, value);
  return before;
}
template <class T>
T atomicOr(T* p, T value) {
  const T before = *p;
  *p |= value;
  return before;
}
