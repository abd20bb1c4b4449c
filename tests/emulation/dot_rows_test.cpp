// Rows in lanes give the bits of rows one by one, which the scalar core computes: random model
// cards of 8-bit operands, every stratum, any C, ragged rows and groups, every ISA and thread
// count.
#include <cmath>
#include <cstring>

#include "binade/emulation/instructions.hpp"
#include "catch.hpp"
#include "random_card.hpp"

using namespace binade;
using namespace reference;

namespace {

/// C near the products, zero, subnormal or any bit pattern.
std::vector<std::uint32_t> random_addends(std::size_t rows, std::mt19937_64& g) {
  std::vector<std::uint32_t> c(rows);
  std::normal_distribution<float> normal;
  for (std::uint32_t& x : c) {
    const auto any = static_cast<std::uint32_t>(g());
    const float near = std::ldexp(normal(g), static_cast<int>(g() % 40) - 20);
    switch (g() % 5) {
      case 0:
        x = any & 0x80000000u;
        break;
      case 1:
        x = any & 0x807fffffu;
        break;
      case 2:
        x = any;
        break;
      default:
        x = bit_cast<std::uint32_t>(near);
    }
  }
  return c;
}

void check(const Instruction& i, const Matrix& a, const Matrix& b,
           const std::vector<std::uint32_t>& c) {
  std::vector<std::uint32_t> want(a.rows), got(a.rows);
  for (std::size_t r = 0; r < a.rows; ++r) {  // one row is no group
    dot(i, a.at(r, 0), b.at(r, 0), &c[r], &want[r], 1, a.k, 1);
  }
  const Isa before = isa();
  for (const Isa choice : supported_isas()) {
    set_isa(choice);
    for (const int threads : {1, 3}) {
      dot(i, a.bytes.data(), b.bytes.data(), c.data(), got.data(), a.rows, a.k, threads);
      for (std::size_t r = 0; r < a.rows; ++r) {
        CAPTURE(describe(i), isa_name(choice), threads, a.rows, a.k, r, c[r], want[r], got[r]);
        REQUIRE(got[r] == want[r]);
      }
    }
  }
  set_isa(before);
}

}  // namespace

TEST_CASE("rows of 8-bit operands under random cards") {
  std::mt19937_64 g(70);
  const FloatFormat formats[] = {E4M3::format,
                                 E5M2::format,
                                 parse_format("e3m4").format,
                                 parse_format("e2m5").format,
                                 parse_format("e4m3fnuz").format,
                                 parse_format("binary8p4se").format};
  for (int card = 0; card < 3000; ++card) {
    const FloatFormat fa = formats[g() % 6], fb = g() % 2 == 0 ? fa : formats[g() % 6];
    Instruction i = random_card(fa, fb, g);
    i.c = Fp32::format;  // the lanes' own kind, more often than chance would have it
    i.model.result = {8, static_cast<int>(1 + g() % 23), 127, true, kIeee};
    if (g() % 4 != 0) {
      i.model.alignment = AlignmentRounding::kTruncate;
      i.model.zeros_join_maximum = i.model.normalize_products = false;
      i.model.order = StepOrder::kConsecutive;
      i.model.addend = AddendRule::kAligned;
      i.model.result_rounding = Rounding::kTowardZero;
      i.model.alignment_fraction_bits = static_cast<int>(1 + g() % 14);
    }
    const std::size_t rows = 8 + g() % 50, k = 1 + g() % (card % 4 == 0 ? 200 : 70);
    const Stratum stratum = kStrata[g() % 5];
    check(i, random_matrix(fa, rows, k, stratum, g), random_matrix(fb, rows, k, stratum, g),
          random_addends(rows, g));
  }
}

TEST_CASE("rows of the FP8 wgmma instructions on every stratum") {
  std::mt19937_64 g(71);
  for (const char* name : {"hopper.wgmma.f32.e4m3.e4m3", "hopper.wgmma.f32.e4m3.e5m2",
                           "hopper.wgmma.f32.e5m2.e5m2", "ada.mma.f32.e4m3.e4m3"}) {
    const Instruction& i = find_instruction(name);
    for (const Stratum of_a : kStrata) {
      for (const Stratum of_b : kStrata) {
        for (const std::size_t k : {32, 160, 1000}) {
          check(i, random_matrix(i.a, 50, k, of_a, g), random_matrix(i.b, 50, k, of_b, g),
                random_addends(50, g));
        }
      }
    }
  }
}
