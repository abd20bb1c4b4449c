// Block scaling of any source, element and granularity, a thread an element: measure the blocks,
// derive their scales, apply them. Private to this folder.
#pragma once

#include "block_scale_job.cuh"

namespace binade::cuda {

inline constexpr int kAnyThreads = 256;
inline constexpr std::size_t kStripe = 32;  ///< rows of a block that one thread looks at

__device__ inline std::size_t global_thread() {
  return blockIdx.x * std::size_t{kAnyThreads} + threadIdx.x;
}

__device__ inline std::uint32_t element_bits(const BlockJob& job, std::size_t row,
                                             std::size_t col) {
  const std::size_t at = row * job.row_stride + col * job.col_stride;
  return widened_bits(job.source, load_container(job.x, job.source.container_bits() / 8, at));
}

/// measures [grid_rows, grid_cols], zero before. A thread for each column of each stripe.
__global__ void measure_any(BlockJob job, Measure* measures) {
  const BlockGrid& g = job.grid;
  const std::size_t pieces = (g.block_rows + kStripe - 1) / kStripe;
  const std::size_t stripe = global_thread() / g.cols, col = global_thread() % g.cols;
  const std::size_t band = stripe / pieces;
  if (band >= g.grid_rows) return;
  const std::size_t begin = band * g.block_rows + stripe % pieces * kStripe;
  const std::size_t end = min(min(g.rows, (band + 1) * g.block_rows), begin + kStripe);
  Measure m;
  for (std::size_t row = begin; row < end; ++row) m.add(element_bits(job, row, col));
  const std::size_t block = band * g.grid_cols + col / g.block_cols;
  const unsigned peers = __match_any_sync(__activemask(), block);
  const Measure joined = m.over_lanes(peers);
  if (threadIdx.x % 32 == __ffs(peers) - 1) {
    atomicMax(&measures[block].amax_bits, joined.amax_bits);
    if (joined.found != 0) atomicOr(&measures[block].found, joined.found);
  }
}

/// The largest usable amax, NaN above all: for the scale of a tensor above block scales.
__global__ void measure_tensor(BlockJob job, const Measure* measures, std::uint32_t* amax_bits) {
  const std::size_t block = global_thread();
  if (block >= job.grid.grid_rows * job.grid.grid_cols) return;
  const auto usable = detail::usable_amax(job.rule, measures[block].content());
  if (usable.decision == BlockPolicy::kFollow || usable.decision == BlockPolicy::kIgnore) {
    atomicMax(amax_bits, bit_cast<std::uint32_t>(usable.amax));
  }
}

__global__ void derive_any(BlockJob job, const Measure* measures,
                           const std::uint32_t* tensor_amax_bits, float* factors) {
  const std::size_t block = global_thread();
  if (block >= job.grid.grid_rows * job.grid.grid_cols) return;
  TensorScale tensor;
  if (job.type == ScaleType::kE4M3) {
    tensor = tensor_scale_of(job.element, bit_cast<float>(*tensor_amax_bits));
    tensor = {canonical(tensor.scale), canonical(tensor.inv_scale)};
    if (block == 0 && job.out.tensor_scale != nullptr) *job.out.tensor_scale = tensor.scale;
  }
  const BlockScale b = block_scale(job, job.element, measures[block].content(), tensor);
  store_scale(job, block, b);
  factors[block] = b.factor;
}

template <Rounding rounding>
__global__ void apply_any(BlockJob job, const float* factors,
                          detail::EncodePlan<std::uint32_t> plan, Draws draws) {
  const BlockGrid& g = job.grid;
  const std::size_t i = global_thread();
  if (i >= g.rows * g.cols) return;
  const std::size_t row = i / g.cols, col = i % g.cols;
  const float factor = factors[row / g.block_rows * g.grid_cols + col / g.block_cols];
  const float y = scaled(bit_cast<float>(element_bits(job, row, col)), factor, job.divides);
  std::uint64_t code = 0;
  if (detail::source_word_suffices<std::uint32_t>(job.element)) {
    code =
        detail::encode_word<rounding, std::uint32_t>(plan, bit_cast<std::uint32_t>(y), draws.at(i));
  } else {
    code = binade::encode(job.element, y, job.rule.cast_rules, draws.at(i));
  }
  store_container(job.out.codes, job.element.container_bits() / 8, i,
                  container_of_code(job.element, code));
}

}  // namespace binade::cuda
