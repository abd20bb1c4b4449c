#include "flash_attention.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "binade/emulation/gemm.hpp"
#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"

namespace binade::experiments {

namespace {

constexpr float kNothing = -std::numeric_limits<float>::infinity();

/// Integers are a grid of one binade; their products are summed exactly by the hardware.
bool is_integer(FloatFormat f) { return f.exponent_bits == 1; }

std::vector<float> product(const GemmOperand& a, const GemmOperand& b, std::size_t k) {
  GemmOptions options;
  options.threads = 1;  // the queries are shared out among threads already
  std::vector<float> d(a.rows * b.rows);
  const char* profile = is_integer(a.format) ? "exact" : "cublaslt-fast";
  gemm(find_gemm_profile(profile), a, b, k, kFp32Format, d.data(), options);
  return d;
}

/// The scales of `count` rows in the block of columns that holds `col`.
std::vector<float> row_scales(const Quantized& x, std::size_t row, std::size_t count,
                              std::size_t col = 0) {
  const BlockGrid grid = block_grid(x.rows, x.cols, x.granularity);
  std::vector<float> scales(count);
  for (std::size_t i = 0; i < count; ++i) {
    scales[i] = x.scales[(row + i) / grid.block_rows * x.scale_cols + col / grid.block_cols];
  }
  return scales;
}

std::size_t code_bytes(const Quantized& x) { return x.codes.size() / (x.rows * x.cols); }

/// The part [col, col + count) of every row, contiguous.
std::vector<std::uint8_t> columns_of(const Quantized& x, std::size_t col, std::size_t count) {
  const std::size_t bytes = code_bytes(x);
  std::vector<std::uint8_t> part;
  part.reserve(x.rows * count * bytes);
  for (std::size_t row = 0; row < x.rows; ++row) {
    const auto first = x.codes.begin() + static_cast<std::ptrdiff_t>((row * x.cols + col) * bytes);
    part.insert(part.end(), first, first + static_cast<std::ptrdiff_t>(count * bytes));
  }
  return part;
}

/// The state of `queries` queries, from `row` on, between two blocks.
class Flash {
 public:
  Flash(const AttentionOperands& operands, std::size_t row, std::size_t queries,
        const FlashOptions& options)
      : x_(operands),
        row_(row),
        queries_(queries),
        options_(options),
        scales_q_(row_scales(operands.q, row, queries)),
        maximum_(queries, kNothing),
        sum_(queries, 0.0f),
        output_(queries * operands.v.rows, 0.0f) {}

  void add_block(std::size_t first, std::size_t count) {
    const GemmOperand q{x_.q.element, x_.q.codes.data() + row_ * x_.q.cols * code_bytes(x_.q),
                        queries_};
    const GemmOperand k{x_.k.element, x_.k.codes.data() + first * x_.k.cols * code_bytes(x_.k),
                        count};
    std::vector<float> p = product(q, k, x_.q.cols);
    const std::vector<float> scales_k = row_scales(x_.k, first, count);
    for (std::size_t i = 0; i < queries_; ++i) {
      soften(i, scales_k, std::span(p).subspan(i * count, count));
    }
    const FloatFormat format = options_.probability;
    std::vector<std::uint8_t> codes(p.size() * static_cast<std::size_t>(format.container_bits()) /
                                    8);
    cast(kFp32Format, p.data(), format, codes.data(), p.size());
    const std::vector<std::uint8_t> values = columns_of(x_.v, first, count);
    const std::vector<float> o =
        product({format, codes.data(), queries_}, {x_.v.element, values.data(), x_.v.rows}, count);
    const std::vector<float> scales_v = row_scales(x_.v, 0, x_.v.rows, first);
    for (std::size_t i = 0; i < output_.size(); ++i) {
      output_[i] = std::fma(scales_v[i % x_.v.rows], o[i], output_[i]);
    }
  }

  void write(double* output) const {
    for (std::size_t i = 0; i < output_.size(); ++i) output[i] = output_[i] / sum_[i / x_.v.rows];
  }

 private:
  /// Dot products of one query become its probabilities; what is summed so far follows the maximum.
  void soften(std::size_t i, std::span<const float> scales_k, std::span<float> row) {
    const float scale = options_.score_scale != 0 ? options_.score_scale
                                                  : 1.0f / std::sqrt(static_cast<float>(x_.q.cols));
    float largest = maximum_[i];
    for (std::size_t j = 0; j < row.size(); ++j) {
      row[j] *= scales_q_[i] * scales_k[j] * scale;
      largest = std::max(largest, row[j]);
    }
    const auto factor = static_cast<float>(std::exp(static_cast<double>(maximum_[i] - largest)));
    float sum = sum_[i] * factor;
    for (float& s : row) {
      s = static_cast<float>(options_.probability_scale *
                             std::exp(static_cast<double>(s - largest)));
      sum += s;
    }
    for (std::size_t j = 0; j < x_.v.rows; ++j) output_[i * x_.v.rows + j] *= factor;
    maximum_[i] = largest;
    sum_[i] = sum;
  }

  const AttentionOperands& x_;
  std::size_t row_, queries_;
  FlashOptions options_;
  std::vector<float> scales_q_, maximum_, sum_, output_;
};

}  // namespace

std::vector<double> exact_attention(const AttentionInputs& in, int threads) {
  std::vector<double> output(in.queries * in.value_width);
  const double root = std::sqrt(static_cast<double>(in.width));
  const int team = threads > 0 ? threads : omp_get_max_threads();
  // [width, keys]: the keys are lanes.
  const std::vector<float> k = transposed(in.k, in.keys, in.width);
#pragma omp parallel for num_threads(team) schedule(static)
  for (std::size_t i = 0; i < in.queries; ++i) {
    std::vector<double> p(in.keys);
    for (std::size_t c = 0; c < in.width; ++c) {
      const double q = in.q[i * in.width + c];
      for (std::size_t j = 0; j < in.keys; ++j) p[j] += q * static_cast<double>(k[c * in.keys + j]);
    }
    const double largest = *std::ranges::max_element(p);
    double total = 0;
    double* o = output.data() + i * in.value_width;
    for (std::size_t j = 0; j < in.keys; ++j) {
      const double weight = std::exp((p[j] - largest) / root);
      total += weight;
      const float* v = in.v.data() + j * in.value_width;
      for (std::size_t c = 0; c < in.value_width; ++c) o[c] += weight * static_cast<double>(v[c]);
    }
    for (std::size_t c = 0; c < in.value_width; ++c) o[c] /= total;
  }
  return output;
}

std::vector<double> flash_attention(const AttentionOperands& operands, std::size_t queries,
                                    const FlashOptions& options) {
  constexpr std::size_t kQueries = 32;  // of one thread at once
  std::vector<double> output(queries * operands.v.rows);
  const int team = options.threads > 0 ? options.threads : omp_get_max_threads();
#pragma omp parallel for num_threads(team) schedule(static)
  for (std::size_t row = 0; row < queries; row += kQueries) {
    Flash flash(operands, row, std::min(kQueries, queries - row), options);
    for (std::size_t first = 0; first < operands.k.rows; first += options.block) {
      flash.add_block(first, std::min(options.block, operands.k.rows - first));
    }
    flash.write(output.data() + row * operands.v.rows);
  }
  return output;
}

double rmse(std::span<const double> computed, std::span<const double> exact) {
  double sum = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    sum += (computed[i] - exact[i]) * (computed[i] - exact[i]);
  }
  return std::sqrt(sum / static_cast<double>(exact.size()));
}

double relative_l1(std::span<const double> computed, std::span<const double> exact) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    error += std::fabs(computed[i] - exact[i]);
    size += std::fabs(exact[i]);
  }
  return error / size;
}

std::vector<float> transposed(std::span<const float> x, std::size_t rows, std::size_t cols) {
  std::vector<float> y(x.size());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < cols; ++j) y[j * rows + i] = x[i * cols + j];
  }
  return y;
}

}  // namespace binade::experiments
