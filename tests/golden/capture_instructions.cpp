// Captures tests/golden/instructions.safetensors or telling.safetensors on a device:
// capture_instructions strata|telling FILE.
// Not a test: goldens are made once, by hardware, and never by the code that they judge.
#include <cstdio>
#include <fstream>
#include <memory>

#include "binade/cuda/device.hpp"
#include "binade/cuda/dot_model.hpp"
#include "binade/cuda/verify.hpp"
#include "instruction_rows.hpp"
#include "io/safetensors.hpp"

namespace {

using namespace binade;

std::string driver() {
  std::string line;
  std::ifstream file("/proc/driver/nvidia/version");
  std::getline(file, line);
  return line.empty() ? "unknown" : line;
}

/// Tensors that the file will hold, owned.
class Capture {
 public:
  void add(const std::string& name, FloatFormat f, io::Shape shape, const void* data) {
    auto tensor =
        std::make_unique<io::Tensor>(io::unsigned_dtype(f.container_bits()), std::move(shape));
    std::memcpy(tensor->data(), data, tensor->bytes.size());
    named_.push_back({name, tensor.get()});
    tensors_.push_back(std::move(tensor));
  }
  void write(const std::string& path) const {
    io::write_safetensors(path, named_,
                          {{"generator", "tests/golden/capture_instructions.cpp"},
                           {"device", cuda::describe_devices()},
                           {"driver", driver()},
                           {"cuda", cuda::runtime_version()},
                           {"seed", std::to_string(golden::kSeed)}});
  }

 private:
  std::vector<std::unique_ptr<io::Tensor>> tensors_;
  std::vector<io::NamedTensor> named_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string which = argc == 3 ? argv[1] : "";
  if (which != "strata" && which != "telling") {
    return std::fprintf(stderr, "usage: %s strata|telling FILE.safetensors\n", argv[0]), 2;
  }
  try {
    Capture capture;
    for (const std::string& name : cuda::verifiable_instructions()) {
      const Instruction& i = find_instruction(name);
      const auto record = [&](const golden::Rows& r) {
        std::vector<std::byte> d(r.c.size());
        cuda::dot_hw(i, r.a.data(), r.b.data(), r.c.data(), d.data(), r.rows, r.k);
        capture.add(r.name + "/a", i.a, {r.rows, r.k}, r.a.data());
        capture.add(r.name + "/b", i.b, {r.rows, r.k}, r.b.data());
        capture.add(r.name + "/c", i.c, {r.rows}, r.c.data());
        capture.add(r.name + "/d", i.c, {r.rows}, d.data());
      };
      if (which == "strata") {
        golden::for_each_rows(i, record);
      } else {
        record(golden::make_telling_rows(i));
      }
    }
    capture.write(argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
