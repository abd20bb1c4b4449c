// Hand-made vectors that tell the model of an FP8 matrix instruction from its neighbours, and the
// cases that other emulators were seen to get wrong.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <random>
#include <utility>
#include <vector>

#include "binade/emulation/dot_model.hpp"
#include "binade/emulation/instructions.hpp"
#include "binade/formats/catalog.hpp"
#include "catch.hpp"

using namespace binade;

namespace {

constexpr double kInf = HUGE_VAL;

std::uint64_t code_of(FloatFormat f, double x) {
  const std::uint64_t code = encode(f, x, kIeeeRules);
  const bool exact = decode(f, code) == x;
  REQUIRE(exact);  // the vectors name values of the format
  return code;
}

void put(FloatFormat f, std::vector<unsigned char>& row, std::uint64_t code) {
  const std::uint64_t word = container_of_code(f, code);
  const auto bytes = static_cast<std::size_t>(f.container_bits()) / 8;
  const auto* first = reinterpret_cast<const unsigned char*>(&word);
  row.insert(row.end(), first, first + bytes);
}

using Codes = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

/// D of one row given as codes, C a code of the container.
std::uint64_t dot_codes(const Instruction& i, const Codes& products, std::uint64_t c) {
  std::vector<unsigned char> a, b;
  for (const auto& [x, y] : products) {
    put(i.a, a, x);
    put(i.b, b, y);
  }
  std::uint64_t d = 0;
  dot(i, a.data(), b.data(), &c, &d, 1, products.size(), 1);
  const DotTrace trace = trace_dot(i, a.data(), b.data(), &c, products.size());
  CHECK(trace.result == d);
  CHECK(trace.steps.back().result == d);
  return d;
}

using Values = std::vector<std::pair<double, double>>;

Codes codes_of(const Instruction& i, const Values& products) {
  Codes codes;
  for (const auto& [x, y] : products) codes.emplace_back(code_of(i.a, x), code_of(i.b, y));
  return codes;
}

double dot_values(const Instruction& i, const Values& products, double c = 0) {
  return decode(i.c, dot_codes(i, codes_of(i, products), code_of(i.c, c)));
}

Instruction with(Instruction i, auto&& change) {
  change(i.model);
  return i;
}

const Instruction& e4m3() { return find_instruction("hopper.wgmma.f32.e4m3.e4m3"); }
const Instruction& e5m2() { return find_instruction("hopper.wgmma.f32.e5m2.e5m2"); }

double p2(int e) { return std::ldexp(1.0, e); }

}  // namespace

TEST_CASE("V1 width: 13 fraction bits below the largest exponent") {
  CHECK(dot_values(e4m3(), {{16, 16}, {p2(-5), 1}}) == 256.03125);
  CHECK(dot_values(e4m3(), {{16, 16}, {p2(-6), 1}}) == 256);
  const Values doubled{{16, 16}, {p2(-6), 1}, {p2(-6), 1}};
  CHECK(dot_values(e4m3(), doubled) == 256);
  CHECK(dot_values(with(e4m3(), [](DotModel& m) { m.alignment_fraction_bits = 14; }), doubled) ==
        256.03125);
}

TEST_CASE("V2 sign: the magnitude is truncated") {
  const Values v{{16, 16}, {-p2(-6), 1}};
  CHECK(dot_values(e4m3(), v) == 256);
  const Instruction& floor14 = find_instruction("reference.floor14.e4m3.e4m3");
  CHECK(dot_values(floor14, v) == 255.96875);
}

TEST_CASE("V3 rounding of a term: truncated, not to nearest") {
  const Values v{{16, 16}, {1.5 * p2(-6), 1}};
  CHECK(dot_values(e4m3(), v) == 256);
  const auto nearest = [](DotModel& m) { m.alignment = AlignmentRounding::kNearestEven; };
  CHECK(dot_values(with(e4m3(), nearest), v) == 256.03125);
}

TEST_CASE("V4 A2: products are not normalised") {
  const Values v{{24, 24}, {p2(-5), 1}, {p2(-5), 1}};
  CHECK(dot_values(e4m3(), v) == 576.0625);
  CHECK(dot_values(with(e4m3(), [](DotModel& m) { m.normalize_products = true; }), v) == 576);
}

TEST_CASE("V5 T2: subnormal operands keep their stored exponent") {
  const Values v{{p2(-9), 256}, {p2(-6), p2(-6)}};
  CHECK(dot_values(e4m3(), v) == 0.5);
  CHECK(dot_values(with(e4m3(), [](DotModel& m) { m.normalize_products = true; }), v) ==
        0.500244140625);
}

TEST_CASE("V6 T3: zero products never enter the maximum") {
  const Values v{{0, 448}, {p2(-9), p2(-9)}};
  CHECK(dot_values(e4m3(), v) == p2(-18));
  CHECK(dot_values(with(e4m3(), [](DotModel& m) { m.zeros_join_maximum = true; }), v) == 0);
  // A zero C neither: BF16 products far below 2^-126 with C = 0.
  const Instruction& bf16 = find_instruction("hopper.wgmma.f32.bf16.bf16");
  const Values tiny{{1.5 * p2(-70), 1.5 * p2(-70)}};
  CHECK(dot_values(bf16, tiny) == p2(-139) + p2(-142));
}

TEST_CASE("V7 A1 T1: C is cut to 13 fraction bits") {
  const Values none{{0, 0}};
  CHECK(dot_values(e4m3(), none, 1 + p2(-13)) == 1 + p2(-13));
  CHECK(dot_values(e4m3(), none, 1 + p2(-14)) == 1);
  CHECK(dot_values(e4m3(), none, -(1 + p2(-14))) == -1);
  CHECK(dot_values(find_instruction("reference.floor14.e4m3.e4m3"), none, -(1 + p2(-14))) ==
        -(1 + p2(-13)));
  // Any C comes back with its ten low bits clear.
  std::mt19937 bits(1);
  for (int i = 0; i < 1000; ++i) {
    const std::uint32_t c = static_cast<std::uint32_t>(bits()) & 0xff7fffffu;
    const std::uint64_t want = (c & 0xfffffc00u) & ((c & 0x7ffffc00u) != 0 ? ~0u : 0u);
    CHECK(dot_codes(e4m3(), {{0, 0}}, c) == want);
  }
}

TEST_CASE("V8 C is aligned like a product, and aligns the products") {
  CHECK(dot_values(e4m3(), {{p2(-6), 1}}, 256) == 256);
  CHECK(dot_values(e4m3(), {{16, 16}}, p2(-6)) == 256);
  CHECK(dot_values(e4m3(), {{p2(-5), 1}}, 256) == 256.03125);
}

TEST_CASE("V9 cancellation leaves nothing of what was truncated") {
  CHECK(dot_values(e4m3(), {{16, 16}, {16, -16}, {p2(-6), 1}}) == 0);
}

TEST_CASE("V10 carries: 32 equal products are exact") {
  CHECK(dot_values(e4m3(), Values(32, {1.875, 1.875})) == 112.5);
}

TEST_CASE("V11 the order within an instruction does not matter") {
  std::mt19937 bits(11);
  for (int row = 0; row < 200; ++row) {
    Codes codes(32);
    for (auto& [x, y] : codes) {
      x = bits() % 0x7f | (bits() % 2) << 7;
      y = bits() % 0x7f | (bits() % 2) << 7;
    }
    const std::uint64_t d = dot_codes(e4m3(), codes, 0x3f812345);
    std::shuffle(codes.begin(), codes.end(), bits);
    CHECK(dot_codes(e4m3(), codes, 0x3f812345) == d);
  }
}

TEST_CASE("V12 the order of chained instructions matters") {
  std::mt19937 bits(12);
  int differ = 0;
  for (int row = 0; row < 200; ++row) {
    Codes codes(64);
    for (auto& [x, y] : codes) {
      x = 0x20 + bits() % 0x20 + (bits() % 2) * 0x80;
      y = 0x20 + bits() % 0x20 + (bits() % 2) * 0x80;
    }
    const std::uint64_t d = dot_codes(e4m3(), codes, 0);
    // A chain is the instructions one after the other.
    const Codes low(codes.begin(), codes.begin() + 32), high(codes.begin() + 32, codes.end());
    CHECK(d == dot_codes(e4m3(), high, dot_codes(e4m3(), low, 0)));
    differ += d != dot_codes(e4m3(), low, dot_codes(e4m3(), high, 0)) ? 1 : 0;
  }
  CHECK(differ > 20);
  CHECK(differ < 200);
}

TEST_CASE("A3 A4: one 32-term sum on Hopper, two chained 16-term sums on Ada") {
  // The small terms of the second half survive where the large one has left the sum.
  Values v(32, {0, 0});
  v[0] = {16, 16};
  v[1] = {-16, 16};
  v[20] = {p2(-6), 1};
  CHECK(dot_values(e4m3(), v) == 0);
  const Instruction& ada = find_instruction("ada.mma.f32.e4m3.e4m3");
  CHECK(dot_values(ada, v) == p2(-6));
  std::reverse(v.begin(), v.end());  // now the small term comes first and meets C = +-256
  CHECK(dot_values(ada, v) == 0);
}

TEST_CASE("A5 A9 T9: FP16 accumulators of wgmma") {
  const Instruction& half = find_instruction("hopper.wgmma.f16.e4m3.e4m3");
  // F = 13 first: 256 + 2^-6 loses the small term before FP16 could.
  CHECK(dot_values(half, {{1, 1}, {p2(-6), p2(-6)}, {p2(-6), p2(-6)}}) == 1);
  // The sum 1 + 2^-11 is a tie of FP16; nearest even gives 1, and 1 + 2^-11 + 2^-13 rounds up.
  CHECK(dot_values(half, {{1, 1}, {p2(-6), p2(-5)}}) == 1);
  CHECK(dot_values(half, {{1, 1}, {p2(-6), p2(-5)}, {p2(-6), p2(-7)}}) == 1 + p2(-10));
  CHECK(dot_values(half, {{1, 1}}, p2(-10)) == 1 + p2(-10));
  // 65504 is the largest FP16; 65520 is a tie to infinity.
  CHECK(dot_values(half, {{256, 255.0 / 255 * 256}}, -32) == 65504);
  CHECK(dot_values(half, {{256, 256}}, -16) == kInf);
  const Instruction& wide = find_instruction("hopper.wgmma.f16.e5m2.e5m2");
  CHECK(dot_values(wide, {{57344, 57344}}) == kInf);
  CHECK(dot_values(wide, {{-57344, 57344}}) == -kInf);
}

TEST_CASE("A6 T8: FP8 mma.sync on Hopper is two FP16 steps from zero and a final addition") {
  const Instruction& mma = find_instruction("hopper.mma.f32.e4m3.e4m3");
  // No 13-bit loss, and C keeps all its bits.
  CHECK(dot_values(mma, {{0, 0}}, 1 + p2(-23)) == 1 + p2(-23));
  CHECK(dot_values(mma, {{16, 16}, {p2(-9), p2(-6)}}) == 256 + p2(-15));
  // k mod 4 in {0,1} is summed first, so 256 - 256 has left when k = 2 comes.
  Values v(8, {0, 0});
  v[0] = {448, 448};
  v[5] = {-448, 448};
  v[2] = {p2(-9), p2(-9)};
  CHECK(dot_values(mma, v) == p2(-18));
  std::swap(v[5], v[6]);  // now the cancelling term is in the second step
  CHECK(dot_values(mma, v) == 0);
  // C is added to nearest even at the end, whatever its size.
  CHECK(dot_values(mma, {{1, 1}}, p2(-24)) == 1);
  CHECK(dot_values(mma, {{1, 1}}, p2(-24) + p2(-47)) == 1 + p2(-23));
  CHECK(dot_values(mma, {{1, 1}}, p2(-149)) == 1);
  CHECK(dot_values(mma, {{1, 1}}, -p2(-25)) == 1);
  CHECK(dot_values(mma, {{1, 1}}, -(p2(-25) + p2(-48))) == 1 - p2(-24));
  CHECK(dot_values(mma, {{-1, 1}}, 1) == 0);
  // With FP16 accumulators every step and the addition round to FP16.
  const Instruction& half = find_instruction("hopper.mma.f16.e4m3.e4m3");
  CHECK(dot_values(half, {{1, 1}, {p2(-5), p2(-6)}, {p2(-5), p2(-6)}}) == 1);
  CHECK(dot_values(half, {{1, 1}, {p2(-5), p2(-6)}, {0, 0}, {0, 0}, {p2(-5), p2(-6)}}) ==
        1 + p2(-10));
  CHECK(dot_values(half, {{1, 1}}, p2(-11)) == 1);
  CHECK(dot_values(half, {{448, 128}}, 8192) == kInf);
}

TEST_CASE("A6: FP8 operands of mma.sync on Hopper are FP16 when they are multiplied") {
  // 2^-9 is a subnormal E4M3 but a normal FP16, so that E is 6, not 9. (Between operands of one
  // FP8 type no sum is long enough to show it.)
  const Instruction& mixed = find_instruction("hopper.mma.f32.e4m3.e5m2");
  const Values v{{p2(-9), p2(15)}, {p2(-3), p2(-14)}};
  CHECK(dot_values(mixed, v) == 64 + p2(-17));
  const auto as_stored = [](DotModel& m) { m.multiplier_emin = kStoredExponents; };
  CHECK(dot_values(with(mixed, as_stored), v) == 64);
}

TEST_CASE("A7 T4: the largest exponent is clamped from below at -133") {
  const Instruction& bf16 = find_instruction("hopper.wgmma.f32.bf16.bf16");
  REQUIRE(bf16.model.min_exponent == -133);
  // Unit of the grid: 2^(-133 - 25) = 2^-158. Two halves of it are lost one by one.
  Values halves(16, {0, 0});
  for (int i = 0; i < 16; ++i) halves[static_cast<std::size_t>(i)] = {p2(-80), p2(-79)};
  CHECK(dot_values(bf16, halves) == 0);
  const auto clamp = [&](int to) { return with(bf16, [to](DotModel& m) { m.min_exponent = to; }); };
  // 1024 * 2^-159 would be 2^-149; here 16 * 1.9^2 * 2^-153 is near 2^-147.
  Values v(16, {1.9921875 * p2(-75), 1.9921875 * p2(-78)});
  CHECK(dot_values(bf16, v) == dot_values(clamp(kNoExponentClamp), v));
  // Exponents of -134: the grid of -133 has lost the last bit that -134 keeps.
  // t = 1 + 2^-24 + ... in units of 2^-134: products of two 8-bit significands have 14 bits, so
  // the bit of 2^-159 comes from a second, small product.
  Values edge{{p2(-67), p2(-67)}, {-p2(-79), p2(-80)}};
  CHECK(dot_values(bf16, edge) == p2(-134));
  CHECK(dot_values(clamp(-134), edge) == p2(-134) - p2(-149));
  // FP8 wgmma: only C can lie so low, and its subnormals are cut to multiples of 2^-139.
  CHECK(dot_values(e4m3(), {{0, 0}}, p2(-139)) == p2(-139));
  CHECK(dot_values(e4m3(), {{0, 0}}, p2(-138) - p2(-149)) == p2(-139));
  CHECK(dot_values(e4m3(), {{0, 0}}, p2(-139) - p2(-149)) == 0);
}

TEST_CASE("A7: under an FP16 result the largest exponent is clamped from below at -21") {
  // Two outputs of an H100, of the five in 10^12 that a clamp of -133 got wrong: the sums lie 2^-47
  // above half of the smallest subnormal, and the grid of -21 ends at 2^-46.
  for (const char* name : {"hopper.wgmma.f16.f16.f16", "hopper.mma.f16.f16.f16"}) {
    const Instruction& i = find_instruction(name);
    REQUIRE(i.model.min_exponent == -21);
    const Instruction deeper = with(i, [](DotModel& m) { m.min_exponent = -133; });
    CHECK(dot_codes(i, {{0x8747, 0x0782}, {0x88db, 0x078e}}, 0) == 0);
    CHECK(dot_codes(i, {{0x0195, 0x89ed}, {0x88ca, 0x09b4}}, 0) == 0);
    CHECK(dot_codes(deeper, {{0x8747, 0x0782}, {0x88db, 0x078e}}, 0) == 0x8001);
    Values tie(8, {p2(-14), p2(-14)});  // half of 2^-24
    for (const int dust : {-46, -47}) {
      Values above = tie;
      above.push_back({p2(-23), p2(dust + 23)});
      CHECK(dot_values(i, above) == (dust == -46 ? p2(-24) : 0));
      CHECK(dot_values(deeper, above) == p2(-24));
    }
  }
}

TEST_CASE("A8 T6: NaN is canonical, and infinities are met step by step") {
  for (const Instruction& i : instructions()) {
    INFO(i.name);
    const std::uint64_t nan = i.c.bits() == 32 ? 0x7fffffffu : 0x7fffu;
    const std::uint64_t one_a = code_of(i.a, 1), one_b = code_of(i.b, 1);
    for (const std::uint64_t sign : {std::uint64_t{0}, i.a.sign_bit()}) {
      CHECK(dot_codes(i, {{i.a.quiet_nan_code() | sign, one_b}}, 0) == nan);
      CHECK(dot_codes(i, {{i.a.canonical_nan_code() | sign, 0}}, i.c.infinity_code()) == nan);
    }
    CHECK(dot_codes(i, {{one_a, i.b.canonical_nan_code()}}, 0) == nan);
    // Signalling NaN with a payload in C.
    CHECK(dot_codes(i, {{one_a, one_b}}, i.c.infinity_code() | i.c.sign_bit() | 5) == nan);
    const std::uint64_t inf = i.c.infinity_code(), minus = inf | i.c.sign_bit();
    CHECK(dot_codes(i, {{one_a, one_b}}, inf) == inf);
    CHECK(dot_codes(i, {{one_a, one_b}}, minus) == minus);
    if (!i.a.has_infinity()) continue;
    const std::uint64_t a_inf = i.a.infinity_code();
    CHECK(dot_codes(i, {{a_inf, 0}}, 0) == nan);
    CHECK(dot_codes(i, {{a_inf, one_b | i.b.sign_bit()}}, 0) == minus);
    CHECK(dot_codes(i, {{a_inf, one_b}, {a_inf | i.a.sign_bit(), one_b}}, 0) == nan);
    CHECK(dot_codes(i, {{a_inf, one_b}}, minus) == nan);
    CHECK(dot_codes(i, {{a_inf, one_b}, {a_inf, one_b}}, inf) == inf);
  }
}

TEST_CASE("A8: an infinity made by overflow meets the next instruction's -Inf as NaN") {
  const Instruction& bf16 = find_instruction("hopper.wgmma.f32.bf16.bf16");
  Codes codes(32, {0, 0});
  const std::uint64_t huge = bf16.a.max_finite_code();
  codes[0] = {huge, huge};                                            // overflows to +Inf
  codes[16] = {bf16.a.infinity_code() | bf16.a.sign_bit(), 0x3f80u};  // -Inf
  CHECK(dot_codes(bf16, codes, 0) == 0x7fffffffu);
  std::swap(codes[0], codes[16]);  // -Inf first, then a finite product beyond the range: stays -Inf
  CHECK(dot_codes(bf16, codes, 0) == 0xff800000u);
  // Within one instruction nothing overflows before the sum.
  codes.resize(16);
  codes[1] = {huge, huge};
  CHECK(dot_codes(bf16, codes, 0) == 0xff800000u);
  codes[0] = {huge | bf16.a.sign_bit(), huge};
  CHECK(dot_codes(bf16, codes, 0x3f800000u) == 0);  // and C = 1 fell below the grid
}

TEST_CASE("T5: a result beyond the range is Inf, though rounded toward zero") {
  const std::uint64_t most = 0x7f7fffffu;
  // E8M13: C = FLT_MAX is cut to the largest E8M13 number, which is finite.
  CHECK(dot_codes(e4m3(), {{0, 0}}, most) == 0x7f7ffc00u);
  const Instruction& bf16 = find_instruction("hopper.wgmma.f32.bf16.bf16");
  const auto product = [&](double x, double y) { return codes_of(bf16, {{x, y}}); };
  CHECK(dot_codes(bf16, product(1, 1), most) == most);
  CHECK(dot_codes(bf16, product(p2(64), p2(64)), 0) == 0x7f800000u);
  CHECK(dot_codes(bf16, product(-p2(64), p2(64)), 0) == 0xff800000u);
  CHECK(dot_codes(bf16, product(p2(52), p2(52)), most) == 0x7f800000u);  // one ulp more
  CHECK(dot_codes(bf16, product(p2(52), p2(51)), most) == most);         // half an ulp: cut
}

TEST_CASE("T7 A10: a zero result is +0, whatever made it") {
  for (const Instruction& i : instructions()) {
    INFO(i.name);
    const std::uint64_t one_a = code_of(i.a, 1), one_b = code_of(i.b, 1);
    const std::uint64_t minus_zero = i.c.sign_bit();
    CHECK(dot_codes(i, {{i.a.sign_bit(), one_b}}, minus_zero) == 0);
    CHECK(dot_codes(i, {{i.a.sign_bit(), one_b}}, 0) == 0);
    CHECK(dot_codes(i, {{0, 0}}, minus_zero) == 0);
    CHECK(dot_codes(i, {{one_a, one_b}, {one_a, one_b | i.b.sign_bit()}}, 0) == 0);
    CHECK(dot_codes(i, {{one_a, one_b | i.b.sign_bit()}}, code_of(i.c, 1)) == 0);
  }
  // Negative underflow: of FP16 results, of FP32 ones, and of E8M13 below 2^-139.
  const Instruction& half = find_instruction("hopper.wgmma.f16.f16.f16");
  CHECK(dot_codes(half, {{0x8001, 0x0001}}, 0) == 0);
  CHECK(dot_codes(half, {{0x8001, code_of(half.b, 0.5)}}, 0) == 0);  // a tie to even
  CHECK(dot_codes(half, {{0x8001, code_of(half.b, 0.75)}}, 0) == 0x8001);
  CHECK(dot_codes(find_instruction("hopper.wgmma.f32.bf16.bf16"), {{0x8001, 0x0001}}, 0) == 0);
  CHECK(dot_codes(e5m2(), {{0, 0}}, 0x800003ffu) == 0);
}

TEST_CASE("TF32 operands are cut to 19 bits") {
  const Instruction& tf32 = find_instruction("hopper.wgmma.f32.tf32.tf32");
  const auto run = [&](std::uint32_t a, std::uint32_t b) {
    std::uint32_t c = 0, d = 0;
    dot(tf32, &a, &b, &c, &d, 1, 1, 1);
    return d;
  };
  CHECK(run(0x3f801fffu, 0x3f800000u) == 0x3f800000u);
  CHECK(run(0x3f802000u, 0x3f801fffu) == 0x3f802000u);
  CHECK(run(0x00001fffu, 0x7f000000u) == 0);
}

TEST_CASE("A11 A13: a ragged K is padded with zeros, and rows do not depend on threads") {
  std::mt19937 bits(5);
  for (const char* name : {"hopper.wgmma.f32.e4m3.e5m2", "hopper.mma.f32.e4m3.e4m3",
                           "hopper.wgmma.f32.bf16.bf16", "hopper.mma.f16.f16.f16"}) {
    const Instruction& i = find_instruction(name);
    const auto width = static_cast<std::size_t>(i.a.container_bits()) / 8;
    const std::size_t rows = 40, k = 77, padded = 96;
    std::vector<unsigned char> a(rows * k * width), b(a.size()), a_wide(rows * padded * width),
        b_wide(a_wide.size());
    for (auto& byte : a) byte = static_cast<unsigned char>(bits());
    for (auto& byte : b) byte = static_cast<unsigned char>(bits());
    for (std::size_t r = 0; r < rows; ++r) {
      std::memcpy(&a_wide[r * padded * width], &a[r * k * width], k * width);
      std::memcpy(&b_wide[r * padded * width], &b[r * k * width], k * width);
    }
    std::vector<unsigned char> c(rows * 4), d1(c.size()), d3(c.size());
    for (auto& byte : c) byte = static_cast<unsigned char>(bits() % 0x70);
    dot(i, a.data(), b.data(), c.data(), d1.data(), rows, k, 1);
    dot(i, a_wide.data(), b_wide.data(), c.data(), d3.data(), rows, padded, 3);
    CHECK(d1 == d3);
    dot(i, a.data(), b.data(), c.data(), c.data(), rows, k);  // D in the place of C
    const auto used = static_cast<std::ptrdiff_t>(rows) * i.c.container_bits() / 8;
    CHECK(std::equal(c.begin(), c.begin() + used, d1.begin()));
  }
}

TEST_CASE("bits that leave the working word still break ties") {
  // 30 * 3.0625 * 2^30 needs 55 bits of F = 48; 2^12 makes it a tie of fp32, and 2^-18 is the
  // lowest bit of all.
  const Instruction& wide = find_instruction("reference.wide.e5m2.e5m2");
  Values v(30, {57344, 57344});
  v.push_back({64, 64});
  const double big = 91.875 * p2(30);
  CHECK(dot_values(wide, v) == big);
  v.push_back({p2(-9), p2(-9)});
  CHECK(dot_values(wide, v) == big + p2(13));
  // A distant chain breaks a tie of C both ways, where the result is narrower than C.
  const Instruction narrow = with(find_instruction("hopper.mma.f32.e4m3.e4m3"),
                                  [](DotModel& m) { m.result.mantissa_bits = 13; });
  const double tie = p2(30) + p2(16);
  CHECK(dot_values(narrow, {{0, 0}}, tie) == p2(30));
  CHECK(dot_values(narrow, {{p2(-9), p2(-9)}}, tie) == p2(30) + p2(17));
  CHECK(dot_values(narrow, {{p2(-9), -p2(-9)}}, tie) == p2(30));
  CHECK(dot_values(narrow, {{p2(-9), -p2(-9)}}, tie + p2(17)) == p2(30) + p2(17));
}
