// One transformer block's forward and backward over any arithmetic of its GEMMs.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace binade::experiments {

/// Row-major, in fp64: FP8, BF16 and FP32 values are held exactly.
struct Matrix {
  std::size_t rows = 0, cols = 0;
  std::vector<double> values;
};
Matrix transposed(const Matrix& x);

/// L R^T in fp64, k ascending: of BF16 operands every product is exact, and sums keep 2^-53.
Matrix product(const Matrix& left, const Matrix& right, int threads);

enum class GemmKind { kForward, kDgrad, kWgrad };
const char* name_of(GemmKind kind);

/// The operands that a block starts from: two branches, each with its input, weights and the
/// gradient of its output.
struct Layer {
  std::size_t heads = 0, sequence = 0;  ///< tokens are whole sequences
  Matrix qkv_input, qkv_weight, o_weight, o_grad;
  Matrix gate_up_input, gate_up_weight, down_weight, down_grad;
};
/// Errors: std::invalid_argument naming the tensor that does not fit the others.
void check_layer(const Layer& layer);

/// What a recipe decides. Everything else is fp64.
struct BlockArithmetic {
  /// D = L R^T for the linear layer `name` ("attn.qkv", "attn.o", "mlp.gate_up", "mlp.down").
  std::function<Matrix(const std::string& name, GemmKind kind, const Matrix&, const Matrix&)> gemm;
  std::function<Matrix(Matrix)> between;       ///< how values lie in memory between operations
  std::function<Matrix(const Matrix&)> saved;  ///< gate and up, as SwiGLU's backward finds them
};

/// An operation's name, its GEMM's operands (empty for others) and its result.
struct Operation {
  std::string name;
  std::string kind;  ///< forward, dgrad, wgrad; "" for what is no GEMM
  Matrix left, right, result;
};

/// All operations in order. Attention: RoPE over halves of a head (base 10000), causal softmax of
/// q k^T / sqrt(head size). SwiGLU: silu(gate) * up. "block": the sum of both branches' outputs,
/// which is what the block adds to its input. Each branch starts from the layer's own input: what
/// attention's error does to the other branch through the norm between them is not followed.
std::vector<Operation> run_block(const Layer& layer, const BlockArithmetic& arithmetic);

}  // namespace binade::experiments
