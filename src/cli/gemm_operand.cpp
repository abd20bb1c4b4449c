#include "cli/gemm_operand.hpp"

#include "cli/options.hpp"
#include "io/error.hpp"

namespace binade::cli {

void add_operand(CLI::App& app, GemmFileOperand& operand, const std::string& letter) {
  add_format(app, "--format-" + letter, operand.format, "of the codes")->required();
  app.add_option("--scale-" + letter, operand.scale_path,
                 "FILE.npy, float32 dequantisation factors; default: 1")
      ->type_name("FILE");
}

GemmOperand load_operand(GemmFileOperand& operand) {
  operand.codes = load(operand.path);
  const io::Tensor& codes = operand.codes;
  (void)io::element_format(codes.dtype, operand.format, "'" + operand.path + "'");
  if (codes.shape.size() != 2) {
    throw io::DataError("'" + operand.path + "' has shape " + io::shape_text(codes.shape) +
                        ", expected [rows, k]");
  }
  GemmOperand loaded{*operand.format, codes.data(), codes.shape[0]};
  if (operand.scale_path.empty()) return loaded;
  operand.scales = load(operand.scale_path);
  const io::Tensor& scales = operand.scales;
  if (scales.dtype != io::DType::kF32 || scales.shape.size() > 2) {
    throw io::DataError("'" + operand.scale_path + "' holds " + io::shape_text(scales.shape) + " " +
                        std::string(io::info(scales.dtype).name) +
                        ", expected a matrix of float32 scales");
  }
  const io::Extent extent = io::matrix_extent(scales.shape);
  const bool column = scales.shape.size() == 1 && extent.cols == loaded.rows;
  loaded.scales = scales.as<float>();
  loaded.scale_rows = column ? extent.cols : extent.rows;
  loaded.scale_cols = column ? 1 : extent.cols;
  return loaded;
}

std::size_t shared_k(const GemmFileOperand& a, const GemmFileOperand& b) {
  const std::size_t k = a.codes.shape[1];
  if (b.codes.shape[1] != k) {
    throw io::DataError("'" + b.path + "' has shape " + io::shape_text(b.codes.shape) +
                        ", expected [N, " + std::to_string(k) + "] to match the K of '" + a.path +
                        "'");
  }
  return k;
}

}  // namespace binade::cli
