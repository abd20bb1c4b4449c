// Prepared examples of one wgmma step, traced by the dot model, and their promotion to FP32.
#include <array>
#include <cmath>
#include <stdexcept>

#include "binade/emulation/instructions.hpp"
#include "binade/formats/cast.hpp"
#include "page/tables.hpp"

namespace binade::page {
namespace {

constexpr std::size_t kStep = 32;  // products of one wgmma of FP8
constexpr const char* kInstruction = "hopper.wgmma.f32.e4m3.e4m3";

/// The operands of one step and what it is added to.
struct Example {
  std::string id, title, note;
  std::array<std::uint8_t, kStep> a{}, b{};
  float c = 0.0f;    ///< the accumulator of the matrix unit
  float sum = 0.0f;  ///< the FP32 sum that the step's result is promoted into
};

std::uint8_t e4m3(double x) { return static_cast<std::uint8_t>(encode(E4M3::format, x)); }

struct Product {
  double a, b;
};

Example of_products(std::string id, std::string title, std::string note, float c,
                    std::initializer_list<Product> products) {
  Example e{std::move(id), std::move(title), std::move(note), {}, {}, c, 0.0f};
  std::size_t k = 0;
  for (const Product& p : products) {
    e.a[k] = e4m3(p.a);
    e.b[k++] = e4m3(p.b);
  }
  return e;
}

/// Near enough to N(0, 1), and the same bits everywhere: twelve uniform numbers, less six.
double near_normal(std::uint64_t seed, std::uint64_t index) {
  double sum = -6.0;
  for (std::uint64_t i = 0; i < 12; ++i) sum += std::ldexp(random_at(seed, 12 * index + i), -32);
  return sum;
}

/// Rows of k elements from near_normal; the last step is shown, those before it make its C.
Example of_random(std::string id, std::string title, std::string note, std::size_t steps,
                  bool same_sign) {
  Example e{std::move(id), std::move(title), std::move(note), {}, {}, 0.0f, 0.0f};
  const std::size_t k = steps * kStep;
  std::vector<std::uint8_t> a(k), b(k);
  for (std::size_t i = 0; i < k; ++i) {
    const double x = near_normal(1, i), y = near_normal(2, i);
    a[i] = e4m3(same_sign ? std::abs(x) : x);
    b[i] = e4m3(same_sign ? std::abs(y) : y);
  }
  const std::size_t before = k - kStep;
  if (before != 0) dot(find_instruction(kInstruction), a.data(), b.data(), &e.c, &e.c, 1, before);
  std::copy(a.begin() + static_cast<std::ptrdiff_t>(before), a.end(), e.a.begin());
  std::copy(b.begin() + static_cast<std::ptrdiff_t>(before), b.end(), e.b.begin());
  return e;
}

std::vector<Example> examples() {
  std::vector<Example> out;
  out.push_back(
      of_random("random", "Random signs",
                "The fourth step of a block of 128: both operands near N(0, 1), C is what "
                "the three steps before it left. Then the block is promoted.",
                4, false));
  out.back().sum = 100.75f;
  out.push_back(of_random("same-sign", "All of one sign",
                          "The 32nd step of a chain that was never promoted, all factors positive. "
                          "C has grown, so every product loses bits, and always downward.",
                          32, true));
  out.push_back(of_products("swallowed", "A large C swallows",
                            "C is 16384, so the grid is 2 apart. No product reaches 2: all 32 of "
                            "them vanish, though together they are worth 43.",
                            16384.0f, {}));
  for (std::size_t k = 0; k < kStep; ++k) {
    out.back().a[k] = e4m3(k % 2 == 0 ? 1.125 : 1.25);
    out.back().b[k] = e4m3(k % 2 == 0 ? 1.0 : 1.25);
  }
  out.push_back(
      of_products("cancellation", "Cancellation",
                  "16\u00b716 and \u221216\u00b716 cancel, but the grid was set by them: the "
                  "2\u207b\u2076 that would be the whole answer has gone by then.",
                  0.0f, {{16, 16}, {-16, 16}, {std::ldexp(1, -6), 1}}));
  out.push_back(of_products(
      "width-kept", "The last bit kept",
      "2\u207b\u2075 beside 16\u00b716 = 2\u2078 is exactly 13 places below the leading "
      "bit: the last one that is kept.",
      0.0f, {{16, 16}, {std::ldexp(1, -5), 1}}));
  out.push_back(
      of_products("width-lost", "The first bit lost",
                  "Half of that, 2\u207b\u2076, is one place too low. Twice: the two would add "
                  "up to a bit that is kept, but each is cut before the sum.",
                  0.0f, {{16, 16}, {std::ldexp(1, -6), 1}, {std::ldexp(1, -6), 1}}));
  return out;
}

/// The sum of all terms with nothing cut, in units of 2^-60, for numbers as tame as these.
double exact_sum(const DotStep& step) {
  constexpr int kUnit = -60;
  __int128 sum = 0;
  for (const DotTerm& t : step.terms) {
    if (t.significand == 0) continue;
    const int up = t.exponent - t.fraction_bits - kUnit;
    if (up < 0 || up > 90) throw std::logic_error("page tables: a term beyond the exact sum");
    const __int128 magnitude = static_cast<__int128>(t.significand) << up;
    sum += t.negative ? -magnitude : magnitude;
  }
  const auto rounded = static_cast<double>(sum);
  if (static_cast<__int128>(rounded) != sum) {
    throw std::logic_error("page tables: an exact sum that fp64 does not hold");
  }
  return std::ldexp(rounded, kUnit);
}

Json describe_term(const DotTerm& t, const Example& e) {
  Json out{{"k", t.k},
           {"negative", t.negative},
           {"significand", t.significand},
           {"fractionBits", t.fraction_bits},
           {"exponent", t.exponent},
           {"aligned", t.aligned},
           {"takesPart", t.takes_part},
           {"lostBits", t.lost_bits}};
  if (t.k >= 0) {
    const auto k = static_cast<std::size_t>(t.k);
    out["a"] = {{"code", e.a[k]}, {"value", decode(E4M3::format, e.a[k])}};
    out["b"] = {{"code", e.b[k]}, {"value", decode(E4M3::format, e.b[k])}};
  }
  return out;
}

Json describe(const Example& e) {
  const Instruction& instruction = find_instruction(kInstruction);
  const DotTrace trace =
      trace_dot(instruction, e.a.data(), e.b.data(), &e.c, static_cast<std::size_t>(instruction.k));
  const DotStep& step = trace.steps.at(0);
  const auto d = bit_cast<float>(static_cast<std::uint32_t>(trace.result));
  Json terms = Json::array();
  for (const DotTerm& t : step.terms) terms.push_back(describe_term(t, e));
  const float promoted = e.sum + d;  // one FP32 addition, rounded to nearest even
  return {{"id", e.id},
          {"title", e.title},
          {"note", e.note},
          {"instruction", instruction.name},
          {"fractionBits", instruction.model.alignment_fraction_bits},
          {"maxExponent", step.max_exponent},
          {"unitExponent", step.unit_exponent},
          {"terms", terms},
          {"c", static_cast<double>(e.c)},
          {"sum", step.sum},
          {"result", static_cast<double>(d)},
          {"resultCode", trace.result},
          {"exact", exact_sum(step)},
          {"before", static_cast<double>(e.sum)},
          {"promoted", static_cast<double>(promoted)}};
}

}  // namespace

Json sum_tables() {
  Json out = Json::array();
  for (const Example& e : examples()) out.push_back(describe(e));
  return out;
}

}  // namespace binade::page
