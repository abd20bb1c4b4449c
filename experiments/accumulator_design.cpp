// What a wider accumulator would buy: hypothetical matrix units beside an a-priori bound.
#include <algorithm>
#include <cmath>
#include <span>

#include "binade/emulation/gemm.hpp"
#include "binade/emulation/metrics.hpp"
#include "binade/formats/catalog.hpp"
#include "read_back.hpp"
#include "sampling.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

/// A unit like Hopper's for FP8 with F fraction bits in alignment and accumulator, and `group`
/// products a step.
Instruction unit(const FormatInfo& format, int fraction_bits, int group) {
  Instruction i = find_instruction("hopper.wgmma.f32." + format.name + "." + format.name);
  i.name = "hypothetical";
  i.verified = false;
  i.k = std::max(32, group);
  i.model.step_k = group;
  i.model.alignment_fraction_bits = fraction_bits;
  i.model.result.mantissa_bits = fraction_bits;
  return i;
}

/// Quantised operands, the exact product of their values, and that of their magnitudes.
struct Problem {
  std::string distribution, scaling;
  FormatInfo format;
  std::size_t k = 0;
  Quantized a, b;
  std::vector<double> exact;
  std::vector<double> magnitude;  ///< |A| |B|^T

  /// Scales of a whole tensor are common factors of all outputs and play no part.
  bool is_scaled() const { return scaling != "tensor"; }
};

GemmOperand operand_of(const Problem& p, const Quantized& q) {
  GemmOperand operand{q.element, q.codes.data(), q.rows};
  if (p.is_scaled()) {
    operand.scales = q.scales;
    operand.scale_rows = q.scale_rows;
    operand.scale_cols = q.scale_cols;
  }
  return operand;
}

std::vector<double> exact_product(const Problem& p, const Quantized& a, const Quantized& b,
                                  int threads) {
  std::vector<double> d(a.rows * b.rows);
  exact_gemm(operand_of(p, a), operand_of(p, b), p.k, d, threads);
  return d;
}

Quantized without_signs(Quantized q) {
  const auto mask = static_cast<std::uint8_t>(q.element.magnitude_mask());
  for (std::uint8_t& code : q.codes) code &= mask;
  return q;
}

Problem make_problem(const InputTensor& a, const InputTensor& b, const std::string& format,
                     const std::string& scaling, int threads) {
  if (a.cols != b.cols) {
    throw std::invalid_argument("tensors " + a.name + " and " + b.name + ": rows of " +
                                std::to_string(a.cols) + " and " + std::to_string(b.cols) +
                                " elements, expected equal lengths K");
  }
  Problem p;
  p.distribution = a.name;
  p.scaling = scaling;
  p.format = parse_format(format);
  p.k = a.cols;
  const auto quantized = [&](const InputTensor& x, Granularity block) {
    return quantize(x.values, x.rows, x.cols, find_scale_recipe("deepgemm"),
                    p.is_scaled() ? block : kPerTensor, ScaleType::kFp32, p.format.format, threads);
  };
  p.a = quantized(a, {1, 128});
  p.b = quantized(b, {128, 128});
  p.exact = exact_product(p, p.a, p.b, threads);
  p.magnitude = exact_product(p, without_signs(p.a), without_signs(p.b), threads);
  return p;
}

/// |error| <= bound * (|A| |B|^T), element by element, before anything is computed. A step
/// truncates its group + 1 terms by less than 2^-F of the largest, and its result by 2^-F of
/// itself; both are at most the sum of the chain's magnitudes, which truncation never raises. Each
/// promotion rounds to FP32. Largest products of subnormal operands, whose exponent exceeds their
/// size, are left out.
double a_priori_bound(std::size_t k, int fraction_bits, int group, std::int64_t interval,
                      bool is_scaled) {
  const double chain = interval == 0
                           ? static_cast<double>(k)
                           : std::min(static_cast<double>(k), static_cast<double>(interval));
  const double steps = std::ceil(chain / group);
  const double chains = interval == 0 ? 0 : std::ceil(static_cast<double>(k) / chain);
  const double roundings = chains + (is_scaled ? 2 : 0);
  return steps * (group + 2) * std::ldexp(1.0, -fraction_bits) + roundings * 0x1p-24;
}

void add_row(Table& table, const Problem& p, int fraction_bits, int group, std::int64_t interval,
             int threads) {
  const Instruction instruction = unit(p.format, fraction_bits, group);
  GemmOptions options;
  options.instruction = &instruction;
  options.promotion_interval = static_cast<int>(interval);
  options.threads = threads;
  std::vector<float> computed(p.exact.size());
  gemm(find_gemm_profile(p.is_scaled() ? "deepgemm" : "cublaslt"), operand_of(p, p.a),
       operand_of(p, p.b), p.k, kFp32Format, computed.data(), options);
  const ErrorMetrics m = error_metrics(std::span<const float>(computed), p.exact);
  double backward = 0;
  for (std::size_t i = 0; i < p.exact.size(); ++i) {
    if (p.magnitude[i] == 0) continue;
    backward = std::max(backward, std::fabs(computed[i] - p.exact[i]) / p.magnitude[i]);
  }
  table.rows.push_back({p.distribution, p.format.name, p.scaling, std::int64_t{fraction_bits},
                        std::int64_t{group}, interval,
                        std::int64_t{1 + instruction.model.result.exponent_bits + fraction_bits},
                        m.max_over_mean, m.fro_rel, m.bias, backward,
                        a_priori_bound(p.k, fraction_bits, group, interval, p.is_scaled())});
}

int small(const std::string& name, std::int64_t value, std::int64_t least, std::int64_t most) {
  if (value >= least && value <= most) return static_cast<int>(value);
  throw std::invalid_argument("parameter " + name + ": found " + std::to_string(value) +
                              ", expected " + std::to_string(least) + " to " +
                              std::to_string(most));
}

/// Chains must end where a block's scale does.
bool fits(const Problem& p, std::int64_t interval) {
  return !p.is_scaled() || (interval > 0 && 128 % interval == 0);
}

void add_rows(Table& table, const Problem& p, const Arguments& arguments, Progress& progress) {
  for (const std::int64_t group : arguments.integer_list("groups")) {
    for (const std::int64_t interval : arguments.integer_list("intervals")) {
      for (const std::int64_t bits : arguments.integer_list("fraction_bits")) {
        progress.step();
        if (!fits(p, small("intervals", interval, 0, 1 << 24))) continue;
        add_row(table, p, small("fraction_bits", bits, 1, 23), small("groups", group, 1, 256),
                interval, arguments.threads);
      }
    }
  }
}

InputTensor random_operand(const std::string& distribution, const std::string& rows, std::size_t k,
                           const Arguments& arguments, std::uint64_t stream) {
  const std::size_t count = size_argument(arguments, rows);
  return {distribution,
          sample(distribution, count * k, seed_argument(arguments), stream, arguments.threads),
          count, k};
}

Table run(const Arguments& arguments) {
  const auto formats = arguments.text_list("formats"), scalings = arguments.text_list("scalings");
  const auto distributions =
      arguments.tensor ? std::vector<std::string>{"normal"} : arguments.text_list("distributions");
  Table table;
  Progress progress{arguments, distributions.size() * formats.size() * scalings.size() *
                                   arguments.integer_list("fraction_bits").size() *
                                   arguments.integer_list("groups").size() *
                                   arguments.integer_list("intervals").size()};
  for (const std::string& name : distributions) {
    const InputTensor a =
        arguments.tensor ? *arguments.tensor
                         : random_operand(name, "m", size_argument(arguments, "k"), arguments, 0);
    const InputTensor b = arguments.second_tensor ? *arguments.second_tensor
                                                  : random_operand(name, "n", a.cols, arguments, 1);
    for (const std::string& format : formats) {
      for (const std::string& scaling : scalings) {
        add_rows(table, make_problem(a, b, format, scaling, arguments.threads), arguments,
                 progress);
      }
    }
    if (arguments.tensor) table.notes.push_back("A is " + a.name + ", B is " + b.name);
  }
  if (table.rows.empty()) {
    throw std::invalid_argument(
        "parameter intervals: found " + arguments.text("intervals") +
        ", expected a divisor of 128 among them: scales of 1x128 change there");
  }
  return table;
}

}  // namespace

Experiment accumulator_design() {
  Experiment e;
  e.name = "accumulator_design";
  e.question = "What would a wider accumulator buy?";
  e.source =
      "DeepSeek-V3 report 3.5.2 asks for more accumulation precision than 14 bits; bounds in the "
      "manner of Blanchard, Higham, Lopez, Mary, Pranesh (SIAM J. Sci. Comput. 2020)";
  e.parameters = {
      {"distributions", "normal,uniform01", "normal", "of A and of B", distribution_names()},
      {"formats", "e4m3,e5m2", "e4m3", "of A and B", {"e4m3", "e5m2"}},
      {"scalings",
       "tensor,1x128",
       "",
       "one scale a tensor, or 1x128 by 128x128 as DeepGEMM applies them",
       {"tensor", "1x128"}},
      {"fraction_bits",
       "7,9,11,13,15,17,19,21,23",
       "13,23",
       "kept in alignment and in the accumulator",
       {}},
      {"groups", "8,32", "32", "products summed in one step", {}},
      {"intervals", "0,512,128", "0,128", "elements between promotions to FP32; 0: none", {}},
      {"k", "4096", "256", "length of the dot products", {}},
      {"m", "32", "8", "rows of A", {}},
      {"n", "32", "8", "rows of B, of which each gives a column of the result", {}},
      seed_parameter(),
  };
  e.columns = {
      {"distribution", "", "of A and B, or the tensor"},
      {"format", "", "of A and B"},
      {"scaling", "", "blocks that share a scale"},
      {"fraction_bits", "", "kept in alignment and in the accumulator"},
      {"group", "", "products summed in one step"},
      {"interval_elements", "", "elements between promotions to FP32; 0: none"},
      {"accumulator_bits", "", "sign, 8 exponent bits and the fraction bits"},
      {"max_over_mean", "", "max |error| / mean |exact|"},
      {"fro_rel", "", "Frobenius norm of the error over that of the exact product"},
      {"bias", "", "mean (error * sign exact) / mean |exact|"},
      {"backward", "", "max |error| / (|A| |B|^T), element by element"},
      {"bound", "", "what backward cannot exceed, known beforehand"},
  };
  e.takes_tensor = true;
  e.keeps_figure = true;
  e.findings = {
      {"13 fraction bits in steps of 32, N(0, 1), never promoted: error of K = 4096",
       "1.35e-3 (calculated)",
       "1.32e-3",
       "reproduced: bit for bit the model of Hopper in promotion_interval",
       "fro_rel",
       {{"fraction_bits", "13"},
        {"groups", "32"},
        {"intervals", "0"},
        {"formats", "e4m3"},
        {"scalings", "tensor"},
        {"m", "128"},
        {"n", "128"},
        {"distributions", "normal"}},
       {},
       {}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments
