// X16: E5M6, LogFMT and BF16 beside FP8, and LogFMT's own rules.
#include <algorithm>
#include <cmath>
#include <map>

#include "binade/emulation/scale_recipe.hpp"
#include "binade/formats/catalog.hpp"
#include "catch.hpp"
#include "log_format.hpp"
#include "sampling.hpp"
#include "table.hpp"

using namespace binade;
using namespace binade::experiments;

namespace {

std::vector<float> logfmt(const std::vector<float>& x, int bits) {
  std::vector<float> y(x.size());
  round_to_logfmt(x, 1, x.size(), 128, bits, y);
  return y;
}

}  // namespace

TEST_CASE("X16: errors fall from FP8 over LogFMT to E5M6") {
  const Result r = run_with("wide_activations", {{"rows", "256"}});
  std::map<std::string, std::size_t> at;
  for (std::size_t row = 0; row < r.table.rows.size(); ++row) {
    at[r.text(row, "inputs") + " " + r.text(row, "format")] = row;
  }
  for (const std::string inputs : {"normal ", "attention-like "}) {
    const auto error = [&](const std::string& format) {
      return r.number(at.at(inputs + format), "rel_rms");
    };
    INFO(inputs);
    CHECK(error("e5m2") > error("e4m3"));
    CHECK(error("e4m3") > 1.4 * error("logfmt8"));  // published: better than both FP8
    CHECK(error("logfmt8") > 3 * error("logfmt10"));
    CHECK(error("logfmt10") < 2.2 * error("bf16"));
    for (const std::string format : {"e5m6", "e5m6-pow2"}) {
      const double most = r.number(at.at(inputs + format), "max_rel_error");
      CHECK(most <= 0x1p-7 / (1 + 0x1p-7) * (1 + 1e-6));  // 0.775 %
      CHECK(most > 0.0077);
    }
  }
  CHECK(r.number(at.at("normal e5m6-pow2"), "bits") == 12 + 8.0 / 128);
  CHECK(largest_element(E5M6::format) == 65024.0f);
}

TEST_CASE("X16: LogFMT is monotone, odd, idempotent and keeps the ends of its range") {
  std::vector<float> x = sample("normal", 128, 5);
  std::ranges::sort(x);
  for (const int bits : {4, 8, 10}) {
    const std::vector<float> y = logfmt(x, bits);
    CHECK(std::ranges::is_sorted(y));
    std::vector<float> negated(x.size());
    std::ranges::transform(x, negated.begin(), [](float v) { return -v; });
    const std::vector<float> mirrored = logfmt(negated, bits);
    const std::vector<float> again = logfmt(y, bits);
    for (std::size_t i = 0; i < x.size(); ++i) {
      CHECK(mirrored[i] == -y[i]);
      CHECK(again[i] == Approx(y[i]).epsilon(1e-6));
    }
    const auto by_magnitude = [](float a, float b) { return std::fabs(a) < std::fabs(b); };
    const auto [least, most] = std::minmax_element(x.begin(), x.end(), by_magnitude);
    CHECK(y[static_cast<std::size_t>(least - x.begin())] == Approx(*least).epsilon(1e-6));
    CHECK(y[static_cast<std::size_t>(most - x.begin())] == Approx(*most).epsilon(1e-6));
    std::vector<float> values = y;
    std::ranges::transform(values, values.begin(), [](float v) { return std::fabs(v); });
    std::ranges::sort(values);
    values.erase(std::unique(values.begin(), values.end()), values.end());
    CHECK(values.size() <= (std::size_t{1} << (bits - 1)) - 1);
  }
}

TEST_CASE("X16: LogFMT's range ends 32 binades below the largest, and rounding is linear") {
  std::vector<float> x(128, 0.0f);
  x[0] = 1.0f;
  x[1] = 0x1p-40f;
  x[2] = 0x1.8p-33f;  // more than half of the smallest, 2^-32
  x[3] = 0x1p-32f;
  const std::vector<float> y = logfmt(x, 8);
  CHECK(y[0] == Approx(1.0));
  CHECK(y[1] == 0);
  CHECK(y[2] == Approx(0x1p-32));
  CHECK(y[3] == Approx(0x1p-32));
  CHECK(y[4] == 0);
  // Three codes, 1, 10 and 100: the middle of the lower two is 5.5 and not sqrt(10).
  std::vector<float> z(128, 1.0f);
  z[1] = 100.0f;
  z[2] = 5.4f;
  z[3] = 5.6f;
  z[4] = 54.0f;
  z[5] = 56.0f;
  const std::vector<float> w = logfmt(z, 3);
  CHECK(w[2] == Approx(1));
  CHECK(w[3] == Approx(10));
  CHECK(w[4] == Approx(10));
  CHECK(w[5] == Approx(100));
  CHECK_THROWS_WITH(logfmt(x, 2), ContainsSubstring("2 bits"));
  x[7] = NAN;
  CHECK_THROWS_WITH(logfmt(x, 8), ContainsSubstring("NaN"));
}
