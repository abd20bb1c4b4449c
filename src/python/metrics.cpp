#include "binade/emulation/metrics.hpp"

#include "bindings.hpp"

namespace binade::python {
namespace {

using Named = std::vector<std::pair<std::string, double>>;

Named by_name(const ErrorMetrics& m) {
  return {{"fro_rel", m.fro_rel},
          {"max_over_mean", m.max_over_mean},
          {"max_over_max", m.max_over_max},
          {"max_rel_large", m.max_rel_large},
          {"sqnr_db", m.sqnr_db},
          {"calc_diff", m.calc_diff},
          {"cosine", m.cosine},
          {"bias", m.bias},
          {"mismatch_rate", m.mismatch_rate}};
}

ErrorMetrics metrics_of(const Bytes& computed, const Bytes& reference, std::size_t count) {
  const py::gil_scoped_release unlocked;
  return error_metrics(std::span(computed.as<const double>(), count),
                       std::span(reference.as<const double>(), count));
}

ErrorSplit split_of(const Array& a, const Array& b, std::size_t rows_a, std::size_t rows_b,
                    std::size_t k, const ScaleRecipe& recipe,
                    const std::optional<std::string>& scale_type, const GemmProfile& profile,
                    const FloatFormat& element, const FloatFormat& output, int threads) {
  const Bytes x(a), y(b);
  x.expect("a", rows_a * k, 32);
  y.expect("b", rows_b * k, 32);
  const ScaleType type = scale_type ? parse_scale_type(*scale_type) : recipe.scale_types.front();
  GemmOptions options;
  options.threads = threads;
  const py::gil_scoped_release unlocked;
  return split_error({x.as<const float>(), rows_a * k}, {y.as<const float>(), rows_b * k}, rows_a,
                     rows_b, k, recipe, type, profile, element, output, options);
}

}  // namespace

void bind_metrics(py::module_& m) {
  m.def(
      "error_metrics",
      [](const Array& computed, const Array& reference, std::size_t count) {
        const Bytes x(computed), y(reference);
        x.expect("computed", count, 64);
        y.expect("reference", count, 64);
        return by_name(metrics_of(x, y, count));
      },
      py::arg("computed"), py::arg("reference"), py::arg("count"));
  py::class_<ErrorSplit::Part>(m, "ErrorPart", "What one cause adds to the error of a GEMM.")
      .def_readonly("cause", &ErrorSplit::Part::cause)
      .def_readonly("fro_rel", &ErrorSplit::Part::fro_rel)
      .def_readonly("bias", &ErrorSplit::Part::bias);
  py::class_<ErrorSplit>(m, "ErrorSplit", "The error of a GEMM by its causes.")
      .def_readonly("parts", &ErrorSplit::parts)
      .def_readonly("total_fro_rel", &ErrorSplit::total_fro_rel)
      .def_readonly("total_bias", &ErrorSplit::total_bias);
  m.def("split_error", &split_of, py::arg("a"), py::arg("b"), py::arg("rows_a"), py::arg("rows_b"),
        py::arg("k"), py::arg("recipe"), py::arg("scale_type"), py::arg("profile"),
        py::arg("element"), py::arg("output"), py::arg("threads"));
}

}  // namespace binade::python
