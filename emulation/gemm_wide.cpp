#include "gemm_wide.hpp"

#include <cstring>

#include "binade/emulation/dot_step.hpp"
#include "binade/formats/visit.hpp"
#include "block_scale_shape.hpp"

namespace binade::detail {
namespace {

double power_of_two(int e) { return bit_cast<double>(static_cast<std::uint64_t>(e + 1023) << 52); }

}  // namespace

// Forced inline, so that a constant format folds into the loop.
BINADE_HD WideDecoder::Operand WideDecoder::decode(const DotModel& model, FloatFormat format,
                                                   std::uint64_t word) {
  const DotOperand x = dot_operand(format, code_of_container(format, word));
  const bool special = x.value_class != ValueClass::kFinite;
  if (special || x.significand == 0) {
    const bool joins = model.zeros_join_maximum;
    const int zero = operand_exponent(model, zero_operand(format), format.mantissa_bits);
    return {0.0, joins ? zero : kNoExponent, special};
  }
  const int exponent = operand_exponent(model, x, format.mantissa_bits);
  return {x.significand * power_of_two(x.exponent - format.mantissa_bits - exponent), exponent,
          false};
}

WideDecoder::WideDecoder(const DotModel& model, FloatFormat format)
    : model_(model), format_(format) {
  if (format.container_bits() != 8) return;
  for (std::uint64_t code = 0; code < 256; ++code) table_.push_back(decode(model, format, code));
}

bool WideDecoder::run(const std::byte* codes, std::size_t count, std::size_t stride,
                      double* significands, std::int64_t* exponents) const {
  bool special = false;
  const auto put = [&](std::size_t i, const Operand& x) {
    significands[i * stride] = x.significand;
    exponents[i * stride] = x.exponent;
    special |= x.special;
  };
  if (codes == nullptr) {
    const int zero = operand_exponent(model_, zero_operand(format_), format_.mantissa_bits);
    const Operand x{0.0, model_.zeros_join_maximum ? zero : kNoExponent, false};
    for (std::size_t i = 0; i < count; ++i) put(i, x);
  } else if (!table_.empty()) {
    for (std::size_t i = 0; i < count; ++i) put(i, table_[static_cast<std::size_t>(codes[i])]);
  } else {
    const auto all = [&](FloatFormat f) __attribute__((always_inline)) {
      const std::size_t bytes = bytes_of(f);
      for (std::size_t i = 0; i < count; ++i) {
        std::uint64_t word = 0;
        std::memcpy(&word, codes + i * bytes, bytes);  // little-endian, as all supported hosts
        put(i, decode(model_, f, word));
      }
    };
    if (!visit_format(format_, [&]<class Tag>() { all(Tag::format); })) all(format_);
  }
  return special;
}

}  // namespace binade::detail
