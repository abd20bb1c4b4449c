// Device memory, streams of work and their times, without CUDA's headers: so that experiments, the
// command and the Python package compile with and without CUDA.
//
// Everything here works on the current device (select_device) and its default stream. Without CUDA,
// or without a device, whatever needs one throws NoDevice.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace binade::cuda {

/// There is no device, or not one that can do this. One line, for people.
struct NoDevice : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Errors: NoDevice unless there is a device of at least this compute capability (90: Hopper);
/// `what` is the subject of the sentence: "wgmma needs compute capability 9.0, found ...".
void require_device(int compute_capability, const std::string& what);

/// Makes a device current for this thread. Errors: NoDevice, naming how many there are.
void select_device(int ordinal);

/// Waits for the current device. Errors: std::runtime_error with CUDA's message when something that
/// was launched failed.
void synchronize();

/// An array of bytes in device memory. Moves; does not copy.
/// Errors: NoDevice; std::runtime_error "out of device memory: needs ... GB, ... GB are free".
class DeviceArray {
 public:
  DeviceArray() = default;
  explicit DeviceArray(std::size_t bytes);
  /// Holds a copy of host memory.
  DeviceArray(const void* host, std::size_t bytes);
  template <class T>
  explicit DeviceArray(std::span<const T> host) : DeviceArray(host.data(), host.size_bytes()) {}
  DeviceArray(DeviceArray&& other) noexcept;
  DeviceArray& operator=(DeviceArray&& other) noexcept;
  ~DeviceArray();

  void* data() { return data_; }
  const void* data() const { return data_; }
  template <class T>
  T* as() {
    return static_cast<T*>(data_);
  }
  template <class T>
  const T* as() const {
    return static_cast<const T*>(data_);
  }
  std::size_t size() const { return bytes_; }

  void upload(const void* host, std::size_t bytes);
  void download(void* host, std::size_t bytes) const;
  void fill(unsigned char byte);

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Times work on the device by events: runs launch(0), launch(1), ... `warmup` times untimed, then
/// `repeats` times timed, each alone. launch(i) may choose its inputs by i, so that they do not
/// stay in the L2. Returns microseconds, one a timed run. Errors: as what is launched.
std::vector<double> time_launches(const std::function<void(std::size_t)>& launch,
                                  std::size_t repeats, std::size_t warmup = 3);

}  // namespace binade::cuda
