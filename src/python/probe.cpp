#include "binade/emulation/probe.hpp"

#include <pybind11/functional.h>

#include <cstring>

#include "bindings.hpp"

namespace binade::python {
namespace {

py::bytearray copied(const void* data, std::size_t count, FloatFormat format) {
  return {static_cast<const char*>(data),
          count * static_cast<std::size_t>(format.container_bits() / 8)};
}

/// Codes of A, B and C as bytes, rows and k; returns those of D.
using Evaluate =
    std::function<Array(py::bytearray, py::bytearray, py::bytearray, std::size_t, std::size_t)>;

std::string probe_function(const Evaluate& evaluate, const std::string& name, const FloatFormat& a,
                           const FloatFormat& b, const FloatFormat& c, bool takes_c,
                           std::size_t max_k, std::size_t k_multiple, std::uint64_t seed,
                           std::size_t rows) {
  const auto ask = [&](const void* a_codes, const void* b_codes, const void* c_codes, void* d,
                       std::size_t asked, std::size_t k) {
    const py::gil_scoped_acquire locked;
    const Bytes answer(evaluate(copied(a_codes, asked * k, a), copied(b_codes, asked * k, b),
                                copied(c_codes, asked, c), asked, k));
    answer.expect("d", asked, c.container_bits());
    std::memcpy(d, answer.data(), answer.size());
  };
  const py::gil_scoped_release unlocked;
  return probe_to_json(
      probe({name, a, b, c, takes_c, max_k, k_multiple, ask}, {.seed = seed, .rows = rows}));
}

std::string probe_rows(const std::string& name, const FloatFormat& format_a,
                       const FloatFormat& format_b, const FloatFormat& format_c, std::size_t rows,
                       std::size_t k, const Array& a, const Array& b, const std::optional<Array>& c,
                       const Array& d, std::uint64_t seed, std::size_t stratum_rows) {
  const Bytes in_a(a), in_b(b), out(d);
  std::optional<Bytes> in_c;
  in_a.expect("a", rows * k, format_a.container_bits());
  in_b.expect("b", rows * k, format_b.container_bits());
  out.expect("d", rows, format_c.container_bits());
  if (c) {
    in_c.emplace(*c);
    in_c->expect("c", rows, format_c.container_bits());
  }
  const RecordedRows recorded{name,        format_a,    format_b,
                              format_c,    rows,        k,
                              in_a.data(), in_b.data(), in_c ? in_c->data() : nullptr,
                              out.data()};
  const py::gil_scoped_release unlocked;
  return probe_to_json(probe_recorded(recorded, {.seed = seed, .rows = stratum_rows}));
}

}  // namespace

void bind_probe(py::module_& m) {
  m.def("probe", &probe_function, py::arg("evaluate"), py::arg("name"), py::arg("a"), py::arg("b"),
        py::arg("c"), py::arg("takes_c"), py::arg("max_k"), py::arg("k_multiple"), py::arg("seed"),
        py::arg("rows"), "The record as JSON.");
  m.def("probe_recorded", &probe_rows, py::arg("name"), py::arg("format_a"), py::arg("format_b"),
        py::arg("format_c"), py::arg("rows"), py::arg("k"), py::arg("a"), py::arg("b"),
        py::arg("c"), py::arg("d"), py::arg("seed"), py::arg("stratum_rows"),
        "The record as JSON.");
}

}  // namespace binade::python
