// X18: O(L k) against O(L^2), by the dimensions of DeepSeek-V3.2.
#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

TEST_CASE("X18: 8.2 times fewer operations at 32K tokens, 13.4 at 128K, never 17") {
  const Result r =
      run_with("sparse_attention_cost", {{"length", "2048,32768,34816,131072,100000000"}});
  CHECK(r.number(1, "dense_macs") == Approx(4563e6).epsilon(1e-3));
  CHECK(r.number(1, "core_macs") == Approx(285e6).epsilon(1e-3));
  CHECK(r.number(1, "index_macs") == Approx(268e6).epsilon(2e-3));
  CHECK(r.number(1, "saving") == Approx(8.2).margin(0.05));
  CHECK(r.number(3, "dense_macs") == Approx(18254e6).epsilon(1e-3));
  CHECK(r.number(3, "index_macs") == Approx(1074e6).epsilon(1e-3));
  CHECK(r.number(3, "saving") == Approx(13.4).margin(0.05));
  CHECK(r.number(4, "saving") < 17.0);
  CHECK(r.number(4, "saving") > 16.98);
  // Up to top-k tokens nothing is saved and the indexer is on top.
  CHECK(r.number(0, "saving") < 1.0);
}

TEST_CASE("X18: the indexer equals the selected tokens at 34 816 and dominates beyond") {
  const Result r = run_with("sparse_attention_cost", {{"length", "34815,34816,34817"}});
  CHECK(r.number(0, "index_macs") < r.number(0, "core_macs"));
  CHECK(r.number(1, "index_macs") == r.number(1, "core_macs"));
  CHECK(r.number(2, "index_macs") > r.number(2, "core_macs"));
  CHECK(r.number(1, "index_share") == 0.5);
  CHECK(r.number(1, "crossover") == 34816);
}

TEST_CASE("a model without an indexer is refused") {
  CHECK_THROWS_WITH(run_with("sparse_attention_cost", {{"model", "deepseek-v3"}}),
                    ContainsSubstring("indexer"));
}
