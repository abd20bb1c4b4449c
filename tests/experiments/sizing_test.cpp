// X27: the bills against published figures (DeepSeek-V3 report; "Insights into DeepSeek-V3", arXiv
// 2505.09343, called ISCA here; FlashMLA) and against products written out by hand.
#include "binade/experiments/sizing.hpp"

#include <cmath>
#include <limits>

#include "catch.hpp"

using namespace binade::sizing;

namespace {

const ModelDimensions kV3 = shipped_model("deepseek-v3");
const ModelDimensions kV32 = shipped_model("deepseek-v3.2");

/// `value` printed with this many decimals is `expected`.
bool rounds_to(double value, double expected, int decimals) {
  const double unit = std::pow(10.0, -decimals);
  return std::fabs(value - expected) <= 0.5000001 * unit;
}

StateBill bill_of(const char* recipe) {
  return state_bill(671e9, find_state_recipe(recipe), 80e9, 2048);
}

TrainingBill training_of(double parameters, double peak, double utilisation) {
  return training_bill({6 * parameters, 14.8e12, 2048, peak, utilisation});
}

CacheBill cache_of(const ModelDimensions& m, const char* layout, std::int64_t context = 131072) {
  return cache_bill(m, find_cache_layout(layout), context, m.layers);
}

ExchangePlan decode_plan() {
  return {32, 9, 7000, parse_storage("e4m3"), parse_storage("bf16"), 50e9, 61, 2};
}

}  // namespace

TEST_CASE("X27 storage: bytes of elements and of their scales") {
  CHECK(parse_storage("none").bytes_each() == 0);
  CHECK(parse_storage("fp32").bytes_each() == 4);
  CHECK(parse_storage("bf16").bytes_each() == 2);
  CHECK(parse_storage("tf32").bytes_each() == 4);  // its padding is stored
  CHECK(parse_storage("e5m6").bytes_each() == 1.5);
  CHECK(parse_storage("e2m1:e8m0/1x32").bytes_each() == 0.5 + 1 / 32.0);
  CHECK(parse_storage("e4m3:fp32/128x128").bytes_each() == 1 + 4 / 16384.0);
  CHECK(parse_storage("e4m3:fp32/1x128").scale_bytes_each() == 0.03125);
  CHECK(parse_storage("e4m3:e8m0/32").scale_bytes_each() == 0.03125);
  CHECK(parse_storage("e4m3:e8m0/1x128").scale_bytes_each() == 0.0078125);
  CHECK(parse_storage("e4m3:fp32/128").bytes_of(7168) == 7168 + 56 * 4);
  CHECK(parse_storage("e4m3:fp32/128").bytes_of(129) == 129 + 2 * 4);  // the last block is ragged
  CHECK(671e9 * parse_storage("e4m3:fp32/128x128").scale_bytes_each() ==
        Approx(0.16e9).epsilon(0.03));
  CHECK(rounds_to(671 * parse_storage("e4m3:fp32/1x128").scale_bytes_each(), 21, 0));
  for (const char* wrong : {"", "fp9", "e4m3:", "e4m3:fp32", "e4m3:fp32/", "e4m3:fp32/0",
                            "e4m3:fp32/1x", "e4m3:fp32/-1", "e4m3:none/32", "e4m3:fp32/1x2x3"}) {
    INFO(wrong);
    CHECK_THROWS_WITH(parse_storage(wrong), ContainsSubstring("storage '" + std::string(wrong)));
  }
}

TEST_CASE("X27 memory: what 671e9 parameters weigh") {
  struct Row {
    const char* recipe;
    double bytes, terabytes, devices, per_cent;
  };
  for (const Row& row : {Row{"serve-fp32", 4, 2.684, 34, 1.64},
                         {"serve-bf16", 2, 1.342, 17, 0.82},
                         {"serve-fp8-128x128", 1 + 4 / 16384.0, 0.671, 9, 0.41},
                         {"fp32-adam", 12, 8.052, 101, 4.91},
                         {"fp32", 16, 10.736, 135, 6.55},
                         {"bf16-mixed", 16, 10.736, 135, 6.55},
                         {"fp8-mixed", 14, 9.394, 118, 5.73},
                         {"deepseek-v3", 13, 8.723, 110, 5.32}}) {
    INFO(row.recipe);
    const StateBill bill = bill_of(row.recipe);
    CHECK(bill.bytes_each == row.bytes);
    CHECK(rounds_to(bill.total_bytes / 1e12, row.terabytes, 3));
    CHECK(bill.devices == row.devices);
    CHECK(rounds_to(100 * bill.share, row.per_cent, 2));
    CHECK(bill.weights + bill.scales + bill.gradients + bill.master_weights + bill.moments ==
          bill.bytes_each);
  }
  CHECK(rounds_to(bill_of("deepseek-v3").total_bytes / 2048 / 1e9, 4.26, 2));
  // FP8 instead of BF16 weights frees one byte a parameter on each of 2048 devices.
  CHECK(
      rounds_to((bill_of("serve-bf16").weights - bill_of("fp8-mixed").weights) * 671e9 / 2048 / 1e6,
                327.6, 1));
  CHECK(state_bill(671e9, find_state_recipe("fp32"), 80e9).share == 0);
  // What one reads of weights: FP8 against BF16, by its scales.
  const double bf16 = bill_of("serve-bf16").bytes_each;
  CHECK(rounds_to(100 * bill_of("serve-fp8-128x128").bytes_each / bf16, 50.01, 2));
  CHECK(rounds_to(100 * bill_of("serve-mxfp8").bytes_each / bf16, 51.6, 1));
  CHECK(rounds_to(100 * bill_of("serve-mxfp4").bytes_each / bf16, 26.6, 1));
}

TEST_CASE("X27 training: hours from parameters, and what the reported hours say") {
  CHECK(training_of(37e9, 989e12, 0.5).total_flops == Approx(3.2856e24).epsilon(1e-12));
  struct Row {
    double parameters, peak, utilisation, seconds, days, million_hours;
  };
  for (const Row& row : {Row{37e9, 989e12, 0.5, 3.244e6, 37.55, 1.846},
                         {37e9, 1979e12, 0.5, 1.621e6, 18.77, 0.922},
                         {37e9, 1979e12, 0.4, 2.027e6, 23.46, 1.153},
                         {37e9, 989e12, 0.4, 4.055e6, 46.94, 2.307},
                         {671e9, 989e12, 0.5, 5.884e7, 681, 33.47}}) {
    INFO(row.million_hours);
    const TrainingBill bill = training_of(row.parameters, row.peak, row.utilisation);
    CHECK(bill.seconds == Approx(row.seconds).epsilon(5e-4));
    CHECK(bill.days == Approx(row.days).epsilon(3e-4));
    CHECK(bill.device_hours == Approx(row.million_hours * 1e6).epsilon(6e-4));
  }
  CHECK(training_of(671e9, 989e12, 0.5).seconds / 3600 == Approx(16343).epsilon(1e-4));

  const TrainingRate rate = training_rate(6 * 37e9, 14.8e12, 2048, 2.664e6);
  CHECK(rounds_to(rate.seconds / 1e6, 4.683, 3));
  CHECK(rounds_to(rate.seconds / 86400, 54.2, 1));
  CHECK(rounds_to(rate.tokens_per_second / 1e6, 3.160, 3));
  CHECK(rounds_to(rate.flops_per_device / 1e12, 342.6, 1));
  CHECK(rounds_to(100 * rate.flops_per_device / find_device("h800").bf16_flops, 34.6, 1));
  CHECK(rounds_to(100 * rate.flops_per_device / find_device("h800").fp8_flops, 17.3, 1));
  // 180K hours a trillion tokens; 2664K + 119K + 5K hours at 2 dollars.
  CHECK(rounds_to(kV3.training.device_hours / (kV3.training.tokens / 1e12) / 1e3, 180, 0));
  CHECK((kV3.training.device_hours + 119e3 + 5e3) * kV3.training.dollars_per_hour == 5.576e6);
}

TEST_CASE("X27 training: ISCA tables 2 and 4 hang together") {
  // Table 4: 272.80e9 tokens a day, 19.926 s a step, 385 and 432 TFLOPS on 2048 devices.
  const double tokens_per_second = 272.80e9 / 86400;
  CHECK(15360 * 4096 / 19.926 == Approx(tokens_per_second).epsilon(1e-3));
  CHECK(rounds_to(14.8e12 / 272.8e9, 54.3, 1));
  const double causal = 385e12 * 2048 / tokens_per_second, full = 432e12 * 2048 / tokens_per_second;
  CHECK(rounds_to(causal / 1e9, 249.7, 1));
  CHECK(rounds_to(full / 1e9, 280.2, 1));
  CHECK(rounds_to(100 * 385 / 989.0, 38.94, 1));
  CHECK(rounds_to(100 * 432 / 989.0, 43.73, 1));
  // Our own count from the dimensions at 4096 tokens: attention is the difference of the two.
  const TokenFlops v3 = token_flops(kV3, 4096);
  CHECK(v3.linear == 222e9);
  CHECK(v3.full_attention - v3.causal_attention == Approx(full - causal).epsilon(0.02));
  CHECK(v3.linear + v3.causal_attention == Approx(250e9).epsilon(0.02));
  CHECK(v3.linear / (v3.linear + v3.causal_attention) == Approx(0.89).margin(0.015));
  const TokenFlops llama = token_flops(shipped_model("llama-3.1-405b"), 4096);
  CHECK(llama.linear + llama.causal_attention == Approx(2448e9).epsilon(0.02));
  // Qwen-2.5-72B's 394 GFLOP is less than 6 FLOP for each of its parameters, and is not ours.
  const TokenFlops qwen = token_flops(shipped_model("qwen-2.5-72b"), 4096);
  CHECK(qwen.linear == Approx(436.2e9));
}

TEST_CASE("X27 cache: bytes a token") {
  CHECK(cache_of(kV3, "bf16").entry_bytes == 1152);
  CHECK(cache_of(kV3, "bf16").token_bytes == 70272);
  CHECK(cache_of(kV3, "flashmla").entry_bytes == 656);
  CHECK(cache_of(kV3, "flashmla").token_bytes == 40016);
  CHECK(cache_of(kV3, "flashmla").index_bytes == 0);
  CHECK(rounds_to(100 * cache_of(kV3, "flashmla").of_bf16, 56.9, 1));
  CHECK(cache_of(kV32, "flashmla").index_bytes == 132);
  CHECK(cache_of(kV32, "flashmla").index_bytes * 61 == 8052);
  CHECK(cache_of(kV32, "flashmla").token_bytes == 48068);
  CHECK(rounds_to(100 * cache_of(kV32, "flashmla").of_bf16, 68.4, 1));
  CHECK(cache_of(kV3, "all-heads").entry_bytes == 65536);
  CHECK(cache_of(kV3, "all-heads").token_bytes == 3997696);
  CHECK(rounds_to(cache_of(kV3, "all-heads").of_bf16, 57, 0));
  CHECK(cache_entry_bytes(find_cache_layout("flashmla"), 512, 64) == 656);
  CHECK(cache_entry_bytes(find_cache_layout("flashmla-v4"), 448, 64) == 584);

  CHECK(rounds_to(cache_of(kV3, "bf16").total_bytes / 1e9, 9.211, 3));
  CHECK(rounds_to(cache_of(kV3, "flashmla").total_bytes / 1e9, 5.245, 3));
  CHECK(rounds_to(cache_of(kV32, "flashmla").total_bytes / 1e9, 6.300, 3));
  // FlashMLA's notes: 128K tokens and 62 layers, the one for multi-token prediction included.
  const auto with_prediction =
      cache_bill(kV3, find_cache_layout("bf16"), 131072, kV3.layers + kV3.extra_layers);
  CHECK(rounds_to(with_prediction.total_bytes / (1 << 30), 8.72, 2));

  // ISCA table 1, in KB a token, and its ratios. 7.28 does not follow from its own two numbers.
  const double qwen = cache_of(shipped_model("qwen-2.5-72b"), "bf16").token_bytes;
  const double llama = cache_of(shipped_model("llama-3.1-405b"), "bf16").token_bytes;
  CHECK(qwen == 327680);
  CHECK(llama == 516096);
  CHECK(rounds_to(qwen / 70272, 4.66, 2));
  CHECK(rounds_to(llama / 70272, 7.344, 3));
}

TEST_CASE("X27 decode: bytes read for one token") {
  const Storage fp8 = parse_storage("e4m3");
  const CacheLayout& layout = find_cache_layout("flashmla");
  const double bandwidth = find_device("h200").memory_bandwidth;
  const DecodeBill dense = decode_bill(kV32, fp8, layout, 131072, false, bandwidth);
  const DecodeBill sparse = decode_bill(kV32, fp8, layout, 131072, true, bandwidth);
  CHECK(dense.weight_bytes == 37e9);
  CHECK(rounds_to(dense.weight_bytes / bandwidth * 1e3, 7.7, 1));
  CHECK(rounds_to(dense.cache_bytes / 1e9, 5.245, 3));
  CHECK(dense.index_bytes == 0);
  CHECK(rounds_to(sparse.cache_bytes / 1e9, 0.082, 3));
  CHECK(rounds_to(sparse.index_bytes / 1e9, 1.055, 3));
  CHECK(rounds_to((sparse.cache_bytes + sparse.index_bytes) / 1e9, 1.137, 3));
  CHECK(rounds_to(dense.cache_bytes / (sparse.cache_bytes + sparse.index_bytes), 4.6, 1));
  CHECK(sparse.total_bytes == sparse.weight_bytes + sparse.cache_bytes + sparse.index_bytes);
  CHECK(sparse.seconds == sparse.total_bytes / bandwidth);
  // Below top_k both read the same entries.
  CHECK(decode_bill(kV32, fp8, layout, 1000, true, 1).cache_bytes ==
        decode_bill(kV32, fp8, layout, 1000, false, 1).cache_bytes);
  CHECK_THROWS_WITH(decode_bill(kV3, fp8, layout, 1000, true, 1),
                    ContainsSubstring("DeepSeek-V3 has no indexer"));
}

TEST_CASE("X27 experts: ISCA's model of decoding, and training traffic") {
  ExchangePlan plan = decode_plan();
  const ExchangeBill published = exchange_bill(plan);
  CHECK(rounds_to(published.seconds * 1e6, 120.96, 2));
  CHECK(rounds_to(published.layer_seconds * 1e6, 241.92, 2));
  CHECK(rounds_to(published.step_seconds * 1e3, 14.76, 2));
  CHECK(rounds_to(published.steps_per_second, 67.8, 1));  // printed as "67"
  CHECK(published.of_bf16 == 0.75);
  plan.bandwidth = 900e9;  // NVL72
  CHECK(rounds_to(exchange_bill(plan).seconds * 1e6, 6.72, 2));
  CHECK(rounds_to(exchange_bill(plan).step_seconds * 1e3, 0.82, 2));
  CHECK(exchange_bill(plan).steps_per_second == Approx(1200).epsilon(0.02));

  plan = decode_plan();
  plan.hidden = 7168;
  CHECK(rounds_to(exchange_bill(plan).seconds * 1e6, 123.86, 2));
  plan.dispatch = parse_storage("e4m3:fp32/128");
  CHECK(exchange_bill(plan).seconds * 1e6 == Approx(125.15).epsilon(1e-4));
  plan = decode_plan();
  plan.dispatch = parse_storage("bf16");
  CHECK(rounds_to(exchange_bill(plan).seconds * 1e6, 161.28, 2));
  CHECK(exchange_bill(plan).of_bf16 == 1);

  // 4096 tokens a device to 8 experts each, in training.
  const ExchangePlan training{4096, 8, 7168, parse_storage("e4m3:fp32/128"), parse_storage("bf16"),
                              50e9};
  CHECK(rounds_to(exchange_bill(training).dispatch_bytes / 1e6, 242.2, 1));
  CHECK(rounds_to(exchange_bill(training).combine_bytes / 1e6, 469.8, 1));
  // To at most 4 nodes the network carries half of what 8 destinations would take.
  const auto dispatched = [&](double destinations) {
    ExchangePlan one = training;
    one.tokens = 1;
    one.destinations = destinations;
    return exchange_bill(one).dispatch_bytes;
  };
  CHECK(dispatched(static_cast<double>(kV3.experts.nodes)) == 29568);
  CHECK(dispatched(8) == 59136);
  // Scales: FP32 for 128 elements is 3.1 % of FP8.
  CHECK(dispatched(1) - 7168 == 224);
}

TEST_CASE("X27 attention: dense, sparse, and where the indexer takes over") {
  struct Row {
    std::int64_t context;
    double dense, core, index, ratio;
  };
  for (const Row& row : {Row{32768, 4563, 285, 268, 8.2}, {131072, 18254, 285, 1074, 13.4}}) {
    const AttentionBill bill = attention_bill(kV32, row.context);
    CHECK(rounds_to(bill.dense / 1e6, row.dense, 0));
    CHECK(rounds_to(bill.core / 1e6, row.core, 0));
    CHECK(rounds_to(bill.index / 1e6, row.index, 0));
    CHECK(rounds_to(bill.dense / (bill.core + bill.index), row.ratio, 1));
  }
  CHECK(indexer_crossover(kV32) == 34816);
  const AttentionBill at = attention_bill(kV32, 34816);
  CHECK(at.index == at.core);
  const AttentionBill far = attention_bill(kV32, std::int64_t{1} << 40);
  CHECK(far.dense / (far.core + far.index) == Approx(17).epsilon(1e-4));
  CHECK(attention_bill(kV3, 4096).index == 0);
  // Keys and values of its own for each head: 2 * 128 wide.
  CHECK(attention_bill(shipped_model("llama-3.1-405b"), 1000).dense == 128 * 256 * 1000.0);
  CHECK_THROWS_WITH(indexer_crossover(kV3), ContainsSubstring("has no indexer"));
}

TEST_CASE("X27 claims: each is reproduced by its mistake, and set right") {
  const auto all = claims();
  const auto claim = [&](const std::string& words) {
    for (const Claim& c : all) {
      if (c.statement.find(words) != std::string::npos) return c;
    }
    throw std::out_of_range(words);
  };
  for (const Claim& c : all) {
    INFO(c.statement);
    CHECK(!c.mistake.empty());
    CHECK(c.reproduced == Approx(c.claimed).epsilon(0.03));
    CHECK(c.correct != c.claimed);
  }
  CHECK(claim("33.5 million").correct == Approx(1.846e6).epsilon(5e-4));
  CHECK(claim("33.5 million").reproduced / claim("33.5 million").correct == Approx(671.0 / 37));
  CHECK(rounds_to(100 * claim("80 %").correct, 74.2, 1));
  CHECK(rounds_to(100 * claim("half of the BF16 cache").correct, 56.9, 1));
  CHECK(rounds_to(100 * claim("sparse attention").correct, 68.4, 1));
  CHECK(claim("between experts").correct == 0.75);
  CHECK(rounds_to(100 * claim("weights that are read").correct, 50.01, 2));
  CHECK(rounds_to(100 * claim("6.7 %").correct, 6.55, 2));
  CHECK(rounds_to(100 * claim("FP8 peak").correct, 17.3, 1));
  CHECK(rounds_to(claim("64 times").correct, 4.6, 1));
  CHECK(rounds_to(claim("7.28").correct, 7.344, 3));
}

TEST_CASE("models are read whole or refused") {
  for (const std::string& name : shipped_model_names()) {
    INFO(name);
    const ModelDimensions m = shipped_model(name);
    CHECK(!m.source.empty());
    CHECK(m.active_parameters <= m.parameters);
  }
  CHECK(shipped_model_names().size() == 4);
  CHECK_THROWS_WITH(shipped_model("deepseek-v4"), ContainsSubstring("nearest: deepseek-v3"));

  const std::string attention =
      R"("attention": {"kind": "gqa", "heads": 4, "kv_heads": 2, "head_dim": 8})";
  const auto model = [&](const std::string& rest) {
    return R"({"name": "m", "source": "s", "parameters": 1e6, "layers": 2, "hidden": 32, )" + rest +
           "}";
  };
  const std::string active = R"("active_parameters": 1e6, )";
  const ModelDimensions m = model_from_json(model(active + attention));
  CHECK(m.attention.kv_heads == 2);
  CHECK((!m.is_latent() && !m.has_indexer() && m.experts.routed == 0 && m.training.tokens == 0));
  CHECK(cache_of(m, "bf16", 1).token_bytes == 2 * 2 * 8 * 2 * 2);

  struct Wrong {
    std::string json, message;
  };
  for (const Wrong& wrong :
       {Wrong{"{", "no JSON"},
        {"[1]", "no JSON object"},
        {model(attention), "'active_parameters' is missing"},
        {model(R"("active_parameters": 2e6, )" + attention), "more than there are"},
        {model(active + attention + R"(, "hiden": 3)"), "unknown field 'hiden', nearest: hidden"},
        {model(R"("active_parameters": "1e6", )" + attention), "not a positive number"},
        {model(R"("active_parameters": -1, )" + attention), "not a positive number"},
        {model(R"("extra_layers": 1.5, "active_parameters": 1, )" + attention), "not an integer"},
        {model(active + R"("attention": 3)"), "'attention' is none"},
        {model(active + R"("attention": {"kind": "mha"})"), "not mla or gqa"},
        {model(active +
               R"("attention": {"kind": "gqa", "heads": 4, "kv_heads": 3, "head_dim": 8})"),
         "does not divide"}}) {
    INFO(wrong.json);
    CHECK_THROWS_WITH(model_from_json(wrong.json), ContainsSubstring(wrong.message));
  }
}

TEST_CASE("numbers that cannot be are refused with their names") {
  CHECK_THROWS_WITH(state_bill(0, find_state_recipe("fp32"), 80e9),
                    ContainsSubstring("parameters is 0"));
  CHECK_THROWS_WITH(training_bill({1, 1, 1, 1, std::numeric_limits<double>::quiet_NaN()}),
                    ContainsSubstring("utilisation is nan"));
  CHECK_THROWS_WITH(training_rate(1, 1, 1, -2), ContainsSubstring("device_hours is -2"));
  CHECK_THROWS_WITH(cache_of(kV3, "bf16", 0), ContainsSubstring("context is 0"));
  ExchangePlan plan = decode_plan();
  plan.tokens = -1;
  CHECK_THROWS_WITH(exchange_bill(plan), ContainsSubstring("tokens is -1"));
  CHECK_THROWS_WITH(find_device("h900"), ContainsSubstring("nearest: h800"));
  CHECK_THROWS_WITH(find_state_recipe("bf16"), ContainsSubstring("nearest: "));
  CHECK_THROWS_WITH(find_cache_layout("mla"), ContainsSubstring("nearest: "));
}
