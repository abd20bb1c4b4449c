// What a model's state weighs under each precision recipe.
#include <array>
#include <cmath>

#include "page/tables.hpp"

namespace binade::page {
namespace {

constexpr double kParameters = 671e9;  // DeepSeek-V3
constexpr double kDeviceBytes = 80e9;
constexpr std::array kParts{"weights", "scales", "gradients", "master weights", "Adam moments"};

/// Bytes per parameter, part by part in the order of kParts.
struct Recipe {
  const char* group;
  const char* name;
  const char* detail;
  std::array<double, 5> bytes;
};

constexpr Recipe kRecipes[] = {
    {"training",
     "FP32 throughout",
     "weights, gradients and both Adam moments in FP32",
     {4, 0, 4, 0, 8}},
    {"training",
     "BF16 mixed",
     "BF16 weights and gradients; FP32 master weights and moments",
     {2, 0, 2, 4, 8}},
    {"training",
     "FP8 mixed",
     "FP8 weights and gradients; FP32 master weights and moments",
     {1, 0, 1, 4, 8}},
    {"training",
     "DeepSeek-V3 as reported",
     "FP8 weights; FP32 gradients and master weights; BF16 moments",
     {1, 0, 4, 4, 4}},
    {"serving", "FP32", "weights alone", {4, 0, 0, 0, 0}},
    {"serving", "BF16", "weights alone", {2, 0, 0, 0, 0}},
    {"serving",
     "FP8, 1\u00d7128 tiles",
     "E4M3 with one FP32 scale for 128 weights",
     {1, 4.0 / 128, 0, 0, 0}},
    {"serving", "MXFP8", "E4M3 with one E8M0 scale for 32 weights", {1, 1.0 / 32, 0, 0, 0}},
    {"serving",
     "FP8, 128\u00d7128 blocks",
     "E4M3 with one FP32 scale for 16384 weights",
     {1, 4.0 / 16384, 0, 0, 0}},
    {"serving", "MXFP4", "E2M1 with one E8M0 scale for 32 weights", {0.5, 1.0 / 32, 0, 0, 0}},
};

Json describe(const Recipe& r) {
  double bytes = 0.0;
  for (const double part : r.bytes) bytes += part;
  const double total = bytes * kParameters;
  return {{"group", r.group},
          {"name", r.name},
          {"detail", r.detail},
          {"parts", r.bytes},
          {"bytesPerParameter", bytes},
          {"totalBytes", total},
          {"devices", std::ceil(total / kDeviceBytes)}};
}

}  // namespace

Json memory_tables() {
  Json recipes = Json::array();
  for (const Recipe& r : kRecipes) recipes.push_back(describe(r));
  return {{"parameters", kParameters},
          {"deviceBytes", kDeviceBytes},
          {"parts", kParts},
          {"recipes", recipes}};
}

}  // namespace binade::page
