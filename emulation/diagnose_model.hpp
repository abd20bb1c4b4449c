// What a hypothesis about a GEMM computes, for some rows and columns of D or for all. Private to
// this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "binade/emulation/diagnose.hpp"
#include "binade/formats/cast.hpp"

namespace binade::detail {

struct DiagnoseInput {
  GemmOperand a, b;
  std::size_t k = 0;
  FloatFormat output;
  const void* d = nullptr;
  int threads = 0;
  Granularity a_scales, b_scales;  ///< inferred once

  bool has_scales() const { return !a.scales.empty() || !b.scales.empty(); }
};

/// What a kernel may have read instead of what it was given.
enum class Reading : std::uint8_t {
  kAsGiven,
  // Codes, and the order of K.
  kDrop,        ///< products `first` .. `first` + `amount` - 1 are left out
  kOverrun,     ///< K is filled up to a multiple of `amount` from the rows that follow
  kSwapHalves,  ///< of every `amount` products
  kDescending,  ///< blocks of `amount` products, last first
  kFormat,      ///< codes of another format
  kTransposed,  ///< a square operand
  kOutputTransposed,
  kRunning,  ///< the chain goes on after a promotion instead of starting anew
  // Scales.
  kNoScale,
  kReciprocalScale,
  kFirstBlock,       ///< the scale of the first K block for all of K
  kLastOne,          ///< 1 in place of the last K block's scale
  kLastStale,        ///< the last K block has the scale of the one before
  kNextBlock,        ///< each K block has the scale of the one after
  kPreviousBlock,    ///< and of the one before
  kFirstRow,         ///< the first row of the scales for all rows
  kTileRow,          ///< all of `amount` rows have the scale of their first
  kScaleTransposed,  ///< the array of scales is read column by column
  kScalesExchanged,  ///< each operand has the other's
};

struct Departure {
  Reading reading = Reading::kAsGiven;
  bool of_a = true, of_b = true;  ///< whose codes or scales
  std::size_t amount = 0, first = 0;
  FloatFormat format{};

  bool concerns_scales() const { return reading >= Reading::kNoScale; }
};

/// How scales and chains meet in FP32; the sum starts from zero.
enum class ScaleMath : std::uint8_t {
  kNone,
  kEndProduct,    ///< sum * fl(sa * sb)
  kEndBThenA,     ///< fl(sum * sb) * sa
  kEndAThenB,     ///< fl(sum * sa) * sb
  kFmaProduct,    ///< fma(fl(sa * sb), chain, sum)
  kFmaAThenB,     ///< fma(fl(chain * sa), sb, sum)
  kFmaBThenA,     ///< fma(fl(chain * sb), sa, sum)
  kApartProduct,  ///< sum + fl(chain * fl(sa * sb))
  kApartAThenB,   ///< sum + fl(fl(chain * sa) * sb)
  kApartBThenA,   ///< sum + fl(fl(chain * sb) * sa)
  kExact,         ///< everything exact, rounded once
};
bool scales_at_end(ScaleMath math);

/// From the FP32 sum to the output, perhaps by way of a narrower format.
struct OutputRule {
  std::string name;
  FloatFormat via;
  CastRules rules;
};
std::vector<OutputRule> output_rules_for(FloatFormat output);

/// A chain: what is summed before anything is promoted.
struct ChainSpec {
  ChainKind kind = ChainKind::kInstruction;
  const Instruction* instruction = nullptr;
  std::size_t interval = 0;  ///< 0: the whole of K
};

/// Rows of A and rows of B (columns of D) that are looked at.
struct Selection {
  std::vector<std::size_t> rows, cols;
  std::size_t count() const { return rows.size() * cols.size(); }
};
Selection everything(const DiagnoseInput& input);

/// The chains of an interval, slice after slice of K: sink(k0, chains [rows, cols]).
using ChainSink = std::function<void(std::size_t k0, const std::vector<float>& chains)>;
void for_each_chain(const DiagnoseInput& input, const ChainSpec& spec, const Departure& departure,
                    const Selection& at, int threads, const ChainSink& sink);

/// Whether chains of this interval can have these scales: they must not change inside one.
bool scales_fit(const DiagnoseInput& input, const Departure& departure, ScaleMath math,
                std::size_t interval);
/// Whether the scales vary along K, under a departure.
bool scales_vary(const DiagnoseInput& input, const Departure& departure);

/// The FP32 sum of chains with their scales.
class Summation {
 public:
  Summation(const DiagnoseInput& input, const Departure& departure, const Selection& at,
            ScaleMath math, std::size_t slices, std::size_t split);
  void add(std::size_t k0, const std::vector<float>& chains);
  /// The sums, scaled. Call once, at the end.
  std::vector<float> finish();

 private:
  void load_scales(std::size_t k0);
  void close_part();

  const DiagnoseInput& input_;
  const Departure& departure_;
  const Selection& at_;
  ScaleMath math_;
  std::size_t part_slices_, done_ = 0, parts_closed_ = 0;
  std::vector<float> sa_, sb_, sum_, total_;
};
std::size_t slices_of(const DiagnoseInput& input, const ChainSpec& spec,
                      const Departure& departure);

/// The exact outputs of a selection, codes of the output format; ignores departures of K's order.
std::vector<std::uint64_t> exact_outputs(const DiagnoseInput& input, const Departure& departure,
                                         const Selection& at, int threads);
/// Codes of the output format.
std::vector<std::uint64_t> round_outputs(const std::vector<float>& sums, const OutputRule& rule,
                                         FloatFormat output);
/// What D holds there (the transposed place where the departure says so).
std::vector<std::uint64_t> found_outputs(const DiagnoseInput& input, const Departure& departure,
                                         const Selection& at);
/// The sum in fp64, for a look at which departures are near at all.
std::vector<double> rough_outputs(const DiagnoseInput& input, const Departure& departure,
                                  const Selection& at);

}  // namespace binade::detail
