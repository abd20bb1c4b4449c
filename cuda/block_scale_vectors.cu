// Which of the kernels on vectors serves a job, and its launch.
#include "block_scale_launch.hpp"
#include "block_scale_tiles.cuh"
#include "check.cuh"

namespace binade::cuda {
namespace {

constexpr std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

/// body(S{}, E{}, std::bool_constant<divides>{}) for a pair that has kernels; false for the others.
template <class Body>
bool visit_pair(const BlockJob& job, Body&& body) {
  bool found = false;
  const auto with_pair = [&](auto s, auto e) {
    if (job.source != s.format || job.element != e.format) return;
    found = true;
    if (job.divides) {
      body(s, e, std::true_type{});
    } else {
      body(s, e, std::false_type{});
    }
  };
  with_pair(Fp32{}, E4M3{});
  with_pair(Fp32{}, E5M2{});
  with_pair(Bf16{}, E4M3{});
  with_pair(Bf16{}, E5M2{});
  return found;
}

template <class S, class E, bool kDivide>
void launch_segments(const BlockJob& job, const Narrowing<E>& narrowing) {
  const auto blocks = static_cast<unsigned>(
      ceil_div(job.grid.grid_rows * job.grid.grid_cols, kSegmentBlocks<S>));
  if (job.grid.cols % kSegment == 0) {
    quantize_segments<S, E, kDivide, true><<<blocks, kSegmentThreads>>>(job, narrowing);
  } else {
    quantize_segments<S, E, kDivide, false><<<blocks, kSegmentThreads>>>(job, narrowing);
  }
}

template <class S, class E, bool kDivide>
void launch_squares(const BlockJob& job, const Narrowing<E>& narrowing) {
  constexpr int kThreads = kSquareThreads<S>;
  quantize_blocks<S, E, kDivide, kSegment, kSquareVectors>
      <<<static_cast<unsigned>(job.grid.grid_rows * job.grid.grid_cols), kThreads>>>(job,
                                                                                     narrowing);
}

template <class S, class E, bool kDivide>
void launch_rows(const BlockJob& job, const Narrowing<E>& narrowing) {
  const std::size_t vectors = job.grid.cols / kPerVector<S>;
  const auto threads_for = [&](std::size_t each) {
    return static_cast<unsigned>(ceil_div(ceil_div(vectors, each), 32) * 32);
  };
  const auto rows = static_cast<unsigned>(job.grid.rows);
  if (vectors <= 4 * 256) {  // a few warps for a row: the more blocks wait for memory at once
    quantize_blocks<S, E, kDivide, 1, 4><<<rows, threads_for(4)>>>(job, narrowing);
  } else {
    quantize_blocks<S, E, kDivide, 1, 8><<<rows, threads_for(8)>>>(job, narrowing);
  }
}

/// The first pass over a tensor. Returns where its measure lies.
template <class S>
const PassMeasure* measure_tensor(const BlockJob& job, void* scratch) {
  const std::size_t vectors = job.grid.rows * job.grid.cols / kPerVector<S>;
  auto* measure = static_cast<PassMeasure*>(scratch);
  check(cudaMemsetAsync(measure, 0, sizeof *measure), "cudaMemsetAsync");
  measure_vectors<S><<<static_cast<unsigned>(ceil_div(vectors, kTensorThreads * kTensorVectors)),
                       kTensorThreads>>>(job.x, vectors, measure);
  return measure;
}

template <class S, class E, bool kDivide>
void launch_tensor(const BlockJob& job, const Narrowing<E>& narrowing, void* scratch) {
  const std::size_t vectors = job.grid.rows * job.grid.cols / kPerVector<S>;
  const PassMeasure* measure = measure_tensor<S>(job, scratch);
  apply_vectors<S, E, kDivide>
      <<<static_cast<unsigned>(ceil_div(vectors, kTensorThreads * kTensorVectors)),
         kTensorThreads>>>(job, narrowing, vectors, measure);
}

unsigned tiles_of(const BlockGrid& g) {
  return static_cast<unsigned>(ceil_div(g.rows, kTile) * ceil_div(g.cols, kTile));
}

/// The first pass over all rows and columns. Returns where their measures lie.
template <class S>
const PassMeasure* measure_lines_of(const BlockJob& job, void* scratch) {
  auto* measures = static_cast<PassMeasure*>(scratch);
  const std::size_t lines = job.grid.rows + job.grid.cols;
  check(cudaMemsetAsync(measures, 0, lines * sizeof(PassMeasure)), "cudaMemsetAsync");
  measure_lines<S><<<tiles_of(job.grid), kTileThreads>>>(job, measures);
  return measures;
}

template <class S, class E, bool kDivide, TileScales scales>
void launch_tiles_of(const TilePair& jobs, const PassMeasure* before) {
  quantize_tiles<S, E, kDivide, scales><<<tiles_of(jobs.straight.grid), kTileThreads>>>(
      jobs, Narrowing<E>(jobs.straight.rule.cast_rules), before);
}

}  // namespace

VectorKernel vector_kernel(const BlockJob& job, Granularity granularity) {
  const std::size_t n = 16 / (static_cast<std::size_t>(job.source.container_bits()) / 8);
  const BlockGrid& g = job.grid;
  if (job.rule.cast_rules.rounding != Rounding::kNearestEven || job.type == ScaleType::kE4M3 ||
      g.cols % n != 0 || g.rows * g.cols / kSegment > 0x7fffffff / 2 || g.rows > 0x7fffffff ||
      !visit_pair(job, [](auto, auto, auto) {})) {
    return VectorKernel::kNone;
  }
  if (granularity == Granularity{1, kSegment}) return VectorKernel::kSegments;
  if (granularity == Granularity{kSegment, kSegment}) return VectorKernel::kSquares;
  if (granularity == kPerTensor) return VectorKernel::kTensor;
  if (granularity == kPerRow && g.cols / n <= 8 * 1024) return VectorKernel::kRows;
  return VectorKernel::kNone;
}

VectorKernel tile_kernel(const BlockJob& job, Granularity granularity) {
  return job.grid.rows % 16 == 0 ? vector_kernel(job, granularity) : VectorKernel::kNone;
}

std::size_t tile_scratch(VectorKernel kernel, const BlockGrid& grid) {
  if (kernel == VectorKernel::kTensor) return sizeof(PassMeasure);
  return kernel == VectorKernel::kRows ? (grid.rows + grid.cols) * sizeof(PassMeasure) : 0;
}

void launch_tiles(VectorKernel kernel, const BlockJob& straight, const BlockJob& transposed,
                  void* scratch) {
  const TilePair jobs{straight, transposed};
  visit_pair(straight, [&](auto s, auto e, auto divides) {
    using S = decltype(s);
    using E = decltype(e);
    constexpr bool kDivide = decltype(divides)::value;
    using enum TileScales;
    switch (kernel) {
      case VectorKernel::kSegments:
        return launch_tiles_of<S, E, kDivide, kSegments>(jobs, nullptr);
      case VectorKernel::kSquares:
        return launch_tiles_of<S, E, kDivide, kSquare>(jobs, nullptr);
      case VectorKernel::kRows:
        return launch_tiles_of<S, E, kDivide, kLines>(jobs,
                                                      measure_lines_of<S>(straight, scratch));
      case VectorKernel::kTensor:
        return launch_tiles_of<S, E, kDivide, kTensor>(jobs, measure_tensor<S>(straight, scratch));
      case VectorKernel::kNone:
        return;
    }
  });
  check_launch("quantize with the transpose");
}

void launch_vectors(VectorKernel kernel, const BlockJob& job, void* scratch) {
  visit_pair(job, [&](auto s, auto e, auto divides) {
    using S = decltype(s);
    using E = decltype(e);
    constexpr bool kDivide = decltype(divides)::value;
    const Narrowing<E> narrowing(job.rule.cast_rules);
    switch (kernel) {
      case VectorKernel::kSegments:
        return launch_segments<S, E, kDivide>(job, narrowing);
      case VectorKernel::kSquares:
        return launch_squares<S, E, kDivide>(job, narrowing);
      case VectorKernel::kRows:
        return launch_rows<S, E, kDivide>(job, narrowing);
      case VectorKernel::kTensor:
        return launch_tensor<S, E, kDivide>(job, narrowing, scratch);
      case VectorKernel::kNone:
        return;
    }
  });
  check_launch("quantize");
}

}  // namespace binade::cuda
