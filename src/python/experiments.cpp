#include "binade/experiments/experiment.hpp"

#include "bindings.hpp"

namespace binade::python {

void bind_experiments(py::module_& m) {
  using experiments::Experiment;
  m.def("experiment_names", [] {
    std::vector<std::string> names;
    for (const Experiment& e : experiments::registry()) names.push_back(e.name);
    return names;
  });
  m.def("experiment_facts", [](const std::string& name) {
    const Experiment& e = experiments::find_experiment(name);
    py::list parameters, columns;
    for (const auto& p : e.parameters) {
      parameters.append(py::make_tuple(p.name, p.default_value, p.meaning, p.choices));
    }
    for (const auto& c : e.columns) columns.append(py::make_tuple(c.name, c.unit, c.meaning));
    return py::make_tuple(e.question, e.source, parameters, columns, e.takes_tensor);
  });
  using Tensor = std::tuple<std::string, py::buffer, std::size_t, std::size_t>;
  m.def("run_experiment", [](const std::string& name, const std::map<std::string, std::string>& given,
                             const std::optional<Tensor>& tensor,
                             const std::optional<Tensor>& second, int threads) {
    const Experiment& e = experiments::find_experiment(name);
    experiments::Arguments arguments = experiments::make_arguments(e, given);
    const auto take = [](const Tensor& t) {
      const auto& [label, values, rows, cols] = t;
      const Bytes bytes(values);
      bytes.expect("tensor", rows * cols, 32);
      const float* data = bytes.as<const float>();
      return experiments::InputTensor{label, {data, data + rows * cols}, rows, cols};
    };
    if (tensor) arguments.tensor = take(*tensor);
    if (second) arguments.second_tensor = take(*second);
    arguments.threads = threads;
    const py::gil_scoped_release unlocked;
    experiments::Table table = e.run(arguments);
    return std::make_pair(std::move(table.rows), std::move(table.notes));
  }, py::arg("name"), py::arg("parameters"), py::arg("tensor"), py::arg("second_tensor"),
     py::arg("threads"));
}

}  // namespace binade::python
