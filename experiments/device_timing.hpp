// Timing kernels that move memory beside copies that move as much. Private to this folder.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "binade/cuda/copy.hpp"
#include "binade/cuda/memory.hpp"
#include "binade/formats/cast.hpp"
#include "sampling.hpp"

namespace binade::experiments {

/// How long runs took, each timed by events on the device.
class DeviceTimes {
 public:
  explicit DeviceTimes(std::vector<double> microseconds) : sorted_(std::move(microseconds)) {
    std::ranges::sort(sorted_);
  }
  double median() const { return sorted_[sorted_.size() / 2]; }
  /// GB/s of `bytes` a run: the median run, the slowest, the fastest.
  double rate(double bytes) const { return bytes / median() * 1e-3; }
  double slowest_rate(double bytes) const { return bytes / sorted_.back() * 1e-3; }
  double fastest_rate(double bytes) const { return bytes / sorted_.front() * 1e-3; }

 private:
  std::vector<double> sorted_;
};

/// Room for inputs and outputs in several copies, used in turn, so that what a run reads is not
/// left in the L2 by the one before: together at least kBeyondCaches, at least two.
class RotatingArrays {
 public:
  static constexpr std::size_t kBeyondCaches = std::size_t{1} << 29;

  RotatingArrays(std::size_t input_bytes, std::size_t output_bytes) {
    const std::size_t bytes = input_bytes + output_bytes;
    const std::size_t copies = std::max<std::size_t>(2, (kBeyondCaches + bytes - 1) / bytes);
    for (std::size_t i = 0; i < copies; ++i) {
      inputs_.emplace_back(input_bytes);
      outputs_.emplace_back(output_bytes);
    }
  }
  /// Fills every input from the host.
  void upload(const void* host) {
    for (auto& input : inputs_) input.upload(host, input.size());
  }
  const void* input(std::size_t i) const { return inputs_[i % inputs_.size()].data(); }
  cuda::DeviceArray& output(std::size_t i) { return outputs_[i % outputs_.size()]; }

 private:
  std::vector<cuda::DeviceArray> inputs_, outputs_;
};

/// Numbers N(0, 1) in a format, the same million over and over: what they are does not bear on the
/// time.
inline std::vector<std::byte> numbers_in(FloatFormat f, std::size_t count, std::uint64_t seed) {
  const auto bytes = static_cast<std::size_t>(f.container_bits()) / 8;
  const auto numbers = sample("normal", std::min(count, std::size_t{1} << 20), seed);
  std::vector<std::byte> period(numbers.size() * bytes), all(count * bytes);
  cast(kFp32Format, numbers.data(), f, period.data(), numbers.size());
  for (std::size_t at = 0; at < all.size(); at += period.size()) {
    std::copy_n(period.data(), std::min(period.size(), all.size() - at), all.data() + at);
  }
  return all;
}

/// The times of copies that move `bytes` in all, half read and half written: the faster of a
/// kernel's and the driver's.
inline DeviceTimes copy_times(std::size_t bytes, std::size_t repeats) {
  const std::size_t half = (bytes / 2 + 15) / 16 * 16;
  RotatingArrays arrays(half, half);
  const auto timed = [&](cuda::CopyBy by) {
    return DeviceTimes(cuda::time_launches(
        [&](std::size_t i) {
          cuda::copy_on_device(arrays.input(i), arrays.output(i).data(), half, by);
        },
        repeats));
  };
  const DeviceTimes kernel = timed(cuda::CopyBy::kKernel), driver = timed(cuda::CopyBy::kDriver);
  return kernel.median() < driver.median() ? kernel : driver;
}

}  // namespace binade::experiments
