// The instruction table: rows of parameters over operand types. An instruction's name is its
// family, then the types of A and B.
#include "binade/emulation/instructions.hpp"

#include <span>
#include <stdexcept>

#include "binade/formats/catalog.hpp"

namespace binade {
namespace {

struct Types {
  const char* a_name;
  FloatFormat a;
  const char* b_name;
  FloatFormat b;
};
constexpr Types kFp8[] = {{"e4m3", E4M3::format, "e4m3", E4M3::format},
                          {"e4m3", E4M3::format, "e5m2", E5M2::format},
                          {"e5m2", E5M2::format, "e4m3", E4M3::format},
                          {"e5m2", E5M2::format, "e5m2", E5M2::format}};
constexpr Types kHalf[] = {{"f16", Fp16::format, "f16", Fp16::format}};
constexpr Types kWide[] = {{"f16", Fp16::format, "f16", Fp16::format},
                           {"bf16", Bf16::format, "bf16", Bf16::format}};
constexpr Types kTf32[] = {{"tf32", Tf32::format, "tf32", Tf32::format}};

/// What D is rounded to, and the register that holds it.
struct Output {
  FloatFormat container, grid;
  Rounding rounding;
};
constexpr Output kToFp32{Fp32::format, Fp32::format, Rounding::kTowardZero};
constexpr Output kToE8M13{Fp32::format, {8, 13, 127, true, kIeee}, Rounding::kTowardZero};
constexpr Output kToFp16{Fp16::format, Fp16::format, Rounding::kNearestEven};
constexpr Output kToNearestFp32{Fp32::format, Fp32::format, Rounding::kNearestEven};

constexpr DotModel model(int step_k, int fraction_bits, Output out, int min_exponent) {
  DotModel m;
  m.step_k = step_k;
  m.alignment_fraction_bits = fraction_bits;
  m.min_exponent = min_exponent;
  m.result = out.grid;
  m.result_rounding = out.rounding;
  return m;
}

/// FP8 mma.sync on sm_90: two FP16 steps from zero, C added at the end. Neither clamp can show.
constexpr DotModel through_half(Output out) {
  DotModel m = model(16, 25, out, out.container == Fp16::format ? -21 : -133);
  m.order = StepOrder::kInterleavedPairs;
  m.addend = AddendRule::kAddedLast;
  m.multiplier_emin = Fp16::format.emin();  // subnormals of E4M3 are normal numbers there
  return m;
}

constexpr DotModel floored(DotModel m) {
  m.alignment = AlignmentRounding::kFloor;
  return m;
}

struct Family {
  const char* name;
  std::span<const Types> types;
  Output out;
  int k;
  DotModel model;
  bool verified;  ///< every pair of types compared with hardware
  const char* source;
};

constexpr bool kVerified = true, kPublished = false;
constexpr const char* kMeasured =
    "compared bit for bit with an H100 (CUDA 13.0): experiments/results/verify.csv; Khattak and "
    "Mikaitis, arXiv 2512.07004; MMA-Sim, arXiv 2511.10909";
constexpr const char* kModels =
    "Khattak and Mikaitis, arXiv 2512.07004, MATLAB-tensor-core; MMA-Sim, arXiv 2511.10909";
constexpr int kNone = kNoExponentClamp;

// FP8 products and an FP32 or FP16 addend never lie so low that a clamp of F = 13 rows shows. Under
// an FP16 result E is never below -21: five of 8e10 outputs said so, sums next to half of the
// smallest subnormal.
constexpr Family kFamilies[] = {
    {"hopper.wgmma.f32", kFp8, kToE8M13, 32, model(32, 13, kToE8M13, kNone), kVerified, kMeasured},
    {"hopper.wgmma.f32", kWide, kToFp32, 16, model(16, 25, kToFp32, -133), kVerified, kMeasured},
    {"hopper.wgmma.f32", kTf32, kToFp32, 8, model(8, 25, kToFp32, -133), kVerified, kMeasured},
    {"hopper.wgmma.f16", kFp8, kToFp16, 32, model(32, 13, kToFp16, kNone), kVerified, kMeasured},
    {"hopper.wgmma.f16", kHalf, kToFp16, 16, model(16, 25, kToFp16, -21), kVerified, kMeasured},
    {"hopper.mma.f32", kFp8, kToFp32, 32, through_half(kToFp32), kVerified, kMeasured},
    {"hopper.mma.f32", kWide, kToFp32, 16, model(16, 25, kToFp32, -133), kVerified, kMeasured},
    {"hopper.mma.f32", kTf32, kToFp32, 8, model(8, 25, kToFp32, -133), kVerified, kMeasured},
    {"hopper.mma.f16", kFp8, kToFp16, 32, through_half(kToFp16), kVerified, kMeasured},
    {"hopper.mma.f16", kHalf, kToFp16, 16, model(16, 25, kToFp16, -21), kVerified, kMeasured},

    {"volta.mma.f32", kHalf, kToFp32, 4, model(4, 23, kToFp32, kNone), kPublished,
     "Fasi, Higham, Mikaitis, Pranesh, PeerJ CS 2021; MATLAB-tensor-core V100TC; MMA-Sim"},
    {"volta.mma.f16", kHalf, kToFp16, 4, model(4, 23, kToFp16, kNone), kPublished,
     "Fasi, Higham, Mikaitis, Pranesh, PeerJ CS 2021; MATLAB-tensor-core V100TC; MMA-Sim"},
    {"ampere.mma.f32", kWide, kToFp32, 16, model(8, 24, kToFp32, kNone), kPublished, kModels},
    {"ampere.mma.f32", kTf32, kToFp32, 8, model(4, 24, kToFp32, kNone), kPublished, kModels},
    {"ampere.mma.f16", kHalf, kToFp16, 16, model(8, 24, kToFp16, kNone), kPublished, kModels},
    {"ada.mma.f32", kFp8, kToE8M13, 32, model(16, 13, kToE8M13, kNone), kPublished, kModels},
    {"ada.mma.f32", kWide, kToFp32, 16, model(8, 24, kToFp32, kNone), kPublished, kModels},
    {"ada.mma.f32", kTf32, kToFp32, 8, model(4, 24, kToFp32, kNone), kPublished, kModels},
    {"ada.mma.f16", kFp8, kToFp16, 32, model(16, 13, kToFp16, kNone), kPublished, kModels},
    {"ada.mma.f16", kHalf, kToFp16, 16, model(8, 24, kToFp16, kNone), kPublished, kModels},
    {"blackwell.tcgen05.f32", kFp8, kToFp32, 32, model(32, 25, kToFp32, -133), kPublished, kModels},
    {"blackwell.tcgen05.f32", kWide, kToFp32, 16, model(16, 25, kToFp32, -133), kPublished,
     kModels},
    {"blackwell.tcgen05.f32", kTf32, kToFp32, 8, model(8, 25, kToFp32, -133), kPublished, kModels},
    {"blackwell.tcgen05.f16", kFp8, kToFp16, 32, model(32, 25, kToFp16, -133), kPublished, kModels},
    {"blackwell.tcgen05.f16", kHalf, kToFp16, 16, model(16, 25, kToFp16, -133), kPublished,
     kModels},

    {"reference.floor14", kFp8, kToE8M13, 32, floored(model(32, 13, kToE8M13, kNone)), kPublished,
     "contrast: 14 bits after sign-fill right shifting, DeepSeek-V3 report v1, 3.5.2; refuted by "
     "measurement"},
    {"reference.wide", kFp8, kToNearestFp32, 32, model(32, 48, kToNearestFp32, kNone), kPublished,
     "contrast: hypothetical 48 fraction bits and one rounding to nearest per 32 products; exact "
     "before it for E4M3"},
};

std::vector<Instruction> make_all() {
  std::vector<Instruction> all;
  for (const Family& f : kFamilies) {
    for (const Types& t : f.types) {
      const std::string pair = std::string(t.a_name) + "." + t.b_name;
      all.push_back({std::string(f.name) + "." + pair, t.a, t.b, f.out.container, f.k, f.model,
                     f.verified, f.source});
    }
  }
  return all;
}

}  // namespace

const std::vector<Instruction>& instructions() {
  static const std::vector<Instruction> all = make_all();
  return all;
}

const Instruction& find_instruction(std::string_view name) {
  std::vector<std::string> names;
  for (const Instruction& i : instructions()) {
    if (i.name == name) return i;
    names.push_back(i.name);
  }
  std::string hint;
  for (const std::string& near : nearest_names(name, names)) {
    hint += (hint.empty() ? "'" : ", '") + near + "'";
  }
  throw std::invalid_argument("unknown instruction '" + std::string(name) + "': did you mean " +
                              hint + "?");
}

}  // namespace binade
