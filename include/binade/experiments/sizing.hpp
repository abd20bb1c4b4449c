// Sizing: what a model's state, training, cache, decoding, communication and attention cost,
// counted from its dimensions and from how each kind of tensor is stored.
//
// Units: bytes, seconds, FLOP; a TB is 1e12 bytes. Arithmetic: closed formulas in fp64, as each
// function states. Determinism: pure functions. Tests: tests/experiments/sizing_test.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace binade::sizing {

// ---- What is counted: storage, models, devices ----------------------------------------------

/// How a tensor's elements are stored, and the scales beside them.
struct Storage {
  std::string name = "none";  ///< as parse_storage takes it
  double element_bytes = 0;
  double scale_bytes = 0;  ///< of one scale
  std::int64_t block = 0;  ///< elements that share a scale; 0: there are no scales

  double scale_bytes_each() const;               ///< scale_bytes / block
  double bytes_each() const;                     ///< with its share of the scales
  double bytes_of(std::int64_t elements) const;  ///< of one run, scales counted whole
};

/// "none" (not kept), FORMAT, or FORMAT:SCALE/BLOCK as in bf16, e4m3:fp32/128x128, e2m1:e8m0/32.
/// Errors: std::invalid_argument saying what was found.
Storage parse_storage(std::string_view text);

/// The dimensions of a transformer. 0 stands for what a model does not have or did not report.
struct ModelDimensions {
  std::string name, source;
  double parameters = 0, active_parameters = 0;  ///< in all, and of those that one token meets
  std::int64_t layers = 0;
  std::int64_t extra_layers = 0;  ///< multi-token prediction, with a cache of their own
  std::int64_t hidden = 0;

  /// Grouped queries keep kv_heads keys and values of head_dim; latent attention (latent > 0) keeps
  /// one latent and one rotary part a token, which all heads read.
  struct Attention {
    std::int64_t heads = 0, kv_heads = 0, head_dim = 0, latent = 0, rope = 0;
  } attention;
  /// DeepSeek sparse attention's index: which top_k tokens a query reads.
  struct Indexer {
    std::int64_t heads = 0, head_dim = 0, top_k = 0;
  } indexer;
  struct Experts {
    std::int64_t routed = 0, shared = 0, active = 0, width = 0;
    std::int64_t layers = 0;  ///< layers that have them
    std::int64_t nodes = 0;   ///< most nodes that a token is sent to
  } experts;
  struct Training {
    double tokens = 0, devices = 0, device_hours = 0, dollars_per_hour = 0;
  } training;

  bool is_latent() const { return attention.latent > 0; }
  bool has_indexer() const { return indexer.heads > 0; }
};

/// Reads a model from JSON: an object with the fields above, of which extra_layers, indexer,
/// experts and training may be missing; attention.kind is "mla" or "gqa".
/// Errors: std::invalid_argument for text that is no JSON, fields unknown or missing, numbers that
/// are negative, zero where they must not be, or no integers.
ModelDimensions model_from_json(std::string_view json);
/// The models that come with the library, by the stems of experiments/models/*.json.
std::vector<std::string> shipped_model_names();
/// Errors: std::invalid_argument naming the nearest.
ModelDimensions shipped_model(std::string_view name);

/// A device, as its vendor describes it: dense peaks, memory, and the network beside it.
struct Device {
  std::string name, source;
  double memory_bytes = 0, memory_bandwidth = 0;  ///< bytes, bytes/s
  double bf16_flops = 0, fp8_flops = 0;           ///< FLOP/s
  double network_bandwidth = 0;                   ///< bytes/s to other nodes
};
/// h800, h100, h200. Errors of find_device: std::invalid_argument naming the nearest.
const std::vector<Device>& devices();
const Device& find_device(std::string_view name);

// ---- Memory: static state --------------------------------------------------------------------

/// Which copies of the parameters are kept, and how.
struct StateRecipe {
  std::string name, title, detail;
  bool training = true;  ///< else: weights to serve
  Storage weights{}, gradients{}, master_weights{}, first_moment{}, second_moment{};
};
const std::vector<StateRecipe>& state_recipes();
/// Errors: std::invalid_argument naming the nearest.
const StateRecipe& find_state_recipe(std::string_view name);

/// Bytes for each parameter, part by part, and what they come to.
struct StateBill {
  double weights = 0, scales = 0, gradients = 0, master_weights = 0, moments = 0;
  double bytes_each = 0;  ///< their sum
  double total_bytes = 0;
  double devices = 0;  ///< that hold this and nothing else, rounded up
  double share = 0;    ///< of the memory of `fleet` devices; 0 for no fleet
};
/// Arithmetic: bytes_each = the sum over the copies of element_bytes + scale_bytes / block.
/// Errors: std::invalid_argument unless parameters and device_bytes are positive.
StateBill state_bill(double parameters, const StateRecipe& recipe, double device_bytes,
                     double fleet = 0);

// ---- Training --------------------------------------------------------------------------------

/// FLOP to train on one token. linear = 6 * active_parameters (Kaplan et al. 2020); attention =
/// 6 * layers * heads * (query width + value width) * context, half of it where masked causally.
struct TokenFlops {
  double linear = 0, causal_attention = 0, full_attention = 0;
};
TokenFlops token_flops(const ModelDimensions& model, std::int64_t context);

struct TrainingPlan {
  double flops_per_token = 0, tokens = 0, devices = 0, peak_flops = 0, utilisation = 0;
};
/// total_flops = flops_per_token * tokens; seconds = total_flops / (devices * peak * utilisation).
struct TrainingBill {
  double total_flops = 0, seconds = 0, days = 0, device_hours = 0;
};
/// Errors: std::invalid_argument unless every field is positive and finite.
TrainingBill training_bill(const TrainingPlan& plan);

/// What a finished run says of itself: tokens/s, and FLOP/s of each device.
struct TrainingRate {
  double seconds = 0, tokens_per_second = 0, flops_per_device = 0;
};
TrainingRate training_rate(double flops_per_token, double tokens, double devices,
                           double device_hours);

// ---- The key-value cache ---------------------------------------------------------------------

/// How one token's entry in one layer is laid out.
struct CacheLayout {
  std::string name, detail;
  Storage content{};     ///< keys and values, or the latent
  Storage rope{};        ///< the rotary part of latent attention
  Storage index_keys{};  ///< of the sparse indexer, where a model has one
  std::int64_t padded_to = 1;
  bool all_heads = false;  ///< keys and values of every head, as if nothing were shared
};
/// bf16, fp8, flashmla, flashmla-v4, all-heads.
const std::vector<CacheLayout>& cache_layouts();
/// Errors: std::invalid_argument naming the nearest.
const CacheLayout& find_cache_layout(std::string_view name);

/// Bytes of one entry of `content` and `rope` elements, without index keys.
double cache_entry_bytes(const CacheLayout& layout, std::int64_t content, std::int64_t rope);

struct CacheBill {
  double entry_bytes = 0;  ///< a token in a layer
  double index_bytes = 0;  ///< its index key
  double token_bytes = 0;  ///< in all layers
  double total_bytes = 0;  ///< of `context` tokens
  double of_bf16 = 0;      ///< over the BF16 cache of the same model, which has no index keys
};
/// Errors: std::invalid_argument unless context and layers are positive.
CacheBill cache_bill(const ModelDimensions& model, const CacheLayout& layout, std::int64_t context,
                     std::int64_t layers);

// ---- Decoding --------------------------------------------------------------------------------

/// Bytes that one decoded token reads, with nothing shared between requests.
struct DecodeBill {
  double weight_bytes = 0, cache_bytes = 0, index_bytes = 0, total_bytes = 0;
  double seconds = 0;  ///< total_bytes / bandwidth: a bound from below
};
/// Dense: every entry of the context. Sparse: min(context, top_k) entries and every index key.
/// Errors: std::invalid_argument for a sparse bill of a model without an indexer, a context or a
/// bandwidth that is not positive.
DecodeBill decode_bill(const ModelDimensions& model, const Storage& weights,
                       const CacheLayout& layout, std::int64_t context, bool sparse,
                       double bandwidth);

// ---- Expert-parallel communication -----------------------------------------------------------

struct ExchangePlan {
  double tokens = 0;        ///< of one micro-batch on one device
  double destinations = 0;  ///< that each token is sent to
  std::int64_t hidden = 0;
  Storage dispatch{}, combine{};
  double bandwidth = 0;  ///< bytes/s
  std::int64_t layers = 1;
  std::int64_t overlapped = 1;  ///< micro-batches that take turns: one computes, one exchanges
};
/// Per layer, forward. seconds = (dispatch + combine) / bandwidth; layer_seconds = seconds *
/// overlapped; step_seconds = layer_seconds * layers.
struct ExchangeBill {
  double dispatch_bytes = 0, combine_bytes = 0;
  double seconds = 0, layer_seconds = 0, step_seconds = 0;
  double steps_per_second = 0;
  double of_bf16 = 0;  ///< bytes over those of BF16 both ways
};
/// Errors: std::invalid_argument unless the plan's numbers are positive.
ExchangeBill exchange_bill(const ExchangePlan& plan);

// ---- Sparse attention ------------------------------------------------------------------------

/// Multiply-accumulates of one query in one layer.
struct AttentionBill {
  double dense = 0;
  double core = 0, index = 0;  ///< of sparse attention; 0 without an indexer
};
/// dense = heads * (key width + value width) * context; core the same over min(context, top_k);
/// index = indexer.heads * indexer.head_dim * context. Errors: unless context is positive.
AttentionBill attention_bill(const ModelDimensions& model, std::int64_t context);
/// The context at which index = core. Errors: std::invalid_argument without an indexer.
double indexer_crossover(const ModelDimensions& model);

// ---- Claims ----------------------------------------------------------------------------------

/// A figure that is met in articles, the computation that gives it, and what is right.
struct Claim {
  std::string statement;
  double claimed = 0;
  std::string unit;
  double reproduced = 0;  ///< by the mistake that `mistake` names
  double correct = 0;
  std::string mistake;
};
std::vector<Claim> claims();

}  // namespace binade::sizing
