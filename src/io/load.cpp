#include "io/load.hpp"

#include "io/error.hpp"
#include "io/npy.hpp"
#include "io/safetensors.hpp"

namespace binade::io {
namespace {

constexpr std::string_view kSuffix = ".safetensors";

bool is_safetensors(const std::string& path) { return path.ends_with(kSuffix); }

}  // namespace

StoredTensor open_tensor(const std::string& address) {
  const std::size_t at = address.find(std::string(kSuffix) + ":");
  if (at != std::string::npos) {
    const std::size_t colon = at + kSuffix.size();
    const std::string path = address.substr(0, colon);
    const SafetensorsFile file = open_safetensors(path);
    try {
      return file.find(address.substr(colon + 1));
    } catch (const DataError& error) {
      throw DataError("'" + path + "': " + error.what());
    }
  }
  std::vector<StoredTensor> all = open_all(address);
  if (all.size() != 1) {
    throw DataError("'" + address + "' holds " + std::to_string(all.size()) +
                    " tensors, expected FILE.safetensors:TENSOR" +
                    (all.empty() ? "" : ", for instance " + all.front().where));
  }
  return std::move(all.front());
}

std::vector<StoredTensor> open_all(const std::string& path) {
  if (is_safetensors(path)) return open_safetensors(path).tensors;
  if (!path.ends_with(".npy")) {
    (void)InputFile(path);  // a missing file is the more helpful thing to say
    throw DataError("'" + path + "' has another ending, expected FILE.npy or " +
                    "FILE.safetensors:TENSOR");
  }
  return {open_npy(path)};
}

}  // namespace binade::io
