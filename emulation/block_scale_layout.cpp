// Granularities, block grids, and scales as codes.
#include <charconv>
#include <limits>
#include <optional>
#include <stdexcept>

#include "binade/emulation/block_scale.hpp"
#include "block_scale_shape.hpp"

namespace binade {
namespace {

std::optional<std::size_t> parse_extent(std::string_view text) {
  if (text == "*") return 0;
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value == 0) return std::nullopt;
  return value;
}

constexpr std::size_t kTileRows = 128, kTileCols = 4;

/// body(place in the tiled array, row, column), for every place; row and column may be padding.
template <class Body>
void for_each_place(std::size_t rows, std::size_t cols, Body&& body) {
  std::size_t place = 0;
  for (std::size_t tile_row = 0; tile_row < rows; tile_row += kTileRows) {
    for (std::size_t tile_col = 0; tile_col < cols; tile_col += kTileCols) {
      for (std::size_t i = 0; i < kTileRows * kTileCols; ++i) {
        const std::size_t r = i / 16 + i % 16 / kTileCols * 32;
        body(place++, tile_row + r, tile_col + i % kTileCols);
      }
    }
  }
}

std::size_t tiled_size(std::size_t rows, std::size_t cols) {
  return detail::ceil_div(rows, kTileRows) * detail::ceil_div(cols, kTileCols) * kTileRows *
         kTileCols;
}

void check_codes(const char* function, std::size_t codes, std::size_t expected, std::size_t rows,
                 std::size_t cols) {
  if (codes == expected && codes != 0) return;
  throw std::invalid_argument(std::string(function) + ": " + std::to_string(codes) +
                              " codes for scales of shape " + detail::shape_text(rows, cols) +
                              ", which take " + std::to_string(expected));
}

}  // namespace

Granularity parse_granularity(std::string_view name) {
  if (name == "tensor") return kPerTensor;
  if (name == "row") return kPerRow;
  if (name == "column") return kPerColumn;
  const std::size_t cross = name.find('x');
  if (cross != std::string_view::npos) {
    const auto rows = parse_extent(name.substr(0, cross));
    const auto cols = parse_extent(name.substr(cross + 1));
    if (rows && cols) return {*rows, *cols};
  }
  throw std::invalid_argument("granularity '" + std::string(name) +
                              "': expected tensor, row, column or RxC such as 1x128 or 128x128");
}

std::string granularity_name(Granularity g) {
  if (g == kPerTensor) return "tensor";
  if (g == kPerRow) return "row";
  if (g == kPerColumn) return "column";
  const auto extent = [](std::size_t n) { return n == 0 ? std::string("*") : std::to_string(n); };
  return extent(g.rows) + "x" + extent(g.cols);
}

BlockGrid block_grid(std::size_t rows, std::size_t cols, Granularity granularity) {
  if (rows == 0 || cols == 0 || cols > std::numeric_limits<std::size_t>::max() / rows) {
    throw std::invalid_argument("a matrix of shape " + detail::shape_text(rows, cols) +
                                " has no elements, or too many");
  }
  const std::size_t block_rows = granularity.rows == 0 ? rows : std::min(granularity.rows, rows);
  const std::size_t block_cols = granularity.cols == 0 ? cols : std::min(granularity.cols, cols);
  return {rows,
          cols,
          block_rows,
          block_cols,
          detail::ceil_div(rows, block_rows),
          detail::ceil_div(cols, block_cols)};
}

std::vector<std::uint8_t> encode_scales(std::span<const float> scales, FloatFormat scale_format) {
  if (scale_format.bits() > 8) {
    throw std::invalid_argument("encode_scales: " + format_name(scale_format) +
                                " has more than 8 bits");
  }
  std::vector<std::uint8_t> codes(scales.size());
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const std::uint64_t code = encode(scale_format, scales[i], kIeeeRules);
    const double back = decode(scale_format, code);
    const bool both_nan = back != back && scales[i] != scales[i];
    if (!both_nan && back != static_cast<double>(scales[i])) {
      throw std::invalid_argument("encode_scales: scale " + std::to_string(i) + " is " +
                                  std::to_string(scales[i]) + ", which is not a value of " +
                                  format_name(scale_format));
    }
    codes[i] = static_cast<std::uint8_t>(code);
  }
  return codes;
}

std::vector<std::uint8_t> tile_scales(std::span<const std::uint8_t> codes, std::size_t rows,
                                      std::size_t cols, std::uint8_t padding) {
  check_codes("tile_scales", codes.size(), rows * cols, rows, cols);
  std::vector<std::uint8_t> tiled(tiled_size(rows, cols));
  for_each_place(rows, cols, [&](std::size_t place, std::size_t r, std::size_t c) {
    tiled[place] = r < rows && c < cols ? codes[r * cols + c] : padding;
  });
  return tiled;
}

std::vector<std::uint8_t> untile_scales(std::span<const std::uint8_t> tiled, std::size_t rows,
                                        std::size_t cols) {
  check_codes("untile_scales", tiled.size(), tiled_size(rows, cols), rows, cols);
  std::vector<std::uint8_t> codes(rows * cols);
  for_each_place(rows, cols, [&](std::size_t place, std::size_t r, std::size_t c) {
    if (r < rows && c < cols) codes[r * cols + c] = tiled[place];
  });
  return codes;
}

}  // namespace binade
