// Every instruction, and hypothetical ones, put into a black box and recovered from outside.
#include "binade/emulation/probe.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "binade/formats/catalog.hpp"
#include "catch.hpp"
#include "probe_black_box.hpp"

using namespace binade;
using namespace black_box;

namespace {

std::string describe(const Instruction& i, int interval) {
  return instruction_to_json(i) + " promoted " + std::to_string(interval);
}

/// The planted parameters as the report writes them.
std::map<std::string, std::string> planted_values(const Instruction& i, int interval) {
  const auto card = nlohmann::json::parse(instruction_to_json(i));
  std::map<std::string, std::string> v;
  for (const auto& [key, value] : card["model"].items()) {
    v[key] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  if (v["min_exponent"] == "null") v["min_exponent"] = "none";
  if (v["multiplier_emin"] == "null") v["multiplier_emin"] = "stored";
  v["k"] = std::to_string(i.k);
  v["result_mantissa_bits"] = std::to_string(i.model.result.mantissa_bits);
  v["promotion_interval"] = interval == 0 ? "none" : std::to_string(interval);
  return v;
}

void check_recovered(const Instruction& planted, int interval, bool takes_c, unsigned seed,
                     std::size_t rows = 720) {
  const ProbeResult r = probe(in_black_box(planted, interval, takes_c), {seed, 1024});
  INFO("planted " << describe(planted, interval));
  INFO("found " << describe(r.card, r.promotion_interval));
  INFO("notes " << nlohmann::json(r.notes).dump());
  CHECK(r.exact);
  CHECK(differing(planted, interval, r.card, r.promotion_interval, takes_c, seed, rows) == 0);
  // An added_last C every k and a promotion every k are two names of one thing in FP32.
  const auto planted_as = planted_values(planted, interval);
  for (const ProbeParameter& p : r.parameters) {
    INFO(p.name << " found " << p.value << " of " << nlohmann::json(p.consistent).dump());
    CHECK(!p.consistent.empty());
    if (p.determined) CHECK(p.value == planted_as.at(p.name));
  }
}

}  // namespace

TEST_CASE("Hypothetical accumulators are recovered") {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    const Instruction i = hypothetical(seed);
    validate(i);
    check_recovered(i, 0, seed % 3 != 0, seed, 20'000);
  }
}

TEST_CASE("Promotion intervals are found, with and without C") {
  const Instruction& fp8 = find_instruction("hopper.wgmma.f32.e4m3.e4m3");
  const Instruction& bf16 = find_instruction("hopper.mma.f32.bf16.bf16");
  check_recovered(fp8, 128, false, 1);
  check_recovered(fp8, 512, false, 2);
  check_recovered(fp8, 32, true, 3);
  check_recovered(bf16, 64, false, 4);
  const ProbeResult r = probe(in_black_box(fp8, 128, false), {9, 32});
  CHECK(r.promotion_interval == 128);
  CHECK(r.card.model == fp8.model);
  CHECK(r.known == std::vector<std::string>{fp8.name});
}

TEST_CASE(
    "The known width, step and rounding come back as numbers, and what nothing shows is open") {
  const Instruction& fp8 = find_instruction("hopper.wgmma.f32.e4m3.e4m3");
  const ProbeResult r = probe(in_black_box(fp8), {1, 64});
  const auto of = [&](const std::string& name) {
    return *std::find_if(r.parameters.begin(), r.parameters.end(),
                         [&](const ProbeParameter& p) { return p.name == name; });
  };
  for (const char* name :
       {"step_k", "order", "alignment_fraction_bits", "alignment", "addend", "zeros_join_maximum",
        "normalize_products", "result_mantissa_bits", "result_rounding", "promotion_interval"}) {
    INFO(name);
    CHECK(of(name).determined);
  }
  for (const ProbeParameter& p : r.parameters) {
    INFO(p.name);
    if (p.determined) CHECK(p.consistent == std::vector<std::string>{p.value});
    CHECK(p.determined == (p.consistent.size() == 1));
  }
  CHECK_FALSE(of("min_exponent").determined);
  CHECK_FALSE(of("k").determined);
  CHECK(of("alignment_fraction_bits").value == "13");
  CHECK(of("step_k").value == "32");
  // FP8 products and C never lie below 2^-133: a clamp there cannot show.
  const auto clamps = of("min_exponent").consistent;
  CHECK(std::find(clamps.begin(), clamps.end(), "none") != clamps.end());
  CHECK(std::find(clamps.begin(), clamps.end(), "-133") != clamps.end());
  CHECK(r.known == std::vector<std::string>{fp8.name});
  CHECK(r.same_fingerprint == std::vector<std::string>{fp8.name});
  // Under FP16 results the clamp shows next to ties, and tells Hopper from what is published of
  // Blackwell.
  const ProbeResult half =
      probe(in_black_box(find_instruction("hopper.wgmma.f16.f16.f16")), {1, 64});
  CHECK(half.card.model.min_exponent == -21);
  CHECK(half.known ==
        std::vector<std::string>{"hopper.wgmma.f16.f16.f16", "hopper.mma.f16.f16.f16"});
  // The clamp of BF16 does show.
  const ProbeResult wide =
      probe(in_black_box(find_instruction("hopper.wgmma.f32.bf16.bf16")), {1, 64});
  const auto& bf16 = wide.parameters;
  const auto clamp = std::find_if(bf16.begin(), bf16.end(),
                                  [](const ProbeParameter& p) { return p.name == "min_exponent"; });
  REQUIRE(clamp != bf16.end());
  CHECK(clamp->consistent == std::vector<std::string>{"-133"});
}

TEST_CASE("FP8 that is really two FP16 steps is said to be that") {
  const ProbeResult r = probe(in_black_box(find_instruction("hopper.mma.f32.e5m2.e5m2")), {1, 32});
  CHECK(r.card.model.order == StepOrder::kInterleavedPairs);
  REQUIRE(!r.notes.empty());
  CHECK_THAT(r.notes.front(), ContainsSubstring("FP16"));
}

namespace {

/// D of rows through a loop over floats: what a plain C function does.
template <class Sum>
ProbeTarget loop_target(FloatFormat f, Sum sum) {
  ProbeTarget t;
  t.a = t.b = f;
  t.c = Fp32::format;
  t.evaluate = [f, sum](const void* a, const void* b, const void* c, void* d, std::size_t rows,
                        std::size_t k) {
    std::vector<float> x(k), y(k);
    const auto at = [&](const void* codes, std::size_t i) {
      std::uint64_t word = 0;
      std::memcpy(&word, static_cast<const unsigned char*>(codes) + i * bytes(f), bytes(f));
      return static_cast<float>(decode(f, word));
    };
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t i = 0; i < k; ++i) {
        x[i] = at(a, r * k + i);
        y[i] = at(b, r * k + i);
      }
      static_cast<float*>(d)[r] = sum(x, y, static_cast<const float*>(c)[r]);
    }
  };
  return t;
}

float sequential(const std::vector<float>& x, const std::vector<float>& y, float c) {
  for (std::size_t i = 0; i < x.size(); ++i) c = std::fma(x[i], y[i], c);
  return c;
}
float halves(const std::vector<float>& x, const std::vector<float>& y, float c) {
  float even = c, odd = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    float& s = i % 2 == 0 ? even : odd;
    s = std::fma(x[i], y[i], s);
  }
  return even + odd;
}

}  // namespace

TEST_CASE(
    "A sequential FP32 loop is one product a step, nearest even; its NaN and zeros are told") {
  const ProbeResult r = probe(loop_target(E4M3::format, sequential), {1, 64});
  INFO(probe_to_json(r));
  CHECK(r.card.model.step_k == 1);
  CHECK(r.card.model.result_rounding == Rounding::kNearestEven);
  CHECK(r.card.model.result.mantissa_bits == 23);
  CHECK(r.exact_values);
  CHECK_FALSE(r.exact);  // x86 NaN and IEEE zeros are not a matrix unit's
  std::size_t nan_patterns = 0;
  for (const ProbeStratum& s : r.strata) nan_patterns += s.nan_pattern_only;
  CHECK(nan_patterns > 0);
}

TEST_CASE("A sum that no card describes is reported as such") {
  const ProbeResult r = probe(loop_target(E4M3::format, halves), {1, 64});
  CHECK_FALSE(r.exact);
  CHECK_FALSE(r.exact_values);
  CHECK(r.parameters.empty());
  bool some_differ = false;
  for (const ProbeStratum& s : r.strata) some_differ |= s.matching < s.rows;
  CHECK(some_differ);
}

TEST_CASE("Recorded rows: the card, or the share that agrees") {
  for (const char* name : {"hopper.wgmma.f32.e4m3.e4m3", "ada.mma.f32.e5m2.e5m2",
                           "hopper.mma.f32.e4m3.e4m3", "ampere.mma.f32.bf16.bf16"}) {
    Instruction planted = find_instruction(name);
    const FreshRows rows(planted, 240, 100, true, 5);
    for (const int more_bits : {0, 1}) {  // a width that no known instruction has
      planted.model.alignment_fraction_bits += more_bits;
      std::vector<unsigned char> d(rows.rows * bytes(planted.c));
      promoted_dot(planted, 0, rows.a.data(), rows.b.data(), rows.c.data(), d.data(), rows.rows,
                   rows.k);
      RecordedRows recorded{"recorded", planted.a,     planted.b,     planted.c,     rows.rows,
                            rows.k,     rows.a.data(), rows.b.data(), rows.c.data(), d.data()};
      const ProbeResult r = probe_recorded(recorded);
      INFO(describe(planted, 0) << describe(r.card, r.promotion_interval));
      CHECK(r.exact);
      for (const ProbeParameter& p : r.parameters) {
        if (p.name != "alignment_fraction_bits") continue;
        const auto width = std::to_string(planted.model.alignment_fraction_bits);
        CHECK(std::find(p.consistent.begin(), p.consistent.end(), width) != p.consistent.end());
      }
      CHECK(differing(planted, 0, r.card, r.promotion_interval, true, 77) <= 3);  // of 720
      if (more_bits == 1) continue;
      // One wrong output: no card fits it, and the report says which share does.
      d[4 * bytes(planted.c) * 4 + 3 * bytes(planted.c)] ^= 0x10;
      const ProbeResult bad = probe_recorded(recorded);
      CHECK_FALSE(bad.exact);
      REQUIRE(bad.strata.size() == 1);
      CHECK(bad.strata[0].matching + 1 == bad.strata[0].rows);
    }
  }
}

TEST_CASE("The card in the report is one that instruction_from_json reads") {
  const Instruction& i = find_instruction("ada.mma.f32.e4m3.e5m2");
  const ProbeResult r = probe(in_black_box(i), {1, 16});
  const auto json = nlohmann::json::parse(probe_to_json(r));
  const Instruction read = instruction_from_json(json["card"].dump());
  CHECK(read == r.card);
  CHECK(differing(i, 0, read, 0, true, 3) == 0);
}

TEST_CASE("A probe refuses what it cannot ask") {
  ProbeTarget t = in_black_box(find_instruction("hopper.wgmma.f32.e4m3.e4m3"));
  ProbeTarget bad = t;
  bad.a = E8M0::format;
  CHECK_THROWS_WITH(probe(bad), ContainsSubstring("e8m0"));
  bad = t;
  bad.c = Bf16::format;
  CHECK_THROWS_WITH(probe(bad), ContainsSubstring("bf16"));
  bad = t;
  bad.evaluate = nullptr;
  CHECK_THROWS_AS(probe(bad), std::invalid_argument);
  bad = t;
  bad.max_k = 3;
  CHECK_THROWS_WITH(probe(bad), ContainsSubstring("max_k 3"));
  CHECK_THROWS_AS(probe_recorded({}), std::invalid_argument);
  float zero = 0;
  const unsigned char code = 0;
  const Instruction& half = find_instruction("hopper.wgmma.f16.e4m3.e4m3");
  CHECK_THROWS_AS(promoted_dot(half, 32, &code, &code, &zero, &zero, 1, 1), std::invalid_argument);
  CHECK_THROWS_WITH(promoted_dot(half, -1, &code, &code, &zero, &zero, 1, 1),
                    ContainsSubstring("-1"));
}
