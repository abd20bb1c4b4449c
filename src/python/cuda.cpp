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
  bool column_major_scales = false;

  /// As `device_gemm` reads them, but for their order.
  GemmOperand view() const {
    GemmOperand operand{format, at<const void>(codes), rows};
    if (scales == 0) return operand;
    operand.scales = {at<const float>(scales), scale_rows * scale_cols};
    operand.scale_rows = scale_rows;
    operand.scale_cols = scale_cols;
    return operand;
  }
};

cuda::DeviceScales in_order(cuda::DeviceScales scales, const DeviceOperand& x) {
  if (x.column_major_scales) scales.row_stride = 1, scales.block_stride = x.scale_rows;
  return scales;
}

cuda::MatrixOrder parse_order(const std::string& name) {
  if (name == "row") return cuda::MatrixOrder::kRowMajor;
  if (name == "column") return cuda::MatrixOrder::kColumnMajor;
  throw std::invalid_argument("scale order '" + name + "': expected row or column");
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
             Address scales_t, const std::string& order) {
            const auto arrays = [order = parse_order(order)](Address c, Address s) {
              return cuda::QuantizedArrays{at(c), at<float>(s), nullptr, nullptr, order};
            };
            if (codes_t == 0) return q.run(at(x), arrays(codes, scales));
            q.run_with_transpose(at(x), arrays(codes, scales), arrays(codes_t, scales_t));
          },
          py::arg("x"), py::arg("codes"), py::arg("scales"), py::arg("transposed_codes"),
          py::arg("transposed_scales"), py::arg("scale_order"));
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
                       bool column_major_scales) {
             return DeviceOperand{format, codes,      rows,       k,
                                  scales, scale_rows, scale_cols, column_major_scales};
           }),
           py::arg("format"), py::arg("codes"), py::arg("rows"), py::arg("k"),
           py::arg("scales") = 0, py::arg("scale_rows") = 0, py::arg("scale_cols") = 0,
           py::arg("column_major_scales") = false);
  m.def(
      "cuda_gemm",
      [](const GemmProfile& profile, const DeviceOperand& a, const DeviceOperand& b,
         const FloatFormat& output, Address d, std::optional<int> promotion_interval) {
        cuda::DeviceGemm call = cuda::device_gemm(profile, a.view(), b.view(), a.k, output, at(d),
                                                  {promotion_interval, nullptr, 0});
        call.scale_a = in_order(call.scale_a, a);
        call.scale_b = in_order(call.scale_b, b);
        cuda::gemm_hw(call);
      },
      py::arg("profile"), py::arg("a"), py::arg("b"), py::arg("output"), py::arg("d"),
      py::arg("promotion_interval"));
  py::class_<cuda::EmulatedGemm>(m, "CudaEmulatedGemm", "An emulated GEMM of one shape.")
      .def(py::init(&emulated_gemm), py::arg("profile"), py::arg("a"), py::arg("b"),
           py::arg("output"), py::arg("promotion_interval"), py::arg("instruction"))
      .def(
          "run",
          [](cuda::EmulatedGemm& g, const DeviceOperand& a, const DeviceOperand& b, Address d) {
            g.run(a.view(), b.view(), at(d));
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
