// Which of the kernels on vectors serves a job, and its launch.
#include "block_scale_launch.cuh"
#include "block_scale_tiles.cuh"
#include "multiprocessors.cuh"

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

unsigned blocks_for(std::size_t work, std::size_t each) {
  return static_cast<unsigned>(ceil_div(work, each));
}

/// The kernels of one pair of formats, and their launches.
template <class S, class E, bool kDivide>
struct Launches {
  const Launcher& launch;
  const BlockJob& job;
  const Narrowing<E> narrowing;
  void* const scratch;

  std::size_t vectors() const { return job.grid.rows * job.grid.cols / kPerVector<S>; }
  std::size_t blocks() const { return job.grid.grid_rows * job.grid.grid_cols; }

  void segments() const {
    const auto kernel = job.grid.cols % kSegment == 0 ? quantize_segments<S, E, kDivide, true>
                                                      : quantize_segments<S, E, kDivide, false>;
    launch("quantize 1x128", kernel, blocks_for(blocks(), kSegmentBlocks<S>), kSegmentThreads, job,
           narrowing);
  }

  void squares() const {
    launch("quantize 128x128", quantize_blocks<S, E, kDivide, kSegment, kSquareVectors>,
           blocks_for(blocks(), 1), kSquareThreads<S>, job, narrowing);
  }

  /// Thread blocks of a few warps where they do: the more of them wait for memory at once.
  void rows() const {
    const std::size_t of_row = job.grid.cols / kPerVector<S>;
    const std::size_t each = of_row <= 4 * 256 ? 4 : 8;
    const auto kernel =
        each == 4 ? quantize_blocks<S, E, kDivide, 1, 4> : quantize_blocks<S, E, kDivide, 1, 8>;
    launch("quantize rows", kernel, blocks_for(job.grid.rows, 1),
           blocks_for(of_row, each * 32) * 32, job, narrowing);
  }

  PassMeasures cleared_measures(std::size_t count) const {
    const auto measures = PassMeasures::in(scratch, count);
    launch("clear measures", clear_measures, blocks_for(count, kTensorThreads), kTensorThreads,
           measures, count);
    return measures;
  }

  PassMeasures measure_tensor() const {
    const PassMeasures measures = cleared_measures(1);
    launch.overlapping("measure a tensor", measure_vectors<S>, blocks_of_tensor(), kTensorThreads,
                       job.x, vectors(), measures);
    return measures;
  }

  PassMeasures measure_all_lines(const TileGrid& grid) const {
    const PassMeasures measures = cleared_measures(job.grid.rows + job.grid.cols);
    launch.overlapping("measure rows and columns", measure_lines<S>, grid.count(), kTileThreads,
                       job, grid, measures);
    return measures;
  }

  void tensor() const {
    const PassMeasures measures = measure_tensor();
    launch.overlapping("quantize a tensor", apply_vectors<S, E, kDivide>, blocks_of_tensor(),
                       kTensorThreads, job, narrowing, vectors(), measures);
  }

  template <TileScales scales>
  void tiles(const BlockJob& transposed) const {
    constexpr const char* kTiles = "quantize with the transpose";
    const TileGrid grid(job.grid);
    PassMeasures measures{};
    if constexpr (scales == TileScales::kTensor) measures = measure_tensor();
    if constexpr (scales == TileScales::kLines) measures = measure_all_lines(grid);
    // Half of those at work; as far ahead as all of them it gains nothing.
    const auto ahead = static_cast<unsigned>(kTilesAtOnce * multiprocessors() / 2);
    const TilePair jobs{job, transposed, grid, static_cast<float*>(scratch), ahead};
    const auto tile_kernel = quantize_tiles<S, E, kDivide, scales>;
    if constexpr (scales == TileScales::kTensor || scales == TileScales::kLines) {
      launch.overlapping(kTiles, tile_kernel, grid.count(), kTileThreads, jobs, narrowing,
                         measures);
    } else {
      launch(kTiles, tile_kernel, grid.count(), kTileThreads, jobs, narrowing, measures);
    }
    if constexpr (scales == TileScales::kSegments) {
      const unsigned blocks = placing_blocks(jobs, true) + placing_blocks(jobs, false);
      if (blocks > 0) {
        launch.overlapping("place scales", place_scales, blocks, kPlacingThreads, jobs);
      }
    }
  }

 private:
  unsigned blocks_of_tensor() const {
    return blocks_for(vectors(), kTensorThreads * kTensorVectors);
  }
};

/// body(Launches) for the formats of a job.
template <class Body>
void with_launches(const Launcher& launch, const BlockJob& job, void* scratch, Body&& body) {
  visit_pair(job, [&](auto s, auto e, auto divides) {
    using E = decltype(e);
    body(Launches<decltype(s), E, decltype(divides)::value>{
        launch, job, Narrowing<E>(job.rule.cast_rules), scratch});
  });
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
  if (kernel == VectorKernel::kTensor) return PassMeasures::bytes(1);
  if (kernel == VectorKernel::kSegments) return TileGrid(grid).count() * 2 * kTile * sizeof(float);
  return kernel == VectorKernel::kRows ? PassMeasures::bytes(grid.rows + grid.cols) : 0;
}

void launch_tiles(const Launcher& launch, VectorKernel kernel, const BlockJob& straight,
                  const BlockJob& transposed, void* scratch) {
  with_launches(launch, straight, scratch, [&](const auto& launches) {
    using enum TileScales;
    switch (kernel) {
      case VectorKernel::kSegments:
        return launches.template tiles<kSegments>(transposed);
      case VectorKernel::kSquares:
        return launches.template tiles<kSquare>(transposed);
      case VectorKernel::kRows:
        return launches.template tiles<kLines>(transposed);
      case VectorKernel::kTensor:
        return launches.template tiles<kTensor>(transposed);
      case VectorKernel::kNone:
        return;
    }
  });
}

void launch_vectors(const Launcher& launch, VectorKernel kernel, const BlockJob& job,
                    void* scratch) {
  with_launches(launch, job, scratch, [&](const auto& launches) {
    switch (kernel) {
      case VectorKernel::kSegments:
        return launches.segments();
      case VectorKernel::kSquares:
        return launches.squares();
      case VectorKernel::kRows:
        return launches.rows();
      case VectorKernel::kTensor:
        return launches.tensor();
      case VectorKernel::kNone:
        return;
    }
  });
}

}  // namespace binade::cuda
