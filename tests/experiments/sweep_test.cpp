// How grids are written, which points they have and in which order.
#include "binade/experiments/sweep.hpp"

#include "catch.hpp"

using namespace binade::experiments;

namespace {

using Values = std::vector<std::string>;

Values values_of(const std::string& text) { return parse_axis("x=" + text).values; }

}  // namespace

TEST_CASE("values and ranges") {
  CHECK(parse_axis("k = 1024 , 4096").values == Values{"1024", "4096"});
  CHECK(parse_axis("random-bits=1").name == "random_bits");
  CHECK(values_of("e4m3,e5m2") == Values{"e4m3", "e5m2"});
  CHECK(values_of("a=b") == Values{"a=b"});
  CHECK(values_of("1..4") == Values{"1", "2", "3", "4"});
  CHECK(values_of("-1..1") == Values{"-1", "0", "1"});
  CHECK(values_of("7..7") == Values{"7"});
  CHECK(values_of("1..2,10,20..21") == Values{"1", "2", "10", "20", "21"});
  CHECK(values_of("1024..16384:x2") == Values{"1024", "2048", "4096", "8192", "16384"});
  CHECK(values_of("1..1000:x10") == Values{"1", "10", "100", "1000"});
  CHECK(values_of("1..9:x2") == Values{"1", "2", "4", "8"});
  CHECK(values_of("0..1:+0.25") == Values{"0", "0.25", "0.5", "0.75", "1"});
  CHECK(values_of("0..0.3:+0.1") == Values{"0", "0.1", "0.2", "0.3"});
  CHECK(values_of("0..100:+40") == Values{"0", "40", "80"});
  CHECK(values_of("0..1:3") == Values{"0", "0.5", "1"});
  CHECK(values_of("1..1e6:log7") == Values{"1", "10", "100", "1000", "10000", "100000", "1000000"});
  CHECK(values_of("1e-3..1e-1:log3") == Values{"0.001", "0.01", "0.1"});
  CHECK(values_of("1..3:log9:round") == Values{"1", "2", "3"});
  CHECK(values_of("1..1e6:log20").size() == 20);
  CHECK(values_of("1..1000000").size() == kMaxPoints);
}

TEST_CASE("grids that are none") {
  for (const char* text : {"", "seed", "=1", "=1..5"}) {
    INFO(text);
    CHECK_THROWS_WITH(parse_axis(text), ContainsSubstring("NAME=VALUES"));
  }
  for (const char* text : {"", ",", "1,,2", "1,", " "}) {
    INFO(text);
    CHECK_THROWS_WITH(values_of(text), ContainsSubstring("none empty"));
  }
  for (const char* text : {"1..", "..1", "..", "a..b", "1..2..3", "1..2:", "1..2:x", "1..2:log",
                           "1..2:2:3", "1..nan", "1..inf", "1..2:+inf", "1..2:up"}) {
    INFO(text);
    CHECK_THROWS_WITH(values_of(text), ContainsSubstring("found '" + std::string(text) + "'") &&
                                           ContainsSubstring("A..B:+STEP"));
  }
  CHECK_THROWS_WITH(values_of("5..1"), ContainsSubstring("the smaller end first"));
  CHECK_THROWS_WITH(values_of("1..2.5"), ContainsSubstring("expected integers"));
  CHECK_THROWS_WITH(values_of("0..8:x2"), ContainsSubstring("above zero"));
  CHECK_THROWS_WITH(values_of("1..8:x1"), ContainsSubstring("above one"));
  CHECK_THROWS_WITH(values_of("1..8:+0"), ContainsSubstring("a step above zero"));
  CHECK_THROWS_WITH(values_of("-1..8:log4"), ContainsSubstring("above zero"));
  CHECK_THROWS_WITH(values_of("1..8:1"), ContainsSubstring("two or more"));
  CHECK_THROWS_WITH(values_of("1..8:2.5"), ContainsSubstring("two or more"));
  CHECK_THROWS_WITH(values_of("0..1000000"), ContainsSubstring("at most 1000000"));
  CHECK_THROWS_WITH(values_of("1..2:1e18"), ContainsSubstring("at most 1000000"));
  CHECK_THROWS_WITH(values_of("0..1e300:+1e-300"), ContainsSubstring("at most 1000000"));
  const auto grid_of = [](std::vector<Axis> axes) { return Grid(std::move(axes)); };
  CHECK_THROWS_WITH(grid_of({}), ContainsSubstring("over nothing"));
  CHECK_THROWS_WITH(grid_of({Axis{"a", {}}}), ContainsSubstring("no values"));
  CHECK_THROWS_WITH(grid_of({Axis{"a", {"1", "1"}}}), ContainsSubstring("found 1 twice"));
  CHECK_THROWS_WITH(grid_of({Axis{"a", {"1"}}, Axis{"a", {"2"}}}),
                    ContainsSubstring("a is swept twice"));
  CHECK_THROWS_WITH(grid_of({parse_axis("a=1..1001"), parse_axis("b=1..1000")}),
                    ContainsSubstring("more than 1000000"));
}

TEST_CASE("points, the last axis fastest") {
  const Grid grid({parse_axis("a=1,2"), parse_axis("b=x,y,z")});
  REQUIRE(grid.size() == 6);
  CHECK(grid.label(0) == "a = 1, b = x");
  CHECK(grid.label(1) == "a = 1, b = y");
  CHECK(grid.label(5) == "a = 2, b = z");
}

TEST_CASE("arguments at a point") {
  const Experiment& e = find_experiment("promotion_interval");
  const Grid grid({parse_axis("seed=1..2"), parse_axis("k=64,128")});
  const Arguments arguments = arguments_at(e, grid, 3, {{"m", "8"}}, true);
  CHECK(arguments.text("seed") == "2");
  CHECK(arguments.text("k") == "128");
  CHECK(arguments.text("m") == "8");
  CHECK(arguments.text("n") == "16");  // the smoke size
  CHECK_THROWS_WITH(arguments_at(e, grid, 0, {{"k", "1"}}, true),
                    ContainsSubstring("both given and swept"));
  CHECK_THROWS_WITH(arguments_at(e, Grid({parse_axis("q=1")}), 0, {}, true),
                    ContainsSubstring("no parameter 'q'"));
  CHECK_THROWS_WITH(arguments_at(e, Grid({parse_axis("format=e4m3,e9")}), 1, {}, true),
                    ContainsSubstring("found 'e9'"));
}
