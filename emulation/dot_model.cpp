// Rows of chained instructions, and the checks that keep the scalar core total.
#include "binade/emulation/dot_model.hpp"

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <stdexcept>

#include "binade/emulation/dot_step.hpp"
#include "binade/formats/catalog.hpp"
#include "binade/formats/visit.hpp"
#include "dot_lanes.hpp"

namespace binade {
namespace {

[[noreturn]] void refuse(const Instruction& i, const std::string& field, const std::string& why) {
  throw std::invalid_argument("instruction " + (i.name.empty() ? "(unnamed)" : i.name) + ": " +
                              field + " " + why);
}

void validate_operand(const Instruction& i, const char* field, FloatFormat f) {
  if (f.mantissa_bits < 0 || f.mantissa_bits > 23 || f.exponent_bits < 1 || f.exponent_bits > 11) {
    refuse(i, field,
           "is " + format_name(f) + ": operands have at most 23 mantissa and 11 exponent bits");
  }
}

/// Of the kind of fp32 or fp16: the same exponents, perhaps fewer mantissa bits.
bool is_like(FloatFormat f, FloatFormat whole) {
  FloatFormat widened = f;
  widened.mantissa_bits = whole.mantissa_bits;
  return widened == whole && f.mantissa_bits >= 1 && f.mantissa_bits <= whole.mantissa_bits;
}

void validate_result(const Instruction& i) {
  if (i.c != Fp32::format && i.c != Fp16::format) {
    refuse(i, "c", "is " + format_name(i.c) + ": C and D are fp32 or fp16");
  }
  if (!is_like(i.model.result, i.c)) {
    refuse(i, "result",
           "is " + format_name(i.model.result) + ": it must have the exponents of " +
               format_name(i.c) + " and no more mantissa bits");
  }
  if (i.model.result_rounding != Rounding::kTowardZero &&
      i.model.result_rounding != Rounding::kNearestEven) {
    refuse(i, "result_rounding", "must be toward_zero or nearest_even");
  }
}

void validate_steps(const Instruction& i) {
  const DotModel& m = i.model;
  if (m.step_k < 1) refuse(i, "step_k", "is " + std::to_string(m.step_k) + ": at least 1");
  if (i.k < 1 || i.k % m.step_k != 0) {
    refuse(i, "k",
           "is " + std::to_string(i.k) +
               ": a positive multiple of step_k = " + std::to_string(m.step_k));
  }
  if (m.order == StepOrder::kInterleavedPairs && (i.k != 2 * m.step_k || i.k % 4 != 0)) {
    refuse(i, "order",
           "interleaved_pairs takes two steps and k a multiple of 4, not k = " +
               std::to_string(i.k) + " with step_k = " + std::to_string(m.step_k));
  }
}

/// The [rows, k] containers of one operand, decoded row by row.
class OperandRows {
 public:
  OperandRows(FloatFormat f, const void* codes, std::size_t k)
      : format_(f),
        codes_(static_cast<const unsigned char*>(codes)),
        k_(k),
        bytes_(static_cast<std::size_t>(f.container_bits()) / 8) {
    if (bytes_ != 1) return;
    table_.resize(256);
    for (std::size_t code = 0; code < table_.size(); ++code) {
      table_[code] = dot_operand(f, code_of_container(f, code));
    }
  }

  /// Decodes a row into `operands`, which may be longer: the rest becomes zeros.
  void read(std::size_t row, std::vector<DotOperand>& operands) const {
    const unsigned char* source = codes_ + row * k_ * bytes_;
    if (bytes_ == 1) {
      for (std::size_t i = 0; i < k_; ++i) operands[i] = table_[source[i]];
    } else if (!visit_format(format_, [&]<class Tag>() {
                 decode_all(Tag::format, source, operands);  // compiled for this format
               })) {
      decode_all(format_, source, operands);
    }
    for (std::size_t i = k_; i < operands.size(); ++i) operands[i] = zero_operand(format_);
  }

 private:
  // Forced inline, so that a constant format folds into the loop.
  BINADE_HD void decode_all(FloatFormat f, const unsigned char* source,
                            std::vector<DotOperand>& operands) const {
    const auto bytes = static_cast<std::size_t>(f.container_bits()) / 8;
    for (std::size_t i = 0; i < k_; ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, source + i * bytes, bytes);  // little-endian, as all supported hosts
      operands[i] = dot_operand(f, code_of_container(f, word));
    }
  }

  FloatFormat format_;
  const unsigned char* codes_;
  std::size_t k_, bytes_;
  std::vector<DotOperand> table_;
};

std::uint64_t load_c(FloatFormat c, const void* codes, std::size_t row) {
  std::uint64_t word = 0;
  const auto bytes = static_cast<std::size_t>(c.container_bits()) / 8;
  std::memcpy(&word, static_cast<const unsigned char*>(codes) + row * bytes, bytes);
  return word;
}

void store_d(FloatFormat c, std::uint64_t code, void* codes, std::size_t row) {
  const auto bytes = static_cast<std::size_t>(c.container_bits()) / 8;
  std::memcpy(static_cast<unsigned char*>(codes) + row * bytes, &code, bytes);
}

std::size_t padded(const Instruction& i, std::size_t k) {
  const auto step = static_cast<std::size_t>(i.k);
  return (k + step - 1) / step * step;
}

void check_arrays(const Instruction& i, bool null, std::size_t k) {
  validate(i);
  if (k == 0) refuse(i, "k of the rows", "is 0: at least one product");
  if (null) refuse(i, "arrays", "a, b, c and d must not be null");
}

/// Rows through the scalar core, one by one.
class ScalarRows {
 public:
  ScalarRows(const Instruction& i, const DotPlan& plan, const void* a, const void* b, const void* c,
             void* d, std::size_t k)
      : plan_(plan),
        a_rows_(i.a, a, k),
        b_rows_(i.b, b, k),
        c_(c),
        d_(d),
        x_(padded(i, k)),
        y_(x_.size()) {}

  void run(std::size_t row) {
    a_rows_.read(row, x_);
    b_rows_.read(row, y_);
    std::uint64_t code = load_c(plan_.c, c_, row);
    for (std::size_t first = 0; first < x_.size(); first += static_cast<std::size_t>(plan_.k)) {
      code = dot_instruction(plan_, x_.data() + first, y_.data() + first, code);
    }
    store_d(plan_.c, code, d_, row);
  }

 private:
  const DotPlan& plan_;
  OperandRows a_rows_, b_rows_;
  const void* c_;
  void* d_;
  std::vector<DotOperand> x_, y_;
};

DotTerm product_term(const DotPlan& p, const DotOperand* a, const DotOperand* b, int index) {
  const DotOperand x = a[index], y = b[index];
  const std::int64_t product = std::int64_t{x.significand} * y.significand;
  DotTerm t;
  t.k = index;
  t.negative = product < 0;
  t.significand = static_cast<std::uint64_t>(product < 0 ? -product : product);
  t.exponent = product_exponent(p, x, y);
  t.fraction_bits = p.product_fraction_bits + t.exponent - (x.exponent + y.exponent);
  t.takes_part = counts(p.model, product);
  return t;
}

DotTerm addend_term(const DotPlan& p, int k, DotOperand c) {
  DotTerm t;
  t.k = k;
  t.negative = c.significand < 0;
  t.significand = static_cast<std::uint64_t>(t.negative ? -c.significand : c.significand);
  t.fraction_bits = p.c.mantissa_bits;
  t.exponent = c.exponent;
  t.takes_part = counts(p.model, c.significand);
  return t;
}

/// Places a term on the grid of its step and says whether anything fell off.
void place(const DotPlan& p, DotStep& step, DotTerm t) {
  const auto magnitude = static_cast<std::int64_t>(t.significand);
  const std::int64_t signed_magnitude = t.negative ? -magnitude : magnitude;
  t.aligned = align_term(p.model, signed_magnitude, t.exponent, t.fraction_bits, step.max_exponent);
  const int drop = step.unit_exponent - t.exponent + t.fraction_bits;
  t.lost_bits = drop > 0 && magnitude != 0 &&
                (drop > 62 || (magnitude & ((std::int64_t{1} << drop) - 1)) != 0);
  step.sum += t.aligned;
  step.terms.push_back(t);
}

DotStep trace_step(const DotPlan& p, const DotOperand* a, const DotOperand* b, int step,
                   std::uint64_t c_code) {
  DotStep s;
  const DotOperand c = dot_operand(p.c, c_code);
  const StepSurvey survey = survey_step(p, a, b, step, c);
  s.max_exponent = survey.max_exponent;
  s.unit_exponent = survey.max_exponent - p.model.alignment_fraction_bits;
  s.result = dot_step(p, a, b, step, c_code);
  if (survey.special.any()) return s;
  for (int i = 0; i < p.model.step_k; ++i) {
    place(p, s, product_term(p, a, b, step_index(p.model, step, i)));
  }
  place(p, s, addend_term(p, kTermC, c));
  return s;
}

DotStep trace_addition(const DotPlan& p, std::uint64_t chain_code, std::uint64_t c_code) {
  DotStep s;
  s.is_final_addition = true;
  s.result = add_last(p, chain_code, c_code);
  const DotOperand x = dot_operand(p.c, chain_code), y = dot_operand(p.c, c_code);
  if (x.value_class != ValueClass::kFinite || y.value_class != ValueClass::kFinite) return s;
  const bool chain_first = x.exponent >= y.exponent;
  const AlignedPair pair = chain_first ? align_pair(p.c, x, y) : align_pair(p.c, y, x);
  DotTerm chain = addend_term(p, kTermChain, x), c = addend_term(p, kTermC, y);
  chain.aligned = chain_first ? pair.large : pair.small;
  c.aligned = chain_first ? pair.small : pair.large;
  (chain_first ? c : chain).lost_bits = pair.lost_bits;
  s.max_exponent = chain_first ? x.exponent : y.exponent;
  s.unit_exponent = pair.unit_exponent;
  s.sum = pair.large + pair.small;
  s.terms = {chain, c};
  return s;
}

}  // namespace

void validate(const Instruction& i) {
  validate_operand(i, "a", i.a);
  validate_operand(i, "b", i.b);
  validate_result(i);
  validate_steps(i);
  const DotModel& m = i.model;
  const int f = m.alignment_fraction_bits;
  if (f < 1 || f > 48) {
    refuse(i, "alignment_fraction_bits", "is " + std::to_string(f) + ": outside 1..48");
  }
  // Products stay below 4 * 2^E and C below 2 * 2^E.
  if (4 * std::int64_t{m.step_k} + 2 > std::int64_t{1} << (62 - f)) {
    refuse(i, "step_k",
           "is " + std::to_string(m.step_k) + ": with F = " + std::to_string(f) +
               " the sum would exceed 63 bits");
  }
  const auto check_exponent = [&](const char* field, int exponent, int none) {
    constexpr int kFarthest = 1 << 14;
    if (exponent == none || (exponent >= -kFarthest && exponent <= kFarthest)) return;
    refuse(i, field, "is " + std::to_string(exponent) + ": outside -16384..16384");
  };
  check_exponent("min_exponent", m.min_exponent, kNoExponentClamp);
  check_exponent("multiplier_emin", m.multiplier_emin, kStoredExponents);
}

bool is_valid(const Instruction& i) {
  try {
    validate(i);
    return true;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

void dot(const Instruction& instruction, const void* a, const void* b, const void* c, void* d,
         std::size_t rows, std::size_t k, int threads) {
  const bool null = a == nullptr || b == nullptr || c == nullptr || d == nullptr;
  check_arrays(instruction, null && rows != 0, k);
  if (threads < 0) refuse(instruction, "threads", "is " + std::to_string(threads));
  const DotPlan plan = make_dot_plan(instruction);
  constexpr std::size_t kSmall = 1 << 14;  // products that are done before a team has gathered
  const int asked = threads > 0 ? threads : rows * k < kSmall ? 1 : omp_get_max_threads();
  const int team = static_cast<int>(std::min<std::size_t>(asked, rows / 16 + 1));
  constexpr std::size_t kFew = 8;  // rows that are done before lanes are ready
  const std::size_t a_bytes = k * static_cast<std::size_t>(instruction.a.container_bits()) / 8;
  const std::size_t b_bytes = k * static_cast<std::size_t>(instruction.b.container_bits()) / 8;
#pragma omp parallel num_threads(team) if (team > 1)
  {
    std::optional<ScalarRows> scalar;
    const auto one_by_one = [&](std::size_t row) {
      if (!scalar) scalar.emplace(instruction, plan, a, b, c, d, k);
      scalar->run(row);
    };
    std::optional<detail::DotLanes> lanes;
    if (rows >= kFew) lanes.emplace(instruction);
    const std::size_t block = lanes && lanes->serves() ? lanes->rows_at_once() : 1;
    const auto blocks = static_cast<std::int64_t>((rows + block - 1) / block);
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < blocks; ++i) {
      const std::size_t row = static_cast<std::size_t>(i) * block;
      if (block == 1) {
        one_by_one(row);
        continue;
      }
      const auto& undone = lanes->run(static_cast<const std::byte*>(a) + row * a_bytes,
                                      static_cast<const std::byte*>(b) + row * b_bytes,
                                      static_cast<const float*>(c) + row,
                                      static_cast<float*>(d) + row, std::min(block, rows - row), k);
      for (const std::size_t at : undone) one_by_one(row + at);
    }
  }
}

DotTrace trace_dot(const Instruction& instruction, const void* a, const void* b, const void* c,
                   std::size_t k) {
  check_arrays(instruction, a == nullptr || b == nullptr || c == nullptr, k);
  const DotPlan plan = make_dot_plan(instruction);
  std::vector<DotOperand> x(padded(instruction, k)), y(x.size());
  OperandRows(instruction.a, a, k).read(0, x);
  OperandRows(instruction.b, b, k).read(0, y);
  const bool added_last = plan.model.addend == AddendRule::kAddedLast;
  DotTrace trace;
  trace.result = load_c(plan.c, c, 0);
  for (std::size_t first = 0; first < x.size(); first += static_cast<std::size_t>(plan.k)) {
    std::uint64_t code = added_last ? 0 : trace.result;
    for (int step = 0; step < plan.steps; ++step) {
      trace.steps.push_back(trace_step(plan, x.data() + first, y.data() + first, step, code));
      for (DotTerm& t : trace.steps.back().terms) t.k += t.k >= 0 ? static_cast<int>(first) : 0;
      code = trace.steps.back().result;
    }
    if (added_last) {
      trace.steps.push_back(trace_addition(plan, code, trace.result));
      code = trace.steps.back().result;
    }
    trace.result = code;
  }
  return trace;
}

}  // namespace binade
