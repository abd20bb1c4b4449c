// The moments of each distribution, and that a number depends on its place and seed alone.
#include "sampling.hpp"

#include <algorithm>
#include <cmath>

#include "catch.hpp"

using namespace binade::experiments;

namespace {

constexpr std::size_t kCount = 1'000'000;

struct Moments {
  double mean = 0, mean_abs = 0, second = 0, fourth = 0, low = 0, high = 0;
};

Moments moments(const std::string& name) {
  const auto x = sample(name, kCount, 7);
  Moments m;
  for (const float value : x) {
    const double v = value;
    m.mean += v / kCount;
    m.mean_abs += std::fabs(v) / kCount;
    m.second += v * v / kCount;
    m.fourth += v * v * v * v / kCount;
  }
  m.low = *std::ranges::min_element(x);
  m.high = *std::ranges::max_element(x);
  return m;
}

}  // namespace

TEST_CASE("the distributions have their moments") {
  // Margins of at least four standard errors of a million draws.
  const Moments n = moments("normal");
  CHECK(n.mean == Approx(0).margin(0.004));
  CHECK(n.mean_abs == Approx(std::sqrt(2 / M_PI)).margin(0.003));
  CHECK(n.second == Approx(1).margin(0.006));
  CHECK(n.fourth == Approx(3).margin(0.04));
  CHECK(n.high > 4.4);
  CHECK(n.low < -4.4);

  const Moments u = moments("uniform01");
  CHECK(u.mean == Approx(0.5).margin(0.0012));
  CHECK(u.second == Approx(1.0 / 3).margin(0.0012));
  CHECK((u.low >= 0 && u.low < 1e-5 && u.high <= 1 && u.high > 0.99999));

  const Moments s = moments("uniform");
  CHECK(s.mean == Approx(0).margin(0.0024));
  CHECK(s.second == Approx(1.0 / 3).margin(0.0012));
  CHECK((s.low >= -1 && s.low < -0.9999 && s.high <= 1 && s.high > 0.9999));

  const Moments a = moments("abs_normal");
  CHECK(a.low >= 0);
  CHECK(a.mean == Approx(std::sqrt(2 / M_PI)).margin(0.003));
  CHECK(a.second == Approx(1).margin(0.006));

  const Moments l = moments("laplace");
  CHECK(l.mean == Approx(0).margin(0.006));
  CHECK(l.mean_abs == Approx(1).margin(0.004));
  CHECK(l.second == Approx(2).margin(0.02));

  const Moments t = moments("student_t3");
  CHECK(t.mean == Approx(0).margin(0.007));
  CHECK(t.mean_abs == Approx(2 * std::sqrt(3) / M_PI).margin(0.006));  // E|t| of 3 degrees
  CHECK(t.high > 50);  // heavy tails: N(0, 1) never gets there
}

TEST_CASE("a number depends on distribution, seed, stream and place alone") {
  const auto x = sample("normal", 1000, 1, 0, 2);
  CHECK(sample("normal", 1000, 1, 0, 1) == x);
  const auto longer = sample("normal", 5000, 1, 0, 2);
  CHECK(std::equal(x.begin(), x.end(), longer.begin()));
  for (const auto& other : {sample("normal", 1000, 2), sample("normal", 1000, 1, 1)}) {
    std::size_t equal = 0;
    double dot = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      equal += x[i] == other[i];
      dot += x[i] * other[i] / 1000.0;
    }
    CHECK(equal == 0);
    CHECK(std::fabs(dot) < 0.15);  // independent streams: standard error 0.032
  }
}

TEST_CASE("an unknown distribution is refused with the choices") {
  CHECK_THROWS_WITH(sample("gauss", 4, 1),
                    ContainsSubstring("'gauss'") && ContainsSubstring("student_t3"));
}
