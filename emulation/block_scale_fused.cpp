// Blocks are measured, and cast while they are in cache.
//
// Blocks of one row go in panels of 8 KiB, which stay in the first level. What is asked for ahead,
// two panels on, is asked for while a panel is cast: the measuring takes a sixth of the time, and
// as many lines at once would wait for each other. Codes go past the caches.
//
// Of taller blocks a whole row is measured before any of it is cast, from the second or third
// level. The next row of blocks is measured meanwhile, one row of the matrix for each that is cast,
// so that reading from memory and the rest overlap. Narrower panels do not pay, for short pieces of
// rows defeat the prefetching. Codes go past the caches here too, and leave them to the source.
//
// The amaxes and factors are those of one row of blocks: arrays for the whole grid cost a sixth of
// the time, for their pages.
#include "block_scale_fused.hpp"

#include <vector>

#include "binade/formats/scaled_cast.hpp"
#include "parallel_runs.hpp"

namespace binade::detail {
namespace {

constexpr std::size_t kFlatBytes = 1 << 13, kTallBytes = 1 << 22;  ///< of the source, in a panel
constexpr std::size_t kFlatAhead = 2 * kFlatBytes, kTallAhead = 8192;
constexpr std::size_t kLarge = 1 << 24;  ///< bytes beyond which codes go past the caches

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
    const std::size_t bytes = bytes_of(source_.format);
    const std::size_t most = grid_.block_rows == 1 ? kFlatBytes : kTallBytes;
    const std::size_t blocks =
        std::max<std::size_t>(1, most / (grid_.block_rows * grid_.block_cols * bytes));
    const bool past_caches = grid_.rows * grid_.cols * (bytes + 1) >= kLarge;
    parallel_runs(grid_.grid_rows, threads, [&](std::size_t first, std::size_t last) {
      if (grid_.block_rows == 1) {
        run_flat(first, last, blocks, past_caches);
      } else {
        for (std::size_t b = 0; b < grid_.grid_cols; b += blocks) {
          run_tall(first, last, {b, std::min(grid_.grid_cols, b + blocks)}, past_caches);
        }
      }
    });
  }

 private:
  /// Columns of blocks.
  struct Panel {
    std::size_t begin, end;
  };

  void run_flat(std::size_t first, std::size_t last, std::size_t blocks, bool past_caches) {
    std::vector<std::uint32_t> amax(grid_.grid_cols);
    std::vector<float> factors(grid_.grid_cols);
    CodeStream stream;
    const bool is_long = grid_.block_cols * bytes_of(source_.format) > kFlatBytes;
    for (std::size_t g = first; g < last; ++g) {
      std::fill(amax.begin(), amax.end(), 0u);
      for (std::size_t b = 0; b < grid_.grid_cols; b += blocks) {
        const Panel panel{b, std::min(grid_.grid_cols, b + blocks)};
        measure(g, panel, is_long ? kTallAhead : 0, amax.data());
        scales_.derive(g, panel.begin, panel.end, amax.data(), factors.data());
        cast(g, panel, kFlatAhead, factors.data(), past_caches ? &stream : nullptr);
      }
    }
    loops_.finish(stream);
  }

  void run_tall(std::size_t first, std::size_t last, Panel panel, bool past_caches) {
    std::vector<std::uint32_t> amax(grid_.grid_cols), next(grid_.grid_cols);
    std::vector<float> factors(grid_.grid_cols);
    CodeStream stream;
    const auto row_of = [&](std::size_t g) { return std::min(grid_.rows, g * grid_.block_rows); };
    std::size_t measured = row_of(first);
    for (; first < last && measured < row_of(first + 1); ++measured) {
      measure(measured, panel, kTallAhead, next.data());
    }
    for (std::size_t g = first; g < last; ++g) {
      amax.swap(next);
      std::fill(next.begin(), next.end(), 0u);
      scales_.derive(g, panel.begin, panel.end, amax.data(), factors.data());
      const std::size_t end = row_of(std::min(last, g + 2));
      for (std::size_t r = row_of(g); r < row_of(g + 1); ++r) {
        if (measured < end) measure(measured++, panel, kTallAhead, next.data());
        cast(r, panel, kTallAhead, factors.data(), past_caches ? &stream : nullptr);
      }
    }
    loops_.finish(stream);
  }

  /// Of one row of the matrix.
  void measure(std::size_t row, Panel p, std::size_t ahead, std::uint32_t* amax) const {
    loops_.amax(source_.data + place(row, p) * bytes_of(source_.format), p.end - p.begin,
                grid_.block_cols, ahead, amax + p.begin);
  }
  void cast(std::size_t row, Panel p, std::size_t ahead, const float* factors, CodeStream* stream) {
    loops_.cast(source_.data + place(row, p) * bytes_of(source_.format), p.end - p.begin,
                grid_.block_cols, ahead, factors + p.begin, divides_,
                q_.codes.data() + place(row, p), stream);
  }
  std::size_t place(std::size_t row, Panel p) const {
    return row * grid_.cols + p.begin * grid_.block_cols;
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
