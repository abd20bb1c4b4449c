// What a model's state weighs under each precision recipe.
#include <array>

#include "binade/experiments/sizing.hpp"
#include "page/tables.hpp"

namespace binade::page {
namespace {

constexpr std::array kParts{"weights", "scales", "gradients", "master weights", "Adam moments"};

Json describe(const sizing::StateRecipe& recipe, const sizing::StateBill& bill) {
  return {{"group", recipe.training ? "training" : "serving"},
          {"name", recipe.title},
          {"detail", recipe.detail},
          {"parts", {bill.weights, bill.scales, bill.gradients, bill.master_weights, bill.moments}},
          {"bytesPerParameter", bill.bytes_each},
          {"totalBytes", bill.total_bytes},
          {"devices", bill.devices}};
}

}  // namespace

Json memory_tables() {
  const double parameters = sizing::shipped_model("deepseek-v3").parameters;
  const double device_bytes = sizing::find_device("h800").memory_bytes;
  Json recipes = Json::array();
  for (const sizing::StateRecipe& r : sizing::state_recipes()) {
    recipes.push_back(describe(r, sizing::state_bill(parameters, r, device_bytes)));
  }
  return {{"parameters", parameters},
          {"deviceBytes", device_bytes},
          {"parts", kParts},
          {"recipes", recipes}};
}

}  // namespace binade::page
