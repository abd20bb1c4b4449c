#include "transformer_block.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace binade::experiments {

namespace {

Matrix zeros(std::size_t rows, std::size_t cols) {
  return {rows, cols, std::vector<double>(rows * cols)};
}

/// One head of one sequence: matrices [sequence, head size].
struct Head {
  Matrix q, k, v;
};

/// Where a head's q, k or v (part 0, 1, 2) lies in a row of qkv.
struct Place {
  std::size_t first_row, first_col;
};
Place place_of(const Layer& l, std::size_t width, std::size_t sequence, std::size_t head,
               std::size_t part) {
  return {sequence * l.sequence, part * width + head * (width / l.heads)};
}

Matrix cut(const Matrix& x, Place at, std::size_t rows, std::size_t cols) {
  Matrix y = zeros(rows, cols);
  for (std::size_t r = 0; r < rows; ++r) {
    const auto from = x.values.begin() + (at.first_row + r) * x.cols + at.first_col;
    std::copy(from, from + cols, y.values.begin() + r * cols);
  }
  return y;
}

void paste(const Matrix& part, Matrix& x, Place at) {
  for (std::size_t r = 0; r < part.rows; ++r) {
    const auto from = part.values.begin() + r * part.cols;
    std::copy(from, from + part.cols,
              x.values.begin() + (at.first_row + r) * x.cols + at.first_col);
  }
}

/// RoPE: turns (x[i], x[i + size / 2]) by position * 10000^(-2i / size); `sign` -1 turns back.
void rotate(Matrix& x, double sign) {
  const std::size_t half = x.cols / 2;
  for (std::size_t position = 0; position < x.rows; ++position) {
    for (std::size_t i = 0; i < half; ++i) {
      const double share = 2.0 * static_cast<double>(i) / static_cast<double>(x.cols);
      const double angle = sign * static_cast<double>(position) * std::pow(10000.0, -share);
      double &low = x.values[position * x.cols + i], &high = x.values[position * x.cols + i + half];
      const double turned = low * std::cos(angle) - high * std::sin(angle);
      high = low * std::sin(angle) + high * std::cos(angle);
      low = turned;
    }
  }
}

Head head_of(const Layer& l, const Matrix& qkv, std::size_t sequence, std::size_t head) {
  const std::size_t width = qkv.cols / 3, size = width / l.heads;
  const auto part = [&](std::size_t which) {
    return cut(qkv, place_of(l, width, sequence, head, which), l.sequence, size);
  };
  Head h{part(0), part(1), part(2)};
  rotate(h.q, 1);
  rotate(h.k, 1);
  return h;
}

/// softmax(q k^T / sqrt(size)), zero above the diagonal.
Matrix weights_of(const Head& h) {
  Matrix p = product(h.q, h.k, 1);
  const double scale = 1 / std::sqrt(static_cast<double>(h.q.cols));
  for (std::size_t row = 0; row < p.rows; ++row) {
    double* x = p.values.data() + row * p.cols;
    const double most = *std::max_element(x, x + row + 1);
    double sum = 0;
    for (std::size_t c = 0; c <= row; ++c) sum += x[c] = std::exp((x[c] - most) * scale);
    for (std::size_t c = 0; c < p.cols; ++c) x[c] = c <= row ? x[c] / sum : 0;
  }
  return p;
}

/// Runs body(sequence, head) for all of them.
template <class Body>
void for_each_head(const Layer& l, Body&& body) {
  const std::size_t count = l.qkv_input.rows / l.sequence * l.heads;
#pragma omp parallel for schedule(dynamic)
  for (std::size_t i = 0; i < count; ++i) body(i / l.heads, i % l.heads);
}

Matrix attention(const Layer& l, const Matrix& qkv) {
  const std::size_t width = qkv.cols / 3;
  Matrix y = zeros(qkv.rows, width);
  for_each_head(l, [&](std::size_t sequence, std::size_t head) {
    const Head h = head_of(l, qkv, sequence, head);
    paste(product(weights_of(h), transposed(h.v), 1), y, place_of(l, width, sequence, head, 0));
  });
  return y;
}

Matrix attention_backward(const Layer& l, const Matrix& qkv, const Matrix& grad) {
  const std::size_t width = qkv.cols / 3, size = width / l.heads;
  const double scale = 1 / std::sqrt(static_cast<double>(size));
  Matrix result = zeros(qkv.rows, qkv.cols);
  for_each_head(l, [&](std::size_t sequence, std::size_t head) {
    const Head h = head_of(l, qkv, sequence, head);
    const Matrix dy = cut(grad, place_of(l, width, sequence, head, 0), l.sequence, size);
    const Matrix p = weights_of(h);
    Matrix ds = product(dy, h.v, 1);  // first dP, then dS = P (dP - sum dP P) / sqrt(size)
    for (std::size_t row = 0; row < ds.rows; ++row) {
      double* d = ds.values.data() + row * ds.cols;
      const double* w = p.values.data() + row * p.cols;
      double sum = 0;
      for (std::size_t c = 0; c <= row; ++c) sum += d[c] * w[c];
      for (std::size_t c = 0; c < ds.cols; ++c) d[c] = w[c] * (d[c] - sum) * scale;
    }
    Matrix dq = product(ds, transposed(h.k), 1);
    Matrix dk = product(transposed(ds), transposed(h.q), 1);
    rotate(dq, -1);
    rotate(dk, -1);
    paste(dq, result, place_of(l, width, sequence, head, 0));
    paste(dk, result, place_of(l, width, sequence, head, 1));
    paste(product(transposed(p), transposed(dy), 1), result, place_of(l, width, sequence, head, 2));
  });
  return result;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

Matrix swiglu(const Matrix& gate_up) {
  const std::size_t hidden = gate_up.cols / 2;
  Matrix y = zeros(gate_up.rows, hidden);
  for (std::size_t row = 0; row < y.rows; ++row) {
    const double* gate = gate_up.values.data() + row * gate_up.cols;
    for (std::size_t i = 0; i < hidden; ++i) {
      y.values[row * hidden + i] = gate[i] * sigmoid(gate[i]) * gate[hidden + i];
    }
  }
  return y;
}

Matrix swiglu_backward(const Matrix& gate_up, const Matrix& grad) {
  const std::size_t hidden = grad.cols;
  Matrix y = zeros(gate_up.rows, gate_up.cols);
  for (std::size_t row = 0; row < y.rows; ++row) {
    const double* gate = gate_up.values.data() + row * gate_up.cols;
    const double* d = grad.values.data() + row * hidden;
    double* to = y.values.data() + row * y.cols;
    for (std::size_t i = 0; i < hidden; ++i) {
      const double s = sigmoid(gate[i]);
      to[i] = d[i] * gate[hidden + i] * s * (1 + gate[i] * (1 - s));
      to[hidden + i] = d[i] * gate[i] * s;
    }
  }
  return y;
}

Matrix sum_of(const Matrix& x, const Matrix& y) {
  Matrix z = x;
  for (std::size_t i = 0; i < z.values.size(); ++i) z.values[i] += y.values[i];
  return z;
}

/// Runs operations and keeps what they were.
class Trace {
 public:
  explicit Trace(const BlockArithmetic& arithmetic) : arithmetic_(arithmetic) {}

  Matrix gemm(const std::string& name, GemmKind kind, const Matrix& left, const Matrix& right) {
    operations.push_back(
        {name, name_of(kind), left, right, arithmetic_.gemm(name, kind, left, right)});
    return operations.back().result;
  }
  Matrix other(const std::string& name, Matrix result) {
    operations.push_back({name, "", {}, {}, arithmetic_.between(std::move(result))});
    return operations.back().result;
  }
  /// The two GEMMs of a linear layer's backward; returns dX.
  Matrix backward(const std::string& name, const Matrix& weight, const Matrix& input,
                  const Matrix& grad) {
    gemm(name, GemmKind::kWgrad, transposed(grad), transposed(input));
    return gemm(name, GemmKind::kDgrad, grad, transposed(weight));
  }

  std::vector<Operation> operations;

 private:
  const BlockArithmetic& arithmetic_;
};

void expect(bool good, const std::string& name, const Matrix& x, const std::string& wanted) {
  if (good) return;
  throw std::invalid_argument("layer: " + name + " is " + std::to_string(x.rows) + " by " +
                              std::to_string(x.cols) + ", expected " + wanted);
}

}  // namespace

const char* name_of(GemmKind kind) {
  return kind == GemmKind::kForward ? "forward" : kind == GemmKind::kDgrad ? "dgrad" : "wgrad";
}

Matrix transposed(const Matrix& x) {
  Matrix y = zeros(x.cols, x.rows);
  for (std::size_t r = 0; r < x.rows; ++r) {
    for (std::size_t c = 0; c < x.cols; ++c) y.values[c * x.rows + r] = x.values[r * x.cols + c];
  }
  return y;
}

Matrix product(const Matrix& left, const Matrix& right, int threads) {
  const std::size_t k = left.cols, n = right.rows;
  const Matrix r = transposed(right);  // so that the inner loop runs over outputs
  Matrix d = zeros(left.rows, n);
  const int team = threads > 0 ? threads : omp_get_max_threads();
#pragma omp parallel for num_threads(team) schedule(static)
  for (std::size_t i = 0; i < left.rows; ++i) {
    double* to = d.values.data() + i * n;
    for (std::size_t l = 0; l < k; ++l) {
      const double factor = left.values[i * k + l];
      const double* from = r.values.data() + l * n;
      for (std::size_t j = 0; j < n; ++j) to[j] += factor * from[j];
    }
  }
  return d;
}

void check_layer(const Layer& l) {
  const std::size_t tokens = l.qkv_input.rows, width = l.o_weight.cols, hidden = l.down_weight.cols,
                    out = l.o_weight.rows;
  const auto shape = [](std::size_t rows, std::size_t cols) {
    return std::to_string(rows) + " by " + std::to_string(cols);
  };
  const auto fits = [&](const char* name, const Matrix& x, std::size_t rows, std::size_t cols) {
    expect(x.rows == rows && x.cols == cols, name, x, shape(rows, cols));
  };
  if (l.sequence == 0 || l.heads == 0 || tokens % l.sequence != 0 || width % (2 * l.heads) != 0) {
    throw std::invalid_argument("layer: " + std::to_string(tokens) + " tokens of width " +
                                std::to_string(width) + " are not whole sequences of " +
                                std::to_string(l.sequence) + " in " + std::to_string(l.heads) +
                                " heads of even size");
  }
  fits("attn.qkv.weight", l.qkv_weight, 3 * width, l.qkv_input.cols);
  fits("attn.o.output_grad", l.o_grad, tokens, out);
  fits("mlp.gate_up.input", l.gate_up_input, tokens, l.gate_up_weight.cols);
  fits("mlp.gate_up.weight", l.gate_up_weight, 2 * hidden, l.gate_up_input.cols);
  fits("mlp.down.weight", l.down_weight, out, hidden);
  fits("mlp.down.output_grad", l.down_grad, tokens, out);
}

std::vector<Operation> run_block(const Layer& l, const BlockArithmetic& arithmetic) {
  check_layer(l);
  Trace t(arithmetic);
  const Matrix qkv = t.gemm("attn.qkv", GemmKind::kForward, l.qkv_input, l.qkv_weight);
  const Matrix mixed = t.other("attention", attention(l, qkv));
  const Matrix o = t.gemm("attn.o", GemmKind::kForward, mixed, l.o_weight);
  const Matrix gate_up =
      t.gemm("mlp.gate_up", GemmKind::kForward, l.gate_up_input, l.gate_up_weight);
  const Matrix hidden = t.other("swiglu", swiglu(gate_up));
  const Matrix down = t.gemm("mlp.down", GemmKind::kForward, hidden, l.down_weight);
  t.other("block", sum_of(o, down));

  const Matrix saved = arithmetic.saved(gate_up);
  const Matrix hidden_again = arithmetic.between(swiglu(saved));
  const Matrix dhidden = t.backward("mlp.down", l.down_weight, hidden_again, l.down_grad);
  const Matrix dgate_up = t.other("swiglu backward", swiglu_backward(saved, dhidden));
  t.backward("mlp.gate_up", l.gate_up_weight, l.gate_up_input, dgate_up);
  const Matrix dmixed = t.backward("attn.o", l.o_weight, mixed, l.o_grad);
  const Matrix dqkv = t.other("attention backward", attention_backward(l, qkv, dmixed));
  t.backward("attn.qkv", l.qkv_weight, l.qkv_input, dqkv);
  return std::move(t.operations);
}

}  // namespace binade::experiments
