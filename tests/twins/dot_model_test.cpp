// Rows through the instruction itself and through the model's text on the device, against the CPU.
#include "binade/cuda/dot_model.hpp"

#include <cstring>
#include <vector>

#include "../emulation/dot_strata.hpp"
#include "binade/cuda/verify.hpp"
#include "binade/emulation/instructions.hpp"
#include "catch.hpp"

using namespace binade;

namespace {

struct Rows {
  std::size_t rows, k;
  std::vector<std::byte> a, b, c;
};

/// Rows of every stratum.
Rows make_rows(const Instruction& instruction, std::size_t k, unsigned seed) {
  strata::Generator generator(oracle::spec_of(instruction.name), seed);
  Rows r{0, k, {}, {}, {}};
  const auto append = [](std::vector<std::byte>& to, std::uint32_t word, FloatFormat f) {
    std::byte bytes[4];
    std::memcpy(bytes, &word, 4);
    to.insert(to.end(), bytes, bytes + f.container_bits() / 8);
  };
  for (int kind = 0; kind < strata::kOperands; ++kind) {
    for (int addend = 0; addend < strata::kAddends; ++addend) {
      for (int i = 0; i < 20; ++i, ++r.rows) {
        const strata::Row row = generator.row(static_cast<strata::Operands>(kind),
                                              static_cast<strata::Addend>(addend), k);
        for (const auto code : row.a) append(r.a, code, instruction.a);
        for (const auto code : row.b) append(r.b, code, instruction.b);
        append(r.c, row.c, instruction.c);
      }
    }
  }
  return r;
}

using Dot = void (*)(const Instruction&, const void*, const void*, const void*, void*, std::size_t,
                     std::size_t);

void check_against_cpu(const Instruction& instruction, Dot device, std::size_t k) {
  INFO(instruction.name << ", k = " << k);
  const Rows r = make_rows(instruction, k, 17);
  std::vector<std::byte> want(r.c.size()), got(r.c.size());
  dot(instruction, r.a.data(), r.b.data(), r.c.data(), want.data(), r.rows, k);
  device(instruction, r.a.data(), r.b.data(), r.c.data(), got.data(), r.rows, k);
  CHECK(got == want);
}

}  // namespace

TEST_CASE("the instruction gives the CPU's bits", "[dot]") {
  for (const std::string& name : cuda::verifiable_instructions()) {
    const Instruction& instruction = find_instruction(name);
    const auto k = static_cast<std::size_t>(instruction.k);
    for (const std::size_t length : {k, 3 * k, 2 * k - 4, std::size_t{1}}) {
      check_against_cpu(instruction, cuda::dot_hw, length);
    }
  }
}

TEST_CASE("the model's text gives the same bits on the device", "[dot]") {
  for (const Instruction& instruction : instructions()) {
    check_against_cpu(instruction, cuda::dot_portable,
                      2 * static_cast<std::size_t>(instruction.k) - 3);
  }
}

TEST_CASE("what dot_hw refuses", "[dot]") {
  const float c = 0;
  float d = 0;
  CHECK_THROWS_WITH(cuda::dot_hw(find_instruction("volta.mma.f32.f16.f16"), &c, &c, &c, &d, 1, 1),
                    ContainsSubstring("sm_90 does not have it"));
}
