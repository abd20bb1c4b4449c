#include "io/safetensors.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "binade/formats/catalog.hpp"
#include "io/error.hpp"

namespace binade::io {
namespace {

using Json = nlohmann::json;
constexpr std::uint64_t kMostHeaderBytes = 100'000'000;
constexpr const char* kMetadata = "__metadata__";

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw DataError("'" + path + "': " + what);
}

/// Parses the header; refuses a key that occurs twice, which a parser would silently overwrite.
Json parse_header(const std::string& text, const std::string& path) {
  if (text.empty() || text.front() != '{') {
    fail(path, "the safetensors header does not begin with '{', expected a JSON object");
  }
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) {
      keys.emplace_back();
      if (keys.size() > 2) fail(path, "the safetensors header has objects nested three deep");
    } else if (event == Json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == Json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys.back().insert(key).second) {
        fail(path, "the safetensors header has '" + key + "' twice, expected unique names");
      }
    }
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const Json::exception& error) {
    fail(path, std::string("the safetensors header is no JSON: ") + error.what());
  }
}

/// An array of sizes; JSON numbers that are negative, fractional or beyond 64 bits are refused.
std::vector<std::size_t> sizes(const Json& array, const std::string& where,
                               const std::string& key) {
  std::vector<std::size_t> values;
  const bool is_array = array.is_array();
  for (const Json& item : is_array ? array : Json::array()) {
    if (!item.is_number_unsigned()) {
      throw DataError(where + ": " + key + " holds " + item.dump() +
                      ", expected integers from 0 to 2^64 - 1");
    }
    values.push_back(item.get<std::size_t>());
  }
  if (!is_array) throw DataError(where + ": " + key + " is no array of integers");
  return values;
}

DType parse_dtype(const Json& word, const std::string& where) {
  std::string names;
  for (const DTypeInfo& d : dtypes()) {
    if (word.is_string() && word.get_ref<const std::string&>() == d.safetensors) return d.dtype;
    names += (names.empty() ? "" : ", ") + std::string(d.safetensors);
  }
  throw DataError(where + ": dtype is " + word.dump() + ", expected one of " + names);
}

struct Span {
  std::uint64_t begin, end;
};

StoredTensor parse_tensor(const std::string& name, const Json& entry,
                          const std::shared_ptr<const InputFile>& file, std::uint64_t data_begin) {
  StoredTensor tensor;
  tensor.name = name;
  tensor.where = file->path() + ":" + name;
  const std::string& where = tensor.where;
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") ||
      !entry.contains("shape") || !entry.contains("data_offsets")) {
    throw DataError(where + ": expected an object with dtype, shape and data_offsets alone");
  }
  tensor.dtype = parse_dtype(entry["dtype"], where);
  tensor.shape = sizes(entry["shape"], where, "shape");
  const auto offsets = sizes(entry["data_offsets"], where, "data_offsets");
  const std::uint64_t data_size = file->size() - data_begin;
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data_size) {
    throw DataError(where + ": data_offsets are " + entry["data_offsets"].dump() +
                    ", expected [begin, end] with begin <= end <= " + std::to_string(data_size));
  }
  const std::uint64_t expected = checked_bytes(tensor.shape, tensor.dtype, where);
  if (offsets[1] - offsets[0] != expected) {
    throw DataError(where + ": data_offsets span " + std::to_string(offsets[1] - offsets[0]) +
                    " bytes, expected " + std::to_string(expected) + " for shape " +
                    shape_text(tensor.shape) + " of " + std::string(info(tensor.dtype).name));
  }
  tensor.file = file;
  tensor.offset = data_begin + offsets[0];
  return tensor;
}

/// The tensors, in the order of their bytes, must tile the data: no overlap, no hole, no rest.
void check_tiling(const SafetensorsFile& parsed, const InputFile& file, std::uint64_t begin) {
  std::uint64_t at = begin;
  for (const StoredTensor& t : parsed.tensors) {
    if (t.offset != at) {
      throw DataError(t.where + ": begins at byte " + std::to_string(t.offset - begin) +
                      " of the data, expected " + std::to_string(at - begin) +
                      (t.offset < at ? ": tensors overlap" : ": there is a hole"));
    }
    at += checked_bytes(t.shape, t.dtype, t.where);
  }
  if (at != file.size()) {
    fail(file.path(), "the tensors cover " + std::to_string(at - begin) +
                          " bytes, but the file has " + std::to_string(file.size() - begin));
  }
}

Json tensor_header(const std::vector<NamedTensor>& tensors,
                   const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  std::size_t at = 0;
  for (const NamedTensor& t : tensors) {
    if (t.name == kMetadata || header.contains(t.name)) {
      throw std::invalid_argument("tensor name '" + t.name + "' is taken, expected unique names");
    }
    const std::size_t end = at + t.tensor->bytes.size();
    header[t.name] = {{"dtype", info(t.tensor->dtype).safetensors},
                      {"shape", t.tensor->shape},
                      {"data_offsets", {at, end}}};
    at = end;
  }
  return header;
}

}  // namespace

const StoredTensor& SafetensorsFile::find(const std::string& name) const {
  std::vector<std::string> names;
  for (const StoredTensor& t : tensors) {
    if (t.name == name) return t;
    names.push_back(t.name);
  }
  std::string hint;
  for (const std::string& near : nearest_names(name, names)) {
    hint += (hint.empty() ? "" : ", ") + near;
  }
  throw DataError("no tensor '" + name + "' among " + std::to_string(names.size()) +
                  (hint.empty() ? "" : ", expected for instance " + hint));
}

SafetensorsFile open_safetensors(const std::string& path) {
  const auto file = std::make_shared<const InputFile>(path);
  if (file->size() < 8) {
    fail(path, "has " + std::to_string(file->size()) +
                   " bytes, expected a safetensors header length of 8");
  }
  const std::string prefix = file->read_text(0, 8);
  std::uint64_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8 | static_cast<unsigned char>(prefix[i]);
  if (length > kMostHeaderBytes) {
    fail(path, "the safetensors header says it has " + std::to_string(length) +
                   " bytes, expected at most 100000000");
  }
  if (length > file->size() - 8) {
    fail(path, "the safetensors header says it has " + std::to_string(length) + " bytes, but " +
                   std::to_string(file->size() - 8) + " are left");
  }
  const Json header = parse_header(file->read_text(8, static_cast<std::size_t>(length)), path);
  SafetensorsFile parsed;
  for (const auto& [name, entry] : header.items()) {
    if (name != kMetadata) {
      parsed.tensors.push_back(parse_tensor(name, entry, file, 8 + length));
      continue;
    }
    for (const auto& [key, value] : entry.items()) {
      if (!entry.is_object() || !value.is_string()) {
        fail(path, "__metadata__ is " + entry.dump() + ", expected an object of strings");
      }
      parsed.metadata[key] = value.get<std::string>();
    }
  }
  // Empty tensors may share an offset with the one that follows.
  std::sort(parsed.tensors.begin(), parsed.tensors.end(),
            [](const StoredTensor& a, const StoredTensor& b) {
              return std::pair(a.offset, a.count()) < std::pair(b.offset, b.count());
            });
  check_tiling(parsed, *file, 8 + length);
  return parsed;
}

void write_safetensors(const std::string& path, std::vector<NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::sort(tensors.begin(), tensors.end(), [](const NamedTensor& a, const NamedTensor& b) {
    const std::size_t size_a = info(a.tensor->dtype).size, size_b = info(b.tensor->dtype).size;
    return size_a != size_b ? size_a > size_b : a.name < b.name;
  });
  std::string text = tensor_header(tensors, metadata).dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string prefix;
  for (int i = 0; i < 8; ++i) prefix += static_cast<char>(text.size() >> (8 * i) & 0xff);
  OutputFile file(path);
  file.write(prefix + text);
  for (const NamedTensor& t : tensors) file.write(t.tensor->bytes);
  file.commit();
}

}  // namespace binade::io
