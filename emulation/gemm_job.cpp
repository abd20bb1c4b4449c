#include "gemm_job.hpp"

#include <omp.h>

namespace binade::detail {

GemmJob make_gemm_job(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b,
                      std::size_t k, const GemmOptions& options) {
  if (options.threads < 0) refuse_gemm(profile, "threads is " + std::to_string(options.threads));
  const GemmPlan plan = plan_gemm(profile, a, b, k, options);
  check_scales(a, "A");
  check_scales(b, "B");
  GemmJob job{profile,
              a,
              b,
              k,
              options.threads > 0 ? options.threads : omp_get_max_threads(),
              ScaleGrid(a, plan.scale_a),
              ScaleGrid(b, plan.scale_b),
              {},
              plan.interval,
              plan.promotes};
  if (plan.instruction != nullptr) job.setup = make_chain_setup(*plan.instruction);
  return job;
}

}  // namespace binade::detail
