// The decoding step end to end: what is exact, what follows from one rounding, what adds up.
#include <map>

#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

namespace {

/// Errors by "arithmetic attention station".
std::map<std::string, double> errors(const std::map<std::string, std::string>& given) {
  const Result r = run_with("decode_step", given);
  std::map<std::string, double> by_name;
  for (std::size_t i = 0; i < r.table.rows.size(); ++i) {
    const std::string name = r.text(i, "arithmetic") + " " + r.text(i, "attention") + " ";
    by_name[name + r.text(i, "station")] = r.number(i, "error");
  }
  return by_name;
}

}  // namespace

TEST_CASE("each station of a step in BF16 and in FP8") {
  auto e = errors({});
  for (const std::string attention : {"dense ", "sparse "}) {
    // The latents of size 1 under FlashMLA's scales; the rotary part, a ninth of an entry's energy,
    // is exact: 2.65 % * sqrt(8 / 9).
    CHECK(e["fp8 " + attention + "cache"] == Approx(0.025).epsilon(0.02));
    CHECK(e["bf16 " + attention + "cache"] == 0);
    // Two FP8 layers, in each of which tokens and weights are rounded: 2.65 % * sqrt(4).
    CHECK(e["fp8 " + attention + "queries"] == Approx(0.053).epsilon(0.1));
    // BF16: a rounding of 0.17 % for each of the input's norm, two layers and a norm between them.
    CHECK(e["bf16 " + attention + "queries"] > 0.0017);
    CHECK(e["bf16 " + attention + "queries"] < 0.0017 * 3);
    for (const char* station : {"queries", "attention", "experts", "output"}) {
      INFO(attention << station);
      CHECK(e["bf16 " + attention + station] < 0.1 * e["fp8 " + attention + station]);
      CHECK(e["fp8 " + attention + station] < 0.3);
    }
    CHECK(e["bf16 " + attention + "routing"] <= 1.0 / 32);  // at most one expert of 4 * 8
  }
  // As in indexer_recall: FP8 misses about 3 % of a selection, BF16 a tenth of that.
  CHECK(e["fp8 sparse selection"] > 0.01);
  CHECK(e["fp8 sparse selection"] < 0.07);
  CHECK(e["bf16 sparse selection"] < 0.01);
  // Selecting the right eighth of the tokens costs less than FP8 does.
  CHECK(e["fp64 sparse attention"] < e["fp8 sparse attention"]);
}

TEST_CASE("selecting every token is attending to every token") {
  auto e = errors({{"length", "96"}, {"top_k", "97"}, {"tokens", "2"}});
  for (const char* station : {"attention", "experts", "output"}) {
    CHECK(e["fp64 sparse " + std::string(station)] < 1e-13);  // sums in another order
  }
  CHECK(e["fp64 sparse routing"] == 0);
  CHECK(e["fp8 sparse selection"] == 0);
}

TEST_CASE("the spread of the scores multiplies the error of the queries") {
  const std::map<std::string, std::string> common{{"tokens", "2"}, {"length", "1024"}};
  auto with = [&](const std::string& spread) {
    auto given = common;
    given["spread"] = spread;
    return errors(given);
  };
  auto flat = with("0.5"), sharp = with("4");
  CHECK(flat["fp8 dense queries"] == Approx(sharp["fp8 dense queries"]).epsilon(0.05));
  CHECK(sharp["fp8 dense attention"] > 1.5 * flat["fp8 dense attention"]);
}

TEST_CASE("sizes that a layer cannot have are refused") {
  CHECK_THROWS_WITH(errors({{"heads", "12"}}), ContainsSubstring("heads: found 12"));
  CHECK_THROWS_WITH(errors({{"experts", "40"}}), ContainsSubstring("experts: found 40"));
  CHECK_THROWS_WITH(errors({{"experts", "16"}, {"active", "9"}}),
                    ContainsSubstring("active: found 9"));
}
