#include "binade/formats/scaled_cast.hpp"

#include "binade/formats/catalog.hpp"
#include "cast_kernels.hpp"

namespace binade::detail {

struct ScaledCast::Plan {
  NarrowPlan narrow;
  ScaledLoops loops;
  void (*end_stream)();
};

ScaledCast::ScaledCast(FloatFormat from, FloatFormat to, CastRules rules) {
  constexpr int kSmallestPlace = -32;  // scaled_avx512.hpp: what is below 2^-40 has to be zero
  const CastKernels& k = cast_kernels();
  const ScaledLoops& loops = k.scaled[from == Bf16::format ? 1 : 0];
  const bool serves = (from == kFp32Format || from == Bf16::format) && loops.cast != nullptr &&
                      narrow_kind(to, rules) == NarrowKind::kBytes &&
                      to.min_ulp_exponent() >= kSmallestPlace;
  if (!serves) return;
  const auto lanes = make_lane_plan(to, make_plan<std::uint32_t>(to, rules));
  const NarrowPlan narrow = make_narrow_plan(to, rules, lanes);
  if (narrow.kind != NarrowKind::kNone) {
    plan_ = std::make_shared<const Plan>(Plan{narrow, loops, k.end_stream});
  }
}

void ScaledCast::amax(const void* x, std::size_t blocks, std::size_t width, std::size_t ahead,
                      std::uint32_t* amax) const {
  plan_->loops.amax(x, blocks, width, ahead, amax);
}

void ScaledCast::cast(const void* x, std::size_t blocks, std::size_t width, std::size_t ahead,
                      const float* factors, bool divides, void* codes, CodeStream* stream) const {
  plan_->loops.cast(x, blocks, width, ahead, factors, divides, codes, plan_->narrow, stream);
}

void ScaledCast::finish(CodeStream& stream) const {
  stream.flush();
  plan_->end_stream();
}

}  // namespace binade::detail
