// A row of blocks is worked on in panels, which are measured and then cast while they are in cache: of
// 1x128 blocks 8 KiB, which stay in the first level, of taller ones whole rows of the matrix, for short
// pieces of rows defeat the prefetching. The amaxes and factors are those of one row of blocks: arrays
// for the whole grid cost a sixth of the time, for their pages.
#include "block_scale_fused.hpp"

#include <vector>

#include "binade/formats/scaled_cast.hpp"
#include "parallel_runs.hpp"

namespace binade::detail {
namespace {

constexpr std::size_t kPanelBytes = 1 << 13, kTallPanelBytes = 1 << 22;
constexpr std::size_t kAhead = 8192;  ///< bytes asked for ahead, two pages (formats/cast.isa.cpp)
constexpr std::size_t kLarge = 1 << 24;  ///< bytes beyond which codes are written past the caches

class FusedQuantizer {
 public:
  FusedQuantizer(const QuantizeSource& source, const BlockGrid& grid, const ScaleRecipe& recipe,
                 ScaleType type, Quantized& q)
      : source_(source),
        grid_(grid),
        q_(q),
        divides_(recipe.apply == ApplyScale::kDivide),
        scales_(source, grid, recipe, type, q),
        loops_(source.format, q.element, recipe.cast_rules) {}

  bool serves() const {
    return loops_ && grid_.block_cols % ScaledCast::kWidth == 0 &&
           grid_.cols % grid_.block_cols == 0;
  }

  void run(int threads) {
    const std::size_t block_bytes = grid_.block_rows * grid_.block_cols * bytes_of(source_.format);
    const std::size_t most = grid_.block_rows == 1 ? kPanelBytes : kTallPanelBytes;
    const std::size_t blocks = std::max<std::size_t>(1, most / block_bytes);
    parallel_runs(grid_.grid_rows, threads, [&](std::size_t first, std::size_t last) {
      std::vector<std::uint32_t> amax(grid_.grid_cols);
      std::vector<float> factors(grid_.grid_cols);
      for (std::size_t g = first; g < last; ++g) {
        std::fill(amax.begin(), amax.end(), 0u);
        for (std::size_t b = 0; b < grid_.grid_cols; b += blocks) {
          run_panel(g, b, std::min(grid_.grid_cols, b + blocks), amax.data(), factors.data());
        }
      }
      loops_.finish();
    });
  }

 private:
  /// Blocks [begin, end) of row `g` of blocks.
  void run_panel(std::size_t g, std::size_t begin, std::size_t end, std::uint32_t* amax,
                 float* factors) {
    const std::size_t width = grid_.block_cols, blocks = end - begin;
    const std::size_t row_end = std::min(grid_.rows, (g + 1) * grid_.block_rows);
    const std::size_t bytes = bytes_of(source_.format);
    const bool past_caches = grid_.rows * grid_.cols * (bytes + 1) >= kLarge;
    for (std::size_t r = g * grid_.block_rows; r < row_end; ++r) {
      const std::byte* x = source_.data + (r * grid_.cols + begin * width) * bytes;
      loops_.amax(x, blocks, width, kAhead, amax + begin);
    }
    scales_.derive(g, begin, end, amax, factors);
    const std::size_t again = grid_.block_rows == 1 ? 0 : kAhead;  // what tall panels have in L2 or L3
    for (std::size_t r = g * grid_.block_rows; r < row_end; ++r) {
      const std::size_t at = r * grid_.cols + begin * width;
      loops_.cast(source_.data + at * bytes, blocks, width, again, factors + begin, divides_,
                  q_.codes.data() + at, past_caches);
    }
  }

  QuantizeSource source_;
  const BlockGrid& grid_;
  Quantized& q_;
  bool divides_;
  BlockScales scales_;
  ScaledCast loops_;
};

}  // namespace

bool quantize_fused(const QuantizeSource& source, const BlockGrid& grid, const ScaleRecipe& recipe,
                    ScaleType type, Quantized& q, std::size_t tallest, int threads) {
  if (grid.block_rows > tallest || type == ScaleType::kE4M3) return false;
  FusedQuantizer quantizer(source, grid, recipe, type, q);
  if (!quantizer.serves()) return false;
  quantizer.run(threads);
  return true;
}

}  // namespace binade::detail
