// From the choice of a kernel on vectors to its launch. Private to this folder.
#pragma once

#include "block_scale_job.cuh"
#include "launcher.cuh"

namespace binade::cuda {

enum class VectorKernel : std::uint8_t { kNone, kSegments, kSquares, kRows, kTensor };

/// The kernel for a job, whose pointers start at a multiple of 16 bytes; kNone where none serves.
VectorKernel vector_kernel(const BlockJob& job, Granularity granularity);

/// scratch: of tile_scratch bytes, which serve both launches.
void launch_vectors(const Launcher& launch, VectorKernel kernel, const BlockJob& job,
                    void* scratch);

/// The same for a job and its transpose together.
VectorKernel tile_kernel(const BlockJob& job, Granularity granularity);
std::size_t tile_scratch(VectorKernel kernel, const BlockGrid& grid);

void launch_tiles(const Launcher& launch, VectorKernel kernel, const BlockJob& straight,
                  const BlockJob& transposed, void* scratch);

}  // namespace binade::cuda
