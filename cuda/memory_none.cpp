// The build without CUDA: the same symbols, and one line that says so.
#include "binade/cuda/device.hpp"
#include "binade/cuda/memory.hpp"

namespace binade::cuda {
namespace {
[[noreturn]] void refuse() { throw NoDevice(describe_devices()); }
}  // namespace

void require_device(int, const std::string&) { refuse(); }
void select_device(int) { refuse(); }
void synchronize() { refuse(); }

DeviceArray::DeviceArray(std::size_t) { refuse(); }
DeviceArray::DeviceArray(const void*, std::size_t) { refuse(); }
DeviceArray::DeviceArray(DeviceArray&&) noexcept = default;
DeviceArray& DeviceArray::operator=(DeviceArray&&) noexcept = default;
DeviceArray::~DeviceArray() = default;
void DeviceArray::upload(const void*, std::size_t) { refuse(); }
void DeviceArray::download(void*, std::size_t) const { refuse(); }
void DeviceArray::fill(unsigned char) { refuse(); }

std::vector<double> time_launches(const std::function<void(std::size_t)>&, std::size_t,
                                  std::size_t) {
  refuse();
}

}  // namespace binade::cuda
