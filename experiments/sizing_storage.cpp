// How tensors are stored, the recipes made of it, and the devices that hold them.
#include <charconv>
#include <stdexcept>

#include "binade/emulation/scale_recipe.hpp"
#include "binade/experiments/sizing.hpp"
#include "binade/formats/catalog.hpp"

namespace binade::sizing {

namespace {

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw std::invalid_argument("storage '" + std::string(text) + "': " + why +
                              ", expected none, FORMAT or FORMAT:SCALE/BLOCK as in bf16, "
                              "e4m3:fp32/128x128");
}

double bytes_of_format(std::string_view name) {
  const FloatFormat f = parse_element_format(name);
  return (f.bits() + f.padding_bits) / 8.0;
}

std::int64_t parse_count(std::string_view text, std::string_view whole) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size() || count < 1 || count > 1 << 24) {
    refuse(whole, "no block of '" + std::string(text) + "' elements");
  }
  return count;
}

/// "32", "1x128", "128x128".
std::int64_t parse_block(std::string_view text, std::string_view whole) {
  const std::size_t cross = text.find('x');
  if (cross == std::string_view::npos) return parse_count(text, whole);
  return parse_count(text.substr(0, cross), whole) * parse_count(text.substr(cross + 1), whole);
}

template <class Record>
const Record& find_named(const std::vector<Record>& all, std::string_view name,
                         const std::string& what) {
  std::vector<std::string> names;
  for (const Record& record : all) {
    if (record.name == name) return record;
    names.push_back(record.name);
  }
  std::string nearest;
  for (const std::string& near : nearest_names(name, names)) {
    nearest += (nearest.empty() ? "" : ", ") + near;
  }
  throw std::invalid_argument("no " + what + " '" + std::string(name) + "'; nearest: " + nearest);
}

StateRecipe training(const char* name, const char* title, const char* detail, const char* weights,
                     const char* gradients, const char* master, const char* moments) {
  return {name,
          title,
          detail,
          true,
          parse_storage(weights),
          parse_storage(gradients),
          parse_storage(master),
          parse_storage(moments),
          parse_storage(moments)};
}

StateRecipe serving(const char* name, const char* title, const char* detail, const char* weights) {
  StateRecipe recipe{name, title, detail, false};
  recipe.weights = parse_storage(weights);
  return recipe;
}

}  // namespace

double Storage::scale_bytes_each() const {
  return block == 0 ? 0 : scale_bytes / static_cast<double>(block);
}

double Storage::bytes_each() const { return element_bytes + scale_bytes_each(); }

double Storage::bytes_of(std::int64_t elements) const {
  const std::int64_t scales = block == 0 ? 0 : (elements + block - 1) / block;
  return static_cast<double>(elements) * element_bytes + static_cast<double>(scales) * scale_bytes;
}

Storage parse_storage(std::string_view text) {
  Storage storage;
  storage.name = text;
  if (text == "none") return storage;
  const std::size_t colon = text.find(':');
  try {
    storage.element_bytes = bytes_of_format(text.substr(0, colon));
    if (colon == std::string_view::npos) return storage;
    const std::string_view scale = text.substr(colon + 1);
    const std::size_t slash = scale.find('/');
    if (slash == std::string_view::npos) refuse(text, "a scale without its block");
    storage.scale_bytes = bytes_of_format(scale.substr(0, slash));
    storage.block = parse_block(scale.substr(slash + 1), text);
  } catch (const std::invalid_argument& error) {
    const std::string why = error.what();
    if (why.starts_with("storage '")) throw;
    refuse(text, why);
  }
  return storage;
}

const std::vector<StateRecipe>& state_recipes() {
  static const std::vector<StateRecipe> all = {
      training("fp32-adam", "FP32, no gradients kept", "weights and both Adam moments in FP32",
               "fp32", "none", "none", "fp32"),
      training("fp32", "FP32 throughout", "weights, gradients and both Adam moments in FP32",
               "fp32", "fp32", "none", "fp32"),
      training("bf16-mixed", "BF16 mixed",
               "BF16 weights and gradients; FP32 master weights and moments", "bf16", "bf16",
               "fp32", "fp32"),
      training("fp8-mixed", "FP8 mixed",
               "FP8 weights and gradients; FP32 master weights and moments", "e4m3", "e4m3", "fp32",
               "fp32"),
      training("deepseek-v3", "DeepSeek-V3 as reported",
               "FP8 weights; FP32 gradients and master weights; BF16 moments", "e4m3", "fp32",
               "fp32", "bf16"),
      serving("serve-fp32", "FP32", "weights alone", "fp32"),
      serving("serve-bf16", "BF16", "weights alone", "bf16"),
      serving("serve-fp8-1x128", "FP8, 1\u00d7128 tiles",
              "E4M3 with one FP32 scale for 128 weights", "e4m3:fp32/1x128"),
      serving("serve-mxfp8", "MXFP8", "E4M3 with one E8M0 scale for 32 weights", "e4m3:e8m0/1x32"),
      serving("serve-fp8-1x128-e8m0", "FP8, 1\u00d7128 tiles, E8M0",
              "E4M3 with one E8M0 scale for 128 weights", "e4m3:e8m0/1x128"),
      serving("serve-fp8-128x128", "FP8, 128\u00d7128 blocks",
              "E4M3 with one FP32 scale for 16384 weights", "e4m3:fp32/128x128"),
      serving("serve-mxfp4", "MXFP4", "E2M1 with one E8M0 scale for 32 weights", "e2m1:e8m0/1x32"),
  };
  return all;
}

const StateRecipe& find_state_recipe(std::string_view name) {
  return find_named(state_recipes(), name, "state recipe");
}

const std::vector<CacheLayout>& cache_layouts() {
  static const std::vector<CacheLayout> all = [] {
    const Storage bf16 = parse_storage("bf16"), fp8 = parse_storage("e4m3"),
                  tiles = parse_storage("e4m3:fp32/128"), index = tiles;
    return std::vector<CacheLayout>{
        {"bf16", "everything in BF16", bf16, bf16, parse_storage("bf16")},
        {"fp8", "everything in FP8, one scale for all", fp8, fp8, index},
        {"flashmla", "FP8 with an FP32 scale for 128 elements, the rotary part in BF16", tiles,
         bf16, index},
        {"flashmla-v4", "FP8 with an E8M0 scale for 64 elements, the rotary part in BF16, padded",
         parse_storage("e4m3:e8m0/64"), bf16, index, 8},
        {"all-heads", "BF16 keys and values of every head, as if heads shared nothing", bf16,
         parse_storage("none"), parse_storage("none"), 1, true},
    };
  }();
  return all;
}

const CacheLayout& find_cache_layout(std::string_view name) {
  return find_named(cache_layouts(), name, "cache layout");
}

const std::vector<Device>& devices() {
  static const std::vector<Device> all = {
      {"h800", "NVIDIA H800 SXM: H100 with NVLink cut to 400 GB/s; 400 Gb/s InfiniBand", 80e9,
       3.35e12, 989e12, 1979e12, 50e9},
      {"h100", "NVIDIA H100 SXM data sheet; 400 Gb/s InfiniBand", 80e9, 3.35e12, 989e12, 1979e12,
       50e9},
      {"h200", "NVIDIA H200 SXM data sheet; 400 Gb/s InfiniBand", 141e9, 4.8e12, 989e12, 1979e12,
       50e9},
  };
  return all;
}

const Device& find_device(std::string_view name) { return find_named(devices(), name, "device"); }

}  // namespace binade::sizing
