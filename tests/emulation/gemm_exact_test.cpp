// exact_gemm and the exact profile against Boost integers: the result is the nearest code to the
// exact sum, ties to even.
#include <boost/multiprecision/cpp_int.hpp>

#include "binade/emulation/gemm.hpp"
#include "catch.hpp"
#include "gemm_reference.hpp"

using namespace binade;
using namespace reference;
using boost::multiprecision::cpp_int;

namespace {

constexpr int kUnit = 800;  // integers count 2^-800

cpp_int integer(double x) {
  if (x == 0) return 0;
  int exponent = 0;
  const auto digits = static_cast<std::int64_t>(std::ldexp(std::frexp(x, &exponent), 53));
  const int shift = exponent - 53 + kUnit;
  return shift >= 0 ? cpp_int(digits) << shift : cpp_int(digits) >> -shift;
}

cpp_int exact(const Matrix& a, const Matrix& b, std::size_t m, std::size_t n) {
  cpp_int sum = 0;
  for (std::size_t k = 0; k < a.k; ++k) {
    const double x = decode32(a.format, a.at(m, k)), y = decode32(b.format, b.at(n, k));
    const cpp_int scaled_x = integer(x) * integer(a.scale(m, k));
    sum += (scaled_x >> kUnit) * ((integer(y) * integer(b.scale(n, k))) >> kUnit);
  }
  return sum >> kUnit;
}

/// Whether no other finite code of f lies nearer to x, nor as near with an even last bit.
bool is_nearest(FloatFormat f, std::uint64_t code, const cpp_int& x) {
  const cpp_int distance = abs(integer(decode(f, code)) - x);
  const std::uint64_t magnitude = code & f.magnitude_mask();
  if (x == 0) return code == 0;
  for (const std::int64_t step : {-1, 1}) {
    const std::uint64_t other = (magnitude + static_cast<std::uint64_t>(step)) & f.magnitude_mask();
    if ((magnitude == 0 && step < 0) || !f.is_finite(other)) continue;
    const cpp_int far = abs(integer(decode(f, other | (code & f.sign_bit()))) - x);
    if (far < distance || (far == distance && (magnitude & 1) != 0)) return false;
  }
  return true;
}

void check(const Matrix& a, const Matrix& b, FloatFormat output) {
  std::vector<double> d(a.rows * b.rows);
  const std::size_t width = static_cast<std::size_t>(output.container_bits()) / 8;
  std::vector<std::uint8_t> rounded(d.size() * width);
  exact_gemm(a.operand(), b.operand(), a.k, d, 1);
  gemm(find_gemm_profile("exact"), a.operand(), b.operand(), a.k, output, rounded.data(), {});
  for (std::size_t at = 0; at < d.size(); ++at) {
    const cpp_int want = exact(a, b, at / b.rows, at % b.rows);
    CAPTURE(format_name(a.format), format_name(b.format), format_name(output), a.k, at, d[at]);
    REQUIRE(is_nearest(kFp64Format, bit_cast<std::uint64_t>(d[at]), want));
    std::uint64_t word = 0;
    std::memcpy(&word, &rounded[at * width], width);
    if (!output.is_finite(word)) {
      REQUIRE(abs(want) > integer(decode(output, output.max_finite_code())));
    } else {
      REQUIRE(is_nearest(output, word, want));
    }
  }
}

}  // namespace

TEST_CASE("exact products are rounded once, for every pair of operand types") {
  std::mt19937_64 g(40);
  const FloatFormat formats[] = {E4M3::format, E5M2::format, Fp16::format, Bf16::format,
                                 Tf32::format};
  for (const FloatFormat fa : formats) {
    for (const FloatFormat fb : formats) {
      for (const Stratum stratum : {Stratum::kUniform, Stratum::kNormal, Stratum::kSparse}) {
        const std::size_t k = 1 + g() % 150;
        Matrix a = random_matrix(fa, 2, k, stratum, g), b = random_matrix(fb, 4, k, stratum, g);
        check(a, b, Bf16::format);
        add_scales(a, {1, 128}, 10, g);
        add_scales(b, kPerTensor, 10, g);
        check(a, b, kFp32Format);
      }
    }
  }
}

TEST_CASE("exact products of fp32 with cancellation, and with block scales") {
  std::mt19937_64 g(41);
  Matrix a = random_matrix(kFp32Format, 2, 300, Stratum::kNormal, g);
  Matrix b = random_matrix(kFp32Format, 3, 300, Stratum::kNormal, g);
  // Row 0 of A against row 0 of B: x * y + ... - x * y leaves the small rest alone.
  std::memcpy(a.bytes.data() + 4, a.bytes.data(), 4);
  std::memcpy(b.bytes.data() + 4, b.bytes.data(), 4);
  b.bytes[7] ^= 0x80;
  check(a, b, Fp16::format);
  add_scales(a, {1, 128}, 20, g);
  add_scales(b, {128, 128}, 20, g);
  check(a, b, kFp64Format);
  a = random_matrix(kFp32Format, 2, 40, Stratum::kUniform, g);  // the whole range of exponents
  b = random_matrix(kFp32Format, 3, 40, Stratum::kUniform, g);
  check(a, b, kFp64Format);
}

TEST_CASE("sums just beyond fp64 and just beyond 128 bits") {
  std::mt19937_64 g(44);
  // 128 products of the largest numbers, then twice half a last place of their sum.
  Matrix a = random_matrix(E4M3::format, 1, 130, Stratum::kUniform, g);
  Matrix b = random_matrix(E5M2::format, 1, 130, Stratum::kUniform, g);
  std::fill(a.bytes.begin(), a.bytes.end(), std::uint8_t{0x7e});  // 448
  std::fill(b.bytes.begin(), b.bytes.end(), std::uint8_t{0x7b});  // 57344
  a.bytes[128] = a.bytes[129] = 0x01;                             // 2^-9
  b.bytes[128] = b.bytes[129] = 0x08;                             // 2^-13
  check(a, b, Bf16::format);
  // Squares of 2^44 and of 1 + 2^-23: 136 bits.
  a = random_matrix(kFp32Format, 1, 2, Stratum::kNormal, g);
  const float numbers[] = {0x1p44f, 1 + 0x1p-23f};
  std::memcpy(a.bytes.data(), numbers, sizeof numbers);
  check(a, a, kFp32Format);
}

TEST_CASE("exact products wider than one tile, on every ISA and thread count") {
  std::mt19937_64 g(42);
  const Matrix a = random_matrix(E4M3::format, 70, 200, Stratum::kNormal, g);
  const Matrix b = random_matrix(E4M3::format, 150, 200, Stratum::kNormal, g);
  const Isa before = isa();
  std::vector<double> want(a.rows * b.rows), got(want.size());
  for (std::size_t at = 0; at < want.size(); ++at) {
    double sum = 0;  // exact: 36 + 8 bits
    for (std::size_t k = 0; k < a.k; ++k) {
      sum += double{decode32(a.format, a.at(at / b.rows, k))} *
             double{decode32(b.format, b.at(at % b.rows, k))};
    }
    want[at] = sum;
  }
  for (const Isa choice : supported_isas()) {
    set_isa(choice);
    for (const int threads : {1, 3}) {
      exact_gemm(a.operand(), b.operand(), a.k, got, threads);
      REQUIRE(got == want);
    }
  }
  set_isa(before);
}

TEST_CASE("exact products with NaN and infinities follow IEEE 754") {
  std::mt19937_64 g(43);
  for (const FloatFormat f : {E4M3::format, E5M2::format, Bf16::format}) {
    const Matrix a = random_matrix(f, 9, 200, Stratum::kSpecial, g);
    const Matrix b = random_matrix(f, 9, 200, Stratum::kSpecial, g);
    std::vector<double> d(81);
    exact_gemm(a.operand(), b.operand(), 200, d, 1);
    for (std::size_t at = 0; at < d.size(); ++at) {
      double sum = 0;
      for (std::size_t k = 0; k < 200; ++k) {
        sum += double{decode32(f, a.at(at / 9, k))} * double{decode32(f, b.at(at % 9, k))};
      }
      REQUIRE(std::isnan(d[at]) == std::isnan(sum));
      REQUIRE(std::isinf(d[at]) == std::isinf(sum));
      if (std::isinf(sum)) REQUIRE(d[at] == sum);
    }
  }
}
