// From the choice of a kernel on vectors to its launch. Private to this folder.
#pragma once

#include "block_scale_job.cuh"

namespace binade::cuda {

enum class VectorKernel : std::uint8_t { kNone, kSegments, kSquares, kRows, kTensor };

inline constexpr std::size_t kVectorScratch = 64;  ///< bytes that launch_vectors may need

/// The kernel for a job, whose pointers start at a multiple of 16 bytes; kNone where none serves.
VectorKernel vector_kernel(const BlockJob& job, Granularity granularity);

void launch_vectors(VectorKernel kernel, const BlockJob& job, void* scratch);

/// The kernel for a job and its transpose together: kSegments, kSquares, kTensor or kNone.
VectorKernel tile_kernel(const BlockJob& job, Granularity granularity);

void launch_tiles(VectorKernel kernel, const BlockJob& straight, const BlockJob& transposed,
                  void* scratch);

}  // namespace binade::cuda
