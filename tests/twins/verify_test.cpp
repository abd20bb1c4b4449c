// Every instruction of the device against the model, and the neighbours of the model against the
// same outputs: a comparison that could not fail would show there.
#include "binade/cuda/verify.hpp"

#include <algorithm>
#include <set>

#include "catch.hpp"

using namespace binade;
using namespace binade::cuda;

namespace {

std::uint64_t differ(const std::vector<VerifyRow>& rows, const std::string& instruction,
                     const std::string& model) {
  std::uint64_t sum = 0, found = 0;
  for (const VerifyRow& r : rows) {
    if (r.instruction != instruction || r.model != model) continue;
    sum += r.differ;
    ++found;
  }
  REQUIRE(found > 0);
  return sum;
}

}  // namespace

TEST_CASE("the model is the hardware, and its neighbours are not", "[verify]") {
  VerifyOptions options;
  options.outputs = 1;  // one batch of everything
  const std::vector<VerifyRow> rows = verify_instructions(options);
  std::set<std::string> names;
  for (const VerifyRow& r : rows) {
    names.insert(r.instruction);
    INFO(r.instruction << " " << r.form << " " << r.operands << " " << r.addend << " " << r.steps);
    if (r.model == "model") CHECK(r.differ == 0);
    CHECK(r.outputs > 0);
  }
  CHECK(names.size() == 24);
  for (const std::string& name : names) {
    for (const char* model : {"F - 1", "F + 1", "alignment floor", "alignment nearest",
                              "products normalised", "result one bit less"}) {
      INFO(name << ": " << model);
      CHECK(differ(rows, name, model) > 0);
    }
  }
  for (const char* name : {"hopper.wgmma.f32.bf16.bf16", "hopper.wgmma.f32.tf32.tf32",
                           "hopper.mma.f32.bf16.bf16", "hopper.mma.f32.tf32.tf32"}) {
    for (const char* model : {"clamp -126", "clamp -132", "clamp -134", "no clamp"}) {
      INFO(name << ": " << model);
      CHECK(differ(rows, name, model) > 0);
    }
  }
}

TEST_CASE("two runs under one seed, and another seed", "[verify]") {
  VerifyOptions options;
  options.instructions = {"hopper.wgmma.f32.e4m3.e4m3"};
  options.outputs = 1;
  const auto neighbours = [&] {
    std::vector<std::uint64_t> counts;
    for (const VerifyRow& r : verify_instructions(options)) counts.push_back(r.differ);
    return counts;
  };
  const auto first = neighbours();
  CHECK(neighbours() == first);
  options.seed = 2;
  CHECK(neighbours() != first);
}

TEST_CASE("what verify refuses", "[verify]") {
  VerifyOptions options;
  options.instructions = {"ampere.mma.f32.f16.f16"};
  CHECK_THROWS_WITH(verify_instructions(options), ContainsSubstring("sm_90 does not have it"));
  options.instructions = {"hopper.wgma"};
  CHECK_THROWS_WITH(verify_instructions(options), ContainsSubstring("did you mean"));
  options = {};
  options.outputs = -1;
  CHECK_THROWS_AS(verify_instructions(options), std::invalid_argument);
}
