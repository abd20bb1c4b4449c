// binade explain: one row of a dot product as the matrix unit adds it, in binary.
#include <algorithm>
#include <cmath>
#include <memory>

#include "binade/emulation/exact.hpp"
#include "cli/instruction_option.hpp"
#include "cli/options.hpp"
#include "cli/terminal.hpp"
#include "cli/values.hpp"

namespace binade::cli {
namespace {

struct ExplainOptions {
  InstructionOption instruction;
  DotOperands operands;
  std::size_t row = 0;
};

/// One element of an operand as a code (without the padding of tf32).
std::uint64_t code_at(const io::Tensor& tensor, FloatFormat f, std::size_t index) {
  const std::size_t size = io::info(tensor.dtype).size;
  std::uint64_t word = 0;
  for (std::size_t i = size; i-- > 0;) {
    word = word << 8 | static_cast<std::uint64_t>(tensor.bytes[index * size + i]);
  }
  return code_of_container(f, word);
}

std::string binary(std::uint64_t bits, int width) {
  std::string text;
  for (int i = width; i-- > 0;) text += i < 64 && (bits >> i & 1) != 0 ? '1' : '0';
  return text;
}

/// "+01.1010000000000": a count of units with the binary point `fraction_bits` from the right.
/// A term that was shifted out keeps its sign.
std::string fixed_point(std::int64_t units, bool negative, int fraction_bits, int whole_bits) {
  const std::uint64_t magnitude = static_cast<std::uint64_t>(units < 0 ? -units : units);
  std::string text = binary(magnitude, whole_bits + fraction_bits);
  // Zeros before the leading digit are blanks; the digit before the point stays.
  const auto last_whole = static_cast<std::size_t>(whole_bits - 1);
  const std::size_t lead = std::min(text.find('1'), last_whole);
  std::fill_n(text.begin(), lead, ' ');
  text.insert(lead, negative ? "-" : "+");
  text.insert(static_cast<std::size_t>(whole_bits) + 1, ".");
  return text;
}

/// The bits of a term's significand below the unit: what alignment drops. At most 24 are drawn.
std::string bits_below(const DotTerm& term, int unit_exponent) {
  constexpr int kMost = 24;
  const int below = unit_exponent - (term.exponent - term.fraction_bits);
  if (below <= 0 || term.significand == 0) return "";
  const std::uint64_t lost =
      below >= 64 ? term.significand : term.significand & ((std::uint64_t{1} << below) - 1);
  const std::string bits = binary(lost, below);
  const auto end = bits.find_last_of('1');
  if (end == bits.npos) return "";
  return end < kMost ? bits.substr(0, end + 1) : bits.substr(0, kMost) + "...";
}

std::string term_name(const DotTerm& term) {
  return term.k == kTermC ? "C" : term.k == kTermChain ? "chain" : std::to_string(term.k);
}

/// The digits before the binary point that the widest of a step's numbers needs.
int whole_bits_of(const DotStep& step, int fraction_bits) {
  std::uint64_t widest = static_cast<std::uint64_t>(std::abs(step.sum));
  for (const DotTerm& term : step.terms) {
    widest |= static_cast<std::uint64_t>(std::abs(term.aligned));
  }
  return std::max(1, bit_width_of(widest) - fraction_bits);
}

class Explanation {
 public:
  Explanation(const Instruction& instruction, const DotOperands& operands, std::size_t row)
      : instruction_(instruction), o_(operands), row_(row) {}

  std::string text() {
    const auto at = [&](const io::Tensor& tensor, std::size_t index) {
      return tensor.bytes.data() + index * io::info(tensor.dtype).size;
    };
    const DotTrace trace =
        trace_dot(instruction_, at(o_.a, row_ * o_.k), at(o_.b, row_ * o_.k), at(o_.c, row_), o_.k);
    std::string text = instruction_.name + ", row " + std::to_string(row_) +
                       ", k = " + std::to_string(o_.k) + "\n";
    for (std::size_t i = 0; i < trace.steps.size(); ++i) {
      text += "\nstep " + std::to_string(i + 1) + " of " + std::to_string(trace.steps.size()) +
              step_text(trace.steps[i]);
    }
    return text + "\n" + totals(trace.result);
  }

 private:
  std::string value_text(std::uint64_t code) const {
    const Wide value = to_wide(unpack(instruction_.c, code));
    return code_text(instruction_.c, code) + "   " + short_decimal(value, 20) + "   " +
           hex_float(value);
  }

  /// "0x38 x 0x40" for a product.
  std::string operands_text(const DotTerm& term) const {
    if (term.k == kTermChain || term.k == kTermC) return "";
    const std::size_t index = row_ * o_.k + static_cast<std::size_t>(term.k);
    return code_text(instruction_.a, code_at(o_.a, instruction_.a, index)) + " x " +
           code_text(instruction_.b, code_at(o_.b, instruction_.b, index));
  }

  static std::string product_text(const DotTerm& term) {
    const Wide magnitude = std::ldexp(static_cast<Wide>(term.significand), -term.fraction_bits);
    return std::string(term.negative ? "-" : "") + short_decimal(magnitude, 12) + " x 2^" +
           std::to_string(term.exponent);
  }

  std::string step_text(const DotStep& step) const {
    if (step.terms.empty()) {
      return ": NaN or infinity decides\nD = " + value_text(step.result) + "\n";
    }
    const int fraction_bits = std::clamp(step.max_exponent - step.unit_exponent, 0, 63);
    const int whole_bits = whole_bits_of(step, fraction_bits);
    TextTable table(
        {"k", "codes", ">term", "in units of 2^" + std::to_string(step.max_exponent), "| lost"});
    std::size_t silent = 0;
    for (const DotTerm& term : step.terms) {
      if (term.significand == 0) {
        ++silent;
        continue;
      }
      table.row({term_name(term), operands_text(term), product_text(term),
                 fixed_point(term.aligned, term.negative, fraction_bits, whole_bits),
                 "| " + ink(Ink::kLost, bits_below(term, step.unit_exponent))});
    }
    table.row({"sum", "", "", fixed_point(step.sum, step.sum < 0, fraction_bits, whole_bits), "|"});
    std::string text = step.is_final_addition ? ": C is added to the finished chain" : "";
    text += ", largest exponent " + std::to_string(step.max_exponent) + ", last place kept 2^" +
            std::to_string(step.unit_exponent) + "\n" + table.text();
    if (silent != 0)
      text += ink(Ink::kFaint, "and " + std::to_string(silent) + " zero terms") + "\n";
    return text + "D = " + value_text(step.result) + "\n";
  }

  /// What arithmetic without rounding gives, and how far the instruction is from it.
  std::string totals(std::uint64_t result) const {
    ExactSum sum;
    for (std::size_t i = row_ * o_.k; i < (row_ + 1) * o_.k; ++i) {
      sum.add_product(unpack(instruction_.a, code_at(o_.a, instruction_.a, i)),
                      unpack(instruction_.b, code_at(o_.b, instruction_.b, i)));
    }
    sum.add(unpack(instruction_.c, code_at(o_.c, instruction_.c, row_)));
    const double exact = sum.to_double();
    const std::uint64_t rounded = sum.round(instruction_.c);
    std::string text = "result     " + value_text(result) + "\n";
    text += "exact sum  " + short_decimal(exact, 20) + "   " + hex_float(exact) +
            "   (to fp64, nearest even)\n";
    text += "rounded    " + value_text(rounded) + "   (once, nearest even)\n";
    if (rounded == result) return text + "the instruction gives the rounded exact sum\n";
    const Unpacked u = unpack(instruction_.c, rounded);
    const Wide error = to_wide(unpack(instruction_.c, result)) - exact;
    if (!std::isfinite(error)) return text;
    char buffer[96];
    std::snprintf(buffer, sizeof buffer, "error      %+.6Lg   %+.6Lg ulp", error,
                  error / std::ldexp(Wide(1), u.exponent));
    text += buffer;
    if (exact != 0) {
      std::snprintf(buffer, sizeof buffer, "   %+.6Lg %%", 100 * error / exact);
      text += buffer;
    }
    return text + "\n";
  }

  const Instruction& instruction_;
  const DotOperands& o_;
  std::size_t row_;
};

void run_explain(ExplainOptions options, Session& session) {
  const Instruction instruction = options.instruction.get();
  load_operands(instruction, options.operands);
  if (options.row >= options.operands.rows) {
    throw UsageError("--row " + std::to_string(options.row) + ": '" + options.operands.a_path +
                     "' has " + std::to_string(options.operands.rows) + " rows, expected 0 to " +
                     std::to_string(options.operands.rows - 1));
  }
  session.out << Explanation(instruction, options.operands, options.row).text();
}

}  // namespace

Command explain_command() {
  return {"explain", "one row of a dot product in binary: aligned terms, lost bits, sum, result",
          "binade explain --instruction hopper.wgmma.f32.e4m3.e4m3 a.npy b.npy c.npy --row 0",
          [](CLI::App& app) -> Action {
            const auto options = std::make_shared<ExplainOptions>();
            add_instruction(app, options->instruction);
            add_dot_operands(app, options->operands);
            app.add_option("--row", options->row, "which row, from 0")
                ->check(CLI::NonNegativeNumber)
                ->required()
                ->type_name("R");
            return [options](Session& session) { run_explain(*options, session); };
          }};
}

}  // namespace binade::cli
