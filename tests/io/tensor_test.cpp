#include "io/tensor.hpp"

#include <bit>

#include "scratch.hpp"

using namespace binade;
using namespace binade::io;

TEST_CASE("tensor: the format of its containers, stated or known") {
  CHECK(element_format(DType::kBf16, std::nullopt, "x") == Bf16::format);
  CHECK(element_format(DType::kU16, Bf16::format, "x") == Bf16::format);
  CHECK(element_format(DType::kU32, Tf32::format, "x") == Tf32::format);
  CHECK(element_format(DType::kF32, Tf32::format, "x") == Tf32::format);
  CHECK(element_format(DType::kU8, E2M1::format, "x") == E2M1::format);
  CHECK_THAT(data_error([] { element_format(DType::kU16, std::nullopt, "'x.npy'"); }),
             ContainsSubstring("'x.npy' holds uint16") && ContainsSubstring("--from"));
  CHECK_THAT(data_error([] { element_format(DType::kU8, Bf16::format, "x"); }),
             ContainsSubstring("expected uint16 containers of bf16"));
  CHECK_THROWS_AS(element_format(DType::kF16, Bf16::format, "x"), DataError);
  CHECK_THROWS_AS(element_format(DType::kF32, Fp16::format, "x"), DataError);
  CHECK_THROWS_AS(element_format(DType::kBool, E4M3::format, "x"), DataError);
}

TEST_CASE("tensor: codes as fp32") {
  const std::uint8_t e4m3[] = {0x7e, 0x01, 0xb8, 0x80};
  CHECK(to_fp32(E4M3::format, e4m3, 3) == std::vector<float>{448.0f, 0x1p-9f, -1.0f});
  CHECK(std::bit_cast<std::uint32_t>(to_fp32(E4M3::format, e4m3 + 3, 1)[0]) == 0x80000000u);
  const double wide[] = {1 + 0x1p-30, -1e300, 0x1p-149};
  const std::vector<float> single = to_fp32(Fp64::format, wide, 3);
  CHECK(single[0] == 1.0f);
  CHECK(single[1] == -std::numeric_limits<float>::infinity());
  CHECK(single[2] == 0x1p-149f);
}

TEST_CASE("tensor: shapes") {
  CHECK(matrix_extent({}).rows == 1);
  CHECK(matrix_extent({7}).cols == 7);
  CHECK(matrix_extent({7}).rows == 1);
  CHECK(matrix_extent({2, 3, 4}).rows == 6);
  CHECK(shape_text({}) == "[]");
  CHECK(shape_text({2, 3}) == "[2, 3]");
  CHECK(checked_bytes({3, 0}, DType::kF32, "x") == 0);
  CHECK_THROWS_AS(checked_bytes({SIZE_MAX}, DType::kU8, "x"), DataError);
  CHECK_THROWS_AS(checked_bytes({std::size_t{1} << 62, 4}, DType::kU8, "x"), DataError);
}
