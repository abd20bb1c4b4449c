// The C++ side of quantize_speed.py: casts and quantisers on tensors that torch holds.
#include <cstdint>
#include <exception>
#include <string>

#include "binade/cuda/block_scale.hpp"
#include "binade/cuda/cast.hpp"
#include "binade/cuda/copy.hpp"
#include "binade/formats/catalog.hpp"

using namespace binade;

namespace {
thread_local std::string last_error;

template <class Body>
auto guarded(Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::exception& error) {
    last_error = error.what();
    return {};
  }
}
}  // namespace

extern "C" {

const char* speed_error() { return last_error.c_str(); }

/// A quantiser to e4m3; null on error.
cuda::Quantizer* speed_quantizer(const char* source, std::size_t rows, std::size_t cols,
                                 const char* recipe, const char* granularity, const char* scales) {
  return guarded([&] {
    return new cuda::Quantizer(parse_format(source).format, rows, cols, find_scale_recipe(recipe),
                               parse_granularity(granularity), parse_scale_type(scales),
                               E4M3::format);
  });
}

int speed_quantize(cuda::Quantizer* quantizer, const void* x, void* codes, float* scales) {
  return guarded([&] { return quantizer->run(x, {codes, scales}), 1; });
}

int speed_quantize_both(cuda::Quantizer* quantizer, const void* x, void* codes, float* scales,
                        void* transposed, float* transposed_scales) {
  return guarded([&] {
    quantizer->run_with_transpose(x, {codes, scales}, {transposed, transposed_scales});
    return 1;
  });
}

/// rules: 0 saturates, 1 as IEEE 754.
int speed_cast(const char* from, const void* source, const char* to, void* target,
               std::size_t count, int rules) {
  return guarded([&] {
    cuda::cast_on_device(parse_format(from).format, source, parse_format(to).format, target, count,
                         rules == 0 ? CastRules{} : kIeeeRules);
    return 1;
  });
}

int speed_copy(const void* source, void* target, std::size_t bytes, int by_driver) {
  return guarded([&] {
    cuda::copy_on_device(source, target, bytes,
                         by_driver != 0 ? cuda::CopyBy::kDriver : cuda::CopyBy::kKernel);
    return 1;
  });
}

}  // extern "C"
