// Model cards: an instruction as JSON. Every field is listed once, in the order in which it is
// written; reading demands exactly these.
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "binade/emulation/instructions.hpp"
#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"

namespace binade {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void refuse(const std::string& why) {
  throw std::invalid_argument("model card: " + why);
}

std::string choices(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "'" : ", '") + name + "'";
  return list;
}

// The names of each enumeration, in its order.
const std::vector<std::string> kAlignments{"truncate", "floor", "nearest_even"};
const std::vector<std::string> kAddends{"aligned", "added_last"};
const std::vector<std::string> kOrders{"consecutive", "interleaved_pairs"};

template <class Enum>
Enum parse_enum(const std::string& field, const std::string& name,
                const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  refuse("'" + field + "' is '" + name + "': one of " + choices(names));
}

/// Reads the fields of one JSON object and notices those that nobody asked for.
class Reader {
 public:
  Reader(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
    if (!object.is_object()) refuse("'" + path_ + "' is no object");
  }

  const Json& at(const std::string& field) {
    known_.push_back(field);
    const auto found = object_.find(field);
    if (found == object_.end()) refuse("the field '" + name(field) + "' is missing");
    return *found;
  }
  std::string text(const std::string& field) {
    const Json& value = at(field);
    if (!value.is_string()) refuse("'" + name(field) + "' is " + value.dump() + ", not a string");
    return value.get<std::string>();
  }
  bool flag(const std::string& field) {
    const Json& value = at(field);
    if (!value.is_boolean()) {
      refuse("'" + name(field) + "' is " + value.dump() + ", not true or false");
    }
    return value.get<bool>();
  }
  /// An integer, or null where `none` says what that means.
  int number(const std::string& field, std::optional<int> none = {}) {
    const Json& value = at(field);
    if (none && value.is_null()) return *none;
    const double most = 1 << 30;
    if (!value.is_number_integer() || value.get<double>() < -most || value.get<double>() > most) {
      refuse("'" + name(field) + "' is " + value.dump() + ", not an integer of its size");
    }
    return value.get<int>();
  }
  FloatFormat format(const std::string& field) { return parse_format(text(field)).format; }

  /// Errors if the object holds a field that was not read.
  void finish() const {
    for (const auto& [key, value] : object_.items()) {
      bool is_known = false;
      for (const std::string& field : known_) is_known |= field == key;
      if (!is_known) {
        refuse("unknown field '" + name(key) + "': did you mean " +
               choices(nearest_names(key, known_)) + "?");
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

Json number_or_null(int value, int none) { return value == none ? Json(nullptr) : Json(value); }

Json model_to_json(const DotModel& m) {
  Json j;
  j["step_k"] = m.step_k;
  j["order"] = kOrders[static_cast<std::size_t>(m.order)];
  j["alignment_fraction_bits"] = m.alignment_fraction_bits;
  j["alignment"] = kAlignments[static_cast<std::size_t>(m.alignment)];
  j["min_exponent"] = number_or_null(m.min_exponent, kNoExponentClamp);
  j["zeros_join_maximum"] = m.zeros_join_maximum;
  j["normalize_products"] = m.normalize_products;
  j["multiplier_emin"] = number_or_null(m.multiplier_emin, kStoredExponents);
  j["addend"] = kAddends[static_cast<std::size_t>(m.addend)];
  j["result"] = format_name(m.result);
  j["result_rounding"] = name_of(m.result_rounding);
  return j;
}

DotModel model_from_json(const Json& json) {
  Reader r(json, "model");
  DotModel m;
  m.step_k = r.number("step_k");
  m.order = parse_enum<StepOrder>("model.order", r.text("order"), kOrders);
  m.alignment_fraction_bits = r.number("alignment_fraction_bits");
  m.alignment = parse_enum<AlignmentRounding>("model.alignment", r.text("alignment"), kAlignments);
  m.min_exponent = r.number("min_exponent", kNoExponentClamp);
  m.zeros_join_maximum = r.flag("zeros_join_maximum");
  m.normalize_products = r.flag("normalize_products");
  m.multiplier_emin = r.number("multiplier_emin", kStoredExponents);
  m.addend = parse_enum<AddendRule>("model.addend", r.text("addend"), kAddends);
  m.result = r.format("result");
  m.result_rounding = parse_rounding(r.text("result_rounding"));
  r.finish();
  return m;
}

}  // namespace

Instruction instruction_from_json(std::string_view json) {
  Json parsed;
  try {
    parsed = Json::parse(json);
  } catch (const Json::exception& error) {
    refuse(error.what());
  }
  Reader r(parsed, "");
  Instruction i;
  i.name = r.text("name");
  i.a = r.format("a");
  i.b = r.format("b");
  i.c = r.format("c");
  i.k = r.number("k");
  i.model = model_from_json(r.at("model"));
  i.verified = r.flag("verified");
  i.source = r.text("source");
  r.finish();
  validate(i);
  return i;
}

std::string instruction_to_json(const Instruction& i) {
  Json j;
  j["name"] = i.name;
  j["a"] = format_name(i.a);
  j["b"] = format_name(i.b);
  j["c"] = format_name(i.c);
  j["k"] = i.k;
  j["model"] = model_to_json(i.model);
  j["verified"] = i.verified;
  j["source"] = i.source;
  return j.dump(2);
}

std::string changed_fields(const DotModel& from, const DotModel& to) {
  const Json before = model_to_json(from), after = model_to_json(to);
  std::string text;
  for (const auto& [field, value] : after.items()) {
    if (value == before.at(field)) continue;
    text += (text.empty() ? "" : ", ") + field + " " +
            (value.is_string() ? value.get<std::string>() : value.dump());
  }
  return text;
}

}  // namespace binade
