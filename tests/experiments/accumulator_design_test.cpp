// Hypothetical accumulators: Hopper's own is one of them, and no error exceeds its bound.
#include <cmath>
#include <map>

#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

namespace {

Result design(const std::map<std::string, std::string>& given) {
  std::map<std::string, std::string> all = {{"m", "16"}, {"n", "16"}, {"scalings", "tensor"}};
  for (const auto& [name, value] : given) all[name] = value;
  return run_with("accumulator_design", all);
}

}  // namespace

TEST_CASE("every measured error stays below its bound, and errors fall with the width") {
  const Result r = design({{"scalings", "tensor,1x128"}});
  CHECK(r.table.rows.size() == 2 * 2 * 9 * 2 * (3 + 1));  // block scales: interval 128 alone
  for (std::size_t row = 0; row < r.table.rows.size(); ++row) {
    INFO(row);
    CHECK(r.number(row, "backward") <= r.number(row, "bound"));
    CHECK(r.number(row, "accumulator_bits") == 9 + r.number(row, "fraction_bits"));
    const bool narrower = row % 9 != 0;
    if (narrower) {
      CHECK(r.number(row, "fro_rel") <= 1.05 * r.number(row - 1, "fro_rel"));
    }
  }
}

TEST_CASE("X8, X9: thirteen bits in steps of 32 are Hopper's") {
  const Result r = run_with("accumulator_design", {{"fraction_bits", "13"},
                                                   {"groups", "32"},
                                                   {"intervals", "0,128"},
                                                   {"formats", "e4m3"},
                                                   {"scalings", "tensor"},
                                                   {"m", "128"},
                                                   {"n", "128"}});
  const Result hopper = run_with("promotion_interval", {{"k", "4096"},
                                                        {"intervals", "0,4"},
                                                        {"distributions", "normal,uniform01"},
                                                        {"contrast", "none"}});
  for (std::size_t row = 0; row < 4; ++row) {
    for (const std::string column : {"fro_rel", "max_over_mean", "bias"}) {
      CHECK(r.number(row, column) == hopper.number(row, column));
    }
  }
  CHECK(r.number(0, "fro_rel") == Approx(1.35e-3).epsilon(0.05));
  CHECK(r.number(2, "fro_rel") == Approx(7.45e-2).epsilon(0.03));
}

TEST_CASE("each further bit takes more than half of the loss of same-sign sums") {
  const Result r = design({{"distributions", "uniform01"},
                           {"formats", "e4m3"},
                           {"groups", "32"},
                           {"intervals", "0"},
                           {"fraction_bits", "13,14,15,16,17,18"}});
  for (std::size_t row = 1; row < 6; ++row) {
    const double ratio = r.number(row, "fro_rel") / r.number(row - 1, "fro_rel");
    CHECK(ratio < 0.55);
    CHECK(ratio > 0.2);
    CHECK(r.number(row, "bias") < 0);
  }
}

TEST_CASE("the bound by hand, and what is refused") {
  const Result r = design({{"fraction_bits", "10"},
                           {"groups", "8"},
                           {"intervals", "0,128"},
                           {"k", "1000"},
                           {"distributions", "normal"},
                           {"formats", "e4m3"}});
  CHECK(r.number(0, "bound") == 125 * 10 / 1024.0);
  CHECK(r.number(1, "bound") == 16 * 10 / 1024.0 + 8 * 0x1p-24);
  CHECK_THROWS_WITH(design({{"scalings", "1x128"}, {"intervals", "0,512"}}),
                    ContainsSubstring("expected a divisor of 128"));
  CHECK_THROWS_WITH(design({{"fraction_bits", "24"}}),
                    ContainsSubstring("fraction_bits: found 24"));
  CHECK_THROWS_WITH(design({{"groups", "0"}}), ContainsSubstring("groups: found 0"));
}
