// What bounds the work from below, compiled once per instruction set and timed beside it: Eigen's
// single-precision product, and loops that read and write and do nothing else. Private to this
// folder.
#pragma once

#include <cstddef>

#include "binade/formats/isa.hpp"

namespace binade::experiments {

struct Limits {
  /// D = A B^T on the calling thread: a [rows, k], b [n, k], d [rows, n], row-major.
  void (*sgemm)(const float* a, const float* b, float* d, std::size_t rows, std::size_t n,
                std::size_t k);
  /// Reads `count` words of `from_bytes` and writes as many of `to_bytes`; each 1, 2 or 4.
  void (*convert)(const void* from, int from_bytes, void* to, int to_bytes, std::size_t count);
  /// The same, reading two pages ahead and writing past the caches, which is faster where they do
  /// not hold the arrays. `to` lies on 64 bytes.
  void (*convert_large)(const void* from, int from_bytes, void* to, int to_bytes,
                        std::size_t count);
};

/// Bytes from which convert_large is tried.
inline constexpr std::size_t kLargeBytes = std::size_t{1} << 24;

namespace baseline {
const Limits& limits();
}
#if defined(BINADE_HAVE_X86_64_LEVELS)
namespace x86_64_v3 {
const Limits& limits();
}
namespace x86_64_v4 {
const Limits& limits();
}
#endif

/// The copy for the ISA in force.
inline const Limits& limits() {
  switch (isa()) {
#if defined(BINADE_HAVE_X86_64_LEVELS)
    case Isa::kX86_64_v3:
      return x86_64_v3::limits();
    case Isa::kX86_64_v4:
      return x86_64_v4::limits();
#endif
    default:
      return baseline::limits();
  }
}

}  // namespace binade::experiments
