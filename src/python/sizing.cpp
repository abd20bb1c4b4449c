#include "binade/experiments/sizing.hpp"

#include "bindings.hpp"

namespace binade::python {
namespace {

using sizing::ModelDimensions;
/// A bill by the names of its fields.
using Bill = std::vector<std::pair<std::string, double>>;

Bill state(double parameters, const std::string& recipe, double device_bytes, double fleet) {
  const auto b =
      sizing::state_bill(parameters, sizing::find_state_recipe(recipe), device_bytes, fleet);
  return {{"weights", b.weights},
          {"scales", b.scales},
          {"gradients", b.gradients},
          {"master_weights", b.master_weights},
          {"moments", b.moments},
          {"bytes_each", b.bytes_each},
          {"total_bytes", b.total_bytes},
          {"devices", b.devices},
          {"share", b.share}};
}

Bill flops(const ModelDimensions& model, std::int64_t context) {
  const auto f = sizing::token_flops(model, context);
  return {{"linear", f.linear},
          {"causal_attention", f.causal_attention},
          {"full_attention", f.full_attention}};
}

Bill training(double flops_per_token, double tokens, double devices, double peak_flops,
              double utilisation) {
  const auto b = sizing::training_bill({flops_per_token, tokens, devices, peak_flops, utilisation});
  return {{"total_flops", b.total_flops},
          {"seconds", b.seconds},
          {"days", b.days},
          {"device_hours", b.device_hours}};
}

Bill cache(const ModelDimensions& model, const std::string& layout, std::int64_t context,
           std::int64_t layers) {
  const auto b = sizing::cache_bill(model, sizing::find_cache_layout(layout), context, layers);
  return {{"entry_bytes", b.entry_bytes},
          {"index_bytes", b.index_bytes},
          {"token_bytes", b.token_bytes},
          {"total_bytes", b.total_bytes},
          {"of_bf16", b.of_bf16}};
}

Bill decoding(const ModelDimensions& model, const std::string& weights, const std::string& layout,
              std::int64_t context, bool sparse, double bandwidth) {
  const auto b = sizing::decode_bill(model, sizing::parse_storage(weights),
                                     sizing::find_cache_layout(layout), context, sparse, bandwidth);
  return {{"weight_bytes", b.weight_bytes},
          {"cache_bytes", b.cache_bytes},
          {"index_bytes", b.index_bytes},
          {"total_bytes", b.total_bytes},
          {"seconds", b.seconds}};
}

Bill exchange(double tokens, double destinations, std::int64_t hidden, const std::string& dispatch,
              const std::string& combine, double bandwidth, std::int64_t layers,
              std::int64_t overlapped) {
  const auto b =
      sizing::exchange_bill({tokens, destinations, hidden, sizing::parse_storage(dispatch),
                             sizing::parse_storage(combine), bandwidth, layers, overlapped});
  return {{"dispatch_bytes", b.dispatch_bytes},
          {"combine_bytes", b.combine_bytes},
          {"seconds", b.seconds},
          {"layer_seconds", b.layer_seconds},
          {"step_seconds", b.step_seconds},
          {"steps_per_second", b.steps_per_second},
          {"of_bf16", b.of_bf16}};
}

Bill attention(const ModelDimensions& model, std::int64_t context) {
  const auto b = sizing::attention_bill(model, context);
  return {{"dense", b.dense}, {"core", b.core}, {"index", b.index}};
}

void bind_records(py::module_& m) {
  py::class_<ModelDimensions>(m, "ModelDimensions", "The dimensions of a transformer.")
      .def_static("find", &sizing::shipped_model, py::arg("name"))
      .def_static("from_json", &sizing::model_from_json, py::arg("json"))
      .def_readonly("name", &ModelDimensions::name)
      .def_readonly("source", &ModelDimensions::source)
      .def_readonly("parameters", &ModelDimensions::parameters)
      .def_readonly("active_parameters", &ModelDimensions::active_parameters)
      .def_readonly("layers", &ModelDimensions::layers)
      .def_readonly("hidden", &ModelDimensions::hidden)
      .def_property_readonly("is_latent", &ModelDimensions::is_latent)
      .def_property_readonly("has_indexer", &ModelDimensions::has_indexer);
  m.def("model_names", &sizing::shipped_model_names);
  py::class_<sizing::Device>(m, "Device", "A device, as its vendor describes it.")
      .def_static("find", &sizing::find_device, py::arg("name"), py::return_value_policy::reference)
      .def_readonly("name", &sizing::Device::name)
      .def_readonly("source", &sizing::Device::source)
      .def_readonly("memory_bytes", &sizing::Device::memory_bytes)
      .def_readonly("memory_bandwidth", &sizing::Device::memory_bandwidth)
      .def_readonly("bf16_flops", &sizing::Device::bf16_flops)
      .def_readonly("fp8_flops", &sizing::Device::fp8_flops)
      .def_readonly("network_bandwidth", &sizing::Device::network_bandwidth);
  m.def("device_names", [] { return names_of(sizing::devices()); });
  m.def("state_recipe_names", [] { return names_of(sizing::state_recipes()); });
  m.def("cache_layout_names", [] { return names_of(sizing::cache_layouts()); });
  py::class_<sizing::Claim>(m, "Claim", "A figure met in articles, its mistake, and what is right.")
      .def_readonly("statement", &sizing::Claim::statement)
      .def_readonly("claimed", &sizing::Claim::claimed)
      .def_readonly("unit", &sizing::Claim::unit)
      .def_readonly("reproduced", &sizing::Claim::reproduced)
      .def_readonly("correct", &sizing::Claim::correct)
      .def_readonly("mistake", &sizing::Claim::mistake);
  m.def("claims", &sizing::claims);
}

}  // namespace

void bind_sizing(py::module_& m) {
  bind_records(m);
  m.def("state_bill", &state, py::arg("parameters"), py::arg("recipe"), py::arg("device_bytes"),
        py::arg("fleet"));
  m.def("token_flops", &flops, py::arg("model"), py::arg("context"));
  m.def("training_bill", &training, py::arg("flops_per_token"), py::arg("tokens"),
        py::arg("devices"), py::arg("peak_flops"), py::arg("utilisation"));
  m.def("cache_bill", &cache, py::arg("model"), py::arg("layout"), py::arg("context"),
        py::arg("layers"));
  m.def("decode_bill", &decoding, py::arg("model"), py::arg("weights"), py::arg("layout"),
        py::arg("context"), py::arg("sparse"), py::arg("bandwidth"));
  m.def("exchange_bill", &exchange, py::arg("tokens"), py::arg("destinations"), py::arg("hidden"),
        py::arg("dispatch"), py::arg("combine"), py::arg("bandwidth"), py::arg("layers"),
        py::arg("overlapped"));
  m.def("attention_bill", &attention, py::arg("model"), py::arg("context"));
  m.def("indexer_crossover", &sizing::indexer_crossover, py::arg("model"));
}

}  // namespace binade::python
