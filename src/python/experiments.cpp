#include <pybind11/functional.h>

#include <map>

#include "binade/cuda/device.hpp"
#include "binade/experiments/experiment.hpp"
#include "bindings.hpp"

namespace binade::python {
namespace {

using experiments::Arguments;
using experiments::Experiment;
using experiments::InputTensor;

/// Name, values and shape of a real tensor.
using Tensor = std::tuple<std::string, Array, std::size_t, std::size_t>;
using Layer = std::map<std::string, Tensor>;
using Progress = std::optional<std::function<void(std::size_t, std::size_t)>>;

InputTensor take(const Tensor& tensor) {
  const auto& [label, values, rows, cols] = tensor;
  const Bytes bytes(values);
  bytes.expect("tensor", rows * cols, 32);
  const float* data = bytes.as<const float>();
  return {label, {data, data + rows * cols}, rows, cols};
}

std::pair<std::vector<std::vector<experiments::Cell>>, std::vector<std::string>> run(
    const Experiment& experiment, const std::map<std::string, std::string>& given, bool smoke,
    const std::optional<Tensor>& tensor, const std::optional<Tensor>& second, const Layer& layer,
    int threads, const Progress& progress) {
  Arguments arguments = experiments::make_arguments(experiment, given, smoke);
  if (tensor) arguments.tensor = take(*tensor);
  if (second) arguments.second_tensor = take(*second);
  for (const auto& [name, matrix] : layer) arguments.layer[name] = take(matrix);
  arguments.layer_name = "layer";
  arguments.threads = threads;
  arguments.progress = [&progress](std::size_t done, std::size_t total) {
    const py::gil_scoped_acquire locked;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();  // Ctrl-C ends a long run
    if (progress) (*progress)(done, total);
  };
  const py::gil_scoped_release unlocked;
  experiments::Table table = experiment.run(arguments);
  return {std::move(table.rows), std::move(table.notes)};
}

}  // namespace

void bind_experiments(py::module_& m) {
  using experiments::Column;
  using experiments::Parameter;
  py::class_<Parameter>(m, "Parameter", "A parameter of an experiment.")
      .def_readonly("name", &Parameter::name)
      .def_readonly("default_value", &Parameter::default_value)
      .def_readonly("smoke_value", &Parameter::smoke_value)
      .def_readonly("meaning", &Parameter::meaning)
      .def_readonly("choices", &Parameter::choices);
  py::class_<Column>(m, "Column", "A column of an experiment's table.")
      .def_readonly("name", &Column::name)
      .def_readonly("unit", &Column::unit)
      .def_readonly("meaning", &Column::meaning);
  py::class_<Experiment>(m, "Experiment", "A question, and how it is answered.")
      .def_static("find", &experiments::find_experiment, py::arg("name"),
                  py::return_value_policy::reference)
      .def_readonly("name", &Experiment::name)
      .def_readonly("question", &Experiment::question)
      .def_readonly("source", &Experiment::source)
      .def_readonly("parameters", &Experiment::parameters)
      .def_readonly("columns", &Experiment::columns)
      .def_readonly("takes_tensor", &Experiment::takes_tensor)
      .def_readonly("needs_device", &Experiment::needs_device)
      .def_readonly("takes_layer", &Experiment::takes_layer)
      .def("run", &run, py::arg("given"), py::arg("smoke"), py::arg("tensor"),
           py::arg("second_tensor"), py::arg("layer"), py::arg("threads"), py::arg("progress"));
  m.def("has_device", [] { return !cuda::devices().empty(); });
  m.def("experiment_names", [] { return names_of(experiments::registry()); });
}

}  // namespace binade::python
