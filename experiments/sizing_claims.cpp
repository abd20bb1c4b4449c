// Figures that articles repeat, each reproduced by the mistake behind it.
#include "binade/experiments/sizing.hpp"

namespace binade::sizing {

namespace {

double training_hours(double parameters, const ModelDimensions& m) {
  const TrainingPlan plan{6 * parameters, m.training.tokens, m.training.devices,
                          find_device("h800").bf16_flops, 0.5};
  return training_bill(plan).device_hours;
}

/// Bytes of dispatch and combine together over those of BF16 both ways.
double exchange_share(const char* dispatch, const char* combine) {
  return exchange_bill({1, 1, 7168, parse_storage(dispatch), parse_storage(combine), 1}).of_bf16;
}

double bytes_each(const char* storage) { return parse_storage(storage).bytes_each(); }
double saved(const char* storage) { return 1 - bytes_each(storage) / bytes_each("fp32"); }

Claim hours_claim(const ModelDimensions& v3) {
  return {"training DeepSeek-V3 in BF16 at half of peak takes 33.5 million GPU-hours",
          33.5e6,
          "hours",
          training_hours(v3.parameters, v3),
          training_hours(v3.active_parameters, v3),
          "all 671e9 parameters counted for each token; 37e9 are active"};
}

Claim utilisation_claim(const ModelDimensions& v3) {
  const TrainingRate rate = training_rate(6 * v3.active_parameters, v3.training.tokens,
                                          v3.training.devices, v3.training.device_hours);
  const Device& h800 = find_device("h800");
  return {"DeepSeek-V3's training used about 40 % of the FP8 peak", 0.40, "",
          // What BF16's peak gives once attention is counted, 250 GFLOP a token.
          250e9 * rate.tokens_per_second / v3.training.devices / h800.bf16_flops,
          rate.flops_per_device / h800.fp8_flops,
          "a share of the BF16 peak, attention included, taken for one of the FP8 peak"};
}

Claim reads_claim(const ModelDimensions& v32) {
  const CacheLayout& layout = find_cache_layout("flashmla");
  const Storage weights = parse_storage("e4m3");
  const std::int64_t context = 131072;
  const DecodeBill dense = decode_bill(v32, weights, layout, context, false, 1);
  const DecodeBill sparse = decode_bill(v32, weights, layout, context, true, 1);
  return {"sparse attention reads 64 times less of the cache at 128K tokens",
          64,
          "times",
          dense.cache_bytes / sparse.cache_bytes,
          dense.cache_bytes / (sparse.cache_bytes + sparse.index_bytes),
          "the 2048 chosen entries counted, the index keys of all 131072 not"};
}

}  // namespace

std::vector<Claim> claims() {
  const ModelDimensions v3 = shipped_model("deepseek-v3"), v32 = shipped_model("deepseek-v3.2");
  const auto cache = [](const ModelDimensions& m, const char* layout) {
    return cache_bill(m, find_cache_layout(layout), 1, m.layers);
  };
  const ModelDimensions llama = shipped_model("llama-3.1-405b");
  const CacheLayout& bf16 = find_cache_layout("bf16");
  const double v3_token = cache(v3, "bf16").token_bytes;
  const double bf16_state =
      state_bill(v3.parameters, find_state_recipe("bf16-mixed"), 80e9).total_bytes;
  return {
      hours_claim(v3),
      {"FP8 takes 80 % less memory than FP32", 0.80, "", saved("e3m2:e8m0/32"),
       saved("e4m3:fp32/128"),
       "no storage of 8 bits saves that much; MXFP6, 6.25 bits with its scales, does"},
      {"FP8 halves the weights that are read", 0.5, "", bytes_each("e4m3") / bytes_each("bf16"),
       bytes_each("e4m3:fp32/128x128") / bytes_each("bf16"),
       "scales left out; in blocks of 128x128 that is nearly right, in tiles of 1x128 it is not"},
      {"an FP8 cache is half of the BF16 cache", 0.5, "", cache(v3, "fp8").of_bf16,
       cache(v3, "flashmla").of_bf16, "scales and the rotary part, which stays BF16, left out"},
      {"the same, with sparse attention", 0.5, "", cache(v3, "fp8").of_bf16,
       cache(v32, "flashmla").of_bf16, "the index keys left out besides"},
      {"FP8 halves the traffic between experts", 0.5, "", exchange_share("e4m3", "e4m3"),
       exchange_share("e4m3", "bf16"), "results counted as FP8; they come back in BF16"},
      {"the BF16 recipe's state is 6.7 % of 2048 devices of 80 GB", 0.067, "", bf16_state / 160e12,
       bf16_state / (2048 * 80e9), "163.84 TB rounded to 160 TB"},
      utilisation_claim(v3),
      reads_claim(v32),
      {"LLaMA-3.1-405B's cache is 7.28 times DeepSeek-V3's", 7.28, "times",
       cache_bill(llama, bf16, 1, llama.layers - 1).token_bytes / v3_token,
       cache_bill(llama, bf16, 1, llama.layers).token_bytes / v3_token,
       "does not follow from the 516.096 and 70.272 KB beside it; one layer fewer comes near"},
  };
}

}  // namespace binade::sizing
