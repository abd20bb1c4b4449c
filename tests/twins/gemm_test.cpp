// The tensor cores' GEMM against binade::gemm, every bit: every way to scale and to promote, every
// compiled tile, shapes that fill no tile, NaN and infinity.
#include "binade/cuda/gemm.hpp"

#include <cstring>
#include <random>
#include <vector>

#include "binade/cuda/memory.hpp"
#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "catch.hpp"
#include "transposed.hpp"

using namespace binade;
using cuda::DeviceArray;
using cuda::DeviceGemm;
using cuda::DeviceScales;
using cuda::GemmScaling;
using cuda::MatrixLayout;

namespace {

struct Shape {
  std::size_t m, n, k;
};

std::size_t blocks(std::size_t extent) { return (extent + 127) / 128; }

/// Codes of a matrix: every second row any finite bit pattern, the others normal numbers.
std::vector<std::uint8_t> random_codes(FloatFormat format, std::size_t rows, std::size_t k,
                                       std::mt19937& random) {
  std::vector<std::uint8_t> codes(rows * k);
  std::normal_distribution<float> normal;
  std::vector<float> numbers(k);
  for (std::size_t r = 0; r < rows; ++r) {
    std::uint8_t* row = codes.data() + r * k;
    if (r % 2 == 0) {
      for (float& x : numbers) x = normal(random);
      cast(kFp32Format, numbers.data(), format, row, k);
    } else {
      const std::uint8_t largest = format == E4M3::format ? 0x7e : 0x7b;
      for (std::size_t i = 0; i < k; ++i) {
        row[i] = static_cast<std::uint8_t>(random());
        if ((row[i] & 0x7f) > largest) row[i] = 0x38;
      }
    }
  }
  return codes;
}

/// One product: matrices, scales, and both ways to compute it.
class Product {
 public:
  Product(Shape shape, FloatFormat a, FloatFormat b, GemmScaling scaling, bool special,
          unsigned seed = 1)
      : shape_(shape), scaling_(scaling), random_(seed) {
    a_ = {a, random_codes(a, shape.m, shape.k, random_)};
    b_ = {b, random_codes(b, shape.n, shape.k, random_)};
    if (special) {  // NaN, and infinity where there is one
      a_.codes[shape.m / 2 * shape.k + shape.k / 3] = 0x7f;
      b_.codes[shape.n / 3 * shape.k + shape.k / 2] = b == E5M2::format ? 0x7c : 0xff;
      a_.codes[(shape.m - 1) * shape.k] = a == E5M2::format ? 0xfc : 0x7e;
    }
    const bool row = scaling == GemmScaling::kRow, block = scaling == GemmScaling::kBlock;
    fill_scales(a_, row || block ? shape.m : 1, block ? blocks(shape.k) : 1);
    fill_scales(b_, row ? shape.n : block ? blocks(shape.n) : 1, block ? blocks(shape.k) : 1);
  }

  const GemmProfile& profile() const {
    return find_gemm_profile(scaling_ == GemmScaling::kTensor ? "cublaslt"
                             : scaling_ == GemmScaling::kRow  ? "torch-rowwise"
                                                              : "deepgemm");
  }

  std::vector<std::uint8_t> on_cpu(int interval, FloatFormat output) const {
    std::vector<std::uint8_t> d(output_bytes(output));
    gemm(profile(), operand(a_, shape_.m), operand(b_, shape_.n), shape_.k, output, d.data(),
         {interval});
    return d;
  }

  std::vector<std::uint8_t> by_host_twin(int interval, FloatFormat output) const {
    std::vector<std::uint8_t> d(output_bytes(output));
    cuda::gemm_hw(profile(), operand(a_, shape_.m), operand(b_, shape_.n), shape_.k, output,
                  d.data(), {interval});
    return d;
  }

  /// By every tile, each into poisoned memory, from scales in both layouts. Errors: where a bit
  /// differs, Catch's.
  void check_tiles(int interval, FloatFormat output) const {
    const std::vector<std::uint8_t> want = on_cpu(interval, output);
    check_tiles(interval, output, MatrixLayout::kRowMajor, want);
    if (scaling_ == GemmScaling::kBlock) {
      check_tiles(interval, output, MatrixLayout::kColumnMajor, want);
    }
  }

  void check_tiles(int interval, FloatFormat output, MatrixLayout layout,
                   const std::vector<std::uint8_t>& want) const {
    Uploaded on_device = upload(interval, output, layout, 0);
    DeviceArray d(want.size());
    DeviceGemm& call = on_device.call;
    call.d = d.data();
    const auto tiles = cuda::gemm_tiles(call);
    REQUIRE(!tiles.empty());
    for (std::size_t t = 0; t < tiles.size(); ++t) {
      call.tile = static_cast<int>(t);
      d.fill(0xcd);
      cuda::gemm_hw(call);
      cuda::synchronize();
      std::vector<std::uint8_t> got(want.size());
      d.download(got.data(), got.size());
      INFO("tile " << tiles[t].name << ", interval " << interval << ", " << describe(output)
                   << ", scales " << name_of(layout));
      compare(got, want, output);
    }
  }

  /// With `gap` elements between the rows of A, B and D, and D that many beyond its place: every
  /// bit of D, and what lies around it untouched.
  void check_gaps(FloatFormat output, std::size_t gap) const {
    const std::size_t width = static_cast<std::size_t>(output.container_bits()) / 8;
    const std::size_t row = shape_.n * width, stride = row + gap * width;
    const std::vector<std::uint8_t> want = on_cpu(128, output);
    std::vector<std::uint8_t> whole(gap * width + shape_.m * stride, 0xcd), got(whole.size());
    for (std::size_t r = 0; r < shape_.m; ++r) {
      std::memcpy(&whole[gap * width + r * stride], &want[r * row], row);
    }
    Uploaded on_device = upload(128, output, MatrixLayout::kRowMajor, gap);
    DeviceArray d(whole.size());
    d.fill(0xcd);
    on_device.call.d = d.as<std::uint8_t>() + gap * width;
    on_device.call.d_stride = shape_.n + gap;
    cuda::gemm_hw(on_device.call);
    cuda::synchronize();
    d.download(got.data(), got.size());
    INFO(describe(output) << ", " << gap << " between rows");
    CHECK(got == whole);
  }

  /// Says where the first bit differs.
  void compare(const std::vector<std::uint8_t>& got, const std::vector<std::uint8_t>& want,
               FloatFormat output) const {
    const std::size_t width = static_cast<std::size_t>(output.container_bits()) / 8;
    std::size_t differ = 0, first = 0;
    for (std::size_t i = 0; i < want.size(); i += width) {
      if (std::memcmp(&got[i], &want[i], width) == 0) continue;
      if (differ++ == 0) first = i;
    }
    std::uint32_t got_bits = 0, want_bits = 0;
    std::memcpy(&got_bits, &got[first], width);
    std::memcpy(&want_bits, &want[first], width);
    INFO("first at row " << first / width / shape_.n << ", column " << first / width % shape_.n
                         << std::hex << ": got " << got_bits << ", want " << want_bits);
    CHECK(differ == 0);
  }

  std::string describe(FloatFormat output) const {
    return std::to_string(shape_.m) + "x" + std::to_string(shape_.n) + "x" +
           std::to_string(shape_.k) + " " + format_name(a_.format) + " " + format_name(b_.format) +
           " " + profile().name + " to " + format_name(output);
  }

 private:
  struct Matrix {
    FloatFormat format{};
    std::vector<std::uint8_t> codes{};
    std::vector<float> scales{};
    std::size_t scale_rows = 0, scale_cols = 0;
  };

  void fill_scales(Matrix& x, std::size_t rows, std::size_t cols) {
    std::uniform_real_distribution<float> scale(0.001f, 3.0f);
    x.scale_rows = rows, x.scale_cols = cols;
    for (std::size_t i = 0; i < rows * cols; ++i) x.scales.push_back(scale(random_));
  }

  struct Uploaded {
    DeviceArray a, b, scale_a, scale_b;
    DeviceGemm call{};  ///< but for D
  };

  Uploaded upload(int interval, FloatFormat output, MatrixLayout layout, std::size_t gap) const {
    Uploaded u{on_device(a_, shape_.m, gap), on_device(b_, shape_.n, gap),
               scales_on_device(a_, layout), scales_on_device(b_, layout)};
    DeviceGemm& call = u.call;
    call.m = shape_.m, call.n = shape_.n, call.k = shape_.k;
    call.a_format = a_.format, call.b_format = b_.format, call.output = output;
    call.a = u.a.data(), call.b = u.b.data();
    call.a_stride = call.b_stride = shape_.k + gap;
    call.scaling = scaling_;
    call.scale_a = DeviceScales::of(u.scale_a.as<float>(), a_.scale_rows, a_.scale_cols, layout);
    call.scale_b = DeviceScales::of(u.scale_b.as<float>(), b_.scale_rows, b_.scale_cols, layout);
    call.promotion_interval = interval;
    return u;
  }

  /// Codes with NaN between their rows.
  DeviceArray on_device(const Matrix& x, std::size_t rows, std::size_t gap) const {
    std::vector<std::uint8_t> spread(rows * (shape_.k + gap), 0x7f);
    for (std::size_t r = 0; r < rows; ++r) {
      std::memcpy(&spread[r * (shape_.k + gap)], &x.codes[r * shape_.k], shape_.k);
    }
    return DeviceArray(std::span<const std::uint8_t>(spread));
  }

  static DeviceArray scales_on_device(const Matrix& x, MatrixLayout layout) {
    const bool by_rows = layout == MatrixLayout::kRowMajor;
    const std::vector<float> laid_out =
        by_rows ? x.scales : transposed(x.scales, x.scale_rows, x.scale_cols);
    return DeviceArray(std::span<const float>{laid_out});
  }

  static GemmOperand operand(const Matrix& x, std::size_t rows) {
    return {x.format, x.codes.data(), rows, x.scales, x.scale_rows, x.scale_cols};
  }

  std::size_t output_bytes(FloatFormat output) const {
    return shape_.m * shape_.n * static_cast<std::size_t>(output.container_bits()) / 8;
  }

  Shape shape_;
  GemmScaling scaling_;
  std::mt19937 random_;
  Matrix a_, b_;
};

std::vector<int> intervals_of(GemmScaling scaling) {
  if (scaling == GemmScaling::kBlock) return {32, 64, 128};
  return {0, 32, 64, 128, 256, 512};
}

constexpr GemmScaling kScalings[] = {GemmScaling::kTensor, GemmScaling::kRow, GemmScaling::kBlock};
const FloatFormat kOutputs[] = {kFp32Format, Bf16::format};

}  // namespace

TEST_CASE("every scaling, interval, output and tile", "[gemm]") {
  for (const Shape shape : {Shape{1, 1, 1},
                            {70, 33, 100},
                            {70, 520, 128},
                            {200, 480, 384},
                            {128, 256, 512},
                            {300, 504, 1296}}) {
    for (const GemmScaling scaling : kScalings) {
      const Product product(shape, E4M3::format, E4M3::format, scaling, shape.m > 1);
      for (const int interval : intervals_of(scaling)) {
        for (const FloatFormat output : kOutputs) product.check_tiles(interval, output);
      }
    }
  }
}

TEST_CASE("e5m2 on either side and on both", "[gemm]") {
  const FloatFormat formats[] = {E4M3::format, E5M2::format};
  for (const FloatFormat a : formats) {
    for (const FloatFormat b : formats) {
      for (const GemmScaling scaling : kScalings) {
        const Product product({130, 264, 528}, a, b, scaling, true);
        for (const int interval : intervals_of(scaling)) {
          for (const FloatFormat output : kOutputs) product.check_tiles(interval, output);
        }
      }
    }
  }
}

TEST_CASE("more tiles than the device holds at once", "[gemm]") {
  for (const GemmScaling scaling : kScalings) {
    const Product product({2100, 5000, 400}, E4M3::format, E4M3::format, scaling, true);
    product.check_tiles(128, Bf16::format);
    product.check_tiles(scaling == GemmScaling::kBlock ? 64 : 0, kFp32Format);
    const Product short_chains({2100, 5000, 100}, E4M3::format, E4M3::format, scaling, true);
    short_chains.check_tiles(128, Bf16::format);
    if (scaling == GemmScaling::kBlock) continue;
    // The last tile's boxes lie in stages where its warpgroup alone has filled all of them.
    short_chains.check_tiles(0, Bf16::format);
    product.check_tiles(0, Bf16::format);
    for (const std::size_t k : {640, 1000}) {
      const Product longer({2100, 5000, k}, E4M3::format, E4M3::format, scaling, true);
      for (const FloatFormat output : kOutputs) longer.check_tiles(0, output);
    }
  }
}

TEST_CASE("rows that lie apart, and what lies between them", "[gemm]") {
  for (const GemmScaling scaling : kScalings) {
    for (const Shape shape : {Shape{1, 7, 33}, {1, 256, 300}, {70, 33, 100}, {200, 264, 528}}) {
      const Product product(shape, E4M3::format, E4M3::format, scaling, false);
      for (const FloatFormat output : kOutputs) {
        for (const std::size_t gap : {0, 1, 7, 8, 16}) product.check_gaps(output, gap);
      }
    }
  }
}

TEST_CASE("a few rows and a long chain", "[gemm]") {
  for (const GemmScaling scaling : kScalings) {
    const Product product({64, 1792, 8192}, E4M3::format, E4M3::format, scaling, false);
    product.check_tiles(128, Bf16::format);
    product.check_tiles(scaling == GemmScaling::kBlock ? 32 : 0, kFp32Format);
  }
}

TEST_CASE("the host's twin", "[gemm]") {
  for (const GemmScaling scaling : kScalings) {
    for (const Shape shape : {Shape{33, 65, 97}, {256, 192, 640}}) {
      const Product product(shape, E4M3::format, E4M3::format, scaling, true);
      for (const FloatFormat output : kOutputs) {
        INFO(product.describe(output));
        product.compare(product.by_host_twin(128, output), product.on_cpu(128, output), output);
      }
    }
  }
}

// A GEMM may begin while the launch ahead still runs. The first, a long chain on a few
// multiprocessors, picks out numbers whose bytes, in bf16, are e4m3 codes that the second
// multiplies on others.
TEST_CASE("a product of what the launch ahead writes", "[gemm]") {
  constexpr std::size_t kRows = 256, kCols = 512, kLong = 16384, kBytes = 2 * kCols, kOut = 1024;
  std::mt19937 random(5);
  std::vector<std::uint8_t> a(kRows * kLong), pick(kCols * kLong), b(kOut * kBytes);
  for (std::uint8_t& code : a) code = static_cast<std::uint8_t>(0x38 + random() % 24);
  for (std::size_t j = 0; j < kCols; ++j) pick[j * kLong + random() % kLong] = 0x38;
  for (std::uint8_t& code : b) code = static_cast<std::uint8_t>(random() % 0x40);
  std::vector<std::uint8_t> picked(kRows * kBytes), want(kRows * kOut * 4), got(want.size());
  const GemmProfile& profile = find_gemm_profile("cublaslt");
  gemm(profile, {E4M3::format, a.data(), kRows}, {E4M3::format, pick.data(), kCols}, kLong,
       Bf16::format, picked.data());
  gemm(profile, {E4M3::format, picked.data(), kRows}, {E4M3::format, b.data(), kOut}, kBytes,
       kFp32Format, want.data());

  DeviceArray da{std::span<const std::uint8_t>(a)}, dpick{std::span<const std::uint8_t>(pick)},
      db{std::span<const std::uint8_t>(b)}, dpicked(picked.size()), dout(want.size());
  DeviceGemm first{kRows, kCols, kLong, E4M3::format, E4M3::format}, second = first;
  first.a = da.data(), first.b = dpick.data(), first.d = dpicked.data();
  first.output = Bf16::format;
  second.n = kOut, second.k = kBytes;
  second.a = dpicked.data(), second.b = db.data(), second.d = dout.data();
  second.output = kFp32Format;
  first.promotion_interval = second.promotion_interval = 128;
  for (int round = 0; round < 4; ++round) {
    dpicked.fill(0x38);
    cuda::gemm_hw(first);
    cuda::gemm_hw(second);
    cuda::synchronize();
    dout.download(got.data(), got.size());
    CHECK(std::memcmp(got.data(), want.data(), got.size()) == 0);
  }
}

TEST_CASE("scales of one operand alone, and of none", "[gemm]") {
  std::vector<std::uint8_t> a(64 * 256, 0x39), b(64 * 256, 0x3b);
  const std::vector<float> row(64, 0.3f), block(64 * 2, 0.7f);
  std::vector<float> got(64 * 64), want(64 * 64);
  const auto both = [&](const char* name, GemmOperand x, GemmOperand y) {
    const GemmProfile& profile = find_gemm_profile(name);
    gemm(profile, x, y, 256, kFp32Format, want.data());
    cuda::gemm_hw(profile, x, y, 256, kFp32Format, got.data());
    CHECK(std::memcmp(got.data(), want.data(), got.size() * 4) == 0);
  };
  const GemmOperand plain_a{E4M3::format, a.data(), 64}, plain_b{E4M3::format, b.data(), 64};
  for (const char* name : {"cublaslt", "cublaslt-fast", "torch-rowwise", "deepgemm"}) {
    both(name, plain_a, plain_b);
  }
  both("torch-rowwise", {E4M3::format, a.data(), 64, row, 64, 1}, plain_b);
  both("torch-rowwise-fast", plain_a, {E4M3::format, b.data(), 64, row, 64, 1});
  both("deepgemm", {E4M3::format, a.data(), 64, block, 64, 2}, plain_b);
}

TEST_CASE("what the kernels do not have is refused in words", "[gemm]") {
  const std::vector<std::uint8_t> codes(64 * 64, 0x38);
  std::vector<float> d(64 * 64);
  const GemmOperand x{E4M3::format, codes.data(), 64}, half{Fp16::format, codes.data(), 16};
  const auto run = [&](const char* name, const GemmOperand& a, FloatFormat output,
                       GemmOptions options = {}) {
    cuda::gemm_hw(find_gemm_profile(name), a, x, 64, output, d.data(), options);
  };
  CHECK_THROWS_WITH(run("exact", x, kFp32Format), ContainsSubstring("chains of hopper.wgmma.f32"));
  CHECK_THROWS_WITH(run("triton-v3", x, kFp32Format), ContainsSubstring("order of scales"));
  CHECK_THROWS_WITH(run("cublaslt", half, kFp32Format), ContainsSubstring("operand A is fp16"));
  CHECK_THROWS_WITH(run("cublaslt", x, Fp16::format), ContainsSubstring("output fp16"));
  CHECK_THROWS_WITH(run("cublaslt", x, kFp32Format, {48}),
                    ContainsSubstring("promotion interval 48"));
  CHECK_THROWS_WITH(run("cublaslt", x, kFp32Format, {-1}), ContainsSubstring("interval -1"));
  DeviceGemm call;
  CHECK_THROWS_AS(cuda::gemm_hw(call), std::invalid_argument);
}
