// The device's quantisers and GEMMs on arrays that lie in device memory. Arrays are addresses here:
// the Python side has read them from DLPack, checked their shapes and holds them.
#include "binade/cuda/block_scale.hpp"
#include "binade/cuda/cast.hpp"
#include "binade/cuda/device.hpp"
#include "binade/cuda/emulated_gemm.hpp"
#include "binade/cuda/gemm.hpp"
#include "binade/cuda/memory.hpp"
#include "bindings.hpp"

namespace binade::python {
namespace {

using Address = std::uintptr_t;

template <class T = void>
T* at(Address address) {
  return reinterpret_cast<T*>(address);
}

/// A matrix in device memory that a GEMM reads.
struct DeviceOperand {
  FloatFormat format;
  Address codes = 0;
  std::size_t rows = 0, k = 0;
  Address scales = 0;  ///< 0: none
  std::size_t scale_rows = 0, scale_cols = 0;
  cuda::MatrixLayout scale_layout = cuda::MatrixLayout::kRowMajor;

  /// But for the layout of its scales.
  GemmOperand view() const {
    GemmOperand operand{format, at<const void>(codes), rows};
    if (scales == 0) return operand;
    operand.scales = {at<const float>(scales), scale_rows * scale_cols};
    operand.scale_rows = scale_rows;
    operand.scale_cols = scale_cols;
    return operand;
  }
};

/// As the emulated GEMM reads it.
GemmOperand row_major_view(const DeviceOperand& x) {
  if (x.scale_layout == cuda::MatrixLayout::kRowMajor) return x.view();
  throw std::invalid_argument("the emulated GEMM reads row-major scales, found column-major ones");
}

std::unique_ptr<cuda::EmulatedGemm> emulated_gemm(const GemmProfile& profile,
                                                  const DeviceOperand& a, const DeviceOperand& b,
                                                  const FloatFormat& output,
                                                  std::optional<int> promotion_interval,
                                                  const std::optional<Instruction>& instruction) {
  const GemmOptions options{promotion_interval, instruction ? &*instruction : nullptr, 0};
  return std::make_unique<cuda::EmulatedGemm>(profile, a.view(), b.view(), a.k, output, options);
}

void bind_arrays(py::module_& m) {
  m.def("cuda_devices", &cuda::describe_devices);
  m.def("cuda_require", [] { cuda::require_device(0, "binade.cuda"); });
  m.def("cuda_synchronize", &cuda::synchronize, py::call_guard<py::gil_scoped_release>());
  m.def(
      "cuda_cast",
      [](const FloatFormat& from, Address source, const FloatFormat& to, Address target,
         std::size_t count, const std::string& overflow) {
        CastRules rules;
        parse_overflow(overflow, rules);
        cuda::cast_on_device(from, at(source), to, at(target), count, rules);
      },
      py::arg("source_format"), py::arg("source"), py::arg("target_format"), py::arg("target"),
      py::arg("count"), py::arg("overflow"));
  py::class_<cuda::Quantizer>(m, "CudaQuantizer", "A quantiser of matrices of one shape.")
      .def(py::init([](const FloatFormat& source, std::size_t rows, std::size_t cols,
                       const ScaleRecipe& recipe, const std::string& granularity,
                       const std::string& scale_type, const FloatFormat& element) {
             return cuda::Quantizer(source, rows, cols, recipe, parse_granularity(granularity),
                                    parse_scale_type(scale_type), element);
           }),
           py::arg("source"), py::arg("rows"), py::arg("cols"), py::arg("recipe"),
           py::arg("granularity"), py::arg("scale_type"), py::arg("element"))
      .def(
          "run",
          [](cuda::Quantizer& q, Address x, Address codes, Address scales, Address codes_t,
             Address scales_t, const std::string& scale_layout) {
            const auto arrays = [layout = cuda::parse_layout(scale_layout)](Address c, Address s) {
              return cuda::QuantizedArrays{at(c), at<float>(s), nullptr, nullptr, layout};
            };
            if (codes_t == 0) return q.run(at(x), arrays(codes, scales));
            q.run_with_transpose(at(x), arrays(codes, scales), arrays(codes_t, scales_t));
          },
          py::arg("x"), py::arg("codes"), py::arg("scales"), py::arg("transposed_codes"),
          py::arg("transposed_scales"), py::arg("scale_layout"));
  m.def(
      "scale_grid",
      [](std::size_t rows, std::size_t cols, const std::string& granularity) {
        const BlockGrid grid = block_grid(rows, cols, parse_granularity(granularity));
        return std::make_pair(grid.grid_rows, grid.grid_cols);
      },
      py::arg("rows"), py::arg("cols"), py::arg("granularity"));
}

void bind_products(py::module_& m) {
  py::class_<DeviceOperand>(m, "DeviceOperand", "Codes in device memory and perhaps their scales.")
      .def(py::init([](const FloatFormat& format, Address codes, std::size_t rows, std::size_t k,
                       Address scales, std::size_t scale_rows, std::size_t scale_cols,
                       const std::string& scale_layout) {
             return DeviceOperand{format, codes,      rows,       k,
                                  scales, scale_rows, scale_cols, cuda::parse_layout(scale_layout)};
           }),
           py::arg("format"), py::arg("codes"), py::arg("rows"), py::arg("k"),
           py::arg("scales") = 0, py::arg("scale_rows") = 0, py::arg("scale_cols") = 0,
           py::arg("scale_layout") = "row-major")
      .def_property_readonly("scale_layout", [](const DeviceOperand& x) {
        return std::string(cuda::name_of(x.scale_layout));
      });
  m.def(
      "cuda_gemm",
      [](const GemmProfile& profile, const DeviceOperand& a, const DeviceOperand& b,
         const FloatFormat& output, Address d, std::optional<int> promotion_interval) {
        cuda::gemm_hw(cuda::device_gemm(profile, a.view(), b.view(), a.k, output, at(d),
                                        {promotion_interval, nullptr, 0}, a.scale_layout,
                                        b.scale_layout));
      },
      py::arg("profile"), py::arg("a"), py::arg("b"), py::arg("output"), py::arg("d"),
      py::arg("promotion_interval"));
  py::class_<cuda::EmulatedGemm>(m, "CudaEmulatedGemm", "An emulated GEMM of one shape.")
      .def(py::init(&emulated_gemm), py::arg("profile"), py::arg("a"), py::arg("b"),
           py::arg("output"), py::arg("promotion_interval"), py::arg("instruction"))
      .def(
          "run",
          [](cuda::EmulatedGemm& g, const DeviceOperand& a, const DeviceOperand& b, Address d) {
            g.run(row_major_view(a), row_major_view(b), at(d));
          },
          py::arg("a"), py::arg("b"), py::arg("d"));
}

}  // namespace

void bind_cuda(py::module_& m) {
  py::register_exception<cuda::NoDevice>(m, "NoDevice", PyExc_RuntimeError);
  bind_arrays(m);
  bind_products(m);
}

}  // namespace binade::python
