// Rows of dot products as a probe makes, asks and judges them. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "binade/emulation/dot_step.hpp"
#include "binade/emulation/probe.hpp"

namespace binade::detail {

/// A card under trial.
struct Card {
  Instruction instruction;
  int promotion_interval = 0;
};

/// Rows of one length with their answers.
struct ProbeRows {
  std::string name;
  FloatFormat a, b, c;
  std::size_t k = 0, rows = 0;
  std::vector<unsigned char> a_codes, b_codes, c_codes, d_codes;
  std::vector<DotOperand> x, y;  ///< a and b decoded once for all cards, by `decode`

  ProbeRows(std::string name_, const ProbeTarget& target, std::size_t k_);

  /// A row of zeros; what follows speaks of the last row.
  void add_row();
  void put(std::size_t i, std::uint64_t a_code, std::uint64_t b_code);
  void put_c(std::uint64_t code);
  /// sign * 2^exponent at i, split into two factors; false if the formats cannot.
  bool put_power(std::size_t i, int exponent, bool negative = false);
  /// Gives the two factors at i, where they are normal numbers, random mantissas.
  void put_mantissas(std::size_t i, std::uint32_t random);
  /// The same as C.
  void put_c_power(int exponent, bool negative = false);

  void decode();
  /// These rows alone, with their answers.
  ProbeRows selected(const std::vector<std::size_t>& which) const;
  std::uint64_t answer(std::size_t row) const;
};

/// Asks the target and keeps its answers.
void ask(const ProbeTarget& target, ProbeRows& rows);

/// D under a card, row by row: promoted_dot on operands that are decoded already.
class Predictor {
 public:
  Predictor(const Card& card, const ProbeRows& rows);
  std::uint64_t operator()(std::size_t row);

 private:
  std::uint64_t chain(const DotOperand* x, const DotOperand* y, std::size_t k, std::uint64_t c);

  const ProbeRows& rows_;
  DotPlan plan_;
  std::size_t interval_;
  std::vector<DotOperand> x_tail_, y_tail_;
};
std::uint64_t load_code(FloatFormat f, const unsigned char* codes, std::size_t index);

/// Equal as values: the same bits, two NaN or two zeros.
bool same_value(FloatFormat f, std::uint64_t x, std::uint64_t y);

/// The powers of two that products can be and results can hold, both ends included.
struct PowerRange {
  int bottom = 0, top = 0;
};
PowerRange power_range(const ProbeTarget& target);

/// The smallest length that the target accepts and that is at least k (at most max_k).
std::size_t fit_k(const ProbeTarget& target, std::size_t k);

/// Families of random rows, each made to show something else.
enum class Stratum : std::uint8_t {
  kUniform,    ///< any finite codes
  kNearUnit,   ///< exponents around 0
  kOneSign,    ///< the same, all positive: carries
  kWide,       ///< all exponents, pairs that cancel
  kSparse,     ///< zeros beside extreme partners, few terms
  kSubnormal,  ///< the bottom codes against the top ones
  kLow,        ///< products as low as results go
  kSpecials,   ///< near unit with a NaN or an infinity now and then
  kCount
};
const char* name_of(Stratum stratum);
ProbeRows make_stratum(const ProbeTarget& target, Stratum stratum, std::size_t k, std::size_t rows,
                       std::uint64_t seed);

}  // namespace binade::detail
