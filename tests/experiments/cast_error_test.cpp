// Counts and worst cases of casts from BF16, as the formats' definitions imply them.
#include <cmath>

#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

namespace {

struct Totals {
  double count = 0, exact = 0, subnormal = 0, zero = 0, overflow = 0;
};

Totals totals(const Result& r, const std::string& format) {
  Totals t;
  for (std::size_t i = 0; i < r.table.rows.size(); ++i) {
    if (r.text(i, "format") != format) continue;
    t.count += r.number(i, "count");
    t.exact += r.number(i, "exact");
    t.subnormal += r.number(i, "subnormal");
    t.zero += r.number(i, "zero");
    t.overflow += r.number(i, "overflow");
  }
  return t;
}

/// The row of a format's binade, when there is one bin a binade.
std::size_t row_of(const Result& r, const std::string& format, int binade) {
  for (std::size_t i = 0; i < r.table.rows.size(); ++i) {
    if (r.text(i, "format") == format && r.number(i, "binade") == binade) return i;
  }
  throw std::out_of_range("no such row");
}

Result per_binade(const std::string& inputs) {
  return run_with("cast_error", {{"formats", "e4m3,e5m2"},
                                 {"inputs", inputs},
                                 {"bins_per_binade", "1"},
                                 {"low_exponent", "-20"},
                                 {"high_exponent", "20"}});
}

}  // namespace

TEST_CASE("X1: the fate of all 32 639 positive BF16 numbers") {
  const Result r = per_binade("bf16");
  const Totals e4m3 = totals(r, "e4m3");
  CHECK(e4m3.count == 32639);
  CHECK(e4m3.zero == 14976);
  CHECK(e4m3.subnormal == 495);
  CHECK(e4m3.exact == 126);
  CHECK(e4m3.overflow == 15263);
  const Totals e5m2 = totals(r, "e5m2");
  CHECK(e5m2.count == 32639);
  CHECK(e5m2.zero == 14080);
  CHECK(e5m2.subnormal == 351);
  CHECK(e5m2.exact == 123);
  CHECK(e5m2.overflow == 14367);
}

TEST_CASE("X1: the worst case on normal numbers is 1/17 and 1/9, at 1 + u") {
  const Result r = per_binade("bf16");
  for (int binade = -6; binade <= 7; ++binade) {
    INFO(binade);
    const std::size_t row = row_of(r, "e4m3", binade);
    CHECK(r.number(row, "max_rel_error") == 1.0 / 17);
    CHECK(r.number(row, "worst_x") == std::ldexp(1.0625, binade));
  }
  for (int binade = -14; binade <= 14; ++binade) {
    INFO(binade);
    const std::size_t row = row_of(r, "e5m2", binade);
    CHECK(r.number(row, "max_rel_error") == 1.0 / 9);
    CHECK(r.number(row, "worst_x") == std::ldexp(1.125, binade));
  }
}

TEST_CASE("X2: the codes of E4M3's subnormal binades halve, the worst errors double to 100 %") {
  const Result r = per_binade("bf16");
  // At emin - d the spacing is 2^-(3 - d) of the binade: worst error u / (1 + u), u = 2^(d - 4).
  for (const auto& [binade, exact, worst] :
       {std::tuple{-6, 8, 1.0 / 17}, {-7, 4, 1.0 / 9}, {-8, 2, 1.0 / 5}, {-9, 1, 1.0 / 3}}) {
    INFO(binade);
    const std::size_t row = row_of(r, "e4m3", binade);
    CHECK(r.number(row, "exact") == exact);
    CHECK(r.number(row, "max_rel_error") == worst);
  }
  const std::size_t last = row_of(r, "e4m3", -10);
  CHECK(r.number(last, "zero") == 1);  // 2^-10 itself, the tie
  CHECK(r.number(last, "max_rel_error") == 1.0);
  CHECK(r.number(last, "worst_x") == 0x1p-10);
  CHECK(r.number(row_of(r, "e4m3", -11), "zero") == 128);
}

TEST_CASE("X1: all positive FP16 numbers") {
  const Result r = per_binade("fp16");
  const Totals t = totals(r, "e4m3");
  CHECK(t.count == 31743);
  CHECK(t.exact == 126);
  // Everything up to the tie 2^-10: the 1023 subnormals, four binades and 2^-10.
  CHECK(t.zero == 1023 + 4 * 1024 + 1);
  // E5M2 ends where FP16 does: only the numbers above 57344 = 1.75 * 2^15 overflow.
  CHECK(totals(r, "e5m2").overflow == 255);
}

TEST_CASE("X2: the mean square over a binade of evenly spread numbers") {
  // The integral of ((c - x) / x)^2 over the numbers of [1, 2) that round to c, summed over c.
  const auto expected = [](double spacing) {
    const auto antiderivative = [](double c, double x) {
      return x - 2 * c * std::log(x) - c * c / x;
    };
    double sum = 0;
    for (double c = 1; c <= 2; c += spacing) {
      sum += antiderivative(c, std::min(2.0, c + spacing / 2)) -
             antiderivative(c, std::max(1.0, c - spacing / 2));
    }
    return std::sqrt(sum);
  };
  const Result r = run_with(
      "cast_error", {{"formats", "e4m3,e5m2"}, {"inputs", "fp16"}, {"bins_per_binade", "1"}});
  const std::size_t e4m3 = row_of(r, "e4m3", 0), e5m2 = row_of(r, "e5m2", 0);
  CHECK(r.number(e4m3, "rms_rel_error") == Approx(expected(0.125)).epsilon(1e-4));
  CHECK(r.number(e5m2, "rms_rel_error") == Approx(expected(0.25)).epsilon(1e-4));
  CHECK(std::fabs(r.number(e4m3, "mean_rel_error")) < 1e-3);
}

TEST_CASE("X2: log-spaced inputs stay within the bound of the normals") {
  const Result r = run_with("cast_error", {{"formats", "e4m3,e5m2,fp16,bf16"},
                                           {"inputs", "log_spaced"},
                                           {"low_exponent", "-6"},
                                           {"high_exponent", "8"},
                                           {"points_per_binade", "4096"}});
  const std::map<std::string, double> u{
      {"e4m3", 0x1p-4}, {"e5m2", 0x1p-3}, {"fp16", 0x1p-11}, {"bf16", 0x1p-8}};
  std::map<std::string, double> worst;
  for (std::size_t i = 0; i < r.table.rows.size(); ++i) {
    double& w = worst[r.text(i, "format")];
    w = std::max(w, r.number(i, "max_rel_error"));
  }
  for (const auto& [format, unit] : u) {
    INFO(format);
    CHECK(worst[format] <= unit / (1 + unit));
    CHECK(worst[format] > 0.97 * unit / (1 + unit));
  }
}

TEST_CASE("directed rounding shows as bias, saturation as an error that grows") {
  const std::map<std::string, std::string> given{
      {"formats", "e4m3"}, {"bins_per_binade", "1"}, {"rounding", "up"}};
  const Result up = run_with("cast_error", given);
  CHECK(up.number(row_of(up, "e4m3", 0), "mean_rel_error") > 0.02);
  CHECK(up.number(row_of(up, "e4m3", 12), "max_rel_error") == Approx(1 - 448 / 8160.0));
}

TEST_CASE("a tensor brings its own axis, and its zeros and infinities are left out") {
  const Experiment& experiment = find_experiment("cast_error");
  Arguments arguments = make_arguments(experiment, {{"formats", "e4m3"}, {"bins_per_binade", "1"}});
  arguments.tensor = InputTensor{"w", {0x1p-30f, -1.0625f, 0.0f, 6.0f, INFINITY, NAN}, 1, 6};
  const Result r{experiment, experiment.run(arguments)};
  REQUIRE(r.table.rows.size() == 3);
  CHECK(r.number(0, "binade") == -30);
  CHECK(r.number(0, "zero") == 1);
  CHECK(r.number(1, "x_low") == 1.0);
  CHECK(r.number(1, "worst_x") == -1.0625);
  CHECK(r.number(1, "mean_rel_error") == -1.0 / 17);  // toward zero, whatever the sign
  CHECK(r.number(2, "x_high") == 8.0);
  CHECK(r.number(2, "exact") == 1);
  REQUIRE(r.table.notes.size() == 1);
  CHECK(r.table.notes[0].starts_with("3 of 6 elements"));
}

TEST_CASE("a window that is none is refused") {
  CHECK_THROWS_WITH(run_with("cast_error", {{"low_exponent", "4"}, {"high_exponent", "4"}}),
                    ContainsSubstring("found 4 and 4"));
  CHECK_THROWS_WITH(run_with("cast_error", {{"low_exponent", "-150"}}),
                    ContainsSubstring("low_exponent: found -150, expected auto or -149 to 128"));
  CHECK_THROWS_WITH(run_with("cast_error", {{"bins_per_binade", "0"}}),
                    ContainsSubstring("bins_per_binade: found 0, expected at least 1"));
  CHECK_THROWS_AS(run_with("cast_error", {{"formats", "fp64"}}), std::invalid_argument);
}
