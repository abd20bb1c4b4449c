#include "binade/emulation/mqa_logits.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "binade/emulation/gemm.hpp"
#include "binade/formats/catalog.hpp"

namespace binade {
namespace {

constexpr std::size_t kKeysAtOnce = 4096;
constexpr std::size_t kSharedHeads = 8;  // one row of accumulators: four threads, two heads each

/// fmaxf(x, 0): a NaN gives 0.
float relu(float x) { return x > 0.0f ? x : 0.0f; }

/// One logit of the dot products of all heads with one key.
float reduce_heads(const float* dots, const float* weights, std::size_t heads, float scale) {
  float by_thread[4];
  for (std::size_t t = 0; t < 4; ++t) {
    float sums[2];
    for (std::size_t odd = 0; odd < 2; ++odd) {
      const std::size_t first = 2 * t + odd;
      float sum = relu(dots[first]) * weights[first];
      for (std::size_t h = first + kSharedHeads; h < heads; h += kSharedHeads) {
        sum = std::fma(relu(dots[h]), weights[h], sum);
      }
      sums[odd] = sum;
    }
    by_thread[t] = (sums[0] + sums[1]) * scale;
  }
  const float logit = (by_thread[0] + by_thread[1]) + (by_thread[2] + by_thread[3]);
  return std::isnan(logit) ? bit_cast<float>(0x7fffffffu) : logit;
}

void require(bool holds, const std::string& what) {
  if (!holds) throw std::invalid_argument("MQA logits: " + what);
}

void check(const MqaQueries& q, const MqaKeys& k, std::size_t logits, const MqaOptions& options) {
  const auto number = [](std::size_t n) { return std::to_string(n); };
  require(q.queries > 0 && k.keys > 0 && q.codes != nullptr && k.codes != nullptr,
          "no queries or no keys");
  require(q.heads > 0 && q.heads % kSharedHeads == 0,
          number(q.heads) + " heads, expected a multiple of 8");
  require(q.width > 0 && q.width % 32 == 0,
          "heads of " + number(q.width) + " elements, expected a multiple of 32");
  require(q.weights.size() == q.queries * q.heads,
          number(q.weights.size()) + " weights, expected " + number(q.queries * q.heads));
  require(k.scales.size() == k.keys,
          number(k.scales.size()) + " scales, expected " + number(k.keys));
  require(logits == q.queries * k.keys,
          "room for " + number(logits) + " logits, expected " + number(q.queries * k.keys));
  for (const auto& bounds : {options.begins, options.ends}) {
    require(bounds.empty() || bounds.size() == q.queries,
            number(bounds.size()) + " bounds, expected " + number(q.queries));
  }
  require(options.threads >= 0,
          "threads: found " + std::to_string(options.threads) + ", expected 0 or more");
}

const Instruction& instruction_of(const MqaOptions& options) {
  if (options.instruction == nullptr) return find_instruction("hopper.wgmma.f32.e4m3.e4m3");
  const Instruction& i = *options.instruction;
  require(i.a == E4M3::format && i.b == E4M3::format && i.c == kFp32Format,
          "instruction " + i.name + ", expected one of E4M3 operands and an FP32 result");
  return i;
}

}  // namespace

void mqa_logits(const MqaQueries& queries, const MqaKeys& keys, std::span<float> logits,
                const MqaOptions& options) {
  check(queries, keys, logits.size(), options);
  GemmOptions chain;
  chain.instruction = &instruction_of(options);
  chain.threads = options.threads;
  const int team = options.threads > 0 ? options.threads : omp_get_max_threads();
  const std::size_t heads = queries.heads, width = queries.width;
  std::vector<float> dots(std::min(kKeysAtOnce, keys.keys) * heads);
  for (std::size_t m = 0; m < queries.queries; ++m) {
    const GemmOperand q{E4M3::format, queries.codes + m * heads * width, heads};
    const std::size_t begin = options.begins.empty() ? 0 : options.begins[m];
    const std::size_t end = options.ends.empty() ? keys.keys : options.ends[m];
    const float* weights = queries.weights.data() + m * heads;
    float* row = logits.data() + m * keys.keys;
    for (std::size_t first = 0; first < keys.keys; first += kKeysAtOnce) {
      const std::size_t count = std::min(kKeysAtOnce, keys.keys - first);
      const GemmOperand k{E4M3::format, keys.codes + first * width, count};
      gemm(find_gemm_profile("cublaslt-fast"), k, q, width, kFp32Format, dots.data(), chain);
#pragma omp parallel for num_threads(team) schedule(static)
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t n = first + i;
        row[n] = n >= begin && n < end
                     ? reduce_heads(dots.data() + i * heads, weights, heads, keys.scales[n])
                     : -std::numeric_limits<float>::infinity();
      }
    }
  }
}

}  // namespace binade
