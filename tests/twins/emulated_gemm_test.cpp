// The emulated GEMM on the device gives the bits of binade::gemm: every instruction, random model
// cards, every profile, every kind of lane, ragged shapes, special values.
#include "binade/cuda/emulated_gemm.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "binade/cuda/arithmetic_rate.hpp"
#include "binade/cuda/memory.hpp"
#include "catch.hpp"
#include "emulation/gemm_reference.hpp"

using namespace binade;
using namespace reference;
using binade::cuda::EmulatedGemm;
using binade::cuda::EmulationPath;

namespace {

constexpr Stratum kStrata[] = {Stratum::kUniform, Stratum::kNormal, Stratum::kSparse,
                               Stratum::kSpecial, Stratum::kWide};

std::size_t bytes_of(FloatFormat f) { return static_cast<std::size_t>(f.container_bits()) / 8; }

/// A matrix on the device, as the operand of a product there.
class OnDevice {
 public:
  explicit OnDevice(const Matrix& m)
      : matrix_(m), codes_(m.bytes.data(), m.bytes.size()), scales_(std::span(m.scales)) {}
  GemmOperand operand() const {
    GemmOperand x = matrix_.operand();
    x.codes = codes_.data();
    x.scales = {scales_.as<float>(), matrix_.scales.size()};
    return x;
  }

 private:
  const Matrix& matrix_;
  cuda::DeviceArray codes_, scales_;
};

struct DeviceRun {
  std::vector<std::uint8_t> d;
  EmulationPath path{};
  std::size_t leftovers = 0;
};

DeviceRun run_on_device(const GemmProfile& p, const Matrix& a, const Matrix& b, FloatFormat output,
                        const GemmOptions& options, EmulationPath path) {
  const OnDevice x(a), y(b);
  EmulatedGemm gemm(p, x.operand(), y.operand(), a.k, output, options, path);
  cuda::DeviceArray d(a.rows * b.rows * bytes_of(output));
  d.fill(0xa5);
  gemm.run(x.operand(), y.operand(), d.data());
  gemm.run(x.operand(), y.operand(), d.data());  // nothing is left behind that a second run meets
  DeviceRun run{std::vector<std::uint8_t>(d.size()), gemm.path(), gemm.leftovers()};
  d.download(run.d.data(), run.d.size());
  return run;
}

/// Compares both ways of computing with the CPU; returns what the fastest one was.
EmulationPath check(const GemmProfile& p, const Matrix& a, const Matrix& b, FloatFormat output,
                    const GemmOptions& options) {
  const std::size_t width = bytes_of(output);
  std::vector<std::uint8_t> want(a.rows * b.rows * width);
  gemm(p, a.operand(), b.operand(), a.k, output, want.data(), options);
  EmulationPath fastest{};
  for (const EmulationPath path : {EmulationPath::kFastest, EmulationPath::kScalar}) {
    const DeviceRun got = run_on_device(p, a, b, output, options, path);
    if (path == EmulationPath::kFastest) fastest = got.path;
    std::size_t wrong = 0, first = 0;
    for (std::size_t at = want.size(); at > 0; at -= width) {
      if (std::memcmp(&got.d[at - width], &want[at - width], width) != 0) {
        ++wrong;
        first = at / width - 1;
      }
    }
    std::uint64_t found = 0, expected = 0;
    std::memcpy(&found, &got.d[first * width], width);
    std::memcpy(&expected, &want[first * width], width);
    CAPTURE(p.name, format_name(output), cuda::name_of(got.path), got.leftovers, a.rows, b.rows,
            a.k, first / b.rows, first % b.rows, found, expected);
    REQUIRE(wrong == 0);
  }
  return fastest;
}

Instruction random_card(std::mt19937_64& g) {
  constexpr FloatFormat kFormats[] = {E4M3::format, E5M2::format, Fp16::format,
                                      Bf16::format, Tf32::format, E2M1::format};
  const auto among = [&](std::initializer_list<int> list) {
    return list.begin()[g() % list.size()];
  };
  Instruction i;
  i.a = kFormats[g() % std::size(kFormats)];
  i.b = g() % 2 == 0 ? i.a : kFormats[g() % std::size(kFormats)];
  i.c = g() % 3 == 0 ? Fp16::format : kFp32Format;
  DotModel& m = i.model;
  m.step_k = among({1, 2, 3, 4, 7, 8, 16, 16, 32, 32, 48, 64});
  i.k = m.step_k * among({1, 1, 2, 4});
  if (i.k == 2 * m.step_k && i.k % 4 == 0 && g() % 2 == 0) m.order = StepOrder::kInterleavedPairs;
  m.alignment_fraction_bits =
      g() % 2 == 0 ? 1 + static_cast<int>(g() % 17) : 1 + static_cast<int>(g() % 48);
  m.alignment = static_cast<AlignmentRounding>(g() % 3);
  if (g() % 3 == 0) m.min_exponent = among({-133, -20, -5, 0, 4, 12});
  m.zeros_join_maximum = g() % 4 == 0;
  m.normalize_products = g() % 3 == 0;
  if (g() % 4 == 0) m.multiplier_emin = among({-14, -8, -30});
  m.addend = g() % 4 == 0 ? AddendRule::kAddedLast : AddendRule::kAligned;
  m.result = i.c;
  if (g() % 2 == 0) m.result.mantissa_bits = 1 + static_cast<int>(g() % 10);
  if (g() % 4 == 0) m.result.mantissa_bits = i.c.mantissa_bits - static_cast<int>(g() % 3);
  m.result_rounding = g() % 2 == 0 ? Rounding::kTowardZero : Rounding::kNearestEven;
  return i;
}

}  // namespace

TEST_CASE("every instruction, every stratum, ragged shapes", "[emulated_gemm]") {
  std::mt19937_64 g(41);
  const GemmProfile& p = find_gemm_profile("cublaslt");
  for (const Instruction& i : instructions()) {
    INFO(i.name);
    for (const Stratum stratum : kStrata) {
      GemmOptions options;
      options.instruction = &i;
      options.promotion_interval = g() % 2 == 0 ? 0 : 4 * i.k;
      const std::size_t k = 3 * static_cast<std::size_t>(i.k) + g() % 300;
      check(p, random_matrix(i.a, 1 + g() % 140, k, stratum, g),
            random_matrix(i.b, 1 + g() % 80, k, stratum, g), kFp32Format, options);
    }
  }
}

TEST_CASE("random model cards", "[emulated_gemm]") {
  std::mt19937_64 g(42);
  const GemmProfile& p = find_gemm_profile("cublaslt");
  std::map<EmulationPath, int> met;
  for (int count = 0; count < 600;) {
    const Instruction i = random_card(g);
    if (!is_valid(i)) continue;
    ++count;
    INFO("card " << count << ": " << instruction_to_json(i));
    GemmOptions options;
    options.instruction = &i;
    options.promotion_interval = static_cast<int>(g() % 4) * i.k;
    const Stratum stratum = kStrata[g() % std::size(kStrata)];
    const std::size_t k = 1 + g() % 200;
    ++met[check(p, random_matrix(i.a, 1 + g() % 40, k, stratum, g),
                random_matrix(i.b, 1 + g() % 40, k, stratum, g), kFp32Format, options)];
  }
  CHECK(met[EmulationPath::kSingleLanes] > 50);
  CHECK(met[EmulationPath::kDoubleLanes] > 50);
  CHECK(met[EmulationPath::kScalar] > 50);
}

TEST_CASE("every kernel once, on a small shape for the sanitizers", "[emulated_gemm]") {
  std::mt19937_64 g(47);
  const GemmProfile& p = find_gemm_profile("cublaslt");
  for (const char* name : {"hopper.wgmma.f32.e4m3.e4m3", "hopper.wgmma.f32.f16.f16",
                           "hopper.mma.f32.e4m3.e4m3", "hopper.wgmma.f16.e5m2.e5m2"}) {
    for (int variant = 0; variant < 6; ++variant) {
      Instruction i = find_instruction(name);
      i.model.alignment = static_cast<AlignmentRounding>(variant / 2);
      i.model.normalize_products = variant % 2 == 1;
      GemmOptions options;
      options.instruction = &i;
      options.promotion_interval = 2 * i.k;
      const Matrix a = random_matrix(i.a, 67, 100, Stratum::kSpecial, g);
      const Matrix b = random_matrix(i.b, 65, 100, Stratum::kSpecial, g);
      std::vector<std::uint8_t> want(a.rows * b.rows * sizeof(float));
      gemm(p, a.operand(), b.operand(), a.k, kFp32Format, want.data(), options);
      INFO(i.name << " variant " << variant);
      CHECK(run_on_device(p, a, b, kFp32Format, options, EmulationPath::kFastest).d == want);
    }
  }
}

TEST_CASE("every profile, its scales, outputs and promotion intervals", "[emulated_gemm]") {
  std::mt19937_64 g(43);
  for (const GemmProfile& p : gemm_profiles()) {
    if (p.chain != ChainKind::kInstruction) continue;
    for (const std::size_t k : {512, 1000, 4 * 128 + 1}) {
      for (const FloatFormat output : {kFp32Format, Bf16::format, Fp16::format, E4M3::format}) {
        for (const bool scaled : {false, true}) {
          Matrix a = random_matrix(E4M3::format, 1 + g() % 260, k, Stratum::kNormal, g);
          Matrix b = random_matrix(E5M2::format, 1 + g() % 140, k, Stratum::kUniform, g);
          if (scaled) {
            const bool any = p.scale_a == kAnyGranularity;
            add_scales(a, any ? kPerRow : p.scale_a, 3, g);
            add_scales(b, any ? Granularity{128, 128} : p.scale_b, 3, g);
          }
          check(p, a, b, output, {});
        }
      }
    }
    for (const int interval : {0, 32, 96, 128, 512}) {
      GemmOptions options;
      options.promotion_interval = interval;
      check(p, random_matrix(E4M3::format, 150, 700, Stratum::kNormal, g),
            random_matrix(E4M3::format, 70, 700, Stratum::kNormal, g), kFp32Format, options);
    }
  }
}

TEST_CASE("rows full of special values, more than the list of leftovers holds", "[emulated_gemm]") {
  std::mt19937_64 g(44);
  const GemmProfile& p = find_gemm_profile("deepgemm");
  Matrix a = random_matrix(E5M2::format, 200, 300, Stratum::kNormal, g);
  const Matrix b = random_matrix(E5M2::format, 150, 300, Stratum::kNormal, g);
  for (std::size_t row = 0; row < a.rows; row += 2) {
    a.bytes[row * a.k + g() % a.k] = static_cast<std::uint8_t>(0x7c + g() % 4);  // Inf or NaN
  }
  check(p, a, b, kFp32Format, {});
  const DeviceRun run = run_on_device(p, a, b, kFp32Format, {}, EmulationPath::kFastest);
  CHECK(run.path == EmulationPath::kSingleLanes);
  CHECK(run.leftovers == 100 * 150);
}

TEST_CASE("the bits depend on the model: its neighbours differ", "[emulated_gemm]") {
  std::mt19937_64 g(45);
  const GemmProfile& p = find_gemm_profile("cublaslt-fast");
  const Matrix a = random_matrix(E4M3::format, 64, 512, Stratum::kNormal, g);
  const Matrix b = random_matrix(E4M3::format, 64, 512, Stratum::kNormal, g);
  Instruction i = find_instruction("hopper.wgmma.f32.e4m3.e4m3");
  const auto bits = [&](const Instruction& model) {
    GemmOptions options;
    options.instruction = &model;
    return run_on_device(p, a, b, kFp32Format, options, EmulationPath::kFastest).d;
  };
  const auto measured = bits(i);
  for (const int change : {-1, 1}) {
    i.model.alignment_fraction_bits += change;
    CHECK(bits(i) != measured);
    i.model.alignment_fraction_bits -= change;
  }
  i.model.alignment = AlignmentRounding::kFloor;
  CHECK(bits(i) != measured);
  i.model.alignment = AlignmentRounding::kNearestEven;
  CHECK(bits(i) != measured);
}

TEST_CASE("gemm_portable, and what it refuses", "[emulated_gemm]") {
  std::mt19937_64 g(46);
  Matrix a = random_matrix(E4M3::format, 65, 257, Stratum::kNormal, g);
  Matrix b = random_matrix(E4M3::format, 33, 257, Stratum::kNormal, g);
  const GemmProfile& p = find_gemm_profile("deepgemm");
  add_scales(a, p.scale_a, 3, g);
  add_scales(b, p.scale_b, 3, g);
  std::vector<std::uint16_t> want(a.rows * b.rows), got(want.size(), 0xa5a5);
  gemm(p, a.operand(), b.operand(), a.k, Bf16::format, want.data());
  cuda::gemm_portable(p, a.operand(), b.operand(), a.k, Bf16::format, got.data());
  CHECK(got == want);

  const auto refused = [&](const char* profile, const Matrix& x, const char* why) {
    CHECK_THROWS_WITH(cuda::gemm_portable(find_gemm_profile(profile), x.operand(), b.operand(), x.k,
                                          Bf16::format, got.data()),
                      ContainsSubstring(why));
  };
  refused("exact", a, "no matrix instruction");
  refused("fp32-sequential", a, "no matrix instruction");
  refused("cublaslt", a, "scales of shape");
  a.scales[3] = -1.0f;
  refused("deepgemm", a, "scale 3 is");
  EmulatedGemm ready(find_gemm_profile("cublaslt"), {E4M3::format, a.bytes.data(), 65},
                     {E4M3::format, b.bytes.data(), 33}, 257, kFp32Format);
  CHECK_THROWS_WITH(
      ready.run({E4M3::format, a.bytes.data(), 64}, {E4M3::format, b.bytes.data(), 33}, got.data()),
      ContainsSubstring("other shapes"));
}

TEST_CASE("the rate of multiply-adds: fp64 has half the lanes of fp32", "[emulated_gemm]") {
  const auto median = [](cuda::CoreArithmetic kind) {
    std::vector<double> rates = cuda::multiply_add_rates(kind, 5);
    std::ranges::sort(rates);
    return rates[rates.size() / 2];
  };
  const double fp32 = median(cuda::CoreArithmetic::kFp32);
  CHECK(fp32 > 1000);
  CHECK(median(cuda::CoreArithmetic::kFp64) < 0.7 * fp32);
}
