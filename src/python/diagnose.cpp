#include "binade/emulation/diagnose.hpp"

#include "operand.hpp"

namespace binade::python {
namespace {

std::string diagnose_to_json(const Operand& a, const Operand& b, const FloatFormat& output,
                             const Array& d, const std::optional<Instruction>& instruction,
                             std::size_t most_mismatches, std::uint64_t seed, int threads) {
  const std::size_t k = shared_k(a, b);
  const Bytes outputs(d);
  outputs.expect("d", a.view().rows * b.view().rows, output.container_bits());
  const DiagnoseOptions options{instruction ? &*instruction : nullptr, most_mismatches, seed,
                                threads};
  const py::gil_scoped_release unlocked;
  return diagnosis_to_json(diagnose(a.view(), b.view(), k, output, outputs.data(), options),
                           output);
}

}  // namespace

void bind_diagnose(py::module_& m) {
  m.def("diagnose", &diagnose_to_json, py::arg("a"), py::arg("b"), py::arg("output"), py::arg("d"),
        py::arg("instruction"), py::arg("most_mismatches"), py::arg("seed"), py::arg("threads"),
        "The record as JSON.");
}

}  // namespace binade::python
