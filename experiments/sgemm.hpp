// Eigen's single-precision product, compiled once per instruction set: the limit that emulation is
// measured against. Private to this folder.
#pragma once

#include <cstddef>

#include "binade/formats/isa.hpp"

namespace binade::experiments {

/// D = A B^T on the calling thread: a [rows, k], b [n, k], d [rows, n], row-major.
using Sgemm = void (*)(const float* a, const float* b, float* d, std::size_t rows, std::size_t n,
                       std::size_t k);

namespace baseline {
Sgemm sgemm();
}
#if defined(BINADE_HAVE_X86_64_LEVELS)
namespace x86_64_v3 {
Sgemm sgemm();
}
namespace x86_64_v4 {
Sgemm sgemm();
}
#endif

/// The copy for the ISA in force.
inline Sgemm sgemm() {
  switch (isa()) {
#if defined(BINADE_HAVE_X86_64_LEVELS)
    case Isa::kX86_64_v3:
      return x86_64_v3::sgemm();
    case Isa::kX86_64_v4:
      return x86_64_v4::sgemm();
#endif
    default:
      return baseline::sgemm();
  }
}

}  // namespace binade::experiments
