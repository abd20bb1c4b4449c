// Training recipes over a transformer block: the block's own derivatives, and the order of errors.
#include <algorithm>
#include <cmath>
#include <map>

#include "binade/emulation/training_recipe.hpp"
#include "binade/formats/catalog.hpp"
#include "catch.hpp"
#include "sampling.hpp"
#include "table.hpp"
#include "transformer_block.hpp"

using namespace binade;
using namespace binade::experiments;

namespace {

Matrix random(std::size_t rows, std::size_t cols, std::uint64_t stream, double size = 1) {
  const std::vector<float> x = sample("normal", rows * cols, 5, stream);
  Matrix m{rows, cols, {x.begin(), x.end()}};
  for (double& v : m.values) v *= size;
  return m;
}

Layer small_layer() {
  Layer l;
  l.heads = 2;
  l.sequence = 3;
  l.qkv_input = random(6, 8, 0);
  l.qkv_weight = random(24, 8, 1, 0.5);
  l.o_weight = random(8, 8, 2, 0.5);
  l.o_grad = random(6, 8, 3);
  l.gate_up_input = random(6, 8, 4);
  l.gate_up_weight = random(20, 8, 5, 0.5);
  l.down_weight = random(8, 10, 6, 0.5);
  l.down_grad = random(6, 8, 7);
  return l;
}

BlockArithmetic exact() {
  return {[](const std::string&, GemmKind, const Matrix& left, const Matrix& right) {
            return product(left, right, 1);
          },
          [](const Matrix& x) { return x; }, [](const Matrix& x) { return x; }};
}

const Matrix& result_of(const std::vector<Operation>& run, const std::string& name,
                        const std::string& kind) {
  return std::ranges::find_if(run,
                              [&](const Operation& o) { return o.name == name && o.kind == kind; })
      ->result;
}

/// The scalar whose gradients the block's backward computes.
double objective(const Layer& l) {
  const auto run = run_block(l, exact());
  const Matrix &o = result_of(run, "attn.o", "forward"),
               &down = result_of(run, "mlp.down", "forward");
  double sum = 0;
  for (std::size_t i = 0; i < o.values.size(); ++i) {
    sum += o.values[i] * l.o_grad.values[i] + down.values[i] * l.down_grad.values[i];
  }
  return sum;
}

Result block(std::map<std::string, std::string> given) {
  given.insert({{"heads", "2"},
                {"sequence", "128"},
                {"sequences", "2"},
                {"width", "128"},
                {"hidden", "256"}});
  return run_with("training_block", given);
}

std::map<std::string, double> errors(const Result& r, const std::string& column) {
  std::map<std::string, double> by_name;
  for (std::size_t row = 0; row < r.table.rows.size(); ++row) {
    by_name[r.text(row, "recipe") + " " + r.text(row, "operation") + " " + r.text(row, "gemm")] =
        r.number(row, column);
  }
  return by_name;
}

}  // namespace

TEST_CASE("the block's backward is the derivative of its forward") {
  const Layer l = small_layer();
  const auto run = run_block(l, exact());
  struct Case {
    const char* name;
    const char* kind;
    Matrix Layer::*argument;
  };
  for (const Case c :
       {Case{"attn.qkv", "dgrad", &Layer::qkv_input}, Case{"attn.qkv", "wgrad", &Layer::qkv_weight},
        Case{"attn.o", "wgrad", &Layer::o_weight},
        Case{"mlp.gate_up", "dgrad", &Layer::gate_up_input},
        Case{"mlp.gate_up", "wgrad", &Layer::gate_up_weight},
        Case{"mlp.down", "wgrad", &Layer::down_weight}}) {
    const Matrix& gradient = result_of(run, c.name, c.kind);
    for (const std::size_t i : {std::size_t{0}, std::size_t{5}, gradient.values.size() - 1}) {
      constexpr double kStep = 1e-5;
      Layer more = l, less = l;
      (more.*c.argument).values[i] += kStep;
      (less.*c.argument).values[i] -= kStep;
      INFO(c.name << " " << c.kind << " " << i);
      CHECK(gradient.values[i] ==
            Approx((objective(more) - objective(less)) / (2 * kStep)).epsilon(1e-6).margin(1e-8));
    }
  }
}

TEST_CASE("every recipe names formats, quantisers, profiles and instructions that there are") {
  for (const TrainingRecipe& r : training_recipes()) {
    INFO(r.name);
    CHECK(&find_training_recipe(r.name) == &r);
    CHECK_FALSE(r.source.empty());
    for (const GemmRule* rule : {&r.forward, &r.dgrad, &r.wgrad}) {
      const Instruction i = training_instruction(r, *rule);
      CHECK(i.verified == (r.fraction_bits == 0));
      if (r.fraction_bits != 0) CHECK(i.model.alignment_fraction_bits == r.fraction_bits);
      CHECK_NOTHROW(parse_format(rule->output));
      for (const TensorRule* t : {&rule->left, &rule->right}) {
        if (t->is_scaled()) CHECK_NOTHROW(find_scale_recipe(t->quantizer));
      }
    }
  }
  CHECK_THROWS_WITH(find_training_recipe("deepseek"), ContainsSubstring("deepseek-v3"));
}

TEST_CASE("the published recipes say what their sources say") {
  const TrainingRecipe& v3 = find_training_recipe("deepseek-v3");
  CHECK(describe(v3.forward.left) == "e4m3 1x128");
  CHECK(describe(v3.forward.right) == "e4m3 128x128");
  CHECK(describe(v3.dgrad.left) == "e4m3 1x128");
  CHECK(describe(v3.wgrad.left) == "e4m3 1x128");
  CHECK(describe(v3.saved_attention_output) == "e5m6 1x128 pow2");
  CHECK(v3.wgrad.output == "fp32");
  for (const GemmRule* rule : {&v3.forward, &v3.dgrad, &v3.wgrad}) {
    CHECK(rule->promotion_interval == 128);
  }
  const TrainingRecipe& te = find_training_recipe("te-delayed");
  CHECK(describe(te.forward.left) == "e4m3 tensor delayed");
  CHECK(describe(te.dgrad.left) == "e5m2 tensor delayed");
  CHECK(describe(te.dgrad.right) == "e4m3 tensor delayed");
  CHECK(te.forward.promotion_interval == 0);  // use_split_accumulator is false forward
  CHECK(te.dgrad.promotion_interval == 128);
  CHECK(describe(find_training_recipe("te-block").wgrad.left) == "e4m3 1x128 pow2");
}

TEST_CASE("FP8 costs ten times BF16, E5M2 gradients twice E4M3's, and a narrow unit shows") {
  const auto alone = errors(
      block({{"recipes", "bf16,te-current,e4m3-tensor,e4m3-tensor-fast,e4m3-tensor-f9"}}), "alone");
  CHECK(alone.at("bf16 attn.qkv forward") == Approx(0.00166).epsilon(0.05));
  CHECK(alone.at("bf16 attn.qkv wgrad") < 1e-5);  // FP32 output: nothing is rounded to BF16
  CHECK(alone.at("e4m3-tensor attn.qkv forward") == Approx(0.0375).epsilon(0.05));
  const double hybrid = alone.at("te-current attn.qkv dgrad"),
               e4m3 = alone.at("e4m3-tensor attn.qkv dgrad");
  // E5M2 has twice E4M3's error in one of two operands: sqrt((4 + 1) / 2) = 1.58.
  CHECK(hybrid / e4m3 == Approx(1.58).epsilon(0.06));
  const auto sums =
      errors(block({{"recipes", "e4m3-tensor,e4m3-tensor-fast,e4m3-tensor-f9"}}), "sum");
  CHECK(sums.at("e4m3-tensor-f9 mlp.down forward") >
        10 * sums.at("e4m3-tensor-fast mlp.down forward"));
  CHECK(sums.at("e4m3-tensor-fast attn.qkv dgrad") > 1.5 * sums.at("e4m3-tensor attn.qkv dgrad"));
}

TEST_CASE("what is saved in E4M3 is quantised twice; after attention E5M6 costs almost nothing") {
  const auto alone = errors(block({{"recipes", "deepseek-v3,te-block"}}), "alone");
  const auto ratio = [&](const std::string& layer) {
    return alone.at("deepseek-v3 " + layer + " wgrad") / alone.at("te-block " + layer + " wgrad");
  };
  CHECK(ratio("attn.qkv") > 1.05 * ratio("attn.o"));
  CHECK(ratio("mlp.gate_up") > 1.05 * ratio("attn.o"));
  CHECK(ratio("attn.o") < 1.01);
}

TEST_CASE("a delayed scale is the current one until the tensor drifts") {
  const auto still = errors(block({{"recipes", "te-delayed,te-current"}}), "in_block");
  CHECK(still.at("te-delayed block ") == Approx(still.at("te-current block ")).epsilon(1e-9));
  const auto small = errors(block({{"recipes", "te-delayed"}, {"drift", "0.125"}}), "in_block");
  CHECK(small.at("te-delayed block ") > 1.2 * still.at("te-delayed block "));  // it saturates
}

TEST_CASE("a layer that is lent must be whole") {
  const Experiment& e = find_experiment("training_block");
  Arguments arguments = make_arguments(e, {}, true);
  arguments.layer["attn.qkv.input"] = {"x", std::vector<float>(256 * 8), 256, 8};
  CHECK_THROWS_WITH(e.run(arguments), ContainsSubstring("no tensor attn.qkv.weight"));
  CHECK_THROWS_WITH(block({{"drift", "-1"}}), ContainsSubstring("drift"));
  CHECK_THROWS_WITH(block({{"heads", "3"}}), ContainsSubstring("heads"));
  Layer l = small_layer();
  l.down_grad.rows = 5;
  CHECK_THROWS_WITH(run_block(l, exact()), ContainsSubstring("mlp.down.output_grad"));
}
