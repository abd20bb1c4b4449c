// The forms of wgmma that are made for every pair of types. Private to this folder.
#pragma once

#include "dot_model_kernel.cuh"

namespace binade::cuda {

/// Adds forms of one pair of types.
template <class Types>
class WgmmaForms {
 public:
  explicit WgmmaForms(std::vector<TileForm>& forms) : forms_(forms) {}

  template <int n, bool register_a = false, int scale_a = 1, int scale_b = 1, int scale_d = 1>
  WgmmaForms& add() {
    TileForm f;
    f.instruction = std::string("hopper.wgmma.") + Types::name;
    f.name = "n" + std::to_string(n) + (register_a ? ", A in registers" : "") +
             (scale_a < 0 ? ", A negated" : "") + (scale_b < 0 ? ", B negated" : "") +
             (scale_d == 0 ? ", scale-d 0" : "");
    f.n = n;
    f.negate_a = scale_a < 0;
    f.negate_b = scale_b < 0;
    f.ignores_d = scale_d == 0;
    f.launch = launch_tiles<WgmmaOp<Types, n, register_a, scale_a, scale_b, scale_d>>;
    forms_.push_back(f);
    return *this;
  }

  template <int kept>
  WgmmaForms& add_sparse() {
    TileForm f;
    f.instruction = std::string("hopper.wgmma.") + Types::name;
    f.name = "n64, sparse A, places";
    for (int place = 0; place < 4; ++place) {
      if ((kept >> place & 1) != 0) f.name += " " + std::to_string(place);
    }
    f.kept = kept;
    f.launch = launch_tiles<SparseWgmmaOp<Types, 64, kept>>;
    forms_.push_back(f);
    return *this;
  }

  /// What every pair of types is asked: the plain form, the others at n = 64, the ends of n.
  WgmmaForms& add_usual() {
    return add<64>()
        .template add<64, true>()
        .template add<64, false, -1, 1>()
        .template add<64, false, 1, -1>()
        .template add<64, true, -1, -1>()
        .template add<64, false, 1, 1, 0>()
        .template add<8>()
        .template add<256>();
  }

 private:
  std::vector<TileForm>& forms_;
};

}  // namespace binade::cuda

// A pair of types: its tag, and its instructions of n = 8, 64 and 256. R8, R64, R256: how many
// registers D takes; TRANSPOSE: ", 0" where the instruction can transpose, which is not asked for.
#define BINADE_WGMMA_TYPES(TAG, NAME, CONTAINER, SHAPE, TRANSPOSE, R8, R64, R256) \
  namespace binade::cuda {                                                        \
  struct TAG {                                                                    \
    using Container = CONTAINER;                                                  \
    static constexpr const char* name = NAME;                                     \
  };                                                                              \
  }                                                                               \
  namespace binade::ptx {                                                         \
  BINADE_WGMMA(cuda::TAG, 8, R8, SHAPE, TRANSPOSE, TRANSPOSE)                     \
  BINADE_WGMMA(cuda::TAG, 64, R64, SHAPE, TRANSPOSE, TRANSPOSE)                   \
  BINADE_WGMMA(cuda::TAG, 256, R256, SHAPE, TRANSPOSE, TRANSPOSE)                 \
  }
