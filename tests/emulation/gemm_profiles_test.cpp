// The tiled GEMM gives the bits of the naive one: every profile, operand pair, stratum, interval,
// output, ISA and thread count, on ragged shapes.
#include <set>
#include <string>

#include "binade/emulation/gemm.hpp"
#include "catch.hpp"
#include "gemm_reference.hpp"

using namespace binade;
using namespace reference;

namespace {

struct Shape {
  std::size_t m, n, k;
};

std::vector<std::uint8_t> run(const GemmProfile& p, const Matrix& a, const Matrix& b,
                              FloatFormat output, GemmOptions options) {
  std::vector<std::uint8_t> d(a.rows * b.rows * static_cast<std::size_t>(output.container_bits()) /
                              8);
  gemm(p, a.operand(), b.operand(), a.k, output, d.data(), options);
  return d;
}

/// Compares with the naive reference on every ISA.
void check(const GemmProfile& p, const Matrix& a, const Matrix& b, FloatFormat output,
           GemmOptions options, std::vector<int> thread_counts = {1}) {
  const Instruction& i =
      options.instruction != nullptr
          ? *options.instruction
          : find_instruction(p.instruction_family + "." +
                             (a.format == Fp16::format ? "f16" : format_name(a.format)) + "." +
                             (b.format == Fp16::format ? "f16" : format_name(b.format)));
  const int interval = options.promotion_interval.value_or(p.promotion_interval);
  const std::size_t width = static_cast<std::size_t>(output.container_bits()) / 8;
  std::vector<std::uint8_t> want(a.rows * b.rows * width);
  const std::vector<float> values = reference::outputs(p, i, interval, a, b);
  for (std::size_t at = 0; at < values.size(); ++at) {
    const std::uint64_t word = container_of_code(output, output_code(output, values[at]));
    std::memcpy(want.data() + at * width, &word, width);
  }
  const Isa before = isa();
  for (const Isa choice : supported_isas()) {
    set_isa(choice);
    for (const int threads : thread_counts) {
      options.threads = threads;
      const auto got = run(p, a, b, output, options);
      std::size_t wrong = 0, first = 0;
      for (std::size_t at = got.size(); at > 0; at -= width) {
        if (std::memcmp(&got[at - width], &want[at - width], width) != 0) {
          ++wrong;
          first = at / width - 1;
        }
      }
      CAPTURE(p.name, i.name, interval, format_name(output), isa_name(choice), threads, a.rows,
              b.rows, a.k, first / b.rows, first % b.rows);
      REQUIRE(wrong == 0);
    }
  }
  set_isa(before);
}

const Shape kShapes[] = {{1, 1, 1},    {3, 5, 31},   {2, 40, 33},   {17, 9, 160},
                         {5, 67, 257}, {1, 33, 416}, {130, 3, 128}, {4, 4, 1100}};
const Stratum kStrata[] = {Stratum::kUniform, Stratum::kNormal, Stratum::kSparse, Stratum::kSpecial,
                           Stratum::kWide};
const FloatFormat kFp8[] = {E4M3::format, E5M2::format};

}  // namespace

TEST_CASE("every wgmma profile equals chains of the scalar dot") {
  std::mt19937_64 g(20);
  for (const GemmProfile& p : gemm_profiles()) {
    if (p.chain != ChainKind::kInstruction) continue;
    for (const Shape s : kShapes) {
      const Stratum stratum = kStrata[g() % 5];
      const FloatFormat fa = kFp8[g() % 2], fb = kFp8[g() % 2];
      Matrix a = random_matrix(fa, s.m, s.k, stratum, g),
             b = random_matrix(fb, s.n, s.k, stratum, g);
      check(p, a, b, kFp32Format, {});
      const bool any = p.scale_a == kAnyGranularity;
      add_scales(a, any ? Granularity{1, 128} : p.scale_a, 20, g);
      add_scales(b, any ? kPerTensor : p.scale_b, 20, g);
      check(p, a, b, kFp32Format, {});
      const FloatFormat outputs[] = {Bf16::format, Fp16::format, E4M3::format, kFp64Format};
      check(p, a, b, outputs[g() % 4], {}, {1, 2});
    }
  }
}

TEST_CASE("every pair of FP8 types on every stratum") {
  std::mt19937_64 g(21);
  const GemmProfile& fast = find_gemm_profile("cublaslt-fast");
  for (const FloatFormat fa : kFp8) {
    for (const FloatFormat fb : kFp8) {
      for (const Stratum sa : kStrata) {
        for (const Stratum sb : kStrata) {
          check(fast, random_matrix(fa, 7, 353, sa, g), random_matrix(fb, 35, 353, sb, g),
                kFp32Format, {});
        }
      }
    }
  }
}

TEST_CASE("promotion intervals, and a residue that no interval divides (A11)") {
  std::mt19937_64 g(22);
  const GemmProfile& p = find_gemm_profile("cublaslt");
  for (const std::size_t k : {1024, 1000, 4 * 128 + 32, 4 * 128 + 1}) {
    const Matrix a = random_matrix(E4M3::format, 6, k, Stratum::kUniform, g);
    const Matrix b = random_matrix(E4M3::format, 34, k, Stratum::kUniform, g);
    std::set<std::string> distinct;
    for (const int interval : {0, 32, 64, 96, 128, 256, 384, 512}) {
      GemmOptions options;
      options.promotion_interval = interval;
      check(p, a, b, kFp32Format, options);
      const auto d = run(p, a, b, kFp32Format, options);
      distinct.insert(std::string(d.begin(), d.end()));
    }
    CHECK(distinct.size() >= 6);  // the interval matters: these are different results
  }
}

TEST_CASE("every instruction of the table, and the models beside it") {
  std::mt19937_64 g(23);
  GemmProfile p = find_gemm_profile("cublaslt");
  std::vector<Instruction> all = instructions();
  const Instruction base = find_instruction("hopper.wgmma.f32.e4m3.e5m2");
  for (int variant = 0; variant < 24; ++variant) {
    Instruction i = base;
    i.model.alignment = static_cast<AlignmentRounding>(variant % 3);
    i.model.normalize_products = variant % 2 == 1;
    i.model.zeros_join_maximum = variant % 4 >= 2;
    i.model.alignment_fraction_bits = 5 + variant;
    i.model.result.mantissa_bits = variant % 5 == 0 ? 23 : 8 + variant % 9;
    i.model.result_rounding = variant % 7 < 4 ? Rounding::kTowardZero : Rounding::kNearestEven;
    i.model.min_exponent = variant % 6 == 0 ? variant - 12 : kNoExponentClamp;
    if (variant % 8 == 5) i.model.step_k = 8;
    if (variant % 5 == 2) i.model.multiplier_emin = -variant;
    i.name = "variant " + std::to_string(variant);
    all.push_back(i);
  }
  for (const Instruction& i : all) {
    GemmOptions options;
    options.instruction = &i;
    for (const Stratum stratum : kStrata) {
      options.promotion_interval = g() % 2 == 0 ? 0 : 4 * i.k;
      const std::size_t k = 3 * static_cast<std::size_t>(i.k) + g() % 200;
      check(p, random_matrix(i.a, 3, k, stratum, g), random_matrix(i.b, 18, k, stratum, g),
            kFp32Format, options);
    }
  }
}

TEST_CASE("chains that overflow, and numbers around the smallest of fp32") {
  std::mt19937_64 g(24);
  const GemmProfile& p = find_gemm_profile("cublaslt-fast");
  for (const char* name :
       {"hopper.wgmma.f32.bf16.bf16", "hopper.wgmma.f32.tf32.tf32", "hopper.mma.f32.bf16.bf16",
        "hopper.wgmma.f16.e5m2.e5m2", "hopper.wgmma.f16.f16.f16", "hopper.mma.f16.e4m3.e4m3"}) {
    const Instruction& i = find_instruction(name);
    GemmOptions options;
    options.instruction = &i;
    for (int repeat = 0; repeat < 6; ++repeat) {
      // Exponents around 63, -69 and -76 make products around the ends of fp32's range.
      Matrix a = random_matrix(i.a, 6, 96, Stratum::kUniform, g);
      Matrix b = random_matrix(i.b, 20, 96, Stratum::kUniform, g);
      for (Matrix* x : {&a, &b}) {
        for (std::size_t at = 0; at < x->rows * x->k; ++at) {
          const float sign = g() % 2 == 0 ? 1.0f : -1.0f;
          const float low = repeat % 4 == 1 ? -69.0f : -76.0f;  // -76: most products underflow
          const float centre = i.a.exponent_bits < 8 ? 6.0f : repeat % 2 == 0 ? 63.5f : low;
          const float value = sign * std::exp2(centre + static_cast<float>(g() % 64) / 16.0f);
          const std::uint64_t word = container_of_code(x->format, encode(x->format, value));
          std::memcpy(x->bytes.data() + at * x->width(), &word, x->width());
        }
      }
      check(p, a, b, kFp32Format, options);
    }
  }
}

TEST_CASE("narrow alignments, where clamps and zeros show") {
  std::mt19937_64 g(28);
  const GemmProfile& p = find_gemm_profile("cublaslt-fast");
  for (const char* name : {"hopper.wgmma.f32.e4m3.e4m3", "hopper.wgmma.f32.bf16.bf16"}) {
    for (const int clamp : {kNoExponentClamp, -133, -5, 4, 12}) {
      for (const int fraction_bits : {1, 3, 6}) {
        Instruction i = find_instruction(name);
        i.model.alignment_fraction_bits = fraction_bits;
        i.model.min_exponent = clamp;
        GemmOptions options;
        options.instruction = &i;
        Matrix a = random_matrix(i.a, 4, 128, Stratum::kSparse, g);
        Matrix b = random_matrix(i.b, 34, 128, Stratum::kSparse, g);
        check(p, a, b, kFp32Format, options);
        // A small C, then nothing but zeros against large partners.
        a = random_matrix(i.a, 1, 64, Stratum::kUniform, g);
        b = random_matrix(i.b, 1, 64, Stratum::kUniform, g);
        const std::size_t half = 32 * a.width();
        std::fill(a.bytes.begin(), a.bytes.end(), std::uint8_t{0});
        std::fill(b.bytes.begin(), b.bytes.begin() + static_cast<std::ptrdiff_t>(half),
                  std::uint8_t{0});
        for (Matrix* x : {&a, &b}) {  // the smallest normal number, squared
          const std::uint64_t word = container_of_code(x->format, x->format.mantissa_mask() + 1);
          std::memcpy(x->bytes.data(), &word, x->width());
        }
        check(p, a, b, kFp32Format, options);
      }
    }
  }
}

TEST_CASE("huge and tiny scales, zeros among them") {
  std::mt19937_64 g(25);
  for (const char* name : {"deepgemm", "te-1dx1d", "te-2dx1d", "torch-rowwise", "cublaslt"}) {
    const GemmProfile& p = find_gemm_profile(name);
    Matrix a = random_matrix(E4M3::format, 9, 300, Stratum::kUniform, g);
    Matrix b = random_matrix(E4M3::format, 33, 300, Stratum::kUniform, g);
    add_scales(a, p.scale_a, 120, g);
    add_scales(b, p.scale_b, 120, g);
    a.scales[0] = 0.0f;
    check(p, a, b, kFp32Format, {});
    b.scales[0] = std::numeric_limits<float>::infinity();
    check(p, a, b, Bf16::format, {});
  }
}

TEST_CASE("large tiles: more rows and columns than one tile holds") {
  std::mt19937_64 g(26);
  const GemmProfile& p = find_gemm_profile("deepgemm");
  Matrix a = random_matrix(E4M3::format, 300, 160, Stratum::kNormal, g);
  Matrix b = random_matrix(E4M3::format, 290, 160, Stratum::kNormal, g);
  add_scales(a, p.scale_a, 3, g);
  add_scales(b, p.scale_b, 3, g);
  check(p, a, b, Bf16::format, {}, {1, 2, 5});
}

TEST_CASE("fp32-sequential is one rounding a product and one a sum") {
  std::mt19937_64 g(27);
  const GemmProfile& p = find_gemm_profile("fp32-sequential");
  for (const FloatFormat f : {E4M3::format, E5M2::format, Bf16::format, kFp32Format}) {
    Matrix a = random_matrix(f, 7, 301, Stratum::kNormal, g);
    Matrix b = random_matrix(f, 37, 301, Stratum::kNormal, g);
    add_scales(a, {1, 128}, 4, g);
    add_scales(b, {128, 128}, 4, g);
    const auto got = run(p, a, b, kFp32Format, {});
    for (std::size_t m = 0; m < a.rows; ++m) {
      for (std::size_t n = 0; n < b.rows; ++n) {
        float s = 0.0f;
        for (std::size_t k0 = 0; k0 < a.k; k0 += 128) {
          float chain = 0.0f;
          for (std::size_t k = k0; k < std::min(a.k, k0 + 128); ++k) {
            const float product = decode32(f, a.at(m, k)) * decode32(f, b.at(n, k));
            chain = chain + product;
          }
          s = std::fma(a.scale(m, k0) * b.scale(n, k0), chain, s);
        }
        std::uint32_t bits = 0;
        std::memcpy(&bits, &got[4 * (m * b.rows + n)], 4);
        REQUIRE(bits == bit_cast<std::uint32_t>(s));
      }
    }
  }
}
