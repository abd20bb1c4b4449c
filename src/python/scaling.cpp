#include "binade/emulation/block_scale.hpp"
#include "bindings.hpp"

namespace binade::python {
namespace {

template <class T>
py::bytearray bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::vector<std::string> scale_types_of(const ScaleRecipe& recipe) {
  std::vector<std::string> names;
  for (const ScaleType type : recipe.scale_types) names.emplace_back(name_of(type));
  return names;
}

Quantized quantize_buffer(const FloatFormat& source, const Array& x, std::size_t rows,
                          std::size_t cols, const ScaleRecipe& recipe,
                          const std::optional<std::string>& granularity,
                          const std::optional<std::string>& scale_type,
                          const std::optional<FloatFormat>& element, int threads,
                          std::uint64_t seed) {
  const Bytes in(x);
  in.expect("x", rows * cols, source.container_bits());
  const Granularity blocks = parse_granularity(granularity.value_or(recipe.default_granularity));
  const ScaleType type = scale_type ? parse_scale_type(*scale_type) : recipe.scale_types.front();
  const py::gil_scoped_release unlocked;
  return quantize(source, in.data(), rows, cols, recipe, blocks, type,
                  element.value_or(default_element(type)), threads, seed);
}

void dequantize_into(const Quantized& q, const Array& target, int threads) {
  const Bytes out(target, true);
  out.expect("target", q.rows * q.cols, 32);
  const py::gil_scoped_release unlocked;
  dequantize(q, {out.as<float>(), q.rows * q.cols}, threads);
}

}  // namespace

void bind_scaling(py::module_& m) {
  py::class_<ScaleRecipe>(m, "ScaleRecipe", "A quantiser as people know it.")
      .def_static("find", &find_scale_recipe, py::arg("name"), py::return_value_policy::reference)
      .def_readonly("name", &ScaleRecipe::name)
      .def_readonly("source", &ScaleRecipe::source)
      .def_readonly("default_granularity", &ScaleRecipe::default_granularity)
      .def_property_readonly("scale_types", &scale_types_of);
  m.def("recipe_names", [] { return names_of(scale_recipes()); });
  m.def(
      "default_element",
      [](const std::string& scale_type) { return default_element(parse_scale_type(scale_type)); },
      py::arg("scale_type"));
  m.def("element_format", &parse_element_format, py::arg("name"),
        "A format by name, integers among them.");
  m.def("element_name", &element_name, py::arg("element"));

  py::class_<Quantized>(m, "Quantized", "A quantised matrix.")
      .def_readonly("element", &Quantized::element)
      .def_readonly("scale_format", &Quantized::scale_format)
      .def_readonly("rows", &Quantized::rows)
      .def_readonly("cols", &Quantized::cols)
      .def_readonly("scale_rows", &Quantized::scale_rows)
      .def_readonly("scale_cols", &Quantized::scale_cols)
      .def_readonly("tensor_scale", &Quantized::tensor_scale)
      .def_property_readonly("granularity",
                             [](const Quantized& q) { return granularity_name(q.granularity); })
      .def_property_readonly("codes", [](const Quantized& q) { return bytes_of(q.codes); })
      .def_property_readonly("scales", [](const Quantized& q) { return bytes_of(q.scales); })
      .def_property_readonly("scale_codes",
                             [](const Quantized& q) { return bytes_of(q.scale_codes); })
      .def("dequantize", &dequantize_into, py::arg("target"), py::arg("threads"));
  m.def("quantize", &quantize_buffer, py::arg("source"), py::arg("x"), py::arg("rows"),
        py::arg("cols"), py::arg("recipe"), py::arg("granularity"), py::arg("scale_type"),
        py::arg("element"), py::arg("threads"), py::arg("seed"));
}

}  // namespace binade::python
