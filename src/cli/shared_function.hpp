// A function under test in a shared library.
#pragma once

#include <string>

#include "binade/emulation/probe.hpp"

namespace binade::cli {

/// The C functions that `probe --library` calls. Arrays hold containers, row-major; d is to be
/// written.
///   dot:   D[r] = A[r, :] . B[r, :] + C[r];  a, b [rows, k], c, d [rows]
///   gemm:  D = A B^T + C;                    a [m, k], b [n, k], c, d [m, n]
extern "C" {
using SharedDot = void (*)(const void* a, const void* b, const void* c, void* d, std::int64_t rows,
                           std::int64_t k);
using SharedGemm = void (*)(const void* a, const void* b, const void* c, void* d, std::int64_t m,
                            std::int64_t n, std::int64_t k);
}

/// Loads the library, which stays loaded. Errors: io::DataError for a file that cannot be loaded or
/// has no such symbol; the function returned throws it when the one in the library throws.
DotFunction load_shared_dot(const std::string& path, const std::string& symbol);
GemmFunction load_shared_gemm(const std::string& path, const std::string& symbol);

}  // namespace binade::cli
