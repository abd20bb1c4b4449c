#include <variant>

#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "bindings.hpp"

namespace binade::python {
namespace {

CastRules make_rules(const std::string& rounding, const std::string& overflow,
                     const std::string& nan, int random_bits) {
  CastRules rules;
  rules.rounding = parse_rounding(rounding);
  parse_overflow(overflow, rules);
  rules.nan = parse_nan_rule(nan);
  rules.random_bits = random_bits;
  return rules;
}

/// The rules of a cast that names none, as the CLI and Python spell them.
/// Equal formats have equal hashes; those of others seldom meet.
std::size_t hash_of(const FloatFormat& f) {
  std::size_t h = static_cast<std::size_t>(f.specials.nan) << 2 |
                  (f.specials.has_infinity ? 2U : 0U) | (f.specials.has_zero ? 1U : 0U);
  for (const int field :
       {f.exponent_bits, f.mantissa_bits, f.bias, f.is_signed ? 1 : 0, f.padding_bits}) {
    h = h * 1000003 + static_cast<std::size_t>(field);
  }
  return h;
}

using Setting = std::pair<std::string, std::variant<std::string, int>>;

std::string name_of_overflow(const CastRules& rules) {
  for (const std::string& name : overflow_names()) {
    CastRules with = rules;
    parse_overflow(name, with);
    if (with == rules) return name;
  }
  throw std::logic_error("these overflow rules have no name");
}

/// The rules of a cast that names none, as the command and Python spell them.
std::vector<Setting> default_rules() {
  const CastRules rules;
  return {{"rounding", std::string(name_of(rules.rounding))},
          {"overflow", name_of_overflow(rules)},
          {"nan", std::string(name_of(rules.nan))},
          {"random_bits", rules.random_bits}};
}

}  // namespace

void bind_formats(py::module_& m) {
  py::class_<FloatFormat>(m, "FloatFormat", "A binary floating-point format and its facts.")
      .def_static(
          "parse", [](const std::string& name) { return parse_format(name).format; },
          py::arg("name"))
      .def_property_readonly("name", [](const FloatFormat& f) { return format_name(f); })
      .def_readonly("exponent_bits", &FloatFormat::exponent_bits)
      .def_readonly("mantissa_bits", &FloatFormat::mantissa_bits)
      .def_readonly("bias", &FloatFormat::bias)
      .def_readonly("is_signed", &FloatFormat::is_signed)
      .def_readonly("padding_bits", &FloatFormat::padding_bits)
      .def_property_readonly("bits", &FloatFormat::bits)
      .def_property_readonly("precision", &FloatFormat::precision)
      .def_property_readonly("container_bits", &FloatFormat::container_bits)
      .def_property_readonly("emin", &FloatFormat::emin)
      .def_property_readonly("emax", &FloatFormat::emax)
      .def_property_readonly("has_nan", &FloatFormat::has_nan)
      .def_property_readonly("has_infinity", [](const FloatFormat& f) { return f.has_infinity(); })
      .def_property_readonly("has_zero", [](const FloatFormat& f) { return f.specials.has_zero; })
      .def_property_readonly("has_negative_zero", &FloatFormat::has_negative_zero)
      .def_property_readonly("max_finite_code", &FloatFormat::max_finite_code)
      .def_property_readonly("canonical_nan_code", &FloatFormat::canonical_nan_code)
      .def(
          "embeds_in",
          [](const FloatFormat& f, const FloatFormat& wide) { return embeds_in(f, wide); },
          py::arg("wide"))
      .def("is_nan", &FloatFormat::is_nan, py::arg("code"))
      .def(
          "decode", [](const FloatFormat& f, std::uint64_t code) { return decode(f, code); },
          py::arg("code"))
      .def("__eq__",
           [](const FloatFormat& a, const py::object& b) {
             return py::isinstance<FloatFormat>(b) && a == b.cast<FloatFormat>();
           })
      .def("__hash__", &hash_of);

  m.def("catalog_names", [] { return names_of(catalog()); });
  m.def("cast_defaults", &default_rules);
  m.def(
      "format_source", [](const std::string& name) { return parse_format(name).source; },
      py::arg("name"));
  m.def("rounding_names", &rounding_names);
  m.def("overflow_names", &overflow_names);
  m.def("nan_rule_names", &nan_rule_names);

  m.def(
      "cast",
      [](const FloatFormat& from, const Array& source, const FloatFormat& to, const Array& target,
         std::size_t count, const std::string& rounding, const std::string& overflow,
         const std::string& nan, int random_bits, std::uint64_t seed) {
        const Bytes in(source), out(target, true);
        in.expect("source", count, from.container_bits());
        out.expect("target", count, to.container_bits());
        const CastRules rules = make_rules(rounding, overflow, nan, random_bits);
        const py::gil_scoped_release unlocked;
        cast(from, in.data(), to, out.data(), count, rules, seed);
      },
      py::arg("source_format"), py::arg("source"), py::arg("target_format"), py::arg("target"),
      py::arg("count"), py::arg("rounding"), py::arg("overflow"), py::arg("nan"),
      py::arg("random_bits"), py::arg("seed"));
  m.def(
      "round_to",
      [](const FloatFormat& f, const Array& source, const Array& target, std::size_t count,
         const std::string& rounding, const std::string& overflow, const std::string& nan,
         int random_bits, std::uint64_t seed) {
        const Bytes in(source), out(target, true);
        in.expect("source", count, 32);
        out.expect("target", count, 32);
        const CastRules rules = make_rules(rounding, overflow, nan, random_bits);
        const py::gil_scoped_release unlocked;
        round_to(f, {in.as<const float>(), count}, {out.as<float>(), count}, rules, seed);
      },
      py::arg("format"), py::arg("source"), py::arg("target"), py::arg("count"),
      py::arg("rounding"), py::arg("overflow"), py::arg("nan"), py::arg("random_bits"),
      py::arg("seed"));

  m.def("isa", [] { return std::string(isa_name(isa())); });
  m.def(
      "set_isa", [](const std::string& name) { set_isa(parse_isa(name)); }, py::arg("name"));
  m.def("supported_isas", [] {
    std::vector<std::string> names;
    for (const Isa i : supported_isas()) names.emplace_back(isa_name(i));
    return names;
  });
}

}  // namespace binade::python
