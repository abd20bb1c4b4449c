// The golden rows of matrix instructions: what is asked, and how it is named in the file. Shared by
// the program that captured them on a device and the test that replays them on a CPU.
#pragma once

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "binade/emulation/dot_model.hpp"
#include "binade/emulation/dot_neighbours.hpp"
#include "binade/emulation/instructions.hpp"
#include "emulation/dot_strata.hpp"

namespace golden {

inline constexpr const char* kInstructionFile =
    BINADE_SOURCE_DIR "/tests/golden/instructions.safetensors";
inline constexpr const char* kTellingFile = BINADE_SOURCE_DIR "/tests/golden/telling.safetensors";
inline constexpr unsigned kSeed = 20261125;

inline constexpr const char* kOperandNames[] = {"uniform",  "near_unit", "sparse", "subnormal",
                                                "specials", "cancel",    "low"};
inline constexpr const char* kAddendNames[] = {"zero", "near", "tiny", "any"};

/// Rows of one stratum and length, or telling ones; containers.
struct Rows {
  /// INSTRUCTION/OPERANDS.ADDEND/kLENGTH, INSTRUCTION/telling/kLENGTH; tensors append /a, /b, /c,
  /// /d
  std::string name;
  std::size_t rows = 0, k = 0;
  std::vector<std::byte> a, b, c;
};

inline void append(std::vector<std::byte>& to, std::uint32_t word, int bytes) {
  const auto* from = reinterpret_cast<const std::byte*>(&word);  // little endian, as the files are
  to.insert(to.end(), from, from + bytes);
}

inline void append(Rows& to, const strata::Row& row, const oracle::Spec& spec) {
  for (const std::uint32_t code : row.a) append(to.a, code, spec.a.bytes());
  for (const std::uint32_t code : row.b) append(to.b, code, spec.b.bytes());
  append(to.c, row.c, spec.c.bytes());
  ++to.rows;
}

inline Rows make_rows(const binade::Instruction& instruction, int operands, int addend,
                      std::size_t rows, std::size_t k) {
  const oracle::Spec spec = oracle::spec_of(instruction.name);
  strata::Generator generator(spec, kSeed + static_cast<unsigned>(operands * 16 + addend));
  Rows r;
  r.name = instruction.name + "/" + kOperandNames[operands] + "." + kAddendNames[addend] + "/k" +
           std::to_string(k);
  r.k = k;
  while (r.rows < rows) {
    append(r,
           generator.row(static_cast<strata::Operands>(operands),
                         static_cast<strata::Addend>(addend), k),
           spec);
  }
  return r;
}

/// The rows' outputs by a model; containers.
inline std::vector<std::byte> outputs(binade::Instruction instruction,
                                      const binade::DotModel& model, const Rows& r) {
  instruction.model = model;
  std::vector<std::byte> d(r.c.size());
  binade::dot(instruction, r.a.data(), r.b.data(), r.c.data(), d.data(), r.rows, r.k);
  return d;
}

/// Rows each of which tells the instruction's model from a neighbour: kEach for every neighbour
/// that rows of the strata tell apart at all. One in thousands does, so that they are looked for.
inline Rows make_telling_rows(const binade::Instruction& instruction) {
  constexpr int kEach = 3, kTries = 20000;
  const oracle::Spec spec = oracle::spec_of(instruction.name);
  const auto neighbours = binade::dot_neighbours(instruction);
  std::vector<int> wanted(neighbours.size(), kEach);
  strata::Generator generator(spec, kSeed + 1);
  Rows all;
  all.name = instruction.name + "/telling/k" + std::to_string(instruction.k);
  all.k = static_cast<std::size_t>(instruction.k);
  for (int i = 0; i < kTries; ++i) {
    Rows one;
    one.k = all.k;
    const strata::Row row =
        generator.row(static_cast<strata::Operands>(i % strata::kOperands),
                      static_cast<strata::Addend>(i / strata::kOperands % strata::kAddends), all.k);
    append(one, row, spec);
    const auto model = outputs(instruction, instruction.model, one);
    bool tells = false;
    for (std::size_t n = 0; n < neighbours.size(); ++n) {
      if (wanted[n] == 0 || outputs(instruction, neighbours[n].model, one) == model) continue;
      --wanted[n];
      tells = true;
    }
    if (tells) append(all, row, spec);
  }
  return all;
}

/// Every stratum over one instruction and over four chained; two strata along K = 4096.
inline void for_each_rows(const binade::Instruction& instruction,
                          const std::function<void(const Rows&)>& use) {
  const auto k = static_cast<std::size_t>(instruction.k);
  for (int operands = 0; operands < strata::kOperands; ++operands) {
    for (int addend = 0; addend < strata::kAddends; ++addend) {
      use(make_rows(instruction, operands, addend, 24, k));
      use(make_rows(instruction, operands, addend, 8, 4 * k));
    }
  }
  use(make_rows(instruction, strata::kNearUnit, strata::kNear, 4, 4096));
  use(make_rows(instruction, strata::kCancel, strata::kZero, 2, 4096));
}

}  // namespace golden
