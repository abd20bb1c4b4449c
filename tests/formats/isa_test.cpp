// The choice of instruction set: by default, by set_isa and by the environment variable BINADE_ISA.
#include "binade/formats/isa.hpp"

#include <cstdio>
#include <stdexcept>
#include <string>

#include "catch.hpp"

using namespace binade;

namespace {

struct Child {
  std::string output;
  int status;
};

/// Runs isa_child with BINADE_ISA set to `value`, or unset where it is "-".
Child run_child(const std::string& value) {
  const std::string command =
      (value == "-" ? "env -u BINADE_ISA " : "env BINADE_ISA='" + value + "' ") +
      std::string(BINADE_ISA_CHILD);
  std::FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) output += static_cast<char>(c);
  const int status = pclose(pipe) >> 8;
  if (!output.empty() && output.back() == '\n') output.pop_back();
  return {output, status};
}

constexpr Isa kAll[] = {Isa::kBaseline, Isa::kX86_64_v3, Isa::kX86_64_v4};

}  // namespace

TEST_CASE("ISA names are read back") {
  for (const Isa isa : kAll) CHECK(parse_isa(isa_name(isa)) == isa);
  CHECK_THROWS_WITH(parse_isa("avx2"),
                    "unknown ISA 'avx2': expected baseline, x86-64-v3 or x86-64-v4");
  CHECK_THROWS_AS(parse_isa(""), std::invalid_argument);
}

TEST_CASE("the baseline is always there, and comes first") {
  const auto list = supported_isas();
  REQUIRE_FALSE(list.empty());
  CHECK(list.front() == Isa::kBaseline);
  for (const Isa isa : list) CHECK(isa_supported(isa));
}

TEST_CASE("set_isa puts an ISA in force, and refuses what the processor lacks") {
  const Isa before = isa();
  for (const Isa choice : kAll) {
    if (isa_supported(choice)) {
      set_isa(choice);
      CHECK(isa() == choice);
    } else {
      CHECK_THROWS_WITH(set_isa(choice),
                        "this processor cannot run " + std::string(isa_name(choice)));
      CHECK(isa() != choice);
    }
  }
  set_isa(before);
}

TEST_CASE("BINADE_ISA chooses the ISA of a process") {
  CHECK(run_child("-").output == std::string(isa_name(supported_isas().back())) + " 0x3a");
  CHECK(run_child("").output == run_child("-").output);
  for (const Isa choice : kAll) {
    const std::string name(isa_name(choice));
    const Child child = run_child(name);
    CAPTURE(name, child.output);
    if (isa_supported(choice)) {
      CHECK(child.output == name + " 0x3a");
      CHECK(child.status == 0);
    } else {
      CHECK(child.output == "this processor cannot run " + name);
      CHECK(child.status == 3);
    }
  }
}

TEST_CASE("an unknown BINADE_ISA is refused by name, with the choices") {
  const Child child = run_child("sse9");
  CHECK(child.output == "unknown ISA 'sse9': expected baseline, x86-64-v3 or x86-64-v4");
  CHECK(child.status == 3);
}
