// How aligned gate and up weights make outliers, and what smoothing does about them.
#include <algorithm>
#include <cmath>
#include <span>

#include "binade/emulation/block_scale.hpp"
#include "binade/formats/catalog.hpp"
#include "sampling.hpp"
#include "support.hpp"
#include "transformer_block.hpp"

namespace binade::experiments {

namespace {

Matrix draw(const Arguments& arguments, std::size_t rows, std::size_t cols, std::uint64_t stream) {
  const std::vector<float> x =
      sample("normal", rows * cols, seed_argument(arguments), stream, arguments.threads);
  return {rows, cols, {x.begin(), x.end()}};
}

/// Gate and up rows of unit length in expectation, of which channel 0 is special: it is `gain`
/// times as long, and its up row is at cosine `alignment` to its gate row.
struct Weights {
  Matrix gate, up;
};

Weights weights_of(const Arguments& arguments, std::size_t width, std::size_t hidden, double gain,
                   double alignment) {
  Weights w{draw(arguments, hidden, width, 1), draw(arguments, hidden, width, 2)};
  for (Matrix* m : {&w.gate, &w.up}) {
    for (double& v : m->values) v /= std::sqrt(static_cast<double>(width));
  }
  double* gate = w.gate.values.data();
  double* up = w.up.values.data();
  double along = 0, gate_square = 0, rest_square = 0;
  for (std::size_t i = 0; i < width; ++i) {
    along += gate[i] * up[i];
    gate_square += gate[i] * gate[i];
  }
  for (std::size_t i = 0; i < width; ++i) {
    up[i] -= along / gate_square * gate[i];
    rest_square += up[i] * up[i];
  }
  const double across = std::sqrt((1 - alignment * alignment) / rest_square);
  for (std::size_t i = 0; i < width; ++i) {
    const double direction = gate[i] / std::sqrt(gate_square);
    up[i] = gain * (alignment * direction + across * up[i]);
    gate[i] = gain * direction;
  }
  return w;
}

/// silu(X gate^T) * (X up^T)
Matrix hidden_of(const Matrix& x, const Weights& w, int threads) {
  const Matrix gate = product(x, w.gate, threads);
  Matrix h = product(x, w.up, threads);
  for (std::size_t i = 0; i < h.values.size(); ++i) {
    h.values[i] *= gate.values[i] / (1 + std::exp(-gate.values[i]));
  }
  return h;
}

struct Shape {
  double amax = 0, special_amax = 0, rms = 0, kurtosis = 0;
};

Shape shape_of(const Matrix& h) {
  Shape s;
  const auto n = static_cast<double>(h.values.size());
  double mean = 0, second = 0, fourth = 0;
  for (const double v : h.values) mean += v / n;
  for (std::size_t i = 0; i < h.values.size(); ++i) {
    const double v = h.values[i], centred = (v - mean) * (v - mean);
    s.amax = std::max(s.amax, std::fabs(v));
    if (i % h.cols == 0) s.special_amax = std::max(s.special_amax, std::fabs(v));
    s.rms += v * v / n;
    second += centred / n;
    fourth += centred * centred / n;
  }
  s.rms = std::sqrt(s.rms);
  s.kurtosis = fourth / (second * second);
  return s;
}

/// Smooth-SwiGLU's factor of each channel: the power of two that brings its amax to between 1 and
/// 2, so that neither product with it rounds.
std::vector<double> smoothing_of(const Matrix& h) {
  std::vector<double> factors(h.cols);
  for (std::size_t c = 0; c < h.cols; ++c) {
    double amax = 0;
    for (std::size_t r = 0; r < h.rows; ++r) {
      amax = std::max(amax, std::fabs(h.values[r * h.cols + c]));
    }
    factors[c] = amax == 0 ? 1 : std::ldexp(1.0, -std::ilogb(amax));
  }
  return factors;
}

/// Columns times their factor, or divided by it.
Matrix with_factors(Matrix x, const std::vector<double>& factors, bool divide) {
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    const double f = factors[i % x.cols];
    x.values[i] = divide ? x.values[i] / f : x.values[i] * f;
  }
  return x;
}

Matrix read_back(const Matrix& x, const std::string& granularity, FloatFormat element,
                 int threads) {
  const std::vector<float> values(x.values.begin(), x.values.end());
  std::vector<float> y(values.size());
  dequantize(quantize(values, x.rows, x.cols, find_scale_recipe("transformer-engine"),
                      parse_granularity(granularity), ScaleType::kFp32, element, threads),
             y, threads);
  return {x.rows, x.cols, {y.begin(), y.end()}};
}

/// Errors of the channels but the special one.
struct Cost {
  double others = 0, underflow = 0, output = 0;
};

/// All columns but the first.
Matrix others_of(const Matrix& x) {
  Matrix y{x.rows, x.cols - 1, {}};
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    if (i % x.cols != 0) y.values.push_back(x.values[i]);
  }
  return y;
}

double relative(const Matrix& x, const Matrix& exact) {
  double error = 0, signal = 0;
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    const double e = x.values[i] - exact.values[i];
    error += e * e;
    signal += exact.values[i] * exact.values[i];
  }
  return std::sqrt(error / signal);
}

/// `output` is the error of H W^T over the other channels, both operands quantised together with
/// the special one.
Cost cost_of(const Matrix& h, const Matrix& down, const std::string& way, FloatFormat element,
             int threads) {
  const bool smooth = way.starts_with("smooth");
  const std::string input_block = smooth ? "tensor" : way;
  const std::string weight_block = way == "tensor" || way == "smooth" ? "tensor" : "128x128";
  const std::vector<double> factors = smooth ? smoothing_of(h) : std::vector<double>(h.cols, 1.0);
  const Matrix stored = read_back(with_factors(h, factors, false), input_block, element, threads);
  const Matrix weight =
      read_back(with_factors(down, factors, true), weight_block, element, threads);
  const Matrix exact = others_of(h), found = others_of(with_factors(stored, factors, true));
  Cost cost;
  cost.others = relative(found, exact);
  std::size_t zeros = 0;
  for (std::size_t i = 0; i < exact.values.size(); ++i) {
    zeros += found.values[i] == 0 && exact.values[i] != 0;
  }
  cost.underflow = static_cast<double>(zeros) / static_cast<double>(exact.values.size());
  cost.output = relative(product(others_of(stored), others_of(weight), threads),
                         product(exact, others_of(down), threads));
  return cost;
}

Table run(const Arguments& arguments) {
  const std::size_t tokens = size_argument(arguments, "tokens"),
                    width = size_argument(arguments, "width", 2),
                    hidden = size_argument(arguments, "hidden", 2);
  const auto alignments = arguments.number_list("alignments"),
             gains = arguments.number_list("gains");
  const auto ways = arguments.text_list("scalings");
  const FloatFormat element = parse_format(arguments.text("format")).format;
  const Matrix x = draw(arguments, tokens, width, 0);
  Matrix down = draw(arguments, width, hidden, 3);
  for (double& v : down.values) v /= std::sqrt(static_cast<double>(hidden));
  Table table;
  Progress progress{arguments, alignments.size() * gains.size() * ways.size()};
  for (const double alignment : alignments) {
    if (!(alignment >= -1 && alignment <= 1)) {
      throw std::invalid_argument("parameter alignments: found " + std::to_string(alignment) +
                                  ", expected cosines from -1 to 1");
    }
    for (const double gain : gains) {
      const Matrix h =
          hidden_of(x, weights_of(arguments, width, hidden, gain, alignment), arguments.threads);
      const Shape s = shape_of(h);
      for (const std::string& way : ways) {
        const Cost c = cost_of(h, down, way, element, arguments.threads);
        table.rows.push_back({alignment, gain, way, s.special_amax, s.amax / s.rms, s.kurtosis,
                              c.others, c.underflow, c.output});
        progress.step();
      }
    }
  }
  return table;
}

}  // namespace

Experiment swiglu_outliers() {
  Experiment e;
  e.name = "swiglu_outliers";
  e.question = "How do aligned weights make outliers in SwiGLU, and what does smoothing save?";
  e.source =
      "Fishman et al., arXiv 2409.12517: w1 and w2 of a channel align as training goes on, its "
      "output grows with the square of their length, and one scale a tensor fails after 200 G "
      "tokens; a factor for each channel (Smooth-SwiGLU) repairs it";
  e.parameters = {
      {"alignments", "0,0.5,0.9,0.99,1", "0,1", "cosine between channel 0's gate and up rows", {}},
      {"gains",
       "1,4,16,64,256,1024,4096",
       "1,64",
       "length of those two rows, over that of the others",
       {}},
      {"scalings",
       "tensor,1x128,smooth,smooth-128x128",
       "",
       "one scale a tensor; 1x128 by 128x128; one scale after a power of two for each channel, "
       "which the next weights take back before they are quantised, under one scale or 128x128",
       {"tensor", "1x128", "smooth", "smooth-128x128"}},
      {"format", "e4m3", "", "of SwiGLU's output and the next weights", {"e4m3", "e5m2"}},
      {"tokens", "512", "32", "rows of the input, N(0, 1)", {}},
      {"width", "256", "32", "length of a row", {}},
      {"hidden", "1024", "128", "channels of SwiGLU", {}},
      seed_parameter(),
  };
  e.columns = {
      {"alignment", "", "cosine between channel 0's gate and up rows"},
      {"gain", "", "length of those two rows, over that of the others"},
      {"scaling", "", "how SwiGLU's output is scaled"},
      {"channel_amax", "", "largest magnitude of channel 0"},
      {"amax_over_rms", "", "largest magnitude of SwiGLU's output over its root mean square"},
      {"kurtosis", "", "fourth central moment over the square of the second; 3 if normal"},
      {"others_rel_rms", "", "error of the other channels over their root mean square"},
      {"others_underflow", "", "share of their elements that were not zero and became so"},
      {"output_error", "",
       "relative error (Frobenius) of what the other channels give the next product, both operands "
       "quantised and summed exactly"},
  };
  e.findings = {
      {"channel's largest output, four times as long weights",
       "16 (the square of the length)",
       "16.00",
       "reproduced: once silu(x) is x",
       "channel_amax",
       {{"alignments", "1"}, {"gains", "16,64"}, {"scalings", "tensor"}},
       {{"gain", "64"}},
       {{"gain", "16"}}},
      {"error of the other channels beside a channel of gain 1024, smoothed",
       "training converges again",
       "2.66 %",
       "reproduced for SwiGLU's output: 100 % without. The factors move the outlier into the next "
       "weights, which lose their other channels under one scale (output_error)",
       "others_rel_rms",
       {{"alignments", "1"}, {"gains", "1024"}, {"scalings", "smooth"}},
       {},
       {}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments
