#include "io/safetensors.hpp"

#include "io/load.hpp"
#include "scratch.hpp"

using namespace binade::io;

namespace {

std::string file_of(const std::string& header, const std::string& data, std::uint64_t length) {
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(length >> (8 * i) & 0xff);
  return file + header + data;
}
std::string file_of(const std::string& header, const std::string& data) {
  return file_of(header, data, header.size());
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

}  // namespace

TEST_CASE("safetensors: every dtype goes out and comes back, with metadata and empty tensors") {
  const Scratch scratch;
  std::vector<Tensor> tensors;
  std::vector<NamedTensor> named;
  tensors.reserve(100);
  for (const DTypeInfo& d : dtypes()) {
    for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 5}, Shape{0, 4}}) {
      Tensor& t = tensors.emplace_back(d.dtype, shape);
      for (std::size_t i = 0; i < t.bytes.size(); ++i) t.bytes[i] = std::byte(i * 37 + 1);
      named.push_back({std::string(d.name) + shape_text(shape), &t});
    }
  }
  write_safetensors(scratch.file("t.safetensors"), named, {{"made by", "a test"}});
  const SafetensorsFile file = open_safetensors(scratch.file("t.safetensors"));
  CHECK(file.metadata.at("made by") == "a test");
  CHECK(file.tensors.size() == named.size());
  for (const NamedTensor& n : named) {
    const Tensor back = file.find(n.name).read_all();
    CHECK(back.dtype == n.tensor->dtype);
    CHECK(back.shape == n.tensor->shape);
    CHECK(back.bytes == n.tensor->bytes);
  }
}

TEST_CASE("safetensors: a tensor is found by its address, or the nearest names are said") {
  const Scratch scratch;
  const std::string header = "{" + entry("layer.weight", "U8", "[2]", "[0,2]") + "," +
                             entry("layer.bias", "U8", "[1]", "[2,3]") + "}   ";
  const std::string path = scratch.write("t.safetensors", file_of(header, "abc"));
  CHECK(open_tensor(path + ":layer.bias").read_all().as<char>()[0] == 'c');
  CHECK_THAT(data_error([&] { open_tensor(path + ":layer.wait"); }),
             ContainsSubstring("layer.weight") && ContainsSubstring("t.safetensors"));
  CHECK_THAT(data_error([&] { open_tensor(path); }), ContainsSubstring("2 tensors"));
  CHECK(open_all(path).size() == 2);
  const std::string single =
      scratch.write("one.safetensors", file_of("{" + entry("w", "U8", "[1]", "[0,1]") + "}", "a"));
  CHECK(open_tensor(single).name == "w");
  CHECK_THAT(data_error([&] { open_tensor(scratch.write("a.txt", "x")); }),
             ContainsSubstring("expected FILE.npy"));
}

TEST_CASE("safetensors: hostile headers are refused with what was found") {
  const Scratch scratch;
  const auto refuse = [&](const std::string& bytes) {
    const std::string path = scratch.write("bad.safetensors", bytes);
    return data_error([&] { (void)open_safetensors(path); });
  };
  const auto object = [](const std::string& inside) { return "{" + inside + "}"; };
  const std::string a = entry("a", "U8", "[2]", "[0,2]");

  CHECK_THAT(refuse("1234567"), ContainsSubstring("7 bytes"));
  CHECK_THAT(refuse(file_of("{}", "", 3)), ContainsSubstring("but 2 are left"));
  CHECK_THAT(refuse(file_of("{}", "", 100'000'001)), ContainsSubstring("at most 100000000"));
  CHECK_THAT(refuse(file_of("{}", "", ~std::uint64_t{0})), ContainsSubstring("at most 100000000"));
  CHECK_THAT(refuse(file_of("", "")), ContainsSubstring("does not begin with '{'"));
  CHECK_THAT(refuse(file_of(" {}", "")), ContainsSubstring("does not begin with '{'"));
  CHECK_THAT(refuse(file_of("{\"a\":", "")), ContainsSubstring("no JSON"));
  CHECK_THAT(refuse(file_of("{} x", "")), ContainsSubstring("no JSON"));
  CHECK_THAT(refuse(file_of("{\"\xff\":1}", "")), ContainsSubstring("no JSON"));
  CHECK_THAT(refuse(file_of(object(a + "," + a), "xx")), ContainsSubstring("'a' twice"));
  CHECK_THAT(refuse(file_of(object("\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[2],"
                                   "\"data_offsets\":[0,2]}"),
                            "xx")),
             ContainsSubstring("'dtype' twice"));
  CHECK_THAT(refuse(file_of(object("\"a\":{\"b\":{\"c\":{}}}"), "")),
             ContainsSubstring("three deep"));
  CHECK_THAT(refuse(file_of(object("\"a\":5"), "")), ContainsSubstring("expected an object"));
  CHECK_THAT(refuse(file_of(object("\"a\":{\"dtype\":\"U8\",\"shape\":[2]}"), "")),
             ContainsSubstring("expected an object with"));
  CHECK_THAT(refuse(file_of(object("\"__metadata__\":{\"a\":5}"), "")),
             ContainsSubstring("object of strings"));
  CHECK_THAT(refuse(file_of(object(entry("a", "F4", "[2]", "[0,2]")), "xx")),
             ContainsSubstring("dtype is \"F4\", expected one of BOOL"));

  // Offsets and shapes.
  CHECK_THAT(refuse(file_of(object(entry("a", "U8", "[2]", "[0,3]")), "xxx")),
             ContainsSubstring("span 3 bytes, expected 2"));
  CHECK_THAT(refuse(file_of(object(a), "x")), ContainsSubstring("end <= 1"));
  CHECK_THAT(refuse(file_of(object(entry("a", "U8", "[2]", "[2,0]")), "xx")),
             ContainsSubstring("begin <= end"));
  CHECK_THAT(refuse(file_of(object(entry("a", "U8", "[2]", "[0]")), "xx")),
             ContainsSubstring("[begin, end]"));
  CHECK_THAT(refuse(file_of(object(entry("a", "U8", "[2]", "[0,-2]")), "xx")),
             ContainsSubstring("holds -2"));
  CHECK_THAT(refuse(file_of(object(entry("a", "U8", "[2.0]", "[0,2]")), "xx")),
             ContainsSubstring("holds 2.0"));
  CHECK_THAT(refuse(file_of(object(entry("a", "U8", "2", "[0,2]")), "xx")),
             ContainsSubstring("no array"));
  CHECK_THAT(refuse(file_of(object(entry("a", "U8", "[99999999999999999999]", "[0,2]")), "xx")),
             ContainsSubstring("2^64 - 1"));
  CHECK_THAT(refuse(file_of(object(entry("a", "F32", "[4294967296,4294967296]", "[0,0]")), "")),
             ContainsSubstring("overflows"));
  CHECK_THAT(refuse(file_of(object(a + "," + entry("b", "U8", "[2]", "[1,3]")), "xxx")),
             ContainsSubstring("overlap"));
  CHECK_THAT(refuse(file_of(object(a + "," + entry("b", "U8", "[1]", "[3,4]")), "xxxx")),
             ContainsSubstring("hole"));
  CHECK_THAT(refuse(file_of(object(entry("b", "U8", "[1]", "[1,2]")), "xx")),
             ContainsSubstring("hole"));
  CHECK_THAT(refuse(file_of(object(a), "xxx")),
             ContainsSubstring("cover 2 bytes, but the file has 3"));
}

TEST_CASE("safetensors: names that cannot be told apart are not written") {
  const Scratch scratch;
  const Tensor t(DType::kU8, {1});
  CHECK_THROWS_AS(write_safetensors(scratch.file("t.safetensors"), {{"a", &t}, {"a", &t}}),
                  std::invalid_argument);
  CHECK_THROWS_AS(write_safetensors(scratch.file("t.safetensors"), {{"__metadata__", &t}}),
                  std::invalid_argument);
  CHECK(scratch.entries() == 0);
}
