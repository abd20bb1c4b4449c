// What each training recipe costs one transformer block, operation by operation.
#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "binade/emulation/delayed_scaling.hpp"
#include "binade/emulation/metrics.hpp"
#include "binade/emulation/training_recipe.hpp"
#include "binade/formats/cast.hpp"
#include "sampling.hpp"
#include "support.hpp"
#include "transformer_block.hpp"

namespace binade::experiments {

namespace {

std::vector<float> to_fp32(const std::vector<double>& x) { return {x.begin(), x.end()}; }

Matrix to_matrix(std::size_t rows, std::size_t cols, const std::vector<float>& x) {
  return {rows, cols, {x.begin(), x.end()}};
}

Matrix rounded_to(const Matrix& x, FloatFormat format) {
  std::vector<float> y(x.values.size());
  round_to(format, to_fp32(x.values), y);
  return to_matrix(x.rows, x.cols, y);
}

float amax_of(std::span<const float> x) {
  float amax = 0;
  for (const float v : x) amax = std::max(amax, std::fabs(v));
  return amax;
}

/// A matrix in the form that a rule gives it. What has no scale is one block of scale 1.
Quantized quantized(const TensorRule& rule, const Matrix& x, double drift, int threads) {
  const FloatFormat element = parse_format(rule.format).format;
  const std::vector<float> values = to_fp32(x.values);
  if (!rule.is_scaled()) {
    return quantize_with_scale(values, x.rows, x.cols, {}, element, threads);
  }
  if (rule.delayed) {
    DelayedScalingOptions options;
    options.element = element;
    DelayedScaling delayed(options);
    delayed.record(static_cast<float>(drift * amax_of(values)));
    delayed.update();
    return delayed.quantize(values, x.rows, x.cols, threads);
  }
  return quantize(values, x.rows, x.cols, find_scale_recipe(rule.quantizer),
                  parse_granularity(rule.granularity), rule.scale_type, element, threads);
}

/// decode(code) * scale, exactly.
Matrix values_of(Quantized q, int threads) {
  const std::vector<float> scales = std::exchange(q.scales, std::vector<float>(q.scales.size(), 1));
  std::vector<float> decoded(q.rows * q.cols);
  dequantize(q, decoded, threads);
  Matrix x = to_matrix(q.rows, q.cols, decoded);
  const BlockGrid grid = block_grid(q.rows, q.cols, q.granularity);
  for (std::size_t r = 0; r < x.rows; ++r) {
    for (std::size_t c = 0; c < x.cols; ++c) {
      x.values[r * x.cols + c] *=
          scales[r / grid.block_rows * grid.grid_cols + c / grid.block_cols];
    }
  }
  return x;
}

GemmOperand operand_of(const TensorRule& rule, const Quantized& q) {
  GemmOperand operand{q.element, q.codes.data(), q.rows};
  if (rule.is_scaled()) {
    operand.scales = q.scales;
    operand.scale_rows = q.scale_rows;
    operand.scale_cols = q.scale_cols;
  }
  return operand;
}

/// One GEMM under a recipe, before and after its last rounding, and the exact product of the
/// quantised operands where that is asked for.
struct RecipeProduct {
  Matrix sum, output, of_quantized;
};

class RecipeArithmetic {
 public:
  RecipeArithmetic(const TrainingRecipe& recipe, double drift, int threads)
      : recipe_(recipe), drift_(drift), threads_(threads) {}

  const GemmRule& rule(GemmKind kind) const {
    return kind == GemmKind::kForward ? recipe_.forward
           : kind == GemmKind::kDgrad ? recipe_.dgrad
                                      : recipe_.wgrad;
  }

  RecipeProduct multiply(const std::string& name, GemmKind kind, const Matrix& left,
                         const Matrix& right, bool with_exact) const {
    const GemmRule& r = rule(kind);
    const Quantized a = quantized(r.left, left, drift_, threads_);
    const Quantized b = quantized(r.right, kind == GemmKind::kWgrad ? as_saved(name, right) : right,
                                  drift_, threads_);
    const Instruction instruction = training_instruction(recipe_, r);
    std::vector<float> sums(left.rows * right.rows);
    gemm(find_gemm_profile(r.profile), operand_of(r.left, a), operand_of(r.right, b), left.cols,
         kFp32Format, sums.data(), {r.promotion_interval, &instruction, threads_});
    RecipeProduct p{to_matrix(left.rows, right.rows, sums), {}, {}};
    p.output = rounded_to(p.sum, parse_format(r.output).format);
    if (with_exact)
      p.of_quantized = product(values_of(a, threads_), values_of(b, threads_), threads_);
    return p;
  }

  BlockArithmetic block() const {
    return {[this](const std::string& name, GemmKind kind, const Matrix& left,
                   const Matrix& right) { return multiply(name, kind, left, right, false).output; },
            [](const Matrix& x) { return rounded_to(x, Bf16::format); },
            [this](const Matrix& x) { return read_back(recipe_.saved_swiglu_input, x); }};
  }

 private:
  Matrix read_back(const TensorRule& saved, const Matrix& x) const {
    if (!saved.is_scaled()) return x;
    return rounded_to(values_of(quantized(saved, x, drift_, threads_), threads_), Bf16::format);
  }

  /// X^T as wgrad finds it. One scale a tensor serves both orders, so there the codes are those of
  /// the forward GEMM; SwiGLU's output is computed again where its input is what was saved.
  Matrix as_saved(const std::string& name, const Matrix& x) const {
    const TensorRule& saved =
        name == "attn.o" ? recipe_.saved_attention_output : recipe_.saved_input;
    if (saved.granularity == "tensor") return x;
    if (name == "mlp.down" && recipe_.saved_swiglu_input.is_scaled()) return x;
    return transposed(read_back(saved, transposed(x)));
  }

  const TrainingRecipe& recipe_;
  double drift_;
  int threads_;
};

const Matrix& same(const Matrix& x) { return x; }

/// The exact block, and each of its GEMMs anew with operands in BF16, as a recipe finds them.
struct Reference {
  std::vector<Operation> block, alone;
};

Reference reference_of(const Layer& layer, int threads) {
  Reference reference;
  reference.block =
      run_block(layer, {[threads](const std::string&, GemmKind, const Matrix& left,
                                  const Matrix& right) { return product(left, right, threads); },
                        same, same});
  reference.alone = reference.block;
  for (Operation& o : reference.alone) {
    if (o.kind.empty()) continue;
    o.left = rounded_to(o.left, Bf16::format);
    o.right = rounded_to(o.right, Bf16::format);
    o.result = product(o.left, o.right, threads);
  }
  return reference;
}

GemmKind kind_of(const std::string& name) {
  return name == "forward" ? GemmKind::kForward
         : name == "dgrad" ? GemmKind::kDgrad
                           : GemmKind::kWgrad;
}

double distance(const Matrix& x, const Matrix& y, const Matrix& exact) {
  double error = 0, signal = 0;
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    const double e = x.values[i] - y.values[i];
    error += e * e;
    signal += exact.values[i] * exact.values[i];
  }
  return std::sqrt(error / signal);
}

void add_rows(Table& table, const TrainingRecipe& recipe, const Layer& layer,
              const Reference& reference, double drift, int threads) {
  const RecipeArithmetic arithmetic(recipe, drift, threads);
  const std::vector<Operation> run = run_block(layer, arithmetic.block());
  for (std::size_t i = 0; i < run.size(); ++i) {
    const Operation& exact = reference.alone[i];
    const Matrix& in_block = reference.block[i].result;
    std::vector<Cell> row = {recipe.name, exact.name, exact.kind};
    if (exact.kind.empty()) {  // in fp64, then rounded
      const Matrix rounded = rounded_to(exact.result, Bf16::format);
      const ErrorMetrics m =
          error_metrics(std::span<const double>(rounded.values), exact.result.values);
      row.insert(row.end(), {"bf16", "", std::int64_t{0}, m.fro_rel, 0.0, 0.0, m.bias});
    } else {
      const GemmKind kind = kind_of(exact.kind);
      const GemmRule& rule = arithmetic.rule(kind);
      const RecipeProduct p = arithmetic.multiply(exact.name, kind, exact.left, exact.right, true);
      const ErrorMetrics m =
          error_metrics(std::span<const double>(p.output.values), exact.result.values);
      row.insert(row.end(), {describe(rule.left), describe(rule.right), count_cell(exact.left.cols),
                             m.fro_rel, distance(p.of_quantized, exact.result, exact.result),
                             distance(p.sum, p.of_quantized, exact.result), m.bias});
    }
    row.emplace_back(distance(run[i].result, in_block, in_block));
    table.rows.push_back(std::move(row));
  }
}

Matrix lent(const Arguments& arguments, const std::string& name) {
  const auto found = arguments.layer.find(name);
  if (found == arguments.layer.end()) {
    throw std::invalid_argument("layer: it has no tensor " + name);
  }
  return to_matrix(found->second.rows, found->second.cols, found->second.values);
}

/// A block of random numbers in BF16: a few loud channels in the inputs, loud tokens in the
/// gradients, as trained models have them.
class RandomLayer {
 public:
  explicit RandomLayer(const Arguments& arguments) : arguments_(arguments) {}

  Matrix weight(std::size_t out, std::size_t in) {
    Matrix x = draw("normal", out, in);
    for (double& v : x.values) v /= std::sqrt(static_cast<double>(in));
    return rounded_to(x, Bf16::format);
  }
  Matrix input(std::size_t tokens, std::size_t in) {
    Matrix x = draw("normal", tokens, in);
    for (std::size_t i = 0; i < x.values.size(); ++i) x.values[i] *= i % in % 64 == 7 ? 5 : 1;
    return rounded_to(x, Bf16::format);
  }
  Matrix gradient(std::size_t tokens, std::size_t out) {
    Matrix x = draw("student_t3", tokens, out);
    const Matrix loudness = draw("normal", tokens, 1);
    for (std::size_t i = 0; i < x.values.size(); ++i) {
      x.values[i] *= 1e-5 * std::exp(loudness.values[i / out]);
    }
    return rounded_to(x, Bf16::format);
  }

 private:
  Matrix draw(const std::string& distribution, std::size_t rows, std::size_t cols) {
    return to_matrix(rows, cols,
                     sample(distribution, rows * cols, seed_argument(arguments_), stream_++,
                            arguments_.threads));
  }
  const Arguments& arguments_;
  std::uint64_t stream_ = 0;
};

Layer layer_of(const Arguments& arguments) {
  Layer l;
  l.heads = size_argument(arguments, "heads");
  l.sequence = size_argument(arguments, "sequence");
  if (!arguments.layer.empty()) {
    l.qkv_input = lent(arguments, "attn.qkv.input");
    l.qkv_weight = lent(arguments, "attn.qkv.weight");
    l.o_weight = lent(arguments, "attn.o.weight");
    l.o_grad = lent(arguments, "attn.o.output_grad");
    l.gate_up_input = lent(arguments, "mlp.gate_up.input");
    l.gate_up_weight = lent(arguments, "mlp.gate_up.weight");
    l.down_weight = lent(arguments, "mlp.down.weight");
    l.down_grad = lent(arguments, "mlp.down.output_grad");
    return l;
  }
  const std::size_t tokens = l.sequence * size_argument(arguments, "sequences"),
                    width = size_argument(arguments, "width"),
                    hidden = size_argument(arguments, "hidden");
  RandomLayer random(arguments);
  l.qkv_input = random.input(tokens, width);
  l.qkv_weight = random.weight(3 * width, width);
  l.o_weight = random.weight(width, width);
  l.o_grad = random.gradient(tokens, width);
  l.gate_up_input = random.input(tokens, width);
  l.gate_up_weight = random.weight(2 * hidden, width);
  l.down_weight = random.weight(width, hidden);
  l.down_grad = random.gradient(tokens, width);
  return l;
}

Table run(const Arguments& arguments) {
  const double drift = arguments.number("drift");
  if (!(drift > 0 && std::isfinite(drift))) {
    throw std::invalid_argument("parameter drift: found " + arguments.text("drift") +
                                ", expected a number above 0");
  }
  const Layer layer = layer_of(arguments);
  check_layer(layer);
  const auto recipes = arguments.text_list("recipes");
  for (const std::string& name : recipes) find_training_recipe(name);
  Table table;
  Progress progress{arguments, recipes.size() + 1};
  const Reference reference = reference_of(layer, arguments.threads);
  progress.step();
  for (const std::string& name : recipes) {
    add_rows(table, find_training_recipe(name), layer, reference, drift, arguments.threads);
    progress.step();
  }
  table.notes.push_back(arguments.layer.empty()
                            ? "a block of random numbers; --layer takes a trained one"
                            : "the layer is " + arguments.layer_name);
  return table;
}

std::vector<std::string> recipe_names() {
  std::vector<std::string> names;
  for (const TrainingRecipe& r : training_recipes()) names.push_back(r.name);
  return names;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

}  // namespace

Experiment training_block() {
  Experiment e;
  e.name = "training_block";
  e.question = "What does each training recipe cost one transformer block?";
  e.source =
      "DeepSeek-V3 report 3.3 (E4M3 everywhere, 1x128 and 128x128) and TransformerEngine's recipes "
      "(delayed and current scaling with E5M2 gradients, block scaling), run over forward, dgrad "
      "and wgrad";
  e.parameters = {
      {"recipes", joined(recipe_names()), "bf16,deepseek-v3,te-delayed", "training recipes",
       recipe_names()},
      {"heads", "4", "2", "attention heads", {}},
      {"sequence", "256", "128", "tokens of a sequence", {}},
      {"sequences", "2", "1", "sequences of the random block", {}},
      {"width", "256", "128", "of the random block", {}},
      {"hidden", "1024", "128", "SwiGLU's size in the random block", {}},
      {"drift", "1", "", "a delayed scale's amax over that of the tensor it meets", {}},
      seed_parameter(),
  };
  e.columns = {
      {"recipe", "", "training recipe"},
      {"operation", "", "linear layer or other operation; block: what the block adds to its input"},
      {"gemm", "", "forward, dgrad or wgrad; empty for other operations, which run in fp64"},
      {"left", "", "format and scale of the GEMM's left operand, or of the result"},
      {"right", "", "format and scale of the GEMM's right operand"},
      {"k", "", "length of the GEMM's sums"},
      {"alone", "",
       "relative error (Frobenius) of this operation alone, a GEMM on operands in BF16"},
      {"cast", "", "the part of it that comes from quantising the operands"},
      {"sum", "", "the part that comes from summing them, before the output is rounded"},
      {"bias", "", "mean (error * sign exact) / mean |exact| of the operation alone"},
      {"in_block", "", "relative error of the result when all that precedes is as the recipe says"},
  };
  e.takes_layer = true;
  e.run = run;
  return e;
}

}  // namespace binade::experiments
