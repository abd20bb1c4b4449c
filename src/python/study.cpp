#include "binade/experiments/study.hpp"

#include <algorithm>

#include "bindings.hpp"
#include "results/study_files.hpp"

namespace binade::python {
namespace {

using Rows = std::vector<std::vector<experiments::Cell>>;
/// Values and shape of a matrix.
using Matrix = std::tuple<Array, std::size_t, std::size_t>;
using NamedLayer = std::tuple<std::string, Matrix, std::optional<Matrix>>;

RowSource source_of(const Matrix& matrix) {
  const auto& [values, rows, cols] = matrix;
  const auto bytes = std::make_shared<Bytes>(values);
  bytes->expect("matrix", rows * cols, 32);
  RowSource source;
  source.rows = rows;
  source.cols = cols;
  source.read = [bytes, width = cols](std::size_t first, std::span<float> into) {
    std::copy_n(bytes->as<const float>() + first * width, into.size(), into.begin());
  };
  return source;
}

study::Options options_of(const std::vector<std::string>& recipes, const FloatFormat& element,
                          double least_db, std::size_t panel, std::uint64_t seed, int threads) {
  study::Options options;
  for (const std::string& text : recipes) {
    options.treatments.push_back(study::parse_treatment(text, element));
  }
  options.least_db = least_db;
  options.panel = panel;
  options.seed = seed;
  options.threads = threads;
  options.progress = [](std::size_t, std::size_t) {
    const py::gil_scoped_acquire locked;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();  // Ctrl-C ends a long study
  };
  return options;
}

Rows study_rows(const std::vector<results::StudyLayer>& layers, const study::Options& options) {
  const py::gil_scoped_release unlocked;
  Rows rows;
  for (const results::StudyLayer& layer : layers) {
    const study::Layer found = study::study_layer(
        layer.name, layer.weights, layer.activations ? &*layer.activations : nullptr, options);
    std::ranges::move(study::rows_of(found, options), std::back_inserter(rows));
  }
  return rows;
}

std::vector<results::StudyLayer> layers_of(const std::vector<NamedLayer>& named) {
  std::vector<results::StudyLayer> layers;
  for (const auto& [name, weights, activations] : named) {
    layers.push_back({name, source_of(weights), std::nullopt});
    if (activations) layers.back().activations = source_of(*activations);
  }
  return layers;
}

}  // namespace

void bind_study(py::module_& m) {
  m.def("default_treatments", [] { return study::default_treatments(); });
  m.def("study_columns", [] { return study::columns(); });
  m.def(
      "study",
      [](const std::vector<NamedLayer>& layers, const std::vector<std::string>& recipes,
         const FloatFormat& element, double least_db, std::size_t panel, std::uint64_t seed,
         int threads) {
        return study_rows(layers_of(layers),
                          options_of(recipes, element, least_db, panel, seed, threads));
      },
      py::arg("layers"), py::arg("recipes"), py::arg("element"), py::arg("least_db"),
      py::arg("panel"), py::arg("seed"), py::arg("threads"));
  m.def(
      "study_files",
      [](const std::string& path, const std::string& activations,
         const std::vector<std::string>& patterns, const std::vector<std::string>& recipes,
         const FloatFormat& element, double least_db, std::size_t panel, std::uint64_t seed,
         int threads) {
        const auto options = options_of(recipes, element, least_db, panel, seed, threads);
        return study_rows(results::study_input(path, activations, patterns).layers, options);
      },
      py::arg("path"), py::arg("activations"), py::arg("patterns"), py::arg("recipes"),
      py::arg("element"), py::arg("least_db"), py::arg("panel"), py::arg("seed"),
      py::arg("threads"));
}

}  // namespace binade::python
