#include "binade/emulation/block_scale.hpp"

#include <omp.h>

#include <algorithm>
#include <stdexcept>

#include "block_scale_derive.hpp"
#include "block_scale_fused.hpp"
#include "block_scale_shape.hpp"
#include "parallel_runs.hpp"

namespace binade {

const detail::BlockKernels& detail::block_kernels() {
  switch (isa()) {
#if defined(BINADE_HAVE_X86_64_LEVELS)
    case Isa::kX86_64_v3:
      return x86_64_v3::block_kernels();
    case Isa::kX86_64_v4:
      return x86_64_v4::block_kernels();
#endif
    default:
      return baseline::block_kernels();
  }
}

namespace {

using detail::bytes_of;
using detail::parallel_runs;
using Source = detail::QuantizeSource;

constexpr std::size_t kChunk = 2048;      ///< elements decoded or scaled at once: 8 KiB of fp32
constexpr std::size_t kStripeRows = 128;  ///< taller blocks are cut, so that threads share them
constexpr std::size_t kBandBytes = 1 << 22;  ///< of the source, that stay in cache between passes
constexpr std::size_t kSmall = 1 << 15;   ///< elements below which one thread does all

int thread_count(int asked, std::size_t elements) {
  if (asked < 0) {
    throw std::invalid_argument("threads must be 0 (all) or more, not " + std::to_string(asked));
  }
  return asked > 0 ? asked : elements < kSmall ? 1 : omp_get_max_threads();
}

/// body(block column, first column, width) for the parts of blocks in columns [begin, end).
template <class Body>
void for_each_segment(const BlockGrid& g, std::size_t begin, std::size_t end, Body&& body) {
  std::size_t block = begin / g.block_cols, stop = (block + 1) * g.block_cols;
  for (std::size_t c = begin; c < end; c = stop, stop += g.block_cols, ++block) {
    body(block, c, std::min(end, stop) - c);
  }
}

/// Collects scaled elements, which arrive in row-major order, and casts them in large runs.
class CodeWriter {
 public:
  CodeWriter(Quantized& q, CastRules rules, std::uint64_t seed, std::size_t first)
      : q_(q), rules_(rules), seed_(seed), first_(first) {}

  /// The next elements lie at `first` of the matrix.
  void seek(std::size_t first) {
    if (first == first_ + used_) return;
    flush();
    first_ = first;
  }
  /// Room for the next `count` <= kChunk elements.
  float* next(std::size_t count) {
    if (used_ + count > 2 * kChunk) flush();
    float* room = buffer_ + used_;
    used_ += count;
    return room;
  }

  void flush() {
    std::uint8_t* target = q_.codes.data() + first_ * bytes_of(q_.element);
    if (is_stochastic(rules_.rounding)) {
      flush_stochastic(target);
    } else {
      cast(kFp32Format, buffer_, q_.element, target, used_, rules_);
    }
    first_ += used_;
    used_ = 0;
  }

 private:
  /// One by one, because the draw belongs to the element's place in the whole matrix.
  void flush_stochastic(std::uint8_t* target) const {
    const std::uint32_t mask = (std::uint32_t{1} << rules_.random_bits) - 1;
    for (std::size_t i = 0; i < used_; ++i) {
      const std::uint64_t code =
          encode(q_.element, buffer_[i], rules_, random_at(seed_, first_ + i) & mask);
      const std::uint64_t word = container_of_code(q_.element, code);
      target[i * bytes_of(q_.element)] = static_cast<std::uint8_t>(word);
      if (bytes_of(q_.element) == 2) target[2 * i + 1] = static_cast<std::uint8_t>(word >> 8);
    }
  }

  alignas(64) float buffer_[2 * kChunk];
  std::size_t used_ = 0;
  Quantized& q_;
  CastRules rules_;
  std::uint64_t seed_;
  std::size_t first_;
};

/// One call of quantize. The matrix is worked on in stripes: a stripe is a row of blocks or, where
/// blocks are tall, a piece of one.
class Quantizer {
 public:
  Quantizer(Source source, const BlockGrid& grid, const ScaleRecipe& recipe, ScaleType type,
            Quantized& q, std::uint64_t seed)
      : source_(source),
        grid_(grid),
        recipe_(recipe),
        type_(type),
        q_(q),
        seed_(seed),
        pieces_(detail::ceil_div(grid.block_rows, kStripeRows)),
        stripes_(grid.grid_rows * pieces_),
        chunk_(grid.block_cols > kChunk ? kChunk : kChunk / grid.block_cols * grid.block_cols),
        amax_(stripes_ * grid.grid_cols),
        factors_(grid.grid_rows * grid.grid_cols),
        scales_(source, grid, recipe, type, q),
        kernels_(detail::block_kernels()) {}

  void run(int threads) {
    if (pieces_ == 1 && type_ != ScaleType::kE4M3) {
      run_in_one_pass(threads);
      return;
    }
    parallel_runs(stripes_, threads, [&](std::size_t first, std::size_t last) {
      for (std::size_t s = first; s < last; ++s) measure(s, 0, grid_.cols);
    });
    join_pieces();
    if (type_ == ScaleType::kE4M3) scales_.derive_tensor_scale(amax_.data());
    for (std::size_t g = 0; g < grid_.grid_rows; ++g) derive(g, 0, grid_.grid_cols);
    parallel_runs(stripes_, threads, [&](std::size_t first, std::size_t last) {
      CodeWriter writer = writer_at(first);
      for (std::size_t s = first; s < last; ++s) apply(s, writer, 0, grid_.cols);
      writer.flush();
    });
  }

 private:
  /// Each stripe is complete in itself, and so are the whole blocks in some of its columns: they are
  /// measured and cast while they are in cache.
  void run_in_one_pass(int threads) {
    const std::size_t blocks =
        std::max<std::size_t>(1, kBandBytes / (grid_.block_rows * grid_.block_cols *
                                               bytes_of(source_.format)));
    const std::size_t band = grid_.block_rows == 1 && grid_.block_cols <= kChunk
                                 ? chunk_
                                 : std::min(grid_.cols, blocks * grid_.block_cols);
    parallel_runs(stripes_, threads, [&](std::size_t first, std::size_t last) {
      CodeWriter writer = writer_at(first);
      for (std::size_t s = first; s < last; ++s) {
        for (std::size_t c = 0; c < grid_.cols; c += band) {
          run_band(s, c, std::min(grid_.cols, c + band), writer);
        }
      }
      writer.flush();
    });
  }

  void run_band(std::size_t s, std::size_t begin, std::size_t end, CodeWriter& writer) {
    const std::size_t first = begin / grid_.block_cols;
    const std::size_t last = detail::ceil_div(end, grid_.block_cols);
    if (grid_.block_rows == 1 && end - begin <= chunk_) {  // decoded once
      for_each_chunk(s, begin, end, [&](const float* x, std::size_t row, std::size_t c, std::size_t n) {
        measure(s, x, c, n);
        derive(s, first, last);
        apply(s, writer, x, row, c, n);
      });
      return;
    }
    measure(s, begin, end);
    derive(s, first, last);
    apply(s, writer, begin, end);
  }

  struct Rows {
    std::size_t begin, end;
  };
  Rows rows_of(std::size_t stripe) const {
    const std::size_t band = stripe / pieces_ * grid_.block_rows;
    const std::size_t band_end = std::min(grid_.rows, band + grid_.block_rows);
    const std::size_t begin = std::min(band_end, band + stripe % pieces_ * kStripeRows);
    return {begin, pieces_ == 1 ? band_end : std::min(band_end, begin + kStripeRows)};
  }

  CodeWriter writer_at(std::size_t stripe) const {
    const std::size_t row = stripe < stripes_ ? rows_of(stripe).begin : grid_.rows;
    return CodeWriter(q_, recipe_.cast_rules, seed_, row * grid_.cols);
  }

  /// body(data, row, first column, width) for each chunk of some columns of the stripe's rows.
  template <class Body>
  void for_each_chunk(std::size_t stripe, std::size_t begin, std::size_t end, Body&& body) const {
    alignas(64) float buffer[kChunk];
    const Rows rows = rows_of(stripe);
    for (std::size_t r = rows.begin; r < rows.end; ++r) {
      for (std::size_t c = begin; c < end; c += chunk_) {
        const std::size_t n = std::min(chunk_, end - c);
        body(source_.read(r * grid_.cols + c, n, buffer), r, c, n);
      }
    }
  }

  void measure(std::size_t stripe, const float* x, std::size_t c, std::size_t n) {
    std::uint32_t* amax = amax_.data() + stripe * grid_.grid_cols;
    if (grid_.block_cols == 1) {
      kernels_.amax_bits_each(x, n, amax + c);
      return;
    }
    for_each_segment(grid_, c, c + n, [&](std::size_t block, std::size_t at, std::size_t width) {
      amax[block] = kernels_.amax_bits(x + (at - c), width, amax[block]);
    });
  }
  void measure(std::size_t stripe, std::size_t begin, std::size_t end) {
    for_each_chunk(stripe, begin, end,
                   [&](const float* x, std::size_t, std::size_t c, std::size_t n) {
                     measure(stripe, x, c, n);
                   });
  }

  /// Folds the pieces of each row of blocks into the first of its places.
  void join_pieces() {
    const std::size_t width = grid_.grid_cols;
    for (std::size_t s = 0; s < stripes_; ++s) {
      for (std::size_t c = 0; c < width; ++c) {
        const std::uint32_t bits = amax_[s * width + c];
        std::uint32_t& joined = amax_[s / pieces_ * width + c];
        joined = s % pieces_ == 0 ? bits : std::max(joined, bits);
      }
    }
  }

  /// The scales of blocks [begin, end) of a row of blocks.
  void derive(std::size_t g, std::size_t begin, std::size_t end) {
    const std::size_t row = g * grid_.grid_cols;
    scales_.derive(g, begin, end, amax_.data() + row, factors_.data() + row);
  }

  void apply(std::size_t stripe, CodeWriter& writer, const float* x, std::size_t row, std::size_t c,
             std::size_t n) const {
    const float* factors = factors_.data() + stripe / pieces_ * grid_.grid_cols;
    const bool divides = recipe_.apply == ApplyScale::kDivide && type_ != ScaleType::kE4M3;
    writer.seek(row * grid_.cols + c);
    float* y = writer.next(n);
    if (grid_.block_cols == 1) {
      (divides ? kernels_.divide_each : kernels_.multiply_each)(x, factors + c, y, n);
      return;
    }
    const auto scale_run = divides ? kernels_.divide : kernels_.multiply;
    for_each_segment(grid_, c, c + n, [&](std::size_t block, std::size_t at, std::size_t width) {
      scale_run(x + (at - c), factors[block], y + (at - c), width);
    });
  }
  void apply(std::size_t stripe, CodeWriter& writer, std::size_t begin, std::size_t end) const {
    for_each_chunk(stripe, begin, end,
                   [&](const float* x, std::size_t row, std::size_t c, std::size_t n) {
                     apply(stripe, writer, x, row, c, n);
                   });
  }

  Source source_;
  const BlockGrid& grid_;
  const ScaleRecipe& recipe_;
  ScaleType type_;
  Quantized& q_;
  std::uint64_t seed_;
  std::size_t pieces_, stripes_;
  std::size_t chunk_;  ///< columns worked on at once: whole blocks where they are not too wide
  std::vector<std::uint32_t> amax_;  ///< bits, [stripes, grid_cols]; joined: [grid_rows, grid_cols]
  std::vector<float> factors_;       ///< [grid_rows, grid_cols]
  detail::BlockScales scales_;
  const detail::BlockKernels& kernels_;
};

void check_shape(std::size_t elements, std::size_t rows, std::size_t cols) {
  if (elements != rows * cols) {
    throw std::invalid_argument("quantize: " + std::to_string(elements) +
                                " elements for the shape " + detail::shape_text(rows, cols));
  }
}

void check_source_format(FloatFormat source) {
  if (source != kFp32Format && !embeds_in(source, kFp32Format)) {
    throw std::invalid_argument("quantize: source format " + format_name(source) +
                                " does not fit in fp32");
  }
}

void check_scale_type(const ScaleRecipe& recipe, ScaleType type) {
  std::string offered;
  for (const ScaleType t : recipe.scale_types) {
    if (t == type) return;
    offered += (offered.empty() ? "" : ", ") + std::string(name_of(t));
  }
  throw std::invalid_argument("recipe '" + recipe.name + "' has no " + std::string(name_of(type)) +
                              " scales; it offers " + offered);
}

void check_random_bits(CastRules rules) {
  if (is_stochastic(rules.rounding) &&
      (rules.random_bits < 1 || rules.random_bits > kMaxRandomBits)) {
    throw std::invalid_argument("stochastic rounding takes 1 to " + std::to_string(kMaxRandomBits) +
                                " random bits, not " + std::to_string(rules.random_bits));
  }
}

/// Makes room in a result, keeping the memory it has.
void prepare(Quantized& q, const BlockGrid& grid, Granularity granularity, FloatFormat element) {
  q.element = element;
  q.rows = grid.rows;
  q.cols = grid.cols;
  q.granularity = granularity;
  q.scale_rows = grid.grid_rows;
  q.scale_cols = grid.grid_cols;
  q.codes.resize(grid.rows * grid.cols * bytes_of(element));
  q.scales.resize(grid.grid_rows * grid.grid_cols);
  q.scale_format = kFp32Format;
  q.scale_codes.clear();
  q.tensor_scale = 1.0f;
}

}  // namespace

void check_element_format(FloatFormat element) {
  if (!embeds_in(element, kFp32Format) || !element.specials.has_zero || element.bits() > 16) {
    throw std::invalid_argument("quantize: element format " + element_name(element) +
                                " must have a zero, at most 16 bits, and fit in fp32");
  }
}

void quantize(FloatFormat source, const void* x, std::size_t rows, std::size_t cols,
              const ScaleRecipe& recipe, Granularity granularity, ScaleType scale_type,
              FloatFormat element, Quantized& q, int threads, std::uint64_t seed) {
  const BlockGrid grid = block_grid(rows, cols, granularity);
  check_source_format(source);
  check_element_format(element);
  check_scale_type(recipe, scale_type);
  check_random_bits(recipe.cast_rules);
  const int workers = thread_count(threads, rows * cols);
  prepare(q, grid, granularity, element);
  if (scale_type == ScaleType::kUe8m0) q.scale_format = E8M0::format;
  if (scale_type == ScaleType::kE4M3) q.scale_format = E4M3::format;
  if (q.scale_format != kFp32Format) q.scale_codes.resize(q.scales.size());
  const Source matrix{source, static_cast<const std::byte*>(x)};
  if (detail::quantize_fused(matrix, grid, recipe, scale_type, q, kStripeRows, workers)) return;
  Quantizer(matrix, grid, recipe, scale_type, q, seed).run(workers);
}

Quantized quantize(FloatFormat source, const void* x, std::size_t rows, std::size_t cols,
                   const ScaleRecipe& recipe, Granularity granularity, ScaleType scale_type,
                   FloatFormat element, int threads, std::uint64_t seed) {
  Quantized q;
  quantize(source, x, rows, cols, recipe, granularity, scale_type, element, q, threads, seed);
  return q;
}

Quantized quantize(std::span<const float> x, std::size_t rows, std::size_t cols,
                   const ScaleRecipe& recipe, Granularity granularity, ScaleType scale_type,
                   FloatFormat element, int threads, std::uint64_t seed) {
  check_shape(x.size(), rows, cols);
  return quantize(kFp32Format, x.data(), rows, cols, recipe, granularity, scale_type, element,
                  threads, seed);
}

Quantized quantize_with_scale(std::span<const float> x, std::size_t rows, std::size_t cols,
                              TensorScale scale, FloatFormat element, int threads,
                              CastRules rules) {
  const BlockGrid grid = block_grid(rows, cols, kPerTensor);
  check_shape(x.size(), rows, cols);
  check_element_format(element);
  if (is_stochastic(rules.rounding)) {
    throw std::invalid_argument("quantize_with_scale does not round stochastically");
  }
  Quantized q;
  prepare(q, grid, kPerTensor, element);
  q.scales[0] = scale.scale;
  const detail::BlockKernels& k = detail::block_kernels();
  const std::size_t chunks = detail::ceil_div(x.size(), kChunk);
  parallel_runs(chunks, thread_count(threads, x.size()), [&](std::size_t first, std::size_t last) {
    alignas(64) float y[kChunk];
    for (std::size_t i = first; i < last; ++i) {
      const std::size_t at = i * kChunk;
      const std::size_t n = std::min(kChunk, x.size() - at);
      k.multiply(x.data() + at, scale.inv_scale, y, n);
      cast(kFp32Format, y, element, q.codes.data() + at * bytes_of(element), n, rules);
    }
  });
  return q;
}

void dequantize(const Quantized& q, std::span<float> x, int threads) {
  const BlockGrid g = block_grid(q.rows, q.cols, q.granularity);
  if (x.size() != q.rows * q.cols || q.codes.size() != x.size() * bytes_of(q.element) ||
      q.scales.size() != g.grid_rows * g.grid_cols) {
    throw std::invalid_argument(
        "dequantize: " + std::to_string(x.size()) + " elements, " + std::to_string(q.codes.size()) +
        " bytes of codes and " + std::to_string(q.scales.size()) + " scales for the shape " +
        detail::shape_text(q.rows, q.cols) + " in blocks of " + granularity_name(q.granularity));
  }
  const detail::BlockKernels& k = detail::block_kernels();
  parallel_runs(q.rows, thread_count(threads, x.size()), [&](std::size_t first, std::size_t last) {
    for (std::size_t r = first; r < last; ++r) {
      const float* scales = q.scales.data() + r / g.block_rows * g.grid_cols;
      for (std::size_t c = 0; c < q.cols; c += kChunk) {
        const std::size_t n = std::min(kChunk, q.cols - c);
        float* y = x.data() + r * q.cols + c;
        decode(q.element, q.codes.data() + (r * q.cols + c) * bytes_of(q.element), std::span(y, n));
        if (g.block_cols == 1) {
          k.multiply_each(y, scales + c, y, n);
        } else {
          for_each_segment(g, c, c + n, [&](std::size_t block, std::size_t at, std::size_t width) {
            k.multiply(y + (at - c), scales[block], y + (at - c), width);
          });
        }
        if (q.tensor_scale != 1.0f) k.multiply(y, q.tensor_scale, y, n);
      }
    }
  });
}

}  // namespace binade
