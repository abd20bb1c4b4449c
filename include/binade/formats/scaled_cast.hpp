// What a quantiser asks of the cast loops: amax of blocks, and product and cast in one pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "binade/formats/codec.hpp"

namespace binade::detail {

/// Codes on their way past the caches, one stream a thread: the end of a line that has begun is
/// held back until what follows it comes.
struct CodeStream {
  alignas(64) std::uint8_t last[64]{};  ///< the latest 64 codes
  void* next = nullptr;                 ///< where the next will go

  /// Writes what is held back. (Always inline: files for an instruction set share no symbols.)
  [[gnu::always_inline]] void flush() {
    const std::size_t held = reinterpret_cast<std::uintptr_t>(next) % 64;
    if (held != 0) std::memcpy(static_cast<std::uint8_t*>(next) - held, last + 64 - held, held);
    next = nullptr;
  }
};

/// Loops over a run of blocks in a row of a matrix, where this instruction set has them: from fp32
/// or bf16 to formats of at most 8 bits, to nearest even. Elsewhere a quantiser goes block by
/// block.
///
/// Shapes: x holds blocks * width elements of the source, width a multiple of kWidth. Arithmetic:
/// of each element fl(x * factor) or fl(x / factor), and one cast; an element that is NaN stays
/// itself under a factor that is NaN. `ahead`: bytes from what is read to what is asked for
/// meanwhile, 0 for none. Determinism: a pure function. Tests:
/// tests/emulation/scale_fused_test.cpp.
class ScaledCast {
 public:
  static constexpr std::size_t kWidth = 64;

  ScaledCast(FloatFormat from, FloatFormat to, CastRules rules);
  explicit operator bool() const { return plan_ != nullptr; }

  /// amax[b] = max(amax[b], bits of the largest magnitude of block b, as fp32 patterns)
  void amax(const void* x, std::size_t blocks, std::size_t width, std::size_t ahead,
            std::uint32_t* amax) const;
  /// With a stream codes leave the caches alone, and are all there after finish(stream).
  void cast(const void* x, std::size_t blocks, std::size_t width, std::size_t ahead,
            const float* factors, bool divides, void* codes, CodeStream* stream) const;
  void finish(CodeStream& stream) const;

 private:
  struct Plan;
  std::shared_ptr<const Plan> plan_;
};

}  // namespace binade::detail
