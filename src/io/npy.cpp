#include "io/npy.hpp"

#include <bit>
#include <charconv>
#include <optional>

#include "io/error.hpp"

namespace binade::io {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
// numpy itself refuses more than 10 000 bytes; a header without structures needs far less.
constexpr std::size_t kMostHeaderBytes = 65536;
constexpr std::size_t kMostDimensions = 64;

struct Header {
  std::string descr;
  bool fortran_order = false;
  Shape shape;
};

/// The header is a Python literal: one dict of a string, a bool and a tuple of integers.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {}

  Header parse() {
    Header header;
    bool have_descr = false, have_order = false, have_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !have_descr) {
        if (peek() == '[') fail("a structured dtype, expected plain numbers");
        header.descr = string();
        have_descr = true;
      } else if (key == "fortran_order" && !have_order) {
        header.fortran_order = boolean();
        have_order = true;
      } else if (key == "shape" && !have_shape) {
        header.shape = tuple();
        have_shape = true;
      } else {
        fail("the key '" + key + "' again or unasked, expected descr, fortran_order and shape");
      }
      if (!accept(',') && peek() != '}') fail(found() + ", expected ',' or '}'");
    }
    if (!have_descr || !have_order || !have_shape) {
      fail("a key missing, expected descr, fortran_order and shape");
    }
    skip_space();
    if (at_ != text_.size()) fail(found() + ", expected nothing after '}'");
    return header;
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != text_.npos) ++at_;
  }
  char peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(found() + ", expected '" + c + "'");
  }
  std::string found() {
    return at_ < text_.size() ? "'" + std::string(1, text_[at_]) + "'" : "the end of the header";
  }
  std::string string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail(found() + ", expected a quoted word");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == text_.npos) fail("a quotation mark without its partner");
    const std::string word(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return word;
  }
  bool boolean() {
    skip_space();
    for (const auto& [word, value] :
         {std::pair{std::string_view("True"), true}, {"False", false}}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return value;
      }
    }
    fail(found() + ", expected True or False");
  }
  Shape tuple() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      std::size_t extent = 0;
      skip_space();
      const char* begin = text_.data() + at_;
      const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), extent);
      if (error != std::errc{})
        fail("an extent of the shape that is no size_t, expected 0 or more");
      at_ += static_cast<std::size_t>(end - begin);
      shape.push_back(extent);
      if (!accept(',') && peek() != ')') fail(found() + ", expected ',' or ')'");
    }
    if (shape.size() > kMostDimensions) {
      fail(std::to_string(shape.size()) + " dimensions, expected at most 64");
    }
    return shape;
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw DataError("'" + where_ + "': the .npy header has " + what);
  }

  std::string_view text_;
  std::string where_;
  std::size_t at_ = 0;
};

struct ElementType {
  DType dtype;
  bool swapped;
};

ElementType parse_descr(const std::string& descr, const std::string& path) {
  const std::string_view word = descr;
  const std::string refuse = "'" + path + "' holds dtype '" + descr + "', expected ";
  if (word.find('O') != word.npos) {
    throw DataError(refuse + "plain numbers: object arrays are pickles, which are never read");
  }
  const char order = word.empty() ? ' ' : word[0];
  if (order == '<' || order == '>' || order == '=' || order == '|') {
    for (const DTypeInfo& d : dtypes()) {
      if (d.npy.empty() || d.npy != word.substr(1)) continue;
      if (order == '|' && d.size > 1) break;
      const bool big = order == '>' || (order == '=' && std::endian::native == std::endian::big);
      return {d.dtype, d.size > 1 && big != (std::endian::native == std::endian::big)};
    }
  }
  if (word.find('V') != word.npos) {
    throw DataError(refuse +
                    "plain numbers: save bfloat16 and FP8 as the bits, x.view(np.uint16 or uint8)");
  }
  throw DataError(refuse + "float16/32/64, (u)int8..64 or bool");
}

struct HeaderPlace {
  std::uint64_t offset;
  std::size_t length;
};

/// The preamble: magic, version and where the header's text lies.
HeaderPlace read_preamble(const InputFile& file) {
  const std::string& path = file.path();
  const std::string start = file.read_text(0, std::min<std::uint64_t>(file.size(), 12));
  if (!std::string_view(start).starts_with(kMagic) || start.size() < 10) {
    throw DataError("'" + path + "' is no .npy file: expected the magic \\x93NUMPY and a header");
  }
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(start[i]); };
  const int major = byte(6), minor = byte(7);
  if (major < 1 || major > 3 || minor != 0 || (major > 1 && start.size() < 12)) {
    throw DataError("'" + path + "' is .npy version " + std::to_string(major) + "." +
                    std::to_string(minor) + ", expected 1.0, 2.0 or 3.0, whole");
  }
  std::uint64_t length = byte(8) | unsigned{byte(9)} << 8;
  if (major > 1) length |= std::uint64_t{byte(10)} << 16 | std::uint64_t{byte(11)} << 24;
  const std::uint64_t offset = major > 1 ? 12 : 10;
  if (length > file.size() - offset) {
    throw DataError("'" + path + "': the .npy header says it has " + std::to_string(length) +
                    " bytes, but " + std::to_string(file.size() - offset) + " are left");
  }
  if (length > kMostHeaderBytes) {
    throw DataError("'" + path + "': the .npy header has " + std::to_string(length) +
                    " bytes, expected at most " + std::to_string(kMostHeaderBytes));
  }
  return {offset, static_cast<std::size_t>(length)};
}

std::string header_text(const Tensor& tensor) {
  const DTypeInfo& own = info(tensor.dtype);
  const DTypeInfo& written =
      own.npy.empty() ? info(unsigned_dtype(static_cast<int>(own.size) * 8)) : own;
  std::string text = "{'descr': '" + std::string(written.size == 1 ? "|" : "<") +
                     std::string(written.npy) + "', 'fortran_order': False, 'shape': (";
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(tensor.shape[i]);
  }
  return text + (tensor.shape.size() == 1 ? ",), }" : "), }");
}

}  // namespace

StoredTensor open_npy(const std::string& path) {
  auto file = std::make_shared<const InputFile>(path);
  const HeaderPlace place = read_preamble(*file);
  const std::string text = file->read_text(place.offset, place.length);
  const Header header = HeaderParser(text, path).parse();
  const ElementType type = parse_descr(header.descr, path);
  StoredTensor stored{"",           path,
                      type.dtype,   header.shape,
                      file,         place.offset + place.length,
                      type.swapped, header.fortran_order};
  const std::uint64_t expected = checked_bytes(stored.shape, stored.dtype, "'" + path + "'");
  const std::uint64_t found = file->size() - stored.offset;
  if (found != expected) {
    throw DataError("'" + path + "' has " + std::to_string(found) + " bytes of data, expected " +
                    std::to_string(expected) + " for shape " + shape_text(stored.shape) + " of " +
                    std::string(info(stored.dtype).name));
  }
  return stored;
}

void write_npy(OutputFile& file, const Tensor& tensor) {
  static_assert(std::endian::native == std::endian::little, "containers are written as they lie");
  std::string text = header_text(tensor);
  // The data begin at a multiple of 64 bytes; the text ends in a newline.
  std::size_t preamble = 10;
  if (text.size() + 64 > 65535) preamble = 12;
  text.append(63 - (preamble + text.size()) % 64, ' ');
  text += '\n';
  std::string start(kMagic);
  start += preamble == 10 ? '\x01' : '\x02';
  start += '\0';
  for (std::size_t i = 0; i < preamble - 8; ++i) {
    start += static_cast<char>(text.size() >> (8 * i) & 0xff);
  }
  file.write(start + text);
  file.write(tensor.bytes);
}

void write_npy(const std::string& path, const Tensor& tensor) {
  OutputFile file(path);
  write_npy(file, tensor);
  file.commit();
}

}  // namespace binade::io
