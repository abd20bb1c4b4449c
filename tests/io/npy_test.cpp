#include "io/npy.hpp"

#include <cstring>

#include "scratch.hpp"

using namespace binade::io;

namespace {

/// A .npy file from its parts; `length` in place of the header's true length.
std::string npy(const std::string& header, const std::string& data, int major = 1,
                std::int64_t length = -1) {
  const auto n =
      static_cast<std::uint64_t>(length < 0 ? static_cast<std::int64_t>(header.size()) : length);
  std::string file = "\x93NUMPY";
  file += static_cast<char>(major);
  file += '\0';
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i) file += static_cast<char>(n >> (8 * i) & 0xff);
  return file + header + data;
}

std::string header(const std::string& descr, const std::string& shape, bool fortran = false) {
  return "{'descr': " + descr + ", 'fortran_order': " + (fortran ? "True" : "False") +
         ", 'shape': " + shape + ", }\n";
}

}  // namespace

TEST_CASE("npy: versions 1 to 3 and both byte orders read to the same bits") {
  const Scratch scratch;
  const std::string little("\x01\x02\x03\x04\x05\x06\x07\x08", 8);
  const std::string big("\x04\x03\x02\x01\x08\x07\x06\x05", 8);
  for (const int major : {1, 2, 3}) {
    const Tensor a = read_npy(scratch.write("a.npy", npy(header("'<f4'", "(2,)"), little, major)));
    const Tensor b = read_npy(scratch.write("b.npy", npy(header("'>f4'", "(2,)"), big, major)));
    CHECK(a.dtype == DType::kF32);
    CHECK(a.shape == Shape{2});
    CHECK(a.as<std::uint32_t>()[0] == 0x04030201);
    CHECK(a.as<std::uint32_t>()[1] == 0x08070605);
    CHECK(a.bytes == b.bytes);
  }
}

TEST_CASE("npy: Fortran order is transposed, in any rank") {
  const Scratch scratch;
  // Element (i, j, k) of a [2, 3, 4] array holds 100 i + 10 j + k.
  std::string data;
  for (int k = 0; k < 4; ++k) {
    for (int j = 0; j < 3; ++j) {
      for (int i = 0; i < 2; ++i) data += static_cast<char>(100 * i + 10 * j + k);
    }
  }
  const StoredTensor stored =
      open_npy(scratch.write("f.npy", npy(header("'|u1'", "(2, 3, 4)", true), data)));
  const Tensor tensor = stored.read_all();
  for (std::size_t i = 0; i < 24; ++i) {
    CHECK(tensor.as<std::uint8_t>()[i] == 100 * (i / 12) + 10 * (i / 4 % 3) + i % 4);
  }
  std::byte one{};
  CHECK_THROWS_AS(stored.read(3, 1, &one), DataError);
}

TEST_CASE("npy: what is written is read back, padded to 64 bytes") {
  const Scratch scratch;
  for (const DTypeInfo& d : dtypes()) {
    for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 5}, Shape{0, 4}, Shape(40, 1)}) {
      Tensor tensor(d.dtype, shape);
      for (std::size_t i = 0; i < tensor.bytes.size(); ++i) tensor.bytes[i] = std::byte(i * 37 & 1);
      write_npy(scratch.file("t.npy"), tensor);
      const Tensor back = read_npy(scratch.file("t.npy"));
      // bfloat16 and FP8 have no name in .npy: their bits come back as unsigned integers.
      CHECK(back.dtype == (d.npy.empty() ? unsigned_dtype(static_cast<int>(d.size) * 8) : d.dtype));
      CHECK(back.shape == shape);
      CHECK(back.bytes == tensor.bytes);
      CHECK((scratch.read("t.npy").size() - tensor.bytes.size()) % 64 == 0);
    }
  }
}

TEST_CASE("npy: a tensor is read in pieces") {
  const Scratch scratch;
  Tensor tensor(DType::kU16, {4, 3});
  for (std::size_t i = 0; i < 12; ++i)
    tensor.as<std::uint16_t>()[i] = static_cast<std::uint16_t>(i);
  write_npy(scratch.file("t.npy"), tensor);
  const StoredTensor stored = open_npy(scratch.file("t.npy"));
  std::uint16_t piece[5];
  stored.read(7, 5, piece);
  CHECK(piece[0] == 7);
  CHECK(piece[4] == 11);
  CHECK_THROWS_AS(stored.read(8, 5, piece), DataError);
  CHECK_THROWS_AS(stored.read(SIZE_MAX, 2, piece), DataError);
}

TEST_CASE("npy: hostile files are refused with what was found") {
  const Scratch scratch;
  const auto refuse = [&](const std::string& bytes) {
    const std::string path = scratch.write("bad.npy", bytes);
    return data_error([&] { (void)read_npy(path); });
  };
  const std::string good = header("'<f4'", "(2,)");
  const std::string data(8, 'x');
  CHECK_THAT(refuse(""), ContainsSubstring("no .npy file"));
  CHECK_THAT(refuse("PK\x03\x04 a zip archive"), ContainsSubstring("no .npy file"));
  CHECK_THAT(refuse(npy(good, data).substr(0, 9)), ContainsSubstring("no .npy file"));
  CHECK_THAT(refuse(npy(good, data, 4)), ContainsSubstring("version 4.0"));
  CHECK_THAT(refuse(npy(good, data, 2).substr(0, 11)), ContainsSubstring("version 2.0"));
  CHECK_THAT(refuse(npy(good, "", 1, 65535)), ContainsSubstring("says it has 65535 bytes"));
  CHECK_THAT(refuse(npy(good, "", 2, 0xffffffff)), ContainsSubstring("4294967295"));
  CHECK_THAT(refuse(npy(good + std::string(70000, ' '), data, 2)),
             ContainsSubstring("at most 65536"));
  CHECK_THAT(refuse(npy(good, data.substr(1))), ContainsSubstring("7 bytes of data, expected 8"));
  CHECK_THAT(refuse(npy(good, data + "x")), ContainsSubstring("9 bytes of data, expected 8"));
  CHECK_THAT(refuse(npy(header("'|O'", "(2,)"), data)), ContainsSubstring("pickle"));
  CHECK_THAT(refuse(npy(header("'|V2'", "(4,)"), data)), ContainsSubstring("view(np.uint16"));
  CHECK_THAT(refuse(npy(header("[('a', '<f4'), ('b', '<f4')]", "(1,)"), data)),
             ContainsSubstring("structured"));
  CHECK_THAT(refuse(npy(header("'<c8'", "(1,)"), data)), ContainsSubstring("<c8"));
  CHECK_THAT(refuse(npy(header("'|f4'", "(2,)"), data)), ContainsSubstring("|f4"));
  CHECK_THAT(refuse(npy(header("'f4'", "(2,)"), data)), ContainsSubstring("f4"));
  CHECK_THAT(refuse(npy(header("'<f4'", "(4611686018427387904, 4)"), data)),
             ContainsSubstring("overflows"));
  CHECK_THAT(refuse(npy(header("'<f4'", "(0, 18446744073709551615, 18446744073709551615)"), "")),
             ContainsSubstring("overflows"));
  CHECK_THAT(refuse(npy(header("'<f4'", "(99999999999999999999,)"), data)),
             ContainsSubstring("no size_t"));
  CHECK_THAT(refuse(npy(header("'<f4'", "(-2,)"), data)), ContainsSubstring("no size_t"));
  CHECK_THAT(refuse(npy(header("'<f4'", "2"), data)), ContainsSubstring("expected '('"));
  std::string many = "(";
  for (int i = 0; i < 65; ++i) many += "1,";
  CHECK_THAT(refuse(npy(header("'|u1'", many + ")"), "x")), ContainsSubstring("65 dimensions"));
}

TEST_CASE("npy: headers that are no such literal are refused") {
  const Scratch scratch;
  for (const char* text :
       {"", "{", "}", "{}", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}",
        "__import__('os').system('true')"}) {
    INFO(text);
    const std::string path = scratch.write("bad.npy", npy(text, std::string(8, 'x')));
    CHECK_THAT(data_error([&] { (void)open_npy(path); }), ContainsSubstring("the .npy header has"));
  }
}
