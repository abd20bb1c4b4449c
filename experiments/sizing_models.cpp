// Models from JSON, and those that come with the library.
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "binade/experiments/sizing.hpp"
#include "binade/formats/catalog.hpp"
#include "shipped_models.hpp"

namespace binade::sizing {

namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void refuse(const std::string& why) {
  throw std::invalid_argument("model dimensions: " + why);
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// Reads the fields of one JSON object and notices those that nobody asked for.
class Reader {
 public:
  Reader(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
    if (!object.is_object()) refuse(path_.empty() ? "no JSON object" : "'" + path_ + "' is none");
  }

  bool has(const std::string& field) {
    known_.push_back(field);
    return object_.contains(field);
  }
  const Json& at(const std::string& field) {
    if (!has(field)) refuse("the field '" + name(field) + "' is missing");
    return object_.at(field);
  }
  std::string text(const std::string& field) {
    const Json& value = at(field);
    if (!value.is_string()) refuse("'" + name(field) + "' is " + value.dump() + ", not a string");
    return value.get<std::string>();
  }
  double number(const std::string& field) {
    const Json& value = at(field);
    const double most = 1e30;
    if (!value.is_number() || !(value.get<double>() > 0) || value.get<double>() > most) {
      refuse("'" + name(field) + "' is " + value.dump() + ", not a positive number");
    }
    return value.get<double>();
  }
  double number_or_none(const std::string& field) { return has(field) ? number(field) : 0; }
  std::int64_t count(const std::string& field) {
    const double value = number(field);
    if (value != std::floor(value) || value > 1e9) {
      refuse("'" + name(field) + "' is " + at(field).dump() + ", not an integer up to 1e9");
    }
    return static_cast<std::int64_t>(value);
  }
  std::int64_t count_or_none(const std::string& field) { return has(field) ? count(field) : 0; }

  void finish() const {
    for (const auto& [key, value] : object_.items()) {
      bool is_known = false;
      for (const std::string& field : known_) is_known |= field == key;
      if (!is_known) {
        refuse("unknown field '" + name(key) + "', nearest: " + joined(nearest_names(key, known_)));
      }
    }
  }

 private:
  std::string name(const std::string& field) const {
    return path_.empty() ? field : path_ + "." + field;
  }
  const Json& object_;
  std::string path_;
  std::vector<std::string> known_;
};

ModelDimensions::Attention read_attention(const Json& json) {
  Reader r(json, "attention");
  ModelDimensions::Attention a;
  const std::string kind = r.text("kind");
  if (kind != "mla" && kind != "gqa") refuse("'attention.kind' is '" + kind + "', not mla or gqa");
  a.heads = r.count("heads");
  a.kv_heads = r.count("kv_heads");
  a.head_dim = r.count("head_dim");
  if (kind == "mla") {
    a.latent = r.count("latent");
    a.rope = r.count("rope");
  }
  if (a.heads % a.kv_heads != 0) {
    refuse("'attention.kv_heads' is " + std::to_string(a.kv_heads) +
           ", which does not divide the " + std::to_string(a.heads) + " heads");
  }
  r.finish();
  return a;
}

ModelDimensions::Indexer read_indexer(const Json& json) {
  Reader r(json, "indexer");
  const ModelDimensions::Indexer indexer{r.count("heads"), r.count("head_dim"), r.count("top_k")};
  r.finish();
  return indexer;
}

ModelDimensions::Experts read_experts(const Json& json) {
  Reader r(json, "experts");
  const ModelDimensions::Experts experts{r.count("routed"), r.count_or_none("shared"),
                                         r.count("active"), r.count("width"),
                                         r.count("layers"), r.count_or_none("nodes")};
  r.finish();
  return experts;
}

ModelDimensions::Training read_training(const Json& json) {
  Reader r(json, "training");
  const ModelDimensions::Training training{r.number("tokens"), r.number_or_none("devices"),
                                           r.number_or_none("device_hours"),
                                           r.number_or_none("dollars_per_hour")};
  r.finish();
  return training;
}

}  // namespace

ModelDimensions model_from_json(std::string_view text) {
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::parse_error& error) {
    refuse(std::string("no JSON: ") + error.what());
  }
  Reader r(json, "");
  ModelDimensions m;
  m.name = r.text("name");
  m.source = r.text("source");
  m.parameters = r.number("parameters");
  m.active_parameters = r.number("active_parameters");
  m.layers = r.count("layers");
  m.extra_layers = r.count_or_none("extra_layers");
  m.hidden = r.count("hidden");
  m.attention = read_attention(r.at("attention"));
  if (r.has("indexer")) m.indexer = read_indexer(r.at("indexer"));
  if (r.has("experts")) m.experts = read_experts(r.at("experts"));
  if (r.has("training")) m.training = read_training(r.at("training"));
  r.finish();
  if (m.active_parameters > m.parameters) {
    refuse("'active_parameters' is " + r.at("active_parameters").dump() + ", more than there are");
  }
  return m;
}

std::vector<std::string> shipped_model_names() {
  std::vector<std::string> names;
  for (const ShippedModel& model : kShippedModels) names.emplace_back(model.name);
  return names;
}

ModelDimensions shipped_model(std::string_view name) {
  for (const ShippedModel& model : kShippedModels) {
    if (model.name == name) return model_from_json(model.json);
  }
  throw std::invalid_argument("no model '" + std::string(name) +
                              "'; nearest: " + joined(nearest_names(name, shipped_model_names())));
}

}  // namespace binade::sizing
