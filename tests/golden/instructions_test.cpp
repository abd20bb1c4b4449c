// What tensor cores returned, replayed on the CPU: no device is needed, and nothing here made the
// files.
#include <cstdio>

#include "binade/emulation/dot_model.hpp"
#include "catch.hpp"
#include "instruction_rows.hpp"
#include "io/safetensors.hpp"

using namespace binade;

namespace {

std::uint32_t word_at(const io::Tensor& t, std::size_t i) {
  std::uint32_t word = 0;
  const std::size_t bytes = io::info(t.dtype).size;
  std::memcpy(&word, t.bytes.data() + i * bytes, bytes);
  return word;
}

/// Replays one group of rows; returns how many outputs differ and reports the first.
std::size_t replay(const io::SafetensorsFile& file, const std::string& name) {
  const Instruction& i = find_instruction(name.substr(0, name.find('/')));
  const io::Tensor a = file.find(name + "/a").read_all(), b = file.find(name + "/b").read_all();
  const io::Tensor c = file.find(name + "/c").read_all(), d = file.find(name + "/d").read_all();
  const std::size_t rows = a.shape[0], k = a.shape[1];
  io::Tensor got(d.dtype, d.shape);
  dot(i, a.data(), b.data(), c.data(), got.data(), rows, k);
  std::size_t differ = 0, first = 0;
  for (std::size_t r = rows; r-- > 0;) {
    if (word_at(got, r) == word_at(d, r)) continue;
    ++differ;
    first = r;
  }
  if (differ != 0) {
    UNSCOPED_INFO(name << ": " << differ << " of " << rows << " differ; row " << first << ": C "
                       << std::hex << word_at(c, first) << ", got " << word_at(got, first)
                       << ", the device gave " << word_at(d, first));
  }
  return differ;
}

}  // namespace

TEST_CASE("recorded outputs of tensor cores", "[golden]") {
  const io::SafetensorsFile file = io::open_safetensors(golden::kInstructionFile);
  INFO(file.metadata.at("device") << ", CUDA " << file.metadata.at("cuda"));
  std::size_t groups = 0, rows = 0, differ = 0, long_chains = 0;
  for (const io::StoredTensor& tensor : file.tensors) {
    if (!tensor.name.ends_with("/d")) continue;
    ++groups;
    rows += tensor.shape[0];
    long_chains += tensor.name.find("/k4096/") != std::string::npos;
    differ += replay(file, tensor.name.substr(0, tensor.name.size() - 2));
  }
  CHECK(differ == 0);
  CHECK(groups == 24 * (7 * 4 * 2 + 2));
  CHECK(long_chains == 24 * 2);
  CHECK(rows == 24 * (7 * 4 * (24 + 8) + 6));
}

namespace {

/// What rows of the strata seldom or never show: a clamp below every product but where bf16 or tf32
/// make small ones, and zeros whose exponent is that of the smallest product.
bool seldom_shows(const std::string& instruction, const std::string& neighbour) {
  const bool wide = instruction.find("bf16") != std::string::npos ||
                    instruction.find("tf32") != std::string::npos;
  if (neighbour.find("clamp") != std::string::npos) return !wide;
  return neighbour == "zeros join the maximum" &&
         (instruction == "hopper.mma.f32.e4m3.e4m3" || instruction == "hopper.mma.f16.e4m3.e4m3" ||
          instruction == "hopper.mma.f16.e5m2.e4m3");
}

/// The neighbours of an instruction that give the recorded outputs, too.
std::vector<std::string> not_refuted(const io::SafetensorsFile& file, const std::string& name) {
  const auto bytes = [&](const char* operand) {
    const io::Tensor t = file.find(name + operand).read_all();
    return std::vector<std::byte>(t.bytes.begin(), t.bytes.end());
  };
  const io::StoredTensor& a = file.find(name + "/a");
  const golden::Rows rows{name, a.shape[0], a.shape[1], bytes("/a"), bytes("/b"), bytes("/c")};
  const auto d = bytes("/d");
  const Instruction& i = find_instruction(name.substr(0, name.find('/')));
  std::vector<std::string> names;
  for (const DotNeighbour& n : dot_neighbours(i)) {
    if (golden::outputs(i, n.model, rows) == d) names.push_back(n.name);
  }
  return names;
}

}  // namespace

TEST_CASE("recorded rows that tell the models from their neighbours", "[golden]") {
  const io::SafetensorsFile file = io::open_safetensors(golden::kTellingFile);
  INFO(file.metadata.at("device") << ", CUDA " << file.metadata.at("cuda"));
  std::size_t groups = 0, differ = 0;
  for (const io::StoredTensor& tensor : file.tensors) {
    if (!tensor.name.ends_with("/d")) continue;
    const std::string name = tensor.name.substr(0, tensor.name.size() - 2);
    ++groups;
    differ += replay(file, name);
    for (const std::string& neighbour : not_refuted(file, name)) {
      INFO(name << ": " << neighbour);
      CHECK(seldom_shows(name.substr(0, name.find('/')), neighbour));
    }
  }
  CHECK(differ == 0);
  CHECK(groups == 24);
}

TEST_CASE("a neighbour of the model fails on the same rows", "[golden]") {
  const io::SafetensorsFile file = io::open_safetensors(golden::kInstructionFile);
  for (const std::string name : {"hopper.wgmma.f32.e4m3.e4m3", "hopper.wgmma.f32.bf16.bf16"}) {
    Instruction wrong = find_instruction(name);
    ++wrong.model.alignment_fraction_bits;
    const std::string group = name + "/near_unit.near/k" + std::to_string(wrong.k);
    const io::Tensor a = file.find(group + "/a").read_all(), b = file.find(group + "/b").read_all();
    const io::Tensor c = file.find(group + "/c").read_all(), d = file.find(group + "/d").read_all();
    io::Tensor got(d.dtype, d.shape);
    dot(wrong, a.data(), b.data(), c.data(), got.data(), a.shape[0], a.shape[1]);
    CHECK(got.bytes != d.bytes);
  }
}
