// Right kernels: the order of operations that gemm() used is found from its output alone.
#include "binade/emulation/diagnose.hpp"

#include <chrono>
#include <nlohmann/json.hpp>

#include "binade/emulation/dot_neighbours.hpp"
#include "catch.hpp"
#include "diagnose_problem.hpp"

using namespace binade;
using problem::lists;
using problem::Problem;

namespace {

std::string told(const GemmDiagnosis& d) { return diagnosis_to_json(d, Bf16::format); }

/// Some exact explanation has this profile, and every exact one gives D (by the library's word).
void check_profile(const Problem& p, const std::string& profile) {
  const GemmDiagnosis d = p.diagnose();
  INFO("planted " << profile << " " << told(d));
  REQUIRE(!d.exact.empty());
  // An accurate chain and a narrow output: fp32-sequential and exact have doubles.
  bool named = false;
  for (const GemmExplanation& e : d.exact) {
    named |= lists(e.profiles, profile);
    CHECK(e.departure.empty());
  }
  CHECK(named);
  if (profile != "fp32-sequential" && profile != "exact") {
    CHECK(lists(d.exact.front().profiles, profile));
  }
  CHECK(d.mismatches == 0);
  CHECK(d.closest.matching == p.m * p.n);
  CHECK(d.ties.size() + 1 == d.exact.size());
}

}  // namespace

TEST_CASE("Every profile is found by its name") {
  unsigned seed = 0;
  for (const FloatFormat output : {Fp32::format, Bf16::format}) {
    for (const GemmProfile& profile : gemm_profiles()) {
      Problem p;
      p.output = output;
      p.scaled = true;
      p.a_scales = profile.scale_a == kAnyGranularity ? Granularity{1, 128} : profile.scale_a;
      p.b_scales = profile.scale_b == kAnyGranularity ? Granularity{1, 128} : profile.scale_b;
      p.n = 136;
      p.k = 384;
      p.fill(++seed);
      p.run(profile);
      check_profile(p, profile.name);
    }
  }
}

TEST_CASE("Without scales, the interval and the chain are what can be told") {
  Problem p = problem::plain(1);
  for (const auto& [name, interval] :
       {std::pair{"cublaslt-fast", 0}, {"cublaslt", 128}, {"fp32-sequential", 0}, {"exact", 0}}) {
    p.run(name);
    check_profile(p, name);
    if (interval != 0) CHECK(p.diagnose().exact.front().promotion_interval == interval);
  }
  for (const int interval : {32, 64, 256}) {
    p.run("cublaslt", {interval, nullptr, 0});
    const GemmDiagnosis d = p.diagnose();
    INFO(told(d));
    REQUIRE(!d.exact.empty());
    CHECK(d.exact.front().promotion_interval == interval);
    for (const GemmExplanation& e : d.exact) {
      CHECK(e.promotion_interval == interval);  // how many parts K has may not show
      CHECK(e.profiles.empty());
    }
  }
}

TEST_CASE("Each instruction is told from the others; those of one arithmetic stand together") {
  for (const Instruction& i : instructions()) {
    Problem p;
    p.a_format = i.a;
    p.b_format = i.b;
    p.output = Fp32::format;
    p.m = 24;
    p.n = 24;
    p.k = 256;
    p.fill(7);
    p.run("cublaslt", {0, &i, 0});
    const GemmDiagnosis d = p.diagnose();
    INFO(i.name << " " << told(d));
    bool named = false;
    for (const GemmExplanation& e : d.exact) named |= lists(e.chains, i.name);
    CHECK(named);
  }
}

TEST_CASE("A model card is found, and no known row is claimed in its place") {
  Instruction card = find_instruction("hopper.wgmma.f32.e4m3.e4m3");
  card.name = "card";
  card.model.alignment_fraction_bits = 17;
  Problem p = problem::plain(2);
  p.run("cublaslt-fast", {0, &card, 0});
  DiagnoseOptions options;
  options.instruction = &card;
  const GemmDiagnosis with = p.diagnose(options);
  REQUIRE(!with.exact.empty());
  CHECK(with.exact.front().chains == std::vector<std::string>{"card"});
  const GemmDiagnosis without = p.diagnose();
  CHECK(without.exact.empty());
  CHECK(without.mismatches > 0);
}

TEST_CASE("Neighbours of an instruction are named by the parameter that differs") {
  Instruction card = find_instruction("hopper.wgmma.f32.e4m3.e4m3");
  Problem p = problem::plain(3, 512, Fp32::format);
  card.model.alignment_fraction_bits = 14;
  p.run("cublaslt", {128, &card, 0});
  GemmDiagnosis d = p.diagnose();
  REQUIRE(!d.exact.empty());
  CHECK_THAT(d.exact.front().text, ContainsSubstring("alignment_fraction_bits 14"));
  CHECK(d.exact.front().promotion_interval == 128);
  card = find_instruction("hopper.wgmma.f32.e4m3.e4m3");
  card.model.alignment = AlignmentRounding::kFloor;
  p.run("cublaslt", {128, &card, 0});
  d = p.diagnose();
  REQUIRE(!d.exact.empty());
  CHECK_THAT(d.exact.front().text, ContainsSubstring("floor14"));
}

TEST_CASE("Each neighbour of an instruction is found, by the fields that a card would change") {
  const Instruction known = find_instruction("hopper.wgmma.f32.e4m3.e4m3");
  Problem p = problem::plain(6, 1024, Fp32::format);
  p.run("cublaslt-fast");
  const std::vector<unsigned char> as_known = p.d;
  std::size_t told_apart = 0;
  for (const DotNeighbour& neighbour : dot_neighbours(known)) {
    Instruction card = known;
    card.model = neighbour.model;
    p.run("cublaslt-fast", {0, &card, 0});
    if (p.d == as_known) continue;
    ++told_apart;
    const GemmDiagnosis d = p.diagnose();
    INFO(neighbour.name << " " << told(d));
    const std::string fields = changed_fields(known.model, neighbour.model);
    bool named = false;
    for (const GemmExplanation& e : d.exact) {
      named |= e.text.find(fields) != std::string::npos;
      for (const Instruction& row : instructions()) {  // or by the name that the neighbour has
        named |= row.model == neighbour.model && lists(e.chains, row.name);
      }
    }
    CHECK(named);
  }
  CHECK(told_apart >= 10);
}

TEST_CASE("Parts of K that are summed apart, and orders of scales that no profile has") {
  Problem p = problem::blocks(4, 1024, Fp32::format);
  // DeepGEMM's order without fused multiply-add, over two halves of K added at the end.
  Problem half = p;
  std::vector<float> total(p.m * p.n);
  for (std::size_t part = 0; part < 2; ++part) {
    std::vector<float> sum(p.m * p.n);
    for (std::size_t k0 = 512 * part; k0 < 512 * (part + 1); k0 += 128) {
      Problem block = problem::plain(0, 128, Fp32::format);
      block.m = p.m;
      block.n = p.n;
      block.a.clear();
      block.b.clear();
      for (std::size_t r = 0; r < p.m; ++r) {
        const auto at = p.a.begin() + static_cast<std::ptrdiff_t>(r * p.k + k0);
        block.a.insert(block.a.end(), at, at + 128);
      }
      for (std::size_t r = 0; r < p.n; ++r) {
        const auto at = p.b.begin() + static_cast<std::ptrdiff_t>(r * p.k + k0);
        block.b.insert(block.b.end(), at, at + 128);
      }
      block.run("cublaslt-fast");
      for (std::size_t i = 0; i < sum.size(); ++i) {
        float chain = 0;
        std::memcpy(&chain, &block.d[4 * i], 4);
        const float sa = p.sa[i / p.n * 8 + k0 / 128], sb = p.sb[i % p.n / 128 * 8 + k0 / 128];
        const float term = chain * (sa * sb);
        sum[i] = sum[i] + term;
      }
    }
    for (std::size_t i = 0; i < sum.size(); ++i) total[i] = total[i] + sum[i];
  }
  p.d.resize(4 * total.size());
  std::memcpy(p.d.data(), total.data(), p.d.size());
  const GemmDiagnosis d = p.diagnose();
  INFO(told(d));
  REQUIRE(d.exact.size() == 1);
  CHECK(d.exact.front().split_k == 2);
  CHECK(d.exact.front().promotion_interval == 128);
  CHECK(d.exact.front().scale_orders ==
        std::vector<std::string>{"s = s + fl(chain * fl(sa * sb))"});
}

TEST_CASE("The output's rounding is found") {
  Problem p = problem::plain(5, 512, Fp32::format);
  p.run("cublaslt");
  const std::vector<unsigned char> fp32 = p.d;
  p.output = Bf16::format;
  p.d.assign(p.m * p.n * 2, 0);
  const struct {
    std::uint32_t add, keep;
    const char* rule;
  } rows[] = {{0, 16, "toward_zero"}, {0x8000, 16, "nearest_away"}};
  for (const auto& [add, shift, rule] : rows) {
    for (std::size_t i = 0; i < p.m * p.n; ++i) {
      std::uint32_t word = 0;
      std::memcpy(&word, &fp32[4 * i], 4);
      const auto cut = static_cast<std::uint16_t>((word + add) >> shift);
      std::memcpy(&p.d[2 * i], &cut, 2);
    }
    const GemmDiagnosis d = p.diagnose();
    INFO(rule << told(d));
    REQUIRE(!d.exact.empty());
    CHECK(lists(d.exact.front().profiles, "cublaslt"));
    CHECK(lists(d.exact.front().output_rules, rule));
    if (add == 0) CHECK(d.exact.front().output_rules.size() == 1);
  }
}

TEST_CASE("What the data cannot tell is said, with an input that would") {
  // K = 96: never promoted and promoted every 128 are the same.
  Problem p = problem::plain(6, 96);
  p.run("cublaslt-fast");
  GemmDiagnosis d = p.diagnose();
  REQUIRE(!d.exact.empty());
  CHECK(lists(d.exact.front().profiles, "cublaslt-fast"));
  CHECK(lists(d.exact.front().profiles, "cublaslt"));
  // Ones alone: nothing rounds, everything fits.
  std::fill(p.a.begin(), p.a.end(), static_cast<unsigned char>(0x38));
  std::fill(p.b.begin(), p.b.end(), static_cast<unsigned char>(0x38));
  p.run("cublaslt-fast");
  d = p.diagnose();
  REQUIRE(d.exact.size() > 3);
  for (const GemmTie& tie : d.ties) {
    INFO(d.exact[tie.other].text);
    CHECK(!tie.separating.empty());
    CHECK(tie.differing > 0);
  }
}

TEST_CASE("The same record on any number of threads; whole within the time promised") {
  Problem p = problem::blocks(8, 4096);
  p.m = 256;
  p.n = 256;
  p.fill(8);
  p.run("deepgemm");
  DiagnoseOptions one;
  one.threads = 1;
  const auto start = std::chrono::steady_clock::now();
  const GemmDiagnosis d = p.diagnose(one);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  CHECK(lists(d.exact.front().profiles, "deepgemm"));
  WARN("256 x 256 x 4096, exact: " << took.count() << " s on one thread");
  Problem small = problem::blocks(9);
  small.run("deepgemm");
  small.d[17] ^= 2;
  DiagnoseOptions three;
  three.threads = 3;
  CHECK(told(small.diagnose(one)) == told(small.diagnose(three)));
}

TEST_CASE("A diagnosis refuses what it cannot look at") {
  Problem p = problem::plain(10, 64);
  p.run("exact");
  const GemmOperand a = p.operand_a(), b = p.operand_b();
  CHECK_THROWS_WITH(diagnose(a, b, 0, p.output, p.d.data()), ContainsSubstring("empty"));
  CHECK_THROWS_WITH(diagnose(a, b, 64, p.output, nullptr), ContainsSubstring("no D"));
  CHECK_THROWS_WITH(diagnose(a, b, 64, Fp64::format, p.d.data()), ContainsSubstring("fp64"));
  GemmOperand bad = a;
  bad.format = E8M0::format;
  CHECK_THROWS_WITH(diagnose(bad, b, 64, p.output, p.d.data()), ContainsSubstring("e8m0"));
  bad = a;
  const std::vector<float> negative{-1.0f};
  bad.scales = negative;
  bad.scale_rows = bad.scale_cols = 1;
  CHECK_THROWS_WITH(diagnose(bad, b, 64, p.output, p.d.data()), ContainsSubstring("-1"));
  bad.scale_rows = 7;
  CHECK_THROWS_WITH(diagnose(bad, b, 64, p.output, p.d.data()), ContainsSubstring("7"));
  DiagnoseOptions options;
  options.instruction = &find_instruction("hopper.wgmma.f32.bf16.bf16");
  CHECK_THROWS_WITH(diagnose(a, b, 64, p.output, p.d.data(), options), ContainsSubstring("bf16"));
  options.instruction = nullptr;
  options.threads = -1;
  CHECK_THROWS_WITH(diagnose(a, b, 64, p.output, p.d.data(), options), ContainsSubstring("-1"));
}
