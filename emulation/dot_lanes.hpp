// Rows of dot-adds in vector lanes, where the lanes are exact. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "binade/emulation/dot_model.hpp"
#include "gemm_tiles.hpp"

namespace binade::detail {

/// What `dot` does, for instructions with FP32 results that the loops' fp32 lanes hold. 8-bit
/// operands go as dot_rows.hpp says, where the instruction set has that loop. Else a row is a lane:
/// rows are turned and decoded as the panels of a GEMM are (gemm_kernels.hpp), 32 elements of both
/// operands at a time, because nothing of them is used twice.
class DotLanes {
 public:
  explicit DotLanes(const Instruction& instruction);

  bool serves() const { return serves_; }
  std::size_t rows_at_once() const {
    return rows_ ? kRowGroup : gemm_kernels().single_lanes.widest();
  }
  /// Up to rows_at_once rows. Returns those left undone, which hold a NaN, an infinity or a C that
  /// the lanes do not take, in ascending order.
  const std::vector<std::size_t>& run(const void* a, const void* b, const float* c, float* d,
                                      std::size_t rows, std::size_t k);

 private:
  struct Operand {
    float* values;
    std::uint8_t* codes;
  };
  void run_turned(const void* a, const void* b, std::size_t rows, std::size_t k);
  void unpack(FloatFormat f, const SplitPlan& split, const std::byte* source, std::size_t rows,
              std::size_t k, std::size_t k0, Operand out);

  ChainSetup setup_;
  bool serves_;
  std::optional<RowPlan> rows_;
  std::size_t depth_;
  Arena arena_;
  std::byte *codes_ = nullptr, *turned_ = nullptr;
  float *values_ = nullptr, *chain_ = nullptr;
  Operand a_{}, b_{};
  std::uint8_t* special_ = nullptr;
  std::vector<std::size_t> undone_;
};

}  // namespace binade::detail
