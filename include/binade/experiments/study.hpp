// A study of one's own model: what each way to quantise a layer would cost it.
//
// Tests: tests/experiments/study_test.cpp, tests/cli/study_test.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "binade/emulation/panels.hpp"
#include "binade/emulation/quantization_stats.hpp"
#include "binade/experiments/experiment.hpp"

namespace binade::study {

/// How both operands of a layer's GEMM are quantised.
struct Treatment {
  std::string name;  ///< "deepseek-v3 128x128", by the weights' blocks
  const ScaleRecipe* recipe = nullptr;
  Granularity weights, activations;
  ScaleType type = ScaleType::kFp32;
  FloatFormat element;
};

/// "RECIPE" or "RECIPE:BLOCK", the block that of the weights. Activations have the same where it is
/// the tensor or a row, else the recipe's own default. Elements are E2M1 under E4M3 scales, else
/// `element`. Errors: std::invalid_argument.
Treatment parse_treatment(std::string_view text, FloatFormat element);

/// deepseek-v3 with one scale a tensor, a row, a block of 128 x 128; OCP MX; NVFP4.
const std::vector<std::string>& default_treatments();

struct Options {
  std::vector<Treatment> treatments;
  /// What a layer has to keep of its output (of its weights, where there are no activations).
  double least_db = 25;
  std::size_t weight_rows = 256;             ///< outputs that are computed, in whole blocks
  std::size_t activation_rows = 64;          ///< tokens that are
  std::size_t panel = std::size_t{1} << 24;  ///< elements in memory at once
  std::uint64_t seed = 1234;                 ///< of the activations, N(0, 1), where there are none
  int threads = 0;
  /// Called now and then with rows of the weights, done and in all; may be empty.
  std::function<void(std::size_t, std::size_t)> progress;
};

/// What one treatment costs one layer. Absent: it cannot be known, as said of each.
struct Cost {
  double bits = 0;                               ///< a weight, its share of the scales included
  QuantizationStats weights;                     ///< over all of them
  std::optional<QuantizationStats> activations;  ///< over all of them, where there are any
  /// Frobenius norm of the error of the sampled outputs, both operands quantised and summed
  /// exactly, over that of the outputs. Absent without activations.
  std::optional<double> output_error;
  /// The same norm for what a Hopper tensor core loses when it sums the quantised operands,
  /// promoted to FP32 every 128 elements of K (every block, where they are shorter), and never
  /// promoted. Absent where it does not take the elements, or where scales change along K.
  std::optional<double> accumulate_error, unpromoted_error;

  /// By which treatments are ranked: 10 log10 of signal over error of the outputs, else of the
  /// weights. Infinite where nothing is lost; absent where there is no signal, or NaN among it.
  std::optional<double> sqnr_db() const;
};

struct Layer {
  std::string name;
  std::size_t rows = 0, cols = 0;  ///< outputs and K
  bool has_activations = false;
  std::vector<Cost> costs;        ///< in the order of the treatments
  std::vector<std::size_t> rank;  ///< of each treatment, from 1; 0 for those without a figure
  /// The treatment of fewest bits that keeps least_db, of two alike the better; absent when none
  /// does, and the layer is better left as it is.
  std::optional<std::size_t> recommended;
};

/// Studies the layer y = W x.
///
/// Shapes: weights [outputs, K], activations [tokens, K]. Units: errors are relative, bits those of
/// storage. Arithmetic: weights and activations are quantised as binade::quantize does, whole;
/// QuantizationStats over every element. Outputs are those of `weight_rows` rows of W, whole blocks
/// evenly spread, and `activation_rows` tokens likewise; sums of products in fp64. Accumulation is
/// gemm() under the profile `cutlass` in the order of operations of the instruction
/// hopper.wgmma.f32.
/// Special values: NaN and infinities are counted by QuantizationStats and leave the errors of the
/// outputs absent. Determinism: the same figures on every ISA and thread count.
/// Errors: std::invalid_argument where K differs, and as binade::quantize.
Layer study_layer(const std::string& name, const RowSource& weights, const RowSource* activations,
                  const Options& options);

/// The columns of a study, and the rows of a layer under them, best first.
const std::vector<experiments::Column>& columns();
std::vector<std::vector<experiments::Cell>> rows_of(const Layer& layer, const Options& options);

}  // namespace binade::study
