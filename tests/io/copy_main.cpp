// Copies arrays between files, for interoperation_test.py: copy IN OUT [IN OUT ...], each .npy or
// .safetensors (every tensor).
#include <cstdio>
#include <exception>
#include <string>

#include "io/load.hpp"
#include "io/npy.hpp"
#include "io/safetensors.hpp"

namespace {

void copy(const std::string& in, const std::string& out) {
  using namespace binade::io;
  std::vector<Tensor> tensors;
  std::vector<NamedTensor> named;
  const std::vector<StoredTensor> stored = open_all(in);
  tensors.reserve(stored.size());
  for (const StoredTensor& s : stored) {
    named.push_back({s.name, &tensors.emplace_back(s.read_all())});
  }
  if (out.ends_with(".npy")) {
    write_npy(out, tensors.at(0));
  } else {
    write_safetensors(out, named, {{"copied", "yes"}});
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    for (int i = 1; i + 1 < argc; i += 2) copy(argv[i], argv[i + 1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return 0;
}
