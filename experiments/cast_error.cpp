// What one cast to a narrow format does to a number, over all inputs of a wider one.
#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <functional>
#include <span>

#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

/// A set of inputs, made in pieces: every fp32 number would not fit in memory.
struct InputSet {
  std::string name;
  std::size_t count;
  std::function<void(std::size_t first, std::span<float>)> fill;
};

/// The positive finite numbers of a format that embeds in fp32, in ascending order.
InputSet positive_numbers(const FormatInfo& info) {
  const FloatFormat f = info.format;
  return {info.name, f.max_finite_code(), [f](std::size_t first, std::span<float> x) {
            for (std::size_t i = 0; i < x.size(); ++i) {
              x[i] = static_cast<float>(decode(f, first + i + 1));
            }
          }};
}

InputSet log_spaced(int low, int high, std::size_t per_binade) {
  const std::size_t count = static_cast<std::size_t>(high - low) * per_binade;
  return {"log_spaced", count, [=](std::size_t first, std::span<float> x) {
            for (std::size_t i = 0; i < x.size(); ++i) {
              const double octaves =
                  static_cast<double>(first + i) / static_cast<double>(per_binade);
              x[i] = static_cast<float>(std::exp2(low + octaves));
            }
          }};
}

InputSet tensor_elements(const InputTensor& tensor) {
  return {tensor.name, tensor.values.size(), [&tensor](std::size_t first, std::span<float> x) {
            std::copy_n(tensor.values.begin() + static_cast<std::ptrdiff_t>(first), x.size(),
                        x.begin());
          }};
}

struct Bin {
  std::size_t inputs = 0, exact = 0, subnormal = 0, zero = 0, overflow = 0;
  double max_error = 0, sum_squared = 0, sum = 0;
  float worst = 0;
};

/// Equal slices of the binades of [2^low, 2^high), one bin below them and one above.
struct BinAxis {
  int low, high;
  std::size_t per_binade;

  std::size_t size() const { return static_cast<std::size_t>(high - low) * per_binade + 2; }
  std::size_t index(double magnitude) const {
    int exponent = 0;
    const double fraction = std::frexp(magnitude, &exponent);  // [0.5, 1)
    --exponent;
    if (exponent < low) return 0;
    if (exponent >= high) return size() - 1;
    const auto slice =
        static_cast<std::size_t>((2 * fraction - 1) * static_cast<double>(per_binade));
    return 1 + static_cast<std::size_t>(exponent - low) * per_binade + slice;
  }
  int binade(std::size_t bin) const {
    return bin == 0 ? low - 1 : low + static_cast<int>((bin - 1) / per_binade);
  }
  /// Lower end of a bin, which is the upper end of the one before.
  double lower_end(std::size_t bin) const {
    if (bin == 0) return 0;
    if (bin >= size()) return FLT_MAX;
    const double slice = static_cast<double>((bin - 1) % per_binade);
    return std::ldexp(1 + slice / static_cast<double>(per_binade), binade(bin));
  }
};

void account(Bin& bin, FloatFormat f, float x, float rounded) {
  const double error = (static_cast<double>(rounded) - x) / x;
  const double magnitude = std::fabs(rounded);
  const double smallest_normal = std::ldexp(1.0, f.emin());
  ++bin.inputs;
  bin.exact += rounded == x;
  bin.zero += magnitude == 0;
  bin.subnormal += magnitude > 0 && magnitude < smallest_normal;
  bin.overflow += std::fabs(x) > decode(f, f.max_finite_code());
  bin.sum += error;
  bin.sum_squared += error * error;
  if (std::fabs(error) > bin.max_error) {
    bin.max_error = std::fabs(error);
    bin.worst = x;
  }
}

struct Binned {
  std::vector<Bin> bins;
  std::size_t left_out = 0;  ///< zeros, NaN and infinities among the inputs
};

Binned measure(const InputSet& inputs, FloatFormat f, const BinAxis& axis, CastRules rules,
               std::uint64_t seed) {
  constexpr std::size_t kPiece = std::size_t{1} << 16;
  std::vector<float> x(std::min(kPiece, inputs.count)), rounded(x.size());
  Binned result{std::vector<Bin>(axis.size()), 0};
  for (std::size_t first = 0; first < inputs.count; first += kPiece) {
    const std::size_t n = std::min(kPiece, inputs.count - first);
    inputs.fill(first, std::span(x).first(n));
    round_to(f, std::span(x).first(n), std::span(rounded).first(n), rules, seed + first);
    for (std::size_t i = 0; i < n; ++i) {
      if (x[i] == 0 || !std::isfinite(x[i])) {
        ++result.left_out;
        continue;
      }
      account(result.bins[axis.index(std::fabs(x[i]))], f, x[i], rounded[i]);
    }
  }
  return result;
}

void add_rows(Table& table, const std::string& format, const std::string& inputs,
              const BinAxis& axis, const std::vector<Bin>& bins) {
  for (std::size_t i = 0; i < bins.size(); ++i) {
    const Bin& b = bins[i];
    if (b.inputs == 0) continue;
    const auto n = static_cast<double>(b.inputs);
    table.rows.push_back({format, inputs, std::int64_t{axis.binade(i)}, axis.lower_end(i),
                          axis.lower_end(i + 1), count_cell(b.inputs), count_cell(b.exact),
                          count_cell(b.subnormal), count_cell(b.zero), count_cell(b.overflow),
                          b.max_error, static_cast<double>(b.worst), std::sqrt(b.sum_squared / n),
                          b.sum / n});
  }
}

/// An end of the axis: what was given, or `automatic`.
int exponent_argument(const Arguments& arguments, const std::string& name, int automatic) {
  if (arguments.text(name) == "auto") return automatic;
  const std::int64_t exponent = arguments.integer(name);
  if (exponent < -149 || exponent > 128) {
    throw std::invalid_argument("parameter " + name + ": found " + std::to_string(exponent) +
                                ", expected auto or -149 to 128");
  }
  return static_cast<int>(exponent);
}

/// The binades of [2^low, 2^high) that hold the tensor's elements.
std::pair<int, int> binades_of(const InputTensor& tensor) {
  int low = 128, high = -149;
  for (const float x : tensor.values) {
    if (x == 0 || !std::isfinite(x)) continue;
    low = std::min(low, std::ilogb(x));
    high = std::max(high, std::ilogb(x) + 1);
  }
  return low < high ? std::pair{low, high} : std::pair{0, 1};
}

BinAxis bin_axis(const Arguments& arguments) {
  const auto [first, last] = arguments.tensor ? binades_of(*arguments.tensor) : std::pair{-20, 20};
  const int low = exponent_argument(arguments, "low_exponent", first);
  const int high = exponent_argument(arguments, "high_exponent", last);
  if (low >= high) {
    throw std::invalid_argument("parameters low_exponent, high_exponent: found " +
                                std::to_string(low) + " and " + std::to_string(high) +
                                ", expected low < high");
  }
  return {low, high, size_argument(arguments, "bins_per_binade")};
}

Table run(const Arguments& arguments) {
  const BinAxis axis = bin_axis(arguments);
  const std::string source = arguments.text("inputs");
  const InputSet inputs =
      arguments.tensor ? tensor_elements(*arguments.tensor)
      : source == "log_spaced"
          ? log_spaced(axis.low, axis.high, size_argument(arguments, "points_per_binade"))
          : positive_numbers(parse_format(source));
  CastRules rules;
  rules.rounding = parse_rounding(arguments.text("rounding"));

  Table table;
  const auto formats = arguments.text_list("formats");
  Progress progress{arguments, formats.size()};
  std::size_t left_out = 0;
  for (const std::string& name : formats) {
    const FormatInfo info = parse_format(name);
    const Binned result = measure(inputs, info.format, axis, rules, seed_argument(arguments));
    add_rows(table, info.name, inputs.name, axis, result.bins);
    left_out = result.left_out;
    progress.step();
  }
  if (left_out != 0) {
    table.notes.push_back(std::to_string(left_out) + " of " + std::to_string(inputs.count) +
                          " elements are zero, NaN or infinite and were left out");
  }
  return table;
}

}  // namespace

Experiment cast_error() {
  Experiment e;
  e.name = "cast_error";
  e.question = "How far does one cast move a number, and where on the axis?";
  e.source =
      "OCP OFP8 1.0 and arXiv 2209.05433, Table 1: on normal numbers the worst relative error is "
      "u / (1 + u), 1/17 for E4M3 and 1/9 for E5M2; it grows to 1 where subnormals end";
  e.parameters = {
      {"formats", "e5m2,e4m3,e3m2,e2m1", "e4m3,e2m1", "formats to cast to, unscaled", {}},
      {"inputs",
       "bf16",
       "",
       "every positive number of a format, or log-spaced fp32 numbers",
       {"bf16", "fp16", "fp32", "log_spaced"}},
      {"rounding", "nearest_even", "", "rounding of the cast, which saturates", rounding_names()},
      {"low_exponent",
       "auto",
       "-12",
       "the bins start at 2 to this, all below share one; auto: -20, or a tensor's own",
       {}},
      {"high_exponent",
       "auto",
       "10",
       "the bins end at 2 to this, all above share one; auto: 20, or a tensor's own",
       {}},
      {"bins_per_binade", "64", "8", "equal slices of each binade", {}},
      {"points_per_binade", "512", "16", "inputs in each binade, for log_spaced", {}},
      seed_parameter(),
  };
  e.columns = {
      {"format", "", "the target of the cast"},
      {"inputs", "", "the set of inputs, or the tensor"},
      {"binade", "", "exponent e of the bin's binade; the first and the last bin are open"},
      {"x_low", "", "lower end of the bin of |x|, included"},
      {"x_high", "", "upper end of the bin, not included"},
      {"count", "", "inputs in the bin"},
      {"exact", "", "of these, inputs that the cast does not change"},
      {"subnormal", "", "of these, inputs that become a subnormal number"},
      {"zero", "", "of these, inputs that become zero"},
      {"overflow", "", "of these, inputs beyond the largest finite number"},
      {"max_rel_error", "", "largest |rounded - x| / |x|"},
      {"worst_x", "", "the first input with that error; 0 if all are exact"},
      {"rms_rel_error", "", "root mean square of (rounded - x) / x"},
      {"mean_rel_error", "", "mean of (rounded - x) / x; positive when magnitudes grow"},
  };
  e.takes_tensor = true;
  e.keeps_figure = true;
  e.findings = {
      {"largest relative error of a normal number, E4M3",
       "u / (1 + u) = 5.88 %",
       "5.88 %",
       "reproduced",
       "max_rel_error",
       {{"formats", "e4m3"}, {"bins_per_binade", "1"}},
       {{"binade", "0"}},
       {}},
      {"the same, E5M2",
       "11.11 %",
       "11.11 %",
       "reproduced",
       "max_rel_error",
       {{"formats", "e5m2"}, {"bins_per_binade", "1"}},
       {{"binade", "0"}},
       {}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments
