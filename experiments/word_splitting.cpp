// Whether several narrow words an element make a matrix unit as exact as wide elements would.
#include <algorithm>
#include <cmath>

#include "binade/emulation/instructions.hpp"
#include "binade/emulation/scale_recipe.hpp"
#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "sampling.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

/// Vectors [rows, n] in fp64, each scaled by a power of two so that its largest is at most theta.
struct Vectors {
  std::size_t rows = 0, n = 0;
  std::vector<double> values;      ///< scaled
  std::vector<double> inv_scales;  ///< what undoes it
};

/// +-10^U[-spread, spread).
Vectors draw(std::size_t rows, std::size_t n, double spread, double theta, std::uint64_t seed,
             std::uint64_t stream, int threads) {
  Vectors v{rows, n, std::vector<double>(rows * n), {}};
  const auto exponent = sample("uniform", rows * n, seed, stream, threads);
  const auto sign = sample("uniform", rows * n, seed, stream + 1, threads);
  for (std::size_t row = 0; row < rows; ++row) {
    double largest = 0;
    for (std::size_t i = row * n; i < (row + 1) * n; ++i) {
      v.values[i] =
          std::copysign(std::pow(10.0, spread * exponent[i]), static_cast<double>(sign[i]));
      largest = std::max(largest, std::fabs(v.values[i]));
    }
    const double scale = std::exp2(std::floor(std::log2(theta / largest)));
    for (std::size_t i = row * n; i < (row + 1) * n; ++i) v.values[i] *= scale;
    v.inv_scales.push_back(1 / scale);
  }
  return v;
}

/// Word j holds what words 0 .. j - 1 left, times u^-j, rounded to the format.
std::vector<std::vector<double>> split(const Vectors& v, FloatFormat format, int words, double u) {
  std::vector<std::vector<double>> all;
  std::vector<double> left = v.values;
  double lift = 1;
  for (int j = 0; j < words; ++j) {
    std::vector<double> word(left.size());
    for (std::size_t i = 0; i < left.size(); ++i) {
      word[i] = decode(format, encode(format, left[i] * lift));
      left[i] -= word[i] / lift;
    }
    all.push_back(std::move(word));
    lift /= u;
  }
  return all;
}

/// What adds the products of two words to C [a.rows * b.rows].
struct Accumulator {
  std::string name;
  const Instruction* instruction = nullptr;  ///< none: one FP32 addition a product
  double unit_roundoff = 0x1p-24;
};

Accumulator find_accumulator(const std::string& name, const std::string& format) {
  if (name == "fp32") return {name, nullptr, 0x1p-24};
  const Instruction& i = find_instruction(name + "." + format + "." + format);
  const int bits = std::min(i.model.result.mantissa_bits, i.model.alignment_fraction_bits);
  return {name, &i, std::ldexp(1.0, -bits)};
}

void accumulate(const Accumulator& acc, FloatFormat format, const std::vector<double>& a,
                const std::vector<double>& b, std::size_t rows, std::size_t n,
                std::vector<float>& c, int threads) {
  if (acc.instruction == nullptr) {
    for (std::size_t i = 0; i < rows * rows; ++i) {
      const double *left = &a[i / rows * n], *right = &b[i % rows * n];
      for (std::size_t k = 0; k < n; ++k) c[i] += static_cast<float>(left[k] * right[k]);
    }
    return;
  }
  std::vector<std::uint8_t> left(rows * rows * n), right(rows * rows * n);
  for (std::size_t i = 0; i < rows * rows; ++i) {
    for (std::size_t k = 0; k < n; ++k) {
      left[i * n + k] = static_cast<std::uint8_t>(encode(format, a[i / rows * n + k]));
      right[i * n + k] = static_cast<std::uint8_t>(encode(format, b[i % rows * n + k]));
    }
  }
  dot(*acc.instruction, left.data(), right.data(), c.data(), c.data(), rows * rows, n, threads);
}

/// All products of words j and k with j + k < words, most significant first, in one chain; C moves
/// to the next weight by an exact power of two.
std::vector<float> product(const Accumulator& acc, FloatFormat format,
                           const std::vector<std::vector<double>>& a,
                           const std::vector<std::vector<double>>& b, std::size_t rows,
                           std::size_t n, double u, int threads) {
  const auto words = static_cast<int>(a.size());
  std::vector<float> c(rows * rows, 0.0f);
  for (int weight = 0; weight < words; ++weight) {
    for (float& x : c) x = weight == 0 ? x : static_cast<float>(x / u);
    for (int j = 0; j <= weight; ++j) {
      accumulate(acc, format, a[static_cast<std::size_t>(j)],
                 b[static_cast<std::size_t>(weight - j)], rows, n, c, threads);
    }
  }
  for (float& x : c) x = static_cast<float>(x * std::pow(u, words - 1));
  return c;
}

/// |C^ - C|_inf / (|A|_inf |B|_inf) of the unscaled matrices; B is held by columns.
double error_of(const Vectors& a, const Vectors& b, const std::vector<float>& c) {
  double most = 0, norm_a = 0;
  std::vector<double> row_sums_b(b.n);
  for (std::size_t i = 0; i < a.rows; ++i) {
    double row = 0, sum = 0;
    for (std::size_t k = 0; k < a.n; ++k) sum += std::fabs(a.values[i * a.n + k]) * a.inv_scales[i];
    for (std::size_t j = 0; j < b.rows; ++j) {
      long double exact = 0;
      for (std::size_t k = 0; k < a.n; ++k) {
        exact += static_cast<long double>(a.values[i * a.n + k]) * b.values[j * b.n + k];
      }
      row += std::fabs(static_cast<double>(c[i * b.rows + j] - exact)) * a.inv_scales[i] *
             b.inv_scales[j];
    }
    norm_a = std::max(norm_a, sum);
    most = std::max(most, row);
  }
  for (std::size_t j = 0; j < b.rows; ++j) {
    for (std::size_t k = 0; k < b.n; ++k) {
      row_sums_b[k] += std::fabs(b.values[j * b.n + k]) * b.inv_scales[j];
    }
  }
  return most / (norm_a * std::ranges::max(row_sums_b));
}

Table run(const Arguments& arguments) {
  const FormatInfo info = parse_format(arguments.text("format"));
  const FloatFormat format = info.format;
  const double u = std::ldexp(1.0, -format.precision());
  const std::size_t rows = size_argument(arguments, "rows"),
                    seeds = size_argument(arguments, "seeds");
  const auto lengths = arguments.integer_list("n"), words = arguments.integer_list("words");
  const auto accumulators = arguments.text_list("accumulators");
  Table table;
  Progress progress{arguments, lengths.size() * words.size() * accumulators.size() * seeds};
  for (const std::int64_t length : lengths) {
    const std::size_t n = checked_size("n", length);
    const double theta =
        std::min(static_cast<double>(largest_element(format)),
                 std::sqrt(static_cast<double>(kMaxFloat) / static_cast<double>(n)));
    for (const std::int64_t count : words) {
      const auto p = static_cast<int>(checked_size("words", count));
      for (const std::string& name : accumulators) {
        const Accumulator acc = find_accumulator(name, info.name);
        std::vector<double> errors;
        for (std::size_t seed = 0; seed < seeds; ++seed) {
          const auto vectors = [&](std::uint64_t stream) {
            return draw(rows, n, arguments.number("spread"), theta, seed_argument(arguments) + seed,
                        stream, arguments.threads);
          };
          const Vectors a = vectors(0), b = vectors(2);
          errors.push_back(
              error_of(a, b,
                       product(acc, format, split(a, format, p, u), split(b, format, p, u), rows, n,
                               u, arguments.threads)));
          progress.step();
        }
        std::ranges::sort(errors);
        const double size = static_cast<double>(n);
        const double least = std::ldexp(1.0, format.min_ulp_exponent()) / theta;
        const double bound = (p + 1) * std::pow(u, p) + size * p * (p + 1) / 2 * acc.unit_roundoff +
                             4 * size * size * least;
        table.rows.push_back({info.name, name, count, length, errors[errors.size() / 2],
                              errors.front(), errors.back(), bound});
      }
    }
  }
  return table;
}

}  // namespace

Experiment word_splitting() {
  Experiment e;
  e.name = "word_splitting";
  e.question = "Do several FP8 words an element make a product as exact as FP32?";
  e.source =
      "Khattak and Mikaitis, arXiv 2512.07004, matmul_test.m: E5M2 on a model of the H100, one "
      "word "
      "8.1e-3 at n = 1274 and 2.9e-3 at 14384; four words stagnate between 5e-5 and 2.8e-5";
  e.parameters = {
      {"n", "10,32,100,320,1000", "16", "columns of A and rows of B", {}},
      {"words", "1,2,4,6", "1,2", "words an element is split into", {}},
      {"accumulators",
       "hopper.wgmma.f32,blackwell.tcgen05.f32,fp32",
       "hopper.wgmma.f32,fp32",
       "instruction families, and fp32 for one rounded addition a product",
       {}},
      {"format", "e5m2", "", "of the words", {"e5m2", "e4m3"}},
      {"seeds", "3", "2", "draws, of which the median is given", {}},
      {"rows", "10", "3", "rows of A and columns of B", {}},
      {"spread", "10", "", "elements are +-10^U[-spread, spread)", {}},
      seed_parameter(),
  };
  e.columns = {
      {"format", "", "of the words"},
      {"accumulator", "", "instruction family, or fp32"},
      {"words", "", "words an element is split into"},
      {"n", "", "length of the dot products"},
      {"error", "", "|C^ - C|_inf / (|A|_inf |B|_inf), median over the draws"},
      {"error_least", "", "the least of them"},
      {"error_most", "", "the largest of them"},
      {"bound", "", "(p + 1) u^p + n U p (p + 1) / 2 + 4 n^2 f_min / theta, known beforehand"},
  };
  e.keeps_figure = true;
  e.findings = {
      {"one word, H100, n = 1274",
       "8.07e-3",
       "4.53e-3",
       "not reproduced, 0.56 of it: the published point is one draw, but all 20 of ours lie "
       "between 2.6e-3 and 6.3e-3. Why was not found; the curve's slope is the same",
       "error",
       {{"accumulators", "hopper.wgmma.f32"}, {"seeds", "20"}, {"words", "1"}, {"n", "1274"}},
       {},
       {}},
      {"one word, H100, n = 14384",
       "2.89e-3",
       "1.37e-3",
       "not reproduced, 0.47 of it: 20 draws lie between 1.0e-3 and 2.1e-3; as above",
       "error",
       {{"accumulators", "hopper.wgmma.f32"}, {"seeds", "20"}, {"words", "1"}, {"n", "14384"}},
       {},
       {}},
      {"four words, H100, n = 1000",
       "5e-5 to 2.8e-5",
       "2.23e-5",
       "reproduced within a factor of 3 (three draws): it stagnates near 2^-15",
       "error",
       {{"accumulators", "hopper.wgmma.f32"}, {"seeds", "3"}, {"words", "4"}, {"n", "1000"}},
       {},
       {}},
      {"six words, rounded to nearest, n = 1000",
       "4.9e-8 to 2.1e-8",
       "2.76e-8",
       "reproduced",
       "error",
       {{"accumulators", "fp32"}, {"seeds", "3"}, {"words", "6"}, {"n", "1000"}},
       {},
       {}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments
