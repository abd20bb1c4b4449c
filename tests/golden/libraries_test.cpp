// Whole GEMMs that cuBLASLt returned, replayed on the CPU.
#include "binade/emulation/gemm.hpp"
#include "catch.hpp"
#include "io/safetensors.hpp"

using namespace binade;

namespace {

constexpr const char* kFile = BINADE_SOURCE_DIR "/tests/golden/libraries.safetensors";

struct Operand {
  io::Tensor codes, scales;
  GemmOperand view() {
    return {E4M3::format,       codes.data(),    codes.shape[0],
            scales.as<float>(), scales.shape[0], scales.shape[1]};
  }
};

/// "64x128x1024/cublaslt/fp32": the names of its parts.
struct Golden {
  std::string shape, profile, output;
  explicit Golden(const std::string& name) {
    const std::size_t first = name.find('/'), last = name.rfind('/');
    shape = name.substr(0, first);
    if (first != last) profile = name.substr(first + 1, last - first - 1);
    output = name.substr(last + 1);
  }
  bool is_output() const { return output == "fp32" || output == "bf16"; }
};

std::size_t differences(const io::SafetensorsFile& file, const Golden& g, GemmProfile profile) {
  const auto read = [&](const std::string& name) { return file.find(name).read_all(); };
  Operand a{read(g.shape + "/a"), read(g.shape + "/" + g.profile + "/scale_a")};
  Operand b{read(g.shape + "/b"), read(g.shape + "/" + g.profile + "/scale_b")};
  const io::Tensor want = read(g.shape + "/" + g.profile + "/" + g.output);
  io::Tensor got(want.dtype, want.shape);
  gemm(profile, a.view(), b.view(), a.codes.shape[1],
       g.output == "bf16" ? Bf16::format : Fp32::format, got.data());
  const std::size_t width = io::info(want.dtype).size;
  std::size_t differ = 0, first = 0;
  for (std::size_t i = want.count(); i-- > 0;) {
    if (std::equal(&want.bytes[i * width], &want.bytes[i * width] + width, &got.bytes[i * width])) {
      continue;
    }
    ++differ;
    first = i;
  }
  if (differ != 0) {
    UNSCOPED_INFO(g.shape << "/" << g.profile << "/" << g.output << ": " << differ << " of "
                          << want.count() << " differ, the first in row " << first / want.shape[1]
                          << ", column " << first % want.shape[1]);
  }
  return differ;
}

}  // namespace

TEST_CASE("recorded GEMMs of cuBLASLt", "[golden]") {
  const io::SafetensorsFile file = io::open_safetensors(kFile);
  INFO(file.metadata.at("device") << ", torch " << file.metadata.at("torch"));
  std::size_t gemms = 0, differ = 0;
  for (const io::StoredTensor& tensor : file.tensors) {
    const Golden g(tensor.name);
    if (!g.is_output()) continue;
    ++gemms;
    differ += differences(file, g, find_gemm_profile(g.profile));
  }
  CHECK(differ == 0);
  CHECK(gemms >= 16);
}

TEST_CASE("another order of the scales is another GEMM", "[golden]") {
  const io::SafetensorsFile file = io::open_safetensors(kFile);
  for (const char* name : {"64x128x1024/cublaslt/fp32", "64x128x1024/torch-rowwise/fp32",
                           "64x128x1024/deepgemm/fp32"}) {
    const Golden g(name);
    GemmProfile wrong = find_gemm_profile(g.profile);
    if (wrong.scale_order == ScaleOrder::kEpilogueProduct) {
      wrong.scale_order = ScaleOrder::kEpilogueBThenA;
    } else if (wrong.scale_order == ScaleOrder::kEpilogueBThenA) {
      wrong.scale_order = ScaleOrder::kEpilogueProduct;
    } else {
      wrong.scale_order = ScaleOrder::kPromoteFmaBThenA;
    }
    INFO(name);
    CHECK(differences(file, g, wrong) > 0);
  }
}
