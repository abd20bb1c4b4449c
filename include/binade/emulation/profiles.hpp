// GEMM profiles: a library's order of operations, as a record.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "binade/emulation/block_scale.hpp"
#include "binade/emulation/instructions.hpp"

namespace binade {

/// How the scales sa (of A's row and k-block) and sb meet the chain's result. All FP32, nearest
/// even.
enum class ScaleOrder : std::uint8_t {
  kEpilogueProduct,    ///< D = acc * fl(sa * sb), after the last step
  kEpilogueBThenA,     ///< D = fl(acc * sb) * sa, after the last step
  kPromoteFmaProduct,  ///< s = fma(fl(sa * sb), chain, s) at each promotion
  kPromoteFmaAThenB,   ///< s = fma(fl(chain * sa), sb, s)
  kPromoteFmaBThenA,   ///< s = fma(fl(chain * sb), sa, s)
  kExact,              ///< exact products of everything, rounded once at the end
};

enum class ChainKind : std::uint8_t {
  kInstruction,     ///< the matrix instruction's model
  kFp32Sequential,  ///< c = fl(c + fl(a * b)) in ascending k
  kExact,           ///< the exact sum, rounded once to the output
};

struct GemmProfile {
  std::string name;
  std::string source;
  ChainKind chain = ChainKind::kInstruction;
  /// The family whose instruction of the operands' types runs: "hopper.wgmma.f32".
  std::string instruction_family = "hopper.wgmma.f32";
  int promotion_interval = 0;  ///< K elements between promotions to FP32; 0: never (and for
                               ///< kFp32Sequential, where a scale changes)
  ScaleOrder scale_order = ScaleOrder::kEpilogueProduct;
  /// Granularities of the scales, which are optional.
  Granularity scale_a{}, scale_b{};
  bool verified = false;  ///< every bit of the library's output was predicted on an H200
};
inline constexpr Granularity kAnyGranularity{static_cast<std::size_t>(-1),
                                             static_cast<std::size_t>(-1)};

/// cublaslt-fast, cublaslt, torch-rowwise-fast, torch-rowwise, deepgemm, cutlass, te-1dx1d,
/// te-1dx2d, te-2dx1d, triton-v3, fp32-sequential, exact.
const std::vector<GemmProfile>& gemm_profiles();
/// Errors: std::invalid_argument naming the nearest.
const GemmProfile& find_gemm_profile(std::string_view name);

}  // namespace binade
