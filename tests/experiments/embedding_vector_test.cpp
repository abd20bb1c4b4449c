// The codes of five numbers, worked out by hand.
#include <cmath>

#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

TEST_CASE("C1: what FP8 really makes of the article's vector") {
  const Result r = run_with("embedding_vector", {});
  struct Expected {
    const char *format, *scaling;
    double scale;
    double code_values[5], read_back[5];
  };
  const Expected all[] = {
      {"e4m3",
       "unscaled",
       1,
       {0.125, 1, -0.46875, 1.25, -0.875},
       {0.125, 1, -0.46875, 1.25, -0.875}},
      {"e4m3",
       "amax",
       0.00275573,
       {44, 352, -160, 448, -320},
       {0.121252, 0.970017, -0.440917, 1.234567, -0.881834}},
      {"e4m3", "ue8m0", 0x1p-8, {32, 256, -120, 320, -224}, {0.125, 1, -0.46875, 1.25, -0.875}},
      {"e5m2", "unscaled", 1, {0.125, 1, -0.4375, 1.25, -0.875}, {0.125, 1, -0.4375, 1.25, -0.875}},
  };
  const auto find = [&](const Expected& e) {
    for (std::size_t row = 0; row < r.table.rows.size(); ++row) {
      if (r.text(row, "format") == e.format && r.text(row, "scaling") == e.scaling) return row;
    }
    throw std::out_of_range(e.scaling);
  };
  for (const Expected& e : all) {
    const std::size_t first = find(e);
    for (std::size_t i = 0; i < 5; ++i) {
      INFO(e.format << " " << e.scaling << " " << i);
      CHECK(r.number(first + i, "index") == static_cast<double>(i));
      CHECK(r.number(first + i, "scale") == Approx(e.scale).epsilon(2e-6));
      CHECK(r.number(first + i, "code_value") == e.code_values[i]);
      CHECK(r.number(first + i, "read_back") == Approx(e.read_back[i]).epsilon(2e-6));
    }
  }
  // Errors of the scaled vector: -1.79, -1.79, -3.47, 0 and +0.60 %.
  const double per_cent[] = {-1.79, -1.79, -3.47, 0, 0.60};
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(100 * r.number(find(all[1]) + i, "rel_error") == Approx(per_cent[i]).margin(0.006));
  }
  CHECK(r.text(find(all[0]) + 3, "code") == "0x3a");
  CHECK(r.text(find(all[1]) + 3, "code") == "0x7e");
  // None of them prints as the article's vector, 0.12 0.99 -0.46 1.23 -0.88.
  const char* article[] = {"0.12", "0.99", "-0.46", "1.23", "-0.88"};
  for (std::size_t first = 0; first < r.table.rows.size(); first += 5) {
    int same = 0;
    for (std::size_t i = 0; i < 5; ++i) same += r.text(first + i, "two_decimals") == article[i];
    CHECK(same < 5);
  }
}
