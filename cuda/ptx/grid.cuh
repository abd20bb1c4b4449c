// One launch that begins before the one ahead of it on the stream has ended (PTX ISA,
// griddepcontrol): one instruction a function. Without such a launch they do nothing.
#pragma once

namespace binade::cuda::ptx {

/// The launch behind this one may begin once all thread blocks of this one have come here.
__device__ __forceinline__ void grid_lets_next_begin() {
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
}

/// Until the launch ahead of this one has ended and what it wrote is to be seen.
__device__ __forceinline__ void grid_awaits_last() {
  asm volatile("griddepcontrol.wait;" ::: "memory");
}

}  // namespace binade::cuda::ptx
