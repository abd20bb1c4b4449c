// The fast kernels of block scaling without a device: their own text, run on fibers, against the
// CPU's quantiser to the bit.
#include "fibers.hpp"

#include "block_scale_cases.hpp"
#include "block_scale_tiles.cuh"
#include "catch.hpp"

using namespace binade;
using namespace binade::cuda;
using namespace block_scale_cases;

namespace {

using enum MatrixLayout;
enum class Blocks { kSegments, kSquares, kRows, kTensor };
constexpr Granularity kGranularities[] = {{1, 128}, {128, 128}, kPerRow, kPerTensor};

/// Room for a result, poisoned, with codes that start at a multiple of 16 bytes.
class Result {
 public:
  explicit Result(const Quantized& like) : q_(like), room_(like.codes.size() + 16, 0xa5) {
    std::fill(q_.scales.begin(), q_.scales.end(), -1.0f);
    std::fill(q_.scale_codes.begin(), q_.scale_codes.end(), std::uint8_t{0xa5});
  }
  QuantizedArrays arrays(MatrixLayout layout) {
    return {codes(), q_.scales.data(), q_.scale_codes.empty() ? nullptr : q_.scale_codes.data(),
            nullptr, layout};
  }
  const Quantized& take() {
    std::copy_n(codes(), q_.codes.size(), q_.codes.begin());
    return q_;
  }

 private:
  std::uint8_t* codes() {
    const auto at = reinterpret_cast<std::uintptr_t>(room_.data());
    return room_.data() + (16 - at % 16) % 16;
  }
  Quantized q_;
  std::vector<std::uint8_t> room_;
};

/// The kernels for one pair of formats.
template <class S, class E, bool kDivide>
struct Kernels {
  BlockJob straight, transposed;
  Narrowing<E> narrowing;
  std::vector<std::uint32_t> room{};

  void quantize(Blocks blocks) {
    const BlockGrid& g = straight.grid;
    const std::size_t vectors = g.rows * g.cols / kPerVector<S>;
    switch (blocks) {
      case Blocks::kSegments:
        return fibers::launch(
            (g.grid_rows * g.grid_cols + kSegmentBlocks<S> - 1) / kSegmentBlocks<S>,
            kSegmentThreads, [&] {
              g.cols % kSegment == 0 ? quantize_segments<S, E, kDivide, true>(straight, narrowing)
                                     : quantize_segments<S, E, kDivide, false>(straight, narrowing);
            });
      case Blocks::kSquares:
        return fibers::launch(g.grid_rows * g.grid_cols, kSquareThreads<S>, [&] {
          quantize_blocks<S, E, kDivide, kSegment, kSquareVectors>(straight, narrowing);
        });
      case Blocks::kRows:
        return fibers::launch(g.rows,
                              static_cast<unsigned>((g.cols / kPerVector<S> + 127) / 128 * 32),
                              [&] { quantize_blocks<S, E, kDivide, 1, 4>(straight, narrowing); });
      case Blocks::kTensor: {
        const std::size_t each = kTensorThreads * kTensorVectors;
        const std::size_t count = (vectors + each - 1) / each;
        const PassMeasures tensor = measures(1);
        fibers::launch(count, kTensorThreads,
                       [&] { measure_vectors<S>(straight.x, vectors, tensor); });
        fibers::launch(count, kTensorThreads,
                       [&] { apply_vectors<S, E, kDivide>(straight, narrowing, vectors, tensor); });
      }
    }
  }

  template <TileScales scales>
  void tiles(PassMeasures before) {
    std::vector<float> left(tile_count() * 2 * kTile);
    const TilePair jobs{straight, transposed, tile_grid(), left.data(), 1};
    fibers::launch(tile_count(), kTileThreads,
                   [&] { quantize_tiles<S, E, kDivide, scales>(jobs, narrowing, before); });
    if (scales != TileScales::kSegments) return;
    fibers::launch(placing_blocks(jobs, true) + placing_blocks(jobs, false), kPlacingThreads,
                   [&] { place_scales(jobs); });
  }

  /// After quantize, which leaves the measure of the tensor.
  void quantize_both(Blocks blocks) {
    if (blocks == Blocks::kSegments) tiles<TileScales::kSegments>({});
    if (blocks == Blocks::kSquares) tiles<TileScales::kSquare>({});
    if (blocks == Blocks::kTensor) tiles<TileScales::kTensor>(PassMeasures::in(room.data(), 1));
    if (blocks == Blocks::kRows) {
      const PassMeasures lines = measures(straight.grid.rows + straight.grid.cols);
      fibers::launch(tile_count(), kTileThreads,
                     [&] { measure_lines<S>(straight, tile_grid(), lines); });
      tiles<TileScales::kLines>(lines);
    }
  }

  PassMeasures measures(std::size_t count) {
    room.assign(2 * count, 0xa5a5a5a5);
    const PassMeasures measures = PassMeasures::in(room.data(), count);
    fibers::launch((count + kTensorThreads - 1) / kTensorThreads, kTensorThreads,
                   [&] { clear_measures(measures, count); });
    return measures;
  }

  TileGrid tile_grid() const { return TileGrid(straight.grid); }
  std::size_t tile_count() const { return tile_grid().count(); }
};

template <class S, class E>
void check(const Matrix& m, const ScaleRecipe& recipe, ScaleType type, Blocks blocks) {
  const Granularity g = kGranularities[static_cast<int>(blocks)];
  const auto data = as_format(m, S::format);
  const auto flipped = transposed(data, m.rows, m.cols);
  const Quantized want =
      quantize(S::format, data.data(), m.rows, m.cols, recipe, g, type, E::format, 1);
  const Quantized want_flipped =
      quantize(S::format, flipped.data(), m.cols, m.rows, recipe, g, type, E::format, 1);
  BlockJob job = make_job(S::format, m.rows, m.cols, recipe, g, type, E::format);
  job.x = data.data();
  const auto run = [&](auto divides) {
    Kernels<S, E, decltype(divides)::value> kernels{job, transpose_of(job, g),
                                                    Narrowing<E>(recipe.cast_rules)};
    CAPTURE(S::name, E::name, recipe.name, granularity_name(g), name_of(type), m.rows, m.cols);
    for (const auto& [first, other] : {std::pair{kRowMajor, kRowMajor},
                                       {kColumnMajor, kColumnMajor},
                                       {kColumnMajor, kRowMajor},
                                       {kRowMajor, kColumnMajor}}) {
      if (first != other && blocks != Blocks::kSegments) continue;
      Result alone(want), straight(want), second(want_flipped);
      kernels.straight.out = alone.arrays(first);
      kernels.quantize(blocks);
      CHECK(differences(alone.take(), laid_out(want, first)) == "");
      if (m.rows % 16 != 0) continue;
      kernels.straight.out = straight.arrays(first);
      kernels.transposed.out = second.arrays(other);
      kernels.quantize_both(blocks);
      CHECK(differences(straight.take(), laid_out(want, first)) == "");
      CHECK(differences(second.take(), laid_out(want_flipped, other)) == "");
    }
  };
  job.divides ? run(std::true_type{}) : run(std::false_type{});
}

}  // namespace

TEST_CASE("kernels of block scaling on fibers", "[fibers]") {
  const std::size_t shapes[][2] = {{16, 136}, {144, 264}, {128, 256}, {3, 16}};
  for (const auto& [rows, cols] : shapes) {
    for (const bool specials : {false, true}) {
      const Matrix m = sample(rows, cols, 77 + rows, specials);
      for (const Blocks blocks :
           {Blocks::kSegments, Blocks::kSquares, Blocks::kRows, Blocks::kTensor}) {
        for (const char* name : {"deepseek-v3", "deepgemm", "ocp-mx"}) {
          const ScaleRecipe& recipe = find_scale_recipe(name);
          for (const ScaleType type : {recipe.scale_types.front(), ScaleType::kUe8m0}) {
            check<Fp32, E4M3>(m, recipe, type, blocks);
            check<Bf16, E5M2>(m, recipe, type, blocks);
          }
        }
      }
    }
  }
}
