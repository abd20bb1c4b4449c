#include "io/tensor.hpp"

#include <array>
#include <limits>

#include "binade/formats/cast.hpp"
#include "io/error.hpp"

namespace binade::io {
namespace {

constexpr std::array<DTypeInfo, 16> kDTypes{{
    {DType::kBool, "bool", "b1", "BOOL", 1, std::nullopt},
    {DType::kU8, "uint8", "u1", "U8", 1, std::nullopt},
    {DType::kU16, "uint16", "u2", "U16", 2, std::nullopt},
    {DType::kU32, "uint32", "u4", "U32", 4, std::nullopt},
    {DType::kU64, "uint64", "u8", "U64", 8, std::nullopt},
    {DType::kI8, "int8", "i1", "I8", 1, std::nullopt},
    {DType::kI16, "int16", "i2", "I16", 2, std::nullopt},
    {DType::kI32, "int32", "i4", "I32", 4, std::nullopt},
    {DType::kI64, "int64", "i8", "I64", 8, std::nullopt},
    {DType::kF16, "float16", "f2", "F16", 2, Fp16::format},
    {DType::kF32, "float32", "f4", "F32", 4, Fp32::format},
    {DType::kF64, "float64", "f8", "F64", 8, Fp64::format},
    {DType::kBf16, "bfloat16", "", "BF16", 2, Bf16::format},
    {DType::kE4M3, "float8_e4m3fn", "", "F8_E4M3", 1, E4M3::format},
    {DType::kE5M2, "float8_e5m2", "", "F8_E5M2", 1, E5M2::format},
    {DType::kE8M0, "float8_e8m0fnu", "", "F8_E8M0", 1, E8M0::format},
}};

constexpr bool rows_in_order() {
  for (std::size_t i = 0; i < kDTypes.size(); ++i) {
    if (static_cast<std::size_t>(kDTypes[i].dtype) != i) return false;
  }
  return true;
}
static_assert(rows_in_order(), "info() indexes the table by DType");

}  // namespace

std::span<const DTypeInfo> dtypes() { return kDTypes; }

const DTypeInfo& info(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)]; }

DType unsigned_dtype(int bits) {
  return bits == 8 ? DType::kU8 : bits == 16 ? DType::kU16 : bits == 32 ? DType::kU32 : DType::kU64;
}

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + "]";
}

std::size_t checked_bytes(const Shape& shape, DType dtype, const std::string& where) {
  // A zero extent does not excuse the others: their product must be a size too, as in numpy.
  std::size_t product = info(dtype).size;
  bool empty = false;
  for (const std::size_t extent : shape) {
    empty = empty || extent == 0;
    if (extent != 0 && __builtin_mul_overflow(product, extent, &product)) product = SIZE_MAX;
    if (product > static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max())) {
      throw DataError(where + ": shape " + shape_text(shape) + " of " +
                      std::string(info(dtype).name) + " overflows, expected at most 2^63 bytes");
    }
  }
  return empty ? 0 : product;
}

Tensor::Tensor(DType dtype_, Shape shape_) : dtype(dtype_), shape(std::move(shape_)) {
  bytes.resize(checked_bytes(shape, dtype, "tensor"));
}

Extent matrix_extent(const Shape& shape) {
  if (shape.empty()) return {1, 1};
  Extent extent{1, shape.back()};
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) extent.rows *= shape[i];
  return extent;
}

FloatFormat element_format(DType dtype, std::optional<FloatFormat> stated,
                           const std::string& where) {
  const DTypeInfo& found = info(dtype);
  if (!stated) {
    if (found.format) return *found.format;
    throw DataError(where + " holds " + std::string(found.name) +
                    ", expected floats or the name of the format of its codes (--from)");
  }
  // A float array is its own bit patterns, and fp32 words serve as tf32 operands.
  const bool same_width = static_cast<std::size_t>(stated->container_bits()) == found.size * 8;
  const bool is_other_float = found.format && *found.format != *stated &&
                              !(found.dtype == DType::kF32 && *stated == Tf32::format);
  if (!same_width || is_other_float || found.dtype == DType::kBool) {
    throw DataError(where + " holds " + std::string(found.name) + ", expected uint" +
                    std::to_string(stated->container_bits()) + " containers of " +
                    format_name(*stated));
  }
  return *stated;
}

std::vector<float> to_fp32(FloatFormat format, const void* containers, std::size_t count) {
  std::vector<float> values(count);
  cast(format, containers, kFp32Format, values.data(), count, kIeeeRules);
  return values;
}

}  // namespace binade::io
