#include <cstdio>
#include <utility>

#include "binade/cuda/device.hpp"
#include "binade/cuda/memory.hpp"
#include "check.cuh"

namespace binade::cuda {
namespace {

std::string gigabytes(std::size_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g GB", static_cast<double>(bytes) * 1e-9);
  return text;
}

std::string dotted(int capability) {
  return std::to_string(capability / 10) + "." + std::to_string(capability % 10);
}

void* allocate(std::size_t bytes) {
  void* data = nullptr;
  check_allocation(cudaMalloc(&data, bytes), bytes);
  return data;
}

}  // namespace

void check_allocation(cudaError_t error, std::size_t bytes) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // reported here, and not by whoever looks next
  if (error != cudaErrorMemoryAllocation) throw NoDevice(describe_devices());
  std::size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  throw std::runtime_error("out of device memory: needs " + gigabytes(bytes) + ", " +
                           gigabytes(free) + " of " + gigabytes(total) + " are free");
}

void require_device(int compute_capability, const std::string& what) {
  int ordinal = 0, major = 0, minor = 0;
  if (cudaGetDevice(&ordinal) != cudaSuccess ||
      cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, ordinal) != cudaSuccess ||
      cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, ordinal) != cudaSuccess) {
    cudaGetLastError();
    throw NoDevice(describe_devices());
  }
  const int found = major * 10 + minor;
  if (found < compute_capability) {
    throw NoDevice(what + " needs compute capability " + dotted(compute_capability) + ", found " +
                   describe_devices());
  }
}

void select_device(int ordinal) {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) throw NoDevice(describe_devices());
  if (ordinal < 0 || ordinal >= count) {
    throw NoDevice("no device " + std::to_string(ordinal) + ": there are " + std::to_string(count));
  }
  check(cudaSetDevice(ordinal), "cudaSetDevice");
}

void synchronize() { check(cudaDeviceSynchronize(), "cudaDeviceSynchronize"); }

DeviceArray::DeviceArray(std::size_t bytes) : data_(allocate(bytes)), bytes_(bytes) {}

DeviceArray::DeviceArray(const void* host, std::size_t bytes) : DeviceArray(bytes) {
  upload(host, bytes);
}

DeviceArray::DeviceArray(DeviceArray&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

DeviceArray& DeviceArray::operator=(DeviceArray&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

DeviceArray::~DeviceArray() { cudaFree(data_); }

void DeviceArray::upload(const void* host, std::size_t bytes) {
  check(cudaMemcpy(data_, host, bytes, cudaMemcpyHostToDevice), "copy to the device");
}

void DeviceArray::download(void* host, std::size_t bytes) const {
  check(cudaMemcpy(host, data_, bytes, cudaMemcpyDeviceToHost), "copy from the device");
}

void DeviceArray::fill(unsigned char byte) { check(cudaMemset(data_, byte, bytes_), "fill"); }

std::vector<double> time_launches(const std::function<void(std::size_t)>& launch,
                                  std::size_t repeats, std::size_t warmup) {
  struct Events {
    std::vector<cudaEvent_t> list;
    explicit Events(std::size_t count) : list(count) {
      for (cudaEvent_t& event : list) check(cudaEventCreate(&event), "cudaEventCreate");
    }
    ~Events() {
      for (cudaEvent_t event : list) cudaEventDestroy(event);
    }
  };
  for (std::size_t i = 0; i < warmup; ++i) launch(i);
  Events begin(repeats), end(repeats);
  for (std::size_t i = 0; i < repeats; ++i) {
    check(cudaEventRecord(begin.list[i]), "cudaEventRecord");
    launch(warmup + i);
    check(cudaEventRecord(end.list[i]), "cudaEventRecord");
  }
  synchronize();
  std::vector<double> microseconds;
  for (std::size_t i = 0; i < repeats; ++i) {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin.list[i], end.list[i]), "cudaEventElapsedTime");
    microseconds.push_back(milliseconds * 1e3);
  }
  return microseconds;
}

}  // namespace binade::cuda
