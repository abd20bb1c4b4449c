// The k largest of a row, against a stable sort of all.
#include "binade/emulation/top_k.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "catch.hpp"

using namespace binade;

using Indices = std::vector<std::int32_t>;

TEST_CASE("of equal scores the lower index comes first") {
  const std::vector<float> scores{1, 3, 2, 3, 2, 3};
  CHECK(stable_top_k(scores, 2) == Indices{1, 3});
  CHECK(stable_top_k(scores, 4) == Indices{1, 3, 5, 2});
  CHECK(stable_top_k(scores, 6) == Indices{1, 3, 5, 2, 4, 0});
  CHECK(stable_top_k(scores, 99) == Indices{1, 3, 5, 2, 4, 0});
  CHECK(stable_top_k(scores, 0).empty());
  CHECK(stable_top_k(std::span<const float>{}, 3).empty());
}

TEST_CASE("zeros are equal, infinities are ends, and NaN is above them") {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  CHECK(stable_top_k(std::vector<float>{-0.0f, 0.0f, -inf, inf}, 4) == Indices{3, 0, 1, 2});
  CHECK(stable_top_k(std::vector<float>{inf, nan, 1, -nan}, 3) == Indices{1, 3, 0});
}

TEST_CASE("random rows full of ties: a stable sort of all says the same") {
  std::mt19937 random(7);
  for (const std::size_t n : {1u, 5u, 64u, 1000u}) {
    std::vector<double> scores(n);
    for (double& s : scores) s = static_cast<double>(random() % 17) - 8.0;
    Indices all(n);
    std::iota(all.begin(), all.end(), 0);
    std::stable_sort(all.begin(), all.end(), [&](std::int32_t i, std::int32_t j) {
      return scores[static_cast<std::size_t>(i)] > scores[static_cast<std::size_t>(j)];
    });
    for (std::size_t k = 0; k <= n; k += std::max<std::size_t>(1, n / 7)) {
      const Indices want(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(k));
      CHECK(stable_top_k(scores, k) == want);
    }
  }
}

TEST_CASE("recall counts what both hold") {
  CHECK(recall(Indices{4, 2, 9}, Indices{9, 4, 1, 0}) == 0.5);
  CHECK(recall(Indices{}, Indices{1}) == 0.0);
  CHECK(recall(Indices{3, 1}, Indices{1, 3}) == 1.0);
  CHECK_THROWS_WITH(recall(Indices{1}, Indices{}), ContainsSubstring("empty reference"));
}
