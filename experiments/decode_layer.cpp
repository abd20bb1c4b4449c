#include "decode_layer.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "binade/emulation/gemm.hpp"
#include "binade/emulation/kv_cache.hpp"
#include "binade/emulation/top_k.hpp"
#include "binade/formats/catalog.hpp"
#include "flash_attention.hpp"
#include "fp64_product.hpp"
#include "indexer.hpp"
#include "sampling.hpp"

namespace binade::experiments {

namespace {

using Rows = std::vector<double>;

constexpr std::size_t kHead = LayerSizes::kHead, kLatent = LayerSizes::kLatent,
                      kRope = LayerSizes::kRope, kIndex = LayerSizes::kIndex,
                      kEntry = LayerSizes::kEntry;

/// Of random query and latent, each of unit size: sqrt(512 + 64) / sqrt(192).
constexpr double kPlainSpread = 1.732;
constexpr double kOffSubspace = 0.1;  ///< of a latent, what the indexer cannot see
constexpr double kSharedFocus = 0.9;  ///< of the variance of a head's weights, common to all heads
constexpr float kScoreScale = 0.0721687836f;  // 1 / sqrt(kHead + kRope)

std::vector<float> narrowed(std::span<const double> x) { return {x.begin(), x.end()}; }

std::vector<std::uint16_t> bf16_codes(std::span<const double> x) {
  const std::vector<float> values = narrowed(x);
  std::vector<std::uint16_t> codes(values.size());
  cast(kFp32Format, values.data(), Bf16::format, codes.data(), codes.size(), kIeeeRules);
  return codes;
}

Rows values_of(const std::vector<std::uint16_t>& codes) {
  std::vector<float> values(codes.size());
  decode(Bf16::format, codes.data(), values);
  return widened(values);
}

/// A B^T of BF16 values, summed by the matrix unit and rounded to BF16.
Rows bf16_product(const Rows& a, const Rows& b, std::size_t k, int threads) {
  const auto x = bf16_codes(a), w = bf16_codes(b);
  const std::size_t m = a.size() / k, n = b.size() / k;
  std::vector<std::uint16_t> d(m * n);
  GemmOptions options;
  options.threads = threads;
  gemm(find_gemm_profile("cublaslt-fast"), {Bf16::format, x.data(), m}, {Bf16::format, w.data(), n},
       k, Bf16::format, d.data(), options);
  return values_of(d);
}

Quantized quantized(std::span<const float> x, std::size_t rows, std::size_t cols, Granularity g,
                    int threads) {
  return quantize(x, rows, cols, find_scale_recipe("deepseek-v3.2"), g, ScaleType::kPow2,
                  E4M3::format, threads);
}

GemmOperand operand_of(const Quantized& q) {
  return {q.element, q.codes.data(), q.rows, q.scales, q.scale_rows, q.scale_cols};
}

/// `count` orthonormal columns of [rows, count], by Gram and Schmidt, from random ones.
std::vector<float> orthonormal_columns(std::vector<float> x, std::size_t count) {
  const std::size_t rows = x.size() / count;
  for (std::size_t j = 0; j < count; ++j) {
    for (std::size_t before = 0; before <= j; ++before) {
      double dot = 0;
      for (std::size_t i = 0; i < rows; ++i) {
        dot += static_cast<double>(x[i * count + j]) * static_cast<double>(x[i * count + before]);
      }
      for (std::size_t i = 0; i < rows; ++i) {
        float& v = x[i * count + j];
        v = before < j ? static_cast<float>(v - dot * static_cast<double>(x[i * count + before]))
                       : static_cast<float>(v / std::sqrt(dot));
      }
    }
  }
  return x;
}

/// The part [first, first + count) of every row of `width`.
Rows columns(const Rows& x, std::size_t width, std::size_t first, std::size_t count) {
  Rows part;
  for (std::size_t at = first; at < x.size(); at += width) {
    part.insert(part.end(), x.begin() + static_cast<std::ptrdiff_t>(at),
                x.begin() + static_cast<std::ptrdiff_t>(at + count));
  }
  return part;
}

Rows row_of(const Rows& x, std::size_t width, std::size_t row) {
  const auto first = x.begin() + static_cast<std::ptrdiff_t>(row * width);
  return {first, first + static_cast<std::ptrdiff_t>(width)};
}

void append(Rows& x, const Rows& more) { x.insert(x.end(), more.begin(), more.end()); }

/// softmax(q K^T * kScoreScale) V in fp64, V the latents of the entries.
Rows exact_latent_attention(const Rows& query, const Rows& entries, int threads) {
  const std::size_t heads = query.size() / kEntry, n = entries.size() / kEntry;
  Rows scores = fp64_product(query, entries, kEntry, threads);
  const double scale = 1 / std::sqrt(static_cast<double>(kHead + kRope));
  Rows output(heads * kLatent);
  for (std::size_t h = 0; h < heads; ++h) {
    const std::span<double> p = std::span(scores).subspan(h * n, n);
    const double largest = *std::ranges::max_element(p);
    double total = 0;
    for (double& s : p) total += s = std::exp((s - largest) * scale);
    double* o = output.data() + h * kLatent;
    for (std::size_t j = 0; j < n; ++j) {
      const double* v = entries.data() + j * kEntry;
      for (std::size_t c = 0; c < kLatent; ++c) o[c] += p[j] / total * v[c];
    }
  }
  return output;
}

}  // namespace

DecodeLayer::DecodeLayer(const LayerSizes& sizes) : s_(sizes) {
  x_ = sample("normal", s_.tokens * s_.hidden, s_.seed, 0, s_.threads);
  round_to(Bf16::format, x_, x_);
  make_attention();
  make_context();
  gate_ = random_matrix(s_.gate.experts, s_.hidden, 9, 0.5);
}

DecodeLayer::Matrix DecodeLayer::random_matrix(std::size_t rows, std::size_t cols,
                                               std::uint64_t stream, double gain) const {
  Matrix m{rows, cols, sample("normal", rows * cols, s_.seed, stream, s_.threads)};
  const double size = gain / std::sqrt(static_cast<double>(cols));
  for (float& v : m.values) v = static_cast<float>(size * v);
  round_to(Bf16::format, m.values, m.values);
  return m;
}

/// One matrix for each head, stacked, of which most is the same for all: heads look for the same
/// tokens, which is what one ranking for all of them presumes.
DecodeLayer::Matrix DecodeLayer::focused_heads(std::size_t rows, std::size_t cols,
                                               std::uint64_t stream, double gain) const {
  const Matrix common = random_matrix(rows, cols, stream, gain * std::sqrt(kSharedFocus));
  Matrix all = random_matrix(s_.heads * rows, cols, stream + 1, gain * std::sqrt(1 - kSharedFocus));
  for (std::size_t i = 0; i < all.values.size(); ++i) {
    all.values[i] += common.values[i % common.values.size()];
  }
  round_to(Bf16::format, all.values, all.values);
  return all;
}

void DecodeLayer::make_attention() {
  constexpr std::size_t kQuery = kHead + kRope;
  query_down_ = random_matrix(s_.query_rank, s_.hidden, 1, 1);
  key_down_ = random_matrix(kEntry, s_.hidden, 3, 1);
  output_ = random_matrix(s_.hidden, s_.heads * kHead, 4, 1);
  query_up_ = focused_heads(kQuery, s_.query_rank, 20, s_.spread / kPlainSpread);
  const Matrix keys = focused_heads(kLatent, kHead, 30, 1);
  for (std::size_t h = 0; h < s_.heads; ++h) {
    const auto first = keys.values.begin() + static_cast<std::ptrdiff_t>(h * kLatent * kHead);
    absorb_key_.push_back({kLatent, kHead, {first, first + kLatent * kHead}});
    absorb_value_.push_back(random_matrix(kHead, kLatent, 1000 + h, 1));
  }
  // The indexer's projections: the basis of the context's subspace, behind a head's own way from
  // the query's low rank to the latents.
  const std::vector<float> basis =
      orthonormal_columns(sample("normal", kLatent * kIndex, s_.seed, 5), kIndex);
  index_key_ = {kIndex, kLatent, transposed(basis, kLatent, kIndex)};
  round_to(Bf16::format, index_key_.values, index_key_.values);
  index_query_ = {s_.heads * kIndex, s_.query_rank, {}};
  for (std::size_t h = 0; h < s_.heads; ++h) {
    const auto up =
        std::span(query_up_.values).subspan(h * kQuery * s_.query_rank, kHead * s_.query_rank);
    const Rows to_index =
        fp64_product(widened(index_key_.values),
                     widened(transposed(absorb_key_[h].values, kLatent, kHead)), kLatent, 1);
    const Rows composed =
        fp64_product(to_index, widened(transposed(up, kHead, s_.query_rank)), kHead, 1);
    for (const double v : composed) index_query_.values.push_back(static_cast<float>(v));
  }
  round_to(Bf16::format, index_query_.values, index_query_.values);
}

void DecodeLayer::make_context() {
  const std::vector<float> z = sample("normal", s_.length * kIndex, s_.seed, 6, s_.threads);
  const std::vector<float> rest = sample("normal", s_.length * kEntry, s_.seed, 7, s_.threads);
  const Rows latents =
      fp64_product(widened(z), widened(transposed(index_key_.values, kIndex, kLatent)), kIndex, 1);
  const double gain = std::sqrt(static_cast<double>(kLatent) / static_cast<double>(kIndex));
  context_.resize(s_.length * kEntry);
  for (std::size_t t = 0; t < s_.length; ++t) {
    for (std::size_t i = 0; i < kEntry; ++i) {
      const double noise = rest[t * kEntry + i];
      context_[t * kEntry + i] = static_cast<float>(
          i < kLatent ? gain * latents[t * kLatent + i] + kOffSubspace * noise : noise);
    }
  }
  round_to(Bf16::format, context_, context_);
}

const DecodeLayer::Expert& DecodeLayer::expert(std::size_t index) {
  const std::scoped_lock lock(making_expert_);
  const auto found = experts_.find(index);
  if (found != experts_.end()) return found->second;
  const std::uint64_t stream = 10000 + 3 * index;
  return experts_
      .emplace(index, Expert{random_matrix(s_.expert_width, s_.hidden, stream, 1),
                             random_matrix(s_.expert_width, s_.hidden, stream + 1, 1),
                             random_matrix(s_.hidden, s_.expert_width, stream + 2, 1)})
      .first->second;
}

void DecodeLayer::round(Arithmetic arithmetic, Rows& x) const {
  if (arithmetic != Arithmetic::kFp64) x = values_of(bf16_codes(x));
}

DecodeLayer::Rows DecodeLayer::linear(Arithmetic arithmetic, const Rows& x, const Matrix& w) const {
  if (arithmetic != Arithmetic::kFp8) return plain_linear(arithmetic, x, w);
  const std::size_t rows = x.size() / w.cols;
  const Quantized a = quantized(narrowed(x), rows, w.cols, {1, 128}, 1);
  const Quantized b = quantized(w.values, w.rows, w.cols, {128, 128}, 1);
  std::vector<std::uint16_t> d(rows * w.rows);
  GemmOptions options;
  options.threads = 1;
  gemm(find_gemm_profile("deepgemm"), operand_of(a), operand_of(b), w.cols, Bf16::format, d.data(),
       options);
  return values_of(d);
}

/// A product that stays BF16 where linear layers are FP8; its weights come out of an FP8
/// checkpoint.
DecodeLayer::Rows DecodeLayer::plain_linear(Arithmetic arithmetic, const Rows& x,
                                            const Matrix& w) const {
  Rows weights = widened(w.values);
  if (arithmetic == Arithmetic::kFp64) return fp64_product(x, weights, w.cols, 1);
  if (arithmetic == Arithmetic::kFp8) {
    std::vector<float> read(w.values.size());
    dequantize(quantized(w.values, w.rows, w.cols, {128, 128}, 1), read, 1);
    weights = widened(read);
  }
  return bf16_product(x, weights, w.cols, 1);
}

DecodeLayer::Rows DecodeLayer::normalized(Arithmetic arithmetic, const Rows& x,
                                          std::size_t width) const {
  Rows y = x;
  for (std::size_t row = 0; row < x.size() / width; ++row) {
    const std::span<double> part = std::span(y).subspan(row * width, width);
    double sum = 0;
    for (const double v : part) sum += v * v;
    const double factor = 1 / std::sqrt(sum / static_cast<double>(width));
    for (double& v : part) v *= factor;
  }
  round(arithmetic, y);
  return y;
}

/// Entries as the cache gives them back.
DecodeLayer::Rows DecodeLayer::read_entries(Arithmetic arithmetic, const Rows& entries) const {
  if (arithmetic != Arithmetic::kFp8) return entries;
  const KvLayout& layout = find_kv_layout("flashmla");
  const std::vector<std::uint16_t> codes = bf16_codes(entries);
  std::vector<std::uint8_t> block(layout.block_bytes(entries.size() / kEntry));
  std::vector<std::uint16_t> read(codes.size());
  pack_kv_block(layout, codes, block, 1);
  unpack_kv_block(layout, block, read, 1);
  return values_of(read);
}

/// Scores [tokens, length + 1] of the context and of each token itself.
DecodeLayer::Rows DecodeLayer::index_scores(Arithmetic arithmetic, const Rows& ranked,
                                            const Rows& fresh) const {
  const Rows queries = linear(arithmetic, ranked, index_query_);
  const Rows context_latents = columns(widened(context_), kEntry, 0, kLatent);
  const Rows keys = linear(arithmetic, context_latents, index_key_);
  const Rows own = linear(arithmetic, columns(fresh, kEntry, 0, kLatent), index_key_);
  Rows scores;
  for (std::size_t t = 0; t < s_.tokens; ++t) {
    const Rows q = row_of(queries, s_.heads * kIndex, t);
    Rows k = keys;
    append(k, row_of(own, kIndex, t));
    if (arithmetic == Arithmetic::kFp64) {
      const Rows dots = fp64_product(k, q, kIndex, 1);
      for (std::size_t n = 0; n <= s_.length; ++n) {
        double sum = 0;
        for (std::size_t h = 0; h < s_.heads; ++h) sum += std::max(dots[n * s_.heads + h], 0.0);
        scores.push_back(sum);
      }
      continue;
    }
    const IndexerInputs in{1,
                           s_.heads,
                           kIndex,
                           s_.length + 1,
                           narrowed(q),
                           narrowed(k),
                           std::vector<float>(s_.heads, 1.0f)};
    if (arithmetic == Arithmetic::kBf16) {
      append(scores, exact_scores(in, 1));
    } else {
      const IndexerInputs turned = rotated(in, 1);
      const QuantizedIndexer q8 = quantize_indexer(turned, find_scale_recipe("deepseek-v3.2"),
                                                   kIndex, ScaleType::kPow2, E4M3::format, 1);
      append(scores, widened(fp8_scores(q8, turned, 1)));
    }
  }
  return scores;
}

/// One token's heads over the entries given: [heads, 512].
DecodeLayer::Rows DecodeLayer::attend(Arithmetic arithmetic, const Rows& query,
                                      const Rows& entries) const {
  if (arithmetic == Arithmetic::kFp64) return exact_latent_attention(query, entries, 1);
  const std::size_t n = entries.size() / kEntry;
  const auto bf16 = [&](std::span<const float> x, std::size_t rows, std::size_t cols) {
    return quantize_with_scale(x, rows, cols, {1.0f, 1.0f}, Bf16::format, 1);
  };
  const std::vector<float> values = narrowed(columns(entries, kEntry, 0, kLatent));
  FlashOptions options;
  options.probability = Bf16::format;
  options.score_scale = kScoreScale;
  options.block = 64;
  options.threads = 1;
  return flash_attention(
      {bf16(narrowed(query), s_.heads, kEntry), bf16(narrowed(entries), n, kEntry),
       bf16(transposed(values, n, kLatent), kLatent, n)},
      s_.heads, options);
}

DecodeLayer::Rows DecodeLayer::attention(Arithmetic arithmetic, bool sparse, const Rows& x,
                                         DecodeStep& step) const {
  constexpr std::size_t kQuery = kHead + kRope;
  const Rows h = normalized(arithmetic, x, s_.hidden);
  const Rows ranked = normalized(arithmetic, linear(arithmetic, h, query_down_), s_.query_rank);
  step.queries = linear(arithmetic, ranked, query_up_);
  const Rows down = linear(arithmetic, h, key_down_);
  const Rows latents = normalized(arithmetic, columns(down, kEntry, 0, kLatent), kLatent);
  Rows fresh;
  for (std::size_t t = 0; t < s_.tokens; ++t) {
    append(fresh, row_of(latents, kLatent, t));
    append(fresh, row_of(columns(down, kEntry, kLatent, kRope), kRope, t));
  }
  step.entries = read_entries(arithmetic, widened(context_));
  const Rows own = read_entries(arithmetic, fresh);
  if (sparse) step.scores = index_scores(arithmetic, ranked, fresh);
  Rows heads;
  for (std::size_t t = 0; t < s_.tokens; ++t) {
    Rows query, entries;
    for (std::size_t head = 0; head < s_.heads; ++head) {
      const Rows q = row_of(step.queries, kQuery, t * s_.heads + head);
      append(query,
             plain_linear(arithmetic, Rows(q.begin(), q.begin() + kHead), absorb_key_[head]));
      append(query, Rows(q.begin() + kHead, q.end()));
    }
    if (sparse) {
      const std::size_t n = s_.length + 1;
      step.selected.push_back(
          stable_top_k(std::span<const double>(step.scores).subspan(t * n, n), s_.top_k));
      for (const std::int32_t i : step.selected.back()) {
        const auto at = static_cast<std::size_t>(i);
        append(entries, at < s_.length ? row_of(step.entries, kEntry, at) : row_of(own, kEntry, t));
      }
    } else {
      entries = step.entries;
      append(entries, row_of(own, kEntry, t));
    }
    Rows latent = attend(arithmetic, query, entries);
    round(arithmetic, latent);
    for (std::size_t head = 0; head < s_.heads; ++head) {
      append(heads, plain_linear(arithmetic, row_of(latent, kLatent, head), absorb_value_[head]));
    }
  }
  return linear(arithmetic, heads, output_);
}

DecodeLayer::Rows DecodeLayer::feed_forward(Arithmetic arithmetic, const Expert& e,
                                            const Rows& x) const {
  const Rows gate = linear(arithmetic, x, e.gate), up = linear(arithmetic, x, e.up);
  Rows inner(gate.size());
  for (std::size_t i = 0; i < gate.size(); ++i)
    inner[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
  round(arithmetic, inner);
  return linear(arithmetic, inner, e.down);
}

DecodeLayer::Rows DecodeLayer::mixture(Arithmetic arithmetic, const Rows& x, DecodeStep& step) {
  Rows weights;
  if (arithmetic == Arithmetic::kFp64) {
    const Rows logits = fp64_product(x, widened(gate_.values), s_.hidden, 1);
    const auto choice = moe_gate(s_.gate, std::span<const double>(logits), {}, 1);
    step.experts = choice.experts;
    weights = choice.weights;
  } else {
    const auto a = bf16_codes(x), b = bf16_codes(widened(gate_.values));
    std::vector<float> logits(s_.tokens * s_.gate.experts);
    GemmOptions options;
    options.threads = 1;
    gemm(find_gemm_profile("fp32-sequential"), {Bf16::format, a.data(), s_.tokens},
         {Bf16::format, b.data(), s_.gate.experts}, s_.hidden, kFp32Format, logits.data(), options);
    const auto choice = moe_gate(s_.gate, std::span<const float>(logits), {}, 1);
    step.experts = choice.experts;
    weights = widened(choice.weights);
  }
  Rows y;
  for (std::size_t t = 0; t < s_.tokens; ++t) {
    const Rows token = row_of(x, s_.hidden, t);
    Rows sum = feed_forward(arithmetic, expert(s_.gate.experts), token);  // the shared one
    for (std::size_t k = t * s_.gate.active; k < (t + 1) * s_.gate.active; ++k) {
      const auto index = static_cast<std::size_t>(step.experts[k]);
      const Rows part = feed_forward(arithmetic, expert(index), token);
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += weights[k] * part[i];
    }
    append(y, sum);
  }
  round(arithmetic, y);
  return y;
}

DecodeStep DecodeLayer::run(Arithmetic arithmetic, bool sparse) {
  DecodeStep step;
  Rows x = widened(x_);
  step.attention = attention(arithmetic, sparse, x, step);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += step.attention[i];
  round(arithmetic, x);
  step.mixture = mixture(arithmetic, normalized(arithmetic, x, s_.hidden), step);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += step.mixture[i];
  round(arithmetic, x);
  step.output = x;
  return step;
}

}  // namespace binade::experiments
