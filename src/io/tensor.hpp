// Arrays as files hold them: an element type, a shape and bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "binade/formats/catalog.hpp"

namespace binade::io {

enum class DType : std::uint8_t {
  kBool,
  kU8,
  kU16,
  kU32,
  kU64,
  kI8,
  kI16,
  kI32,
  kI64,
  kF16,
  kF32,
  kF64,
  kBf16,
  kE4M3,
  kE5M2,
  kE8M0,
};

/// What each file format calls an element type; one row a DType, in its order.
struct DTypeInfo {
  DType dtype;
  std::string_view name;         ///< as numpy and ml_dtypes say it
  std::string_view npy;          ///< kind and size of a .npy descr; empty: .npy has no word for it
  std::string_view safetensors;  ///< upper-case name
  std::size_t size;              ///< bytes
  std::optional<FloatFormat> format;  ///< of the codes it holds, where it says so
};
std::span<const DTypeInfo> dtypes();
const DTypeInfo& info(DType dtype);
/// The unsigned integer of a container width in bits.
DType unsigned_dtype(int bits);

using Shape = std::vector<std::size_t>;
/// "[3, 4]"; a scalar is "[]".
std::string shape_text(const Shape& shape);
/// Errors: DataError when the product does not fit in 63 bits; `where` opens the message.
std::size_t checked_bytes(const Shape& shape, DType dtype, const std::string& where);

/// C order, little-endian containers (the host's order).
struct Tensor {
  DType dtype = DType::kF32;
  Shape shape;
  std::vector<std::byte> bytes;

  Tensor() = default;
  /// All zero bytes. Errors: std::length_error or std::bad_alloc when it is too large.
  Tensor(DType dtype, Shape shape);

  std::size_t count() const { return bytes.size() / info(dtype).size; }
  void* data() { return bytes.data(); }
  const void* data() const { return bytes.data(); }
  /// The elements; T must have the element's size.
  template <class T>
  std::span<T> as() {
    return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  template <class T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
};

/// A tensor as a matrix: a vector is one row, leading dimensions are folded into the rows.
struct Extent {
  std::size_t rows = 0, cols = 0;
};
Extent matrix_extent(const Shape& shape);

/// The format of a tensor's containers: `stated` if given (its container must have the element's
/// width), else what the dtype says.
/// Errors: DataError naming `where` for integers without a stated format, or a width that differs.
FloatFormat element_format(DType dtype, std::optional<FloatFormat> stated,
                           const std::string& where);

/// `count` containers of `format` as fp32: exact where the format embeds in fp32, else nearest even
/// with infinities kept (fp64 alone, among the named formats).
std::vector<float> to_fp32(FloatFormat format, const void* containers, std::size_t count);

}  // namespace binade::io
