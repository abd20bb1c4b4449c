// The extension module behind the package `binade`: thin, checked, and without the interpreter's
// lock while it computes. The package's own Python files give it its face.
#include "bindings.hpp"

PYBIND11_MODULE(_core, m) {
  m.doc() = "The C++ core of binade; use the package `binade`, not this module.";
  m.attr("version") = BINADE_VERSION;
  binade::python::bind_dlpack(m);
  binade::python::bind_formats(m);
  binade::python::bind_scaling(m);
  binade::python::bind_matmul(m);
  binade::python::bind_diagnose(m);
  binade::python::bind_probe(m);
  binade::python::bind_metrics(m);
  binade::python::bind_experiments(m);
  binade::python::bind_sizing(m);
  binade::python::bind_study(m);
  binade::python::bind_sweep(m);
  binade::python::bind_training(m);
  binade::python::bind_cuda(m);
}
