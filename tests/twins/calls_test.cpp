// What is decided before a kernel is launched: without a device, and in both builds.
#include <vector>

#include "binade/cuda/gemm.hpp"
#include "binade/cuda/matrix_layout.hpp"
#include "binade/formats/catalog.hpp"
#include "catch.hpp"

using namespace binade;
using cuda::DeviceGemm;
using cuda::MatrixLayout;

TEST_CASE("a profile's call reads scales where their layout has them") {
  const std::vector<std::uint8_t> codes(300 * 520);
  const std::vector<float> scales_a(300 * 5, 1.0f), scales_b(3 * 5, 1.0f);
  const GemmOperand a{E4M3::format, codes.data(), 300, scales_a, 300, 5};
  const GemmOperand b{E4M3::format, codes.data(), 260, scales_b, 3, 5};
  float d = 0;
  const auto call = [&](MatrixLayout layout_a, MatrixLayout layout_b) {
    return cuda::device_gemm(find_gemm_profile("deepgemm"), a, b, 520, kFp32Format, &d, {},
                             layout_a, layout_b);
  };
  using enum MatrixLayout;
  const DeviceGemm rows = call(kRowMajor, kRowMajor), columns = call(kColumnMajor, kColumnMajor);
  CHECK(rows.scale_a.row_stride == 5);
  CHECK(rows.scale_a.block_stride == 1);
  CHECK(rows.scale_b.row_stride == 5);
  CHECK(columns.scale_a.row_stride == 1);
  CHECK(columns.scale_a.block_stride == 300);
  CHECK(columns.scale_b.row_stride == 1);
  CHECK(columns.scale_b.block_stride == 3);
  CHECK(call(kColumnMajor, kRowMajor).scale_b.block_stride == 1);
}

TEST_CASE("layouts by name") {
  for (const MatrixLayout layout : {MatrixLayout::kRowMajor, MatrixLayout::kColumnMajor}) {
    CHECK(cuda::parse_layout(cuda::name_of(layout)) == layout);
  }
  CHECK_THROWS_WITH(cuda::parse_layout("rows"), ContainsSubstring("'rows'"));
}
