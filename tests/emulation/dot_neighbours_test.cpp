#include "binade/emulation/dot_neighbours.hpp"

#include <set>

#include "binade/emulation/dot_model.hpp"
#include "catch.hpp"

using namespace binade;

TEST_CASE("neighbours are other models, valid and named apart") {
  for (const Instruction& instruction : instructions()) {
    std::set<std::string> names;
    for (const DotNeighbour& n : dot_neighbours(instruction)) {
      INFO(instruction.name << ": " << n.name);
      CHECK_FALSE(n.model == instruction.model);
      CHECK(names.insert(n.name).second);
      Instruction other = instruction;
      other.model = n.model;
      CHECK_NOTHROW(validate(other));
    }
    CHECK(names.size() >= 10);
  }
}

TEST_CASE("neighbours depart where their names say") {
  const Instruction& wgmma = find_instruction("hopper.wgmma.f32.bf16.bf16");
  std::set<std::string> clamps;
  bool fewer_bits = false;
  for (const DotNeighbour& n : dot_neighbours(wgmma)) {
    if (n.model.min_exponent != wgmma.model.min_exponent) clamps.insert(n.name);
    if (n.name == "F - 1") {
      fewer_bits = n.model.alignment_fraction_bits == wgmma.model.alignment_fraction_bits - 1;
    }
  }
  CHECK(clamps == std::set<std::string>{"clamp -126", "clamp -132", "clamp -134", "no clamp"});
  CHECK(fewer_bits);
}

TEST_CASE("an instruction that is not valid has no neighbours") {
  Instruction wrong = find_instruction("hopper.wgmma.f32.e4m3.e4m3");
  wrong.model.step_k = 0;
  CHECK_FALSE(is_valid(wrong));
  CHECK_THROWS_AS(dot_neighbours(wrong), std::invalid_argument);
}
