// The conversion instructions are what the model says, over all their inputs; its neighbours
// differ.
#include "binade/cuda/verify_conversions.hpp"

#include <cstdio>
#include <set>

#include "catch.hpp"

TEST_CASE("every conversion instruction, every input", "[verify]") {
  std::set<std::string> names;
  for (const binade::cuda::ConversionRow& row : binade::cuda::verify_conversions()) {
    std::printf("%-32s %-32s %11llu inputs, %11llu differ", row.name.c_str(), row.rules.c_str(),
                static_cast<unsigned long long>(row.inputs),
                static_cast<unsigned long long>(row.differ));
    if (row.differ != 0) {
      std::printf("; the first %08llx: got %08llx, want %08llx",
                  static_cast<unsigned long long>(row.first_input),
                  static_cast<unsigned long long>(row.got),
                  static_cast<unsigned long long>(row.want));
    }
    std::printf("\n");
    CAPTURE(row.name, row.rules, row.is_neighbour, row.differ, row.first_input, row.got, row.want);
    CHECK(row.holds());
    if (!row.is_neighbour) CHECK(names.insert(row.name).second);
  }
  CHECK(names.size() == 24);
}
