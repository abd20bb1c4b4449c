#include "exact_products.hpp"

#include <omp.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "binade/formats/catalog.hpp"
#include "block_scale_shape.hpp"
#include "gemm_tiles.hpp"

namespace binade::detail {
namespace {

using Int128 = __int128;
constexpr std::size_t kSide =
    64;                       ///< of a tile: each of its outputs may need an ExactSum of 752 bytes
constexpr int kReach = 1100;  ///< of exponents: with two fp32 scales, within an ExactSum
using Sink = std::function<void(std::size_t, std::size_t, ExactProduct)>;

Unpacked element(const GemmOperand& x, std::size_t index) {
  std::uint64_t word = 0;
  std::memcpy(&word, static_cast<const std::byte*>(x.codes) + index * bytes_of(x.format),
              bytes_of(x.format));  // little-endian, as all supported hosts
  return unpack(x.format, code_of_container(x.format, word));
}

Unpacked unpacked(float x) { return unpack(kFp32Format, bit_cast<std::uint32_t>(x)); }
Unpacked unpacked(double x) { return unpack(kFp64Format, bit_cast<std::uint64_t>(x)); }

/// Where the bits of some elements lie: multiples of 2^low, below 2^top.
struct BitRange {
  int low = INT_MAX / 4, top = INT_MIN / 4;
  bool special = false;

  void see(const Unpacked& u) {
    special |= u.value_class != ValueClass::kFinite;
    if (u.value_class != ValueClass::kFinite || u.significand == 0) return;
    low = std::min(low, u.exponent + std::countr_zero(u.significand));
    top = std::max(top, u.exponent + bit_width_of(u.significand));
  }
  void see(const BitRange& r) {
    special |= r.special;
    low = std::min(low, r.low);
    top = std::max(top, r.top);
  }
  bool is_empty() const { return top < low; }
};

/// Bits that a sum of k products of such elements can have, without its sign.
int sum_bits(const BitRange& a, const BitRange& b, std::size_t k) {
  if (a.is_empty() || b.is_empty()) return 1;
  return a.top + b.top - a.low - b.low + static_cast<int>(std::bit_width(k - 1));
}

std::vector<BitRange> row_ranges(const GemmOperand& x, std::size_t k, int threads) {
  std::vector<BitRange> ranges(x.rows);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (std::size_t r = 0; r < x.rows; ++r) {
    for (std::size_t i = 0; i < k; ++i) ranges[r].see(element(x, r * k + i));
  }
  return ranges;
}

/// All that any element of the format can do, specials apart.
BitRange format_range(FloatFormat f) {
  BitRange r;
  r.low = f.min_ulp_exponent();
  r.top = f.emax() + 1;
  return r;
}

/// The end of the run of k from k0 that shares its scales.
std::size_t run_end(const ScaleGrid& a, const ScaleGrid& b, std::size_t k0, std::size_t k) {
  const auto next = [k0](const ScaleGrid& s) { return (k0 / s.block_k() + 1) * s.block_k(); };
  return std::min({next(a), next(b), k});
}

/// Sums in fp64 lanes, none of which rounds.
class DoubleProducts {
 public:
  DoubleProducts(const GemmOperand& a, const ScaleGrid& scale_a, const GemmOperand& b,
                 const ScaleGrid& scale_b, std::size_t k)
      : scale_a_(scale_a), scale_b_(scale_b), k_(k), chain_(setup_, a, b, k) {}

  void run(const Tile& tile, const Sink& sink) {
    chain_.start(tile);
    if (run_end(scale_a_, scale_b_, 0, k_) == k_) {
      const double* sums = chain_.run(0, k_);
      for_each(tile, [&](std::size_t place, std::size_t row, std::size_t col) {
        const double scale = double{scale_a_.at(row, 0)} * double{scale_b_.at(col, 0)};
        sink(row, col, {sums[place], scale, nullptr});
      });
      return;
    }
    totals_.assign(chain_.panels() * chain_.panel_size(), ExactSum{});
    for (std::size_t k0 = 0, k1 = 0; k0 < k_; k0 = k1) {
      k1 = run_end(scale_a_, scale_b_, k0, k_);
      const double* sums = chain_.run(k0, k1);
      for_each(tile, [&](std::size_t place, std::size_t row, std::size_t col) {
        totals_[place].add_scaled_product(unpacked(sums[place]), unpacked(1.0f),
                                          unpacked(scale_a_.at(row, k0)),
                                          unpacked(scale_b_.at(col, k0)));
      });
    }
    for_each(tile, [&](std::size_t place, std::size_t row, std::size_t col) {
      sink(row, col, {0, 1, &totals_[place]});
    });
  }

 private:
  template <class Body>
  void for_each(const Tile& tile, Body&& body) const {
    for (std::size_t r = 0; r < tile.rows; ++r) {
      for (std::size_t c = 0; c < tile.cols; ++c) {
        body(chain_.place(r, c), tile.row + r, tile.col + c);
      }
    }
  }

  const ScaleGrid &scale_a_, &scale_b_;
  std::size_t k_;
  ChainSetup setup_;  // plain multiply and add
  TileChain<double> chain_;
  std::vector<ExactSum> totals_;
};

std::vector<Unpacked> unpack_row(const GemmOperand& x, std::size_t row, std::size_t k) {
  std::vector<Unpacked> numbers(k);
  for (std::size_t i = 0; i < k; ++i) numbers[i] = element(x, row * k + i);
  return numbers;
}

/// |sum| * 2^exponent under two scales joins the total, 64 bits at a time.
void add_integer(ExactSum& total, Int128 sum, int exponent, float sa, float sb) {
  const bool negative = sum < 0;
  auto magnitude = static_cast<unsigned __int128>(negative ? -sum : sum);
  for (int half = 0; half < 2; ++half, magnitude >>= 64) {
    const Unpacked part{ValueClass::kFinite, negative, exponent + 64 * half,
                        static_cast<std::uint64_t>(magnitude)};
    total.add_scaled_product(part, unpacked(1.0f), unpacked(sa), unpacked(sb));
  }
}

/// One output: in 128-bit integers where the rows' bits allow it, else term by term.
ExactSum wide_product(const std::vector<Unpacked>& x, const std::vector<Unpacked>& y,
                      const ScaleGrid& scale_a, const ScaleGrid& scale_b, std::size_t row,
                      std::size_t col, int low, bool fits) {
  ExactSum total;
  const std::size_t k = x.size();
  for (std::size_t k0 = 0, k1 = 0; k0 < k; k0 = k1) {
    k1 = run_end(scale_a, scale_b, k0, k);
    const float sa = scale_a.at(row, k0), sb = scale_b.at(col, k0);
    if (!fits) {
      for (std::size_t i = k0; i < k1; ++i) {
        total.add_scaled_product(x[i], y[i], unpacked(sa), unpacked(sb));
      }
      continue;
    }
    Int128 sum = 0;
    for (std::size_t i = k0; i < k1; ++i) {
      const Int128 product = static_cast<Int128>(x[i].significand) * y[i].significand;
      const int shift = x[i].exponent + y[i].exponent - low;
      // A negative shift discards zeros only: `low` is where the last set bits lie.
      const Int128 placed =
          shift >= 0 ? product << (product == 0 ? 0 : shift) : product >> std::min(-shift, 127);
      sum += x[i].negative != y[i].negative ? -placed : placed;
    }
    add_integer(total, sum, low, sa, sb);
  }
  return total;
}

void wide_products(const GemmOperand& a, const ScaleGrid& scale_a, const GemmOperand& b,
                   const ScaleGrid& scale_b, std::size_t k, int threads, const Sink& sink) {
  const std::vector<BitRange> of_a = row_ranges(a, k, threads), of_b = row_ranges(b, k, threads);
  const std::vector<Tile> tiles = make_tiles(a.rows, b.rows, 32, threads, kSide);
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (std::size_t t = 0; t < tiles.size(); ++t) {
    const Tile& tile = tiles[t];
    std::vector<std::vector<Unpacked>> rows;
    for (std::size_t r = 0; r < tile.rows; ++r) rows.push_back(unpack_row(a, tile.row + r, k));
    for (std::size_t col = tile.col; col < tile.col + tile.cols; ++col) {
      const std::vector<Unpacked> y = unpack_row(b, col, k);
      for (std::size_t r = 0; r < tile.rows; ++r) {
        const std::size_t row = tile.row + r;
        const BitRange &ra = of_a[row], &rb = of_b[col];
        const bool fits = !ra.special && !rb.special && sum_bits(ra, rb, k) <= 126;
        const int low = ra.is_empty() || rb.is_empty() ? 0 : ra.low + rb.low;
        const ExactSum total = wide_product(rows[r], y, scale_a, scale_b, row, col, low, fits);
        sink(row, col, {0, 1, &total});
      }
    }
  }
}

}  // namespace

double ExactProduct::to_double() const {
  if (wide != nullptr) return wide->to_double();
  const double product = sum * scale;  // the only rounding
  return std::isnan(product) ? std::numeric_limits<double>::quiet_NaN() : product;
}

std::uint64_t ExactProduct::round(FloatFormat f, CastRules rules) const {
  if (wide != nullptr) return wide->round(f, rules);
  ExactSum product;
  product.add_product(unpacked(sum), unpacked(scale));
  return product.round(f, rules);
}

void exact_products(const GemmOperand& a, const ScaleGrid& scale_a, const GemmOperand& b,
                    const ScaleGrid& scale_b, std::size_t k, int threads, const Sink& sink) {
  const BitRange of_a = format_range(a.format), of_b = format_range(b.format);
  if (of_a.low + of_b.low < -kReach || of_a.top + of_b.top > kReach) {
    throw std::invalid_argument("exact products of " + format_name(a.format) + " and " +
                                format_name(b.format) + " reach beyond 2^-1100 .. 2^1100");
  }
  const int workers = threads > 0 ? threads : omp_get_max_threads();
  const bool decodable = embeds_in(a.format, kFp32Format) && embeds_in(b.format, kFp32Format);
  if (!decodable || sum_bits(of_a, of_b, k) > 53) {
    wide_products(a, scale_a, b, scale_b, k, workers, sink);
    return;
  }
  const std::vector<Tile> tiles =
      make_tiles(a.rows, b.rows, gemm_kernels().double_lanes.widest(), workers, kSide);
#pragma omp parallel num_threads(workers)
  {
    DoubleProducts products(a, scale_a, b, scale_b, k);
#pragma omp for schedule(dynamic)
    for (std::size_t t = 0; t < tiles.size(); ++t) products.run(tiles[t], sink);
  }
}

void store_output(FloatFormat output, void* d, std::size_t index, std::uint64_t code) {
  const std::uint64_t word = container_of_code(output, code);
  std::memcpy(static_cast<std::byte*>(d) + index * bytes_of(output), &word, bytes_of(output));
}

}  // namespace binade::detail
