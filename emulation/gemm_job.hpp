// One call of gemm, checked and resolved. Private to this folder.
#pragma once

#include <cstddef>
#include <string>

#include "binade/emulation/gemm.hpp"
#include "gemm_scales.hpp"
#include "gemm_tiles.hpp"

namespace binade::detail {

struct GemmJob {
  const GemmProfile& profile;
  const GemmOperand &a, &b;
  std::size_t k;
  int threads;
  ScaleGrid scale_a, scale_b;
  ChainSetup setup;
  std::size_t interval;  ///< never 0: the whole K where nothing is promoted
  bool promotes;         ///< whether chains join an FP32 sum at all
};

/// The job refers to its arguments. Errors: as gemm.
GemmJob make_gemm_job(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b,
                      std::size_t k, const GemmOptions& options);

/// Whether an order applies the scales at each promotion, and not after the last chain.
bool scales_at_promotion(ScaleOrder order);

[[noreturn]] void refuse_gemm(const GemmProfile& profile, const std::string& what);

}  // namespace binade::detail
