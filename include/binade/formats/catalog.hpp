// The catalogue: every named format, declared once. Scalar code, vector loops, CUDA kernels, the
// CLI's tables, the documentation and the exhaustive tests all come from the list at the end.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "binade/formats/codec.hpp"
#include "binade/formats/float_format.hpp"

namespace binade {

/// A format as people know it.
struct FormatInfo {
  std::string name;
  FloatFormat format;
  std::string aliases;  ///< other accepted spellings, separated by spaces
  std::string source;   ///< where it is defined
};

// One tag type a format. (nvcc rejects a class-type template argument on a __global__ function; a
// tag type works.)
#define BINADE_FORMAT(Tag, name_, aliases_, source_, ...) \
  struct Tag {                                            \
    static constexpr FloatFormat format{__VA_ARGS__};     \
    static constexpr const char* name = name_;            \
    static constexpr const char* aliases = aliases_;      \
    static constexpr const char* source = source_;        \
  }

BINADE_FORMAT(Fp64, "fp64", "f64 float64 binary64", "IEEE 754-2019", 11, 52, 1023, true, kIeee);
BINADE_FORMAT(Fp32, "fp32", "f32 float32 binary32", "IEEE 754-2019", 8, 23, 127, true, kIeee);
BINADE_FORMAT(Tf32, "tf32", "tensorfloat32", "NVIDIA A100 whitepaper; PTX ISA", 8, 10, 127, true,
              kIeee, 13);
BINADE_FORMAT(Bf16, "bf16", "bfloat16", "PTX ISA; Intel bfloat16 1.0", 8, 7, 127, true, kIeee);
BINADE_FORMAT(Fp16, "fp16", "f16 float16 half binary16", "IEEE 754-2019", 5, 10, 15, true, kIeee);
BINADE_FORMAT(E4M3, "e4m3", "e4m3fn float8_e4m3fn f8_e4m3", "OCP OFP8 1.0", 4, 3, 7, true, kFn);
BINADE_FORMAT(E5M2, "e5m2", "float8_e5m2 f8_e5m2", "OCP OFP8 1.0", 5, 2, 15, true, kIeee);
BINADE_FORMAT(E4M3Fnuz, "e4m3fnuz", "float8_e4m3fnuz", "arXiv 2206.02915", 4, 3, 8, true, kFnuz);
BINADE_FORMAT(E5M2Fnuz, "e5m2fnuz", "float8_e5m2fnuz", "arXiv 2206.02915", 5, 2, 16, true, kFnuz);
BINADE_FORMAT(E3M4, "e3m4", "float8_e3m4", "ml_dtypes float8_e3m4", 3, 4, 3, true, kIeee);
BINADE_FORMAT(E5M6, "e5m6", "", "DeepSeek-V3 report 3.3; TileKernels", 5, 6, 15, true, kIeee);
BINADE_FORMAT(E3M2, "e3m2", "float6_e3m2fn", "OCP MX 1.0", 3, 2, 3, true, kFiniteOnly);
BINADE_FORMAT(E2M3, "e2m3", "float6_e2m3fn", "OCP MX 1.0", 2, 3, 1, true, kFiniteOnly);
BINADE_FORMAT(E2M1, "e2m1", "float4_e2m1fn fp4", "OCP MX 1.0", 2, 1, 1, true, kFiniteOnly);
BINADE_FORMAT(E8M0, "e8m0", "float8_e8m0fnu ue8m0", "OCP MX 1.0", 8, 0, 127, false, kExponentOnly);

#undef BINADE_FORMAT

template <class... Tags>
struct TypeList {
  static constexpr int size = sizeof...(Tags);
};

/// Every named format, widest first. To add one, declare its tag above and name it here.
using Catalog = TypeList<Fp64, Fp32, Tf32, Bf16, Fp16, E4M3, E5M2, E4M3Fnuz, E5M2Fnuz, E3M4, E5M6,
                         E3M2, E2M3, E2M1, E8M0>;

/// IEEE P3109 formats: binary{K}p{P}{s|u}{e|f}, K the width, P the precision with the hidden bit.
/// Errors: std::invalid_argument unless 3 <= K <= 16 and 1 <= P < K (signed) or P <= K (unsigned).
/// Source: IEEE P3109 interim report 4.0: bias 2^(K-P-1) signed, 2^(K-P) unsigned; NaN in the code
/// of -0 (signed) or at the top (unsigned); +-Inf at the ends where extended.
FloatFormat p3109_format(int width, int precision, bool is_signed, bool extended);

/// Any format by name: a catalogue name or alias, binary{K}p{P}{s|u}{e|f}, or e{X}m{Y} with an
/// optional suffix: ieee (top exponent row is Inf and NaN; what a plain eXmY outside the catalogue
/// means), fn (the all-ones code alone is NaN), fnuz (NaN in the code of -0, bias one higher) or
/// finite (no specials). A bias other than 2^(X-1)-1 stands before the suffix: e4m3b11fnuz. Case
/// does not matter.
/// Errors: std::invalid_argument naming the nearest formats when the name is unknown or ambiguous.
FormatInfo parse_format(std::string_view name);

/// The catalogue's records in its order.
const std::vector<FormatInfo>& catalog();

/// The name parse_format reads back as `f`: the catalogue's, a P3109 name, or e{X}m{Y} with suffix.
/// A format that no name describes is written field by field, in parentheses. Two names may mean
/// one format: binary8p4sf is e4m3fnuz, and is called so.
std::string format_name(FloatFormat f);

/// The three names that sound most like `word`, best first, for error messages.
std::vector<std::string> nearest_names(std::string_view word, const std::vector<std::string>& names,
                                       std::size_t most = 3);

}  // namespace binade
