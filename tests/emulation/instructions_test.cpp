// The table of instructions, their JSON cards, and what is refused.
#include "binade/emulation/instructions.hpp"

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "binade/formats/catalog.hpp"
#include "catch.hpp"

using namespace binade;
using Json = nlohmann::ordered_json;

namespace {

/// The message of the std::invalid_argument that `body` throws, or "" when it throws none.
std::string refusal(auto&& body) {
  try {
    body();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

std::string card_refusal(auto&& change) {
  Json card = Json::parse(instruction_to_json(find_instruction("hopper.wgmma.f32.bf16.bf16")));
  change(card);
  return refusal([&] { instruction_from_json(card.dump()); });
}

std::string model_refusal(const char* name, auto&& change) {
  Instruction i = find_instruction(name);
  change(i);
  return refusal([&] { validate(i); });
}

}  // namespace

TEST_CASE("names are unique, every row is valid and names its source") {
  std::set<std::string> names;
  for (const Instruction& i : instructions()) {
    INFO(i.name);
    CHECK(names.insert(i.name).second);
    CHECK_NOTHROW(validate(i));
    CHECK(!i.source.empty());
    CHECK(&find_instruction(i.name) == &i);
  }
  CHECK(names.size() == 62);
}

TEST_CASE("the rows compared with hardware are Hopper's, all of them and no others") {
  std::size_t verified = 0;
  for (const Instruction& i : instructions()) {
    INFO(i.name);
    CHECK(i.verified == i.name.starts_with("hopper."));
    verified += i.verified;
  }
  CHECK(verified == 24);
}

TEST_CASE("parameters of the published rows, as literals") {
  struct Row {
    const char* name;
    int k, step_k, fraction_bits, clamp, result_mantissa;
    Rounding rounding;
  };
  constexpr int kNone = kNoExponentClamp;
  constexpr Rounding kZero = Rounding::kTowardZero, kEven = Rounding::kNearestEven;
  const Row rows[] = {
      {"hopper.wgmma.f32.e4m3.e4m3", 32, 32, 13, kNone, 13, kZero},
      {"hopper.wgmma.f16.e5m2.e5m2", 32, 32, 13, kNone, 10, kEven},
      {"hopper.wgmma.f32.f16.f16", 16, 16, 25, -133, 23, kZero},
      {"hopper.wgmma.f16.f16.f16", 16, 16, 25, -21, 10, kEven},
      {"hopper.wgmma.f32.bf16.bf16", 16, 16, 25, -133, 23, kZero},
      {"hopper.wgmma.f32.tf32.tf32", 8, 8, 25, -133, 23, kZero},
      {"hopper.mma.f32.e5m2.e4m3", 32, 16, 25, -133, 23, kZero},
      {"hopper.mma.f16.e4m3.e4m3", 32, 16, 25, -21, 10, kEven},
      {"volta.mma.f32.f16.f16", 4, 4, 23, kNone, 23, kZero},
      {"ampere.mma.f32.bf16.bf16", 16, 8, 24, kNone, 23, kZero},
      {"ampere.mma.f32.tf32.tf32", 8, 4, 24, kNone, 23, kZero},
      {"ampere.mma.f16.f16.f16", 16, 8, 24, kNone, 10, kEven},
      {"ada.mma.f32.e4m3.e4m3", 32, 16, 13, kNone, 13, kZero},
      {"ada.mma.f16.e4m3.e4m3", 32, 16, 13, kNone, 10, kEven},
      {"blackwell.tcgen05.f32.e4m3.e4m3", 32, 32, 25, -133, 23, kZero},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const Instruction& i = find_instruction(row.name);
    CHECK(i.k == row.k);
    CHECK(i.model.step_k == row.step_k);
    CHECK(i.model.alignment_fraction_bits == row.fraction_bits);
    CHECK(i.model.min_exponent == row.clamp);
    CHECK(i.model.result.mantissa_bits == row.result_mantissa);
    CHECK(i.model.result_rounding == row.rounding);
  }
}

TEST_CASE("an unknown name is answered with the nearest") {
  const std::string why = refusal([] { find_instruction("hopper.wgma.f32.e4m3.e4m3"); });
  CHECK_THAT(why, ContainsSubstring("hopper.wgma.f32.e4m3.e4m3"));
  CHECK_THAT(why, ContainsSubstring("'hopper.wgmma.f32.e4m3.e4m3'"));
}

TEST_CASE("model cards: every instruction survives the round trip") {
  for (const Instruction& i : instructions()) {
    const std::string card = instruction_to_json(i);
    INFO(card);
    CHECK(instruction_from_json(card) == i);
    CHECK(instruction_to_json(instruction_from_json(card)) == card);
  }
  // Every field that a card can change does come back, in every value of every enumeration.
  Instruction i = find_instruction("hopper.mma.f16.e5m2.e4m3");
  for (int variant = 0; variant < 6; ++variant) {
    i.name = "card \"quoted\" \u03bc";
    i.model.alignment = static_cast<AlignmentRounding>(variant % 3);
    i.model.order = static_cast<StepOrder>(variant % 2);
    i.model.addend = static_cast<AddendRule>(variant / 3);
    i.model.zeros_join_maximum = variant % 2 == 0;
    i.model.normalize_products = variant % 3 == 0;
    i.model.min_exponent = variant == 4 ? kNoExponentClamp : -variant;
    i.model.multiplier_emin = variant == 3 ? kStoredExponents : -14 + variant;
    i.model.result.mantissa_bits = 10 - variant;
    i.verified = variant % 2 == 1;
    i.a = parse_format(variant % 2 == 0 ? "binary8p3se" : "e3m4").format;
    CHECK(instruction_from_json(instruction_to_json(i)) == i);
  }
}

TEST_CASE("fields in which two models part") {
  const DotModel& from = find_instruction("hopper.wgmma.f32.e4m3.e4m3").model;
  DotModel to = from;
  CHECK(changed_fields(from, to).empty());
  to.alignment_fraction_bits = 12;
  CHECK(changed_fields(from, to) == "alignment_fraction_bits 12");
  to.alignment = AlignmentRounding::kFloor;
  CHECK(changed_fields(from, to) == "alignment_fraction_bits 12, alignment floor");
  to.min_exponent = -133;
  CHECK(changed_fields(to, from) ==
        "alignment_fraction_bits 13, alignment truncate, min_exponent null");
}

TEST_CASE("model cards: what is wrong is named") {
  CHECK(card_refusal([](Json&) {}).empty());
  const auto says = [](const std::string& why, const char* part) {
    CHECK_THAT(why, ContainsSubstring(part));
  };
  says(card_refusal([](Json& j) { j["verfied"] = true; }), "'verfied': did you mean 'verified'");
  says(card_refusal([](Json& j) { j["model"]["step"] = 4; }), "'model.step'");
  says(card_refusal([](Json& j) { j["model"]["step"] = 4; }), "'step_k'");
  says(card_refusal([](Json& j) { j.erase("source"); }), "'source' is missing");
  says(card_refusal([](Json& j) { j["model"].erase("addend"); }), "'model.addend' is missing");
  says(card_refusal([](Json& j) { j["k"] = "16"; }), "'k' is \"16\"");
  says(card_refusal([](Json& j) { j["k"] = 16.5; }), "'k' is 16.5");
  says(card_refusal([](Json& j) { j["k"] = 1e300; }), "'k' is");
  says(card_refusal([](Json& j) { j["k"] = -9223372036854775807ll; }), "'k' is -9223372036");
  says(card_refusal([](Json& j) { j["k"] = 24; }), "k is 24");
  says(card_refusal([](Json& j) { j["verified"] = 1; }), "'verified' is 1");
  says(card_refusal([](Json& j) { j["name"] = nullptr; }), "'name' is null");
  says(card_refusal([](Json& j) { j["a"] = "bf17"; }), "bf17");
  says(card_refusal([](Json& j) { j["model"] = 3; }), "'model' is no object");
  says(card_refusal([](Json& j) { j["model"]["alignment"] = "round"; }), "'nearest_even'");
  says(card_refusal([](Json& j) { j["model"]["order"] = "pairs"; }), "'interleaved_pairs'");
  says(card_refusal([](Json& j) { j["model"]["result_rounding"] = "up"; }), "result_rounding");
  says(card_refusal([](Json& j) { j["model"]["result"] = "fp16"; }), "result is fp16");
  says(card_refusal([](Json& j) { j = Json::array(); }), "no object");
  says(refusal([] { instruction_from_json("{\"name\": "); }), "model card:");
  says(refusal([] { instruction_from_json(""); }), "model card:");
}

TEST_CASE("models that cannot be evaluated are refused, the field and its value named") {
  const char* fp8 = "hopper.wgmma.f32.e4m3.e4m3";
  const auto says = [](const std::string& why, const char* part) {
    CHECK_THAT(why, ContainsSubstring(part));
  };
  says(model_refusal(fp8, [](Instruction& i) { i.model.alignment_fraction_bits = 0; }),
       "alignment_fraction_bits is 0");
  says(model_refusal(fp8, [](Instruction& i) { i.model.alignment_fraction_bits = 49; }),
       "alignment_fraction_bits is 49");
  says(model_refusal(fp8, [](Instruction& i) { i.model.step_k = 0; }), "step_k is 0");
  says(model_refusal(fp8, [](Instruction& i) { i.model.step_k = 5; }), "k is 32");
  says(model_refusal(fp8, [](Instruction& i) { i.k = -32; }), "k is -32");
  says(model_refusal(fp8,
                     [](Instruction& i) {
                       i.k = i.model.step_k = 1 << 20;
                       i.model.alignment_fraction_bits = 41;
                     }),
       "63 bits");
  CHECK(model_refusal(fp8, [](Instruction& i) {
          i.k = i.model.step_k = 1 << 10;
          i.model.alignment_fraction_bits = 48;
        }).empty());
  says(model_refusal(fp8, [](Instruction& i) { i.model.order = StepOrder::kInterleavedPairs; }),
       "interleaved_pairs");
  says(model_refusal(fp8, [](Instruction& i) { i.a = Fp64::format; }), "a is fp64");
  says(model_refusal(fp8, [](Instruction& i) { i.c = Bf16::format; }), "c is bf16");
  says(model_refusal(fp8, [](Instruction& i) { i.model.result = Fp16::format; }), "result is fp16");
  says(model_refusal(fp8, [](Instruction& i) { i.model.result.mantissa_bits = 24; }), "result");
  says(model_refusal(fp8, [](Instruction& i) { i.model.result_rounding = Rounding::kUp; }),
       "result_rounding");
  says(model_refusal(fp8, [](Instruction& i) { i.model.min_exponent = 20000; }),
       "min_exponent is 20000");
  says(model_refusal(fp8, [](Instruction& i) { i.model.multiplier_emin = -20000; }),
       "multiplier_emin is -20000");
  // The array entries check as well.
  const Instruction& good = find_instruction(fp8);
  unsigned char operands[32] = {};
  float c = 0, d = 0;
  says(refusal([&] { dot(good, operands, operands, &c, &d, 1, 0); }), "is 0");
  says(refusal([&] { dot(good, nullptr, operands, &c, &d, 1, 32); }), "null");
  says(refusal([&] { dot(good, operands, operands, &c, &d, 1, 32, -1); }), "threads is -1");
  says(refusal([&] { trace_dot(good, operands, operands, nullptr, 32); }), "null");
  CHECK(refusal([&] { dot(good, nullptr, nullptr, nullptr, nullptr, 0, 32); }).empty());
}
