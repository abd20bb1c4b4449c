// What the binding files share. Arrays cross the border as C-contiguous buffers (PEP 3118), made
// and checked by the Python side, so that the extension depends on no version of NumPy.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace binade::python {

namespace py = pybind11;

// One a file, in the order in which they use each other's types.
void bind_dlpack(py::module_& m);
void bind_formats(py::module_& m);
void bind_scaling(py::module_& m);
void bind_matmul(py::module_& m);
void bind_diagnose(py::module_& m);
void bind_probe(py::module_& m);
void bind_metrics(py::module_& m);
void bind_experiments(py::module_& m);
void bind_sizing(py::module_& m);
void bind_study(py::module_& m);
void bind_sweep(py::module_& m);
void bind_training(py::module_& m);
void bind_cuda(py::module_& m);

/// The names of a registry's records, in its order.
template <class Records>
std::vector<std::string> names_of(const Records& records) {
  std::vector<std::string> names;
  for (const auto& record : records) names.push_back(record.name);
  return names;
}

/// What crosses the border: any buffer, which for type checkers is a NumPy array.
class Array : public py::buffer {
 public:
  PYBIND11_OBJECT(Array, py::buffer, PyObject_CheckBuffer)
};

/// A contiguous buffer seen as bytes. It holds the Python object while it lives, so that the memory
/// stays while the interpreter's lock is released.
class Bytes {
 public:
  explicit Bytes(const py::buffer& buffer, bool writable = false)
      : info_(buffer.request(writable)) {
    py::ssize_t stride = info_.itemsize;
    for (py::ssize_t axis = info_.ndim - 1; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      if (info_.shape[a] > 1 && info_.strides[a] != stride) {
        throw std::invalid_argument("the extension takes C-contiguous arrays only");
      }
      stride *= info_.shape[a];
    }
  }
  void* data() const { return info_.ptr; }
  std::size_t size() const {
    return static_cast<std::size_t>(info_.size) * static_cast<std::size_t>(info_.itemsize);
  }
  template <class T>
  T* as() const {
    return static_cast<T*>(info_.ptr);
  }
  /// Errors: std::invalid_argument unless the buffer holds `count` elements of `bits` bits.
  void expect(const char* name, std::size_t count, int bits) const {
    const std::size_t wanted = count * static_cast<std::size_t>(bits) / 8;
    if (size() != wanted) {
      throw std::invalid_argument(std::string(name) + ": " + std::to_string(size()) +
                                  " bytes where " + std::to_string(wanted) + " are needed (" +
                                  std::to_string(count) + " elements of " + std::to_string(bits) +
                                  " bits)");
    }
  }

 private:
  py::buffer_info info_;
};

}  // namespace binade::python

template <>
struct pybind11::detail::handle_type_name<binade::python::Array> {
  static constexpr auto name = const_name("numpy.typing.NDArray[typing.Any]");
};
