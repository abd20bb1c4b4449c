// The throughput experiment runs what it says: every trial once a repeat, rates that fit together.
#include <set>

#include "binade/formats/isa.hpp"
#include "catch.hpp"
#include "table.hpp"

using namespace binade;
using namespace binade::experiments;

TEST_CASE("every profile, shape, ISA and thread count has its row, and a limit beside it") {
  const Isa before = isa();
  const Result r =
      run_with("emulation_throughput", {{"profiles", "cublaslt-fast,dot-rows,card-wide"},
                                        {"formats", "e4m3"},
                                        {"shapes", "16x32x128,3x40x64"},
                                        {"threads_list", "1,2"},
                                        {"repeats", "3"}});
  CHECK(isa() == before);  // the ISA in force comes back
  REQUIRE(r.table.rows.size() == 4 * 2 * 2 * supported_isas().size());
  std::set<std::string> seen;
  for (std::size_t i = 0; i < r.table.rows.size(); ++i) {
    seen.insert(r.text(i, "profile") + r.text(i, "shape") + r.text(i, "isa") +
                std::to_string(r.number(i, "threads")));
    CHECK(r.number(i, "rate") > 0);
    CHECK(r.number(i, "rate_slowest") <= r.number(i, "rate"));
    CHECK(r.number(i, "rate_fastest") >= r.number(i, "rate"));
    CHECK(r.number(i, "repeats") == 3);
    if (r.text(i, "profile") == "eigen-sgemm") CHECK(r.number(i, "share_of_sgemm") == 1);
  }
  CHECK(seen.size() == r.table.rows.size());
}

TEST_CASE("a shape that is none, and an ISA that is none, are refused") {
  CHECK_THROWS_WITH(run_with("emulation_throughput", {{"shapes", "16x32"}}),
                    ContainsSubstring("16x32") && ContainsSubstring("MxNxK"));
  CHECK_THROWS_WITH(run_with("emulation_throughput", {{"shapes", "0x32x4"}}),
                    ContainsSubstring("0x32x4"));
  CHECK_THROWS_WITH(run_with("emulation_throughput", {{"shapes", "1x8x64"}, {"isas", "sse9"}}),
                    ContainsSubstring("sse9"));
}
