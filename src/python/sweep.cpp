#include "results/sweep.hpp"

#include "bindings.hpp"

namespace binade::python {
namespace {

using experiments::Axis;
using experiments::Grid;
using experiments::InputTensor;
using results::Sweep;

/// Name, values and shape of a real tensor.
using Tensor = std::tuple<std::string, Array, std::size_t, std::size_t>;
using Values = std::map<std::string, std::string>;

std::optional<InputTensor> take(const std::optional<Tensor>& tensor) {
  if (!tensor) return std::nullopt;
  const auto& [label, values, rows, cols] = *tensor;
  const Bytes bytes(values);
  bytes.expect("tensor", rows * cols, 32);
  const float* data = bytes.as<const float>();
  return InputTensor{label, {data, data + rows * cols}, rows, cols};
}

Sweep make(const std::string& name,
           std::vector<std::pair<std::string, std::vector<std::string>>> grid, const Values& given,
           bool smoke, const std::optional<Tensor>& tensor, const std::optional<Tensor>& second) {
  std::vector<Axis> axes;
  for (auto& [axis, values] : grid) axes.push_back({axis, std::move(values)});
  return Sweep({&experiments::find_experiment(name), Grid(std::move(axes)), given, smoke,
                take(tensor), take(second)});
}

std::vector<std::string> column_names(const Sweep& sweep) {
  std::vector<std::string> names;
  for (const experiments::Column& column : sweep.columns()) names.push_back(column.name);
  return names;
}

}  // namespace

void bind_sweep(py::module_& m) {
  m.def(
      "parse_axis", [](const std::string& text) { return experiments::parse_axis(text).values; },
      py::arg("text"));
  py::class_<Sweep>(m, "Sweep",
                    "An experiment over a grid; who runs its points is the caller's business.")
      .def(py::init(&make), py::arg("name"), py::arg("grid"), py::arg("given"), py::arg("smoke"),
           py::arg("tensor"), py::arg("second_tensor"))
      .def_property_readonly("size", [](const Sweep& s) { return s.grid().size(); })
      .def_property_readonly("done", &Sweep::done)
      .def_property_readonly("pending", &Sweep::pending)
      .def_property_readonly("kept", &Sweep::kept)
      .def_property_readonly("column_names", &column_names)
      .def(
          "label", [](const Sweep& s, std::size_t point) { return s.grid().label(point); },
          py::arg("point"))
      .def(
          "values", [](const Sweep& s, std::size_t point) { return s.arguments(point).values; },
          py::arg("point"))
      .def("keep_in", &Sweep::keep_in, py::arg("directory"))
      .def("close", &Sweep::close)
      .def(
          "add",
          [](Sweep& s, std::size_t point, std::vector<std::vector<experiments::Cell>> rows,
             std::vector<std::string> notes) {
            s.add(point, {std::move(rows), std::move(notes)});
          },
          py::arg("point"), py::arg("rows"), py::arg("notes"))
      .def("table",
           [](const Sweep& s) {
             const io::Csv csv = s.csv("");
             return std::pair(csv.rows, csv.notes);
           })
      .def("write_csv", &Sweep::write_csv, py::arg("command"));
}

}  // namespace binade::python
