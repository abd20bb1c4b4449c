#include "binade/emulation/dot_model.hpp"
#include "binade/emulation/gemm.hpp"
#include "binade/emulation/instructions.hpp"
#include "binade/emulation/profiles.hpp"
#include "operand.hpp"

namespace binade::python {
namespace {

void bind_instructions(py::module_& m) {
  py::class_<Instruction>(m, "Instruction", "A matrix instruction and the model of its arithmetic.")
      .def_static("find", &find_instruction, py::arg("name"), py::return_value_policy::copy)
      .def_static("from_json", &instruction_from_json, py::arg("json"))
      .def("to_json", &instruction_to_json)
      .def_readonly("name", &Instruction::name)
      .def_readonly("a", &Instruction::a)
      .def_readonly("b", &Instruction::b)
      .def_readonly("c", &Instruction::c)
      .def_readonly("k", &Instruction::k)
      .def_readonly("verified", &Instruction::verified)
      .def_readonly("source", &Instruction::source)
      .def("__repr__", [](const Instruction& i) { return "<instruction " + i.name + ">"; });
  m.def("instruction_names", [] { return names_of(instructions()); });
}

void bind_dot(py::module_& m) {
  m.def(
      "dot",
      [](const Instruction& instruction, const Array& a, const Array& b, const Array& c,
         const Array& d, std::size_t rows, std::size_t k, int threads) {
        const Bytes in_a(a), in_b(b), in_c(c), out(d, true);
        in_a.expect("a", rows * k, instruction.a.container_bits());
        in_b.expect("b", rows * k, instruction.b.container_bits());
        in_c.expect("c", rows, instruction.c.container_bits());
        out.expect("d", rows, instruction.c.container_bits());
        const py::gil_scoped_release unlocked;
        dot(instruction, in_a.data(), in_b.data(), in_c.data(), out.data(), rows, k, threads);
      },
      py::arg("instruction"), py::arg("a"), py::arg("b"), py::arg("c"), py::arg("d"),
      py::arg("rows"), py::arg("k"), py::arg("threads"));

  py::class_<DotTerm>(m, "DotTerm", "One term of a step as the matrix unit sees it.")
      .def_readonly("k", &DotTerm::k)
      .def_readonly("negative", &DotTerm::negative)
      .def_readonly("significand", &DotTerm::significand)
      .def_readonly("fraction_bits", &DotTerm::fraction_bits)
      .def_readonly("exponent", &DotTerm::exponent)
      .def_readonly("aligned", &DotTerm::aligned)
      .def_readonly("takes_part", &DotTerm::takes_part)
      .def_readonly("lost_bits", &DotTerm::lost_bits);
  py::class_<DotStep>(m, "DotStep", "One fused step: aligned terms, their sum, the result.")
      .def_readonly("is_final_addition", &DotStep::is_final_addition)
      .def_readonly("max_exponent", &DotStep::max_exponent)
      .def_readonly("unit_exponent", &DotStep::unit_exponent)
      .def_readonly("terms", &DotStep::terms)
      .def_readonly("sum", &DotStep::sum)
      .def_readonly("result", &DotStep::result);
  m.attr("TERM_C") = kTermC;
  m.attr("TERM_CHAIN") = kTermChain;
  m.def(
      "trace_dot",
      [](const Instruction& instruction, const Array& a, const Array& b, const Array& c,
         std::size_t k) {
        const Bytes in_a(a), in_b(b), in_c(c);
        in_a.expect("a", k, instruction.a.container_bits());
        in_b.expect("b", k, instruction.b.container_bits());
        in_c.expect("c", 1, instruction.c.container_bits());
        DotTrace trace = trace_dot(instruction, in_a.data(), in_b.data(), in_c.data(), k);
        return std::make_pair(std::move(trace.steps), trace.result);
      },
      py::arg("instruction"), py::arg("a"), py::arg("b"), py::arg("c"), py::arg("k"));
}

void gemm_into(const GemmProfile& profile, const Operand& a, const Operand& b,
               const FloatFormat& output, const Array& d, std::optional<int> promotion_interval,
               const std::optional<Instruction>& instruction, int threads) {
  const std::size_t k = shared_k(a, b);
  const Bytes out(d, true);
  out.expect("d", a.view().rows * b.view().rows, output.container_bits());
  const GemmOptions options{promotion_interval, instruction ? &*instruction : nullptr, threads};
  const py::gil_scoped_release unlocked;
  gemm(profile, a.view(), b.view(), k, output, out.data(), options);
}

}  // namespace

void bind_matmul(py::module_& m) {
  bind_instructions(m);
  bind_dot(m);
  py::class_<GemmProfile>(m, "GemmProfile", "A library's order of operations.")
      .def_static("find", &find_gemm_profile, py::arg("name"), py::return_value_policy::reference)
      .def_readonly("name", &GemmProfile::name)
      .def_readonly("source", &GemmProfile::source)
      .def_readonly("instruction_family", &GemmProfile::instruction_family)
      .def_readonly("promotion_interval", &GemmProfile::promotion_interval)
      .def_readonly("verified", &GemmProfile::verified);
  m.def("profile_names", [] { return names_of(gemm_profiles()); });
  py::class_<Operand>(m, "Operand", "Codes of one GEMM operand and perhaps their scales.")
      .def(py::init<const FloatFormat&, const Array&, std::size_t, std::size_t,
                    const std::optional<Array>&, std::size_t, std::size_t>(),
           py::arg("format"), py::arg("codes"), py::arg("rows"), py::arg("k"), py::arg("scales"),
           py::arg("scale_rows"), py::arg("scale_cols"));
  m.def("gemm", &gemm_into, py::arg("profile"), py::arg("a"), py::arg("b"), py::arg("output"),
        py::arg("d"), py::arg("promotion_interval"), py::arg("instruction"), py::arg("threads"));
}

}  // namespace binade::python
