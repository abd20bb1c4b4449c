// One call of gemm, checked and resolved. Private to this folder.
#pragma once

#include <cstddef>
#include <string>

#include "binade/emulation/gemm_plan.hpp"
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
  std::size_t interval;  ///< as GemmPlan's
  bool promotes;
};

/// The job refers to its arguments. Errors: as gemm.
GemmJob make_gemm_job(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b,
                      std::size_t k, const GemmOptions& options);

}  // namespace binade::detail
