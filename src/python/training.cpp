#include "binade/emulation/training_recipe.hpp"
#include "bindings.hpp"

namespace binade::python {

void bind_training(py::module_& m) {
  py::class_<TensorRule>(m, "TensorRule", "How a tensor enters a GEMM, or waits between two.")
      .def_readonly("format", &TensorRule::format)
      .def_readonly("granularity", &TensorRule::granularity)
      .def_property_readonly("scale_type",
                             [](const TensorRule& r) { return std::string(name_of(r.scale_type)); })
      .def_readonly("quantizer", &TensorRule::quantizer)
      .def_readonly("delayed", &TensorRule::delayed)
      .def_property_readonly("is_scaled", &TensorRule::is_scaled)
      .def("__str__", &describe)
      .def("__repr__", [](const TensorRule& r) { return "<" + describe(r) + ">"; });
  py::class_<GemmRule>(m, "GemmRule", "D = L R^T: formats, order of operations, output.")
      .def_readonly("left", &GemmRule::left)
      .def_readonly("right", &GemmRule::right)
      .def_readonly("profile", &GemmRule::profile)
      .def_readonly("promotion_interval", &GemmRule::promotion_interval)
      .def_readonly("output", &GemmRule::output);
  py::class_<TrainingRecipe>(m, "TrainingRecipe", "The GEMMs of a linear layer in training.")
      .def_static("find", &find_training_recipe, py::arg("name"),
                  py::return_value_policy::reference)
      .def_readonly("name", &TrainingRecipe::name)
      .def_readonly("summary", &TrainingRecipe::summary)
      .def_readonly("source", &TrainingRecipe::source)
      .def_readonly("forward", &TrainingRecipe::forward)
      .def_readonly("dgrad", &TrainingRecipe::dgrad)
      .def_readonly("wgrad", &TrainingRecipe::wgrad)
      .def_readonly("saved_input", &TrainingRecipe::saved_input)
      .def_readonly("saved_attention_output", &TrainingRecipe::saved_attention_output)
      .def_readonly("saved_swiglu_input", &TrainingRecipe::saved_swiglu_input)
      .def_readonly("fraction_bits", &TrainingRecipe::fraction_bits)
      .def_property_readonly("wide",
                             [](const TrainingRecipe& r) {
                               std::vector<std::pair<std::string, std::string>> rules;
                               for (const WideRule& w : r.wide)
                                 rules.emplace_back(w.what, w.format);
                               return rules;
                             })
      .def("instruction", &training_instruction, py::arg("rule"))
      .def("__repr__", [](const TrainingRecipe& r) { return "<training recipe " + r.name + ">"; });
  m.def("training_recipe_names", [] { return names_of(training_recipes()); });
}

}  // namespace binade::python
