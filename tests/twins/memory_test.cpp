// Device memory: what goes up comes back; what is too much is refused in words.
#include "binade/cuda/memory.hpp"

#include <vector>

#include "binade/cuda/device.hpp"
#include "catch.hpp"

using namespace binade::cuda;

TEST_CASE("bytes go up and come back", "[memory]") {
  std::vector<unsigned> up(1000), down(1000);
  for (unsigned i = 0; i < up.size(); ++i) up[i] = i * 2654435761u;
  DeviceArray first(std::span<const unsigned>{up});
  const DeviceArray array = std::move(first);
  CHECK(first.size() == 0);
  array.download(down.data(), array.size());
  CHECK(up == down);
}

TEST_CASE("more memory than there is", "[memory]") {
  const std::size_t all = devices().front().memory_bytes;
  CHECK_THROWS_WITH(DeviceArray(2 * all), ContainsSubstring("out of device memory: needs"));
  CHECK(DeviceArray(1024).size() == 1024);  // and the next request is served
}

TEST_CASE("a device that is not there", "[memory]") {
  CHECK_THROWS_WITH(select_device(99), ContainsSubstring("no device 99"));
  CHECK_THROWS_AS(require_device(999, "this test"), NoDevice);
}

TEST_CASE("times are those of the launches", "[memory]") {
  DeviceArray array(1 << 24);
  std::size_t calls = 0;
  const auto times = time_launches([&](std::size_t) { array.fill(1), ++calls; }, 5, 2);
  CHECK(times.size() == 5);
  CHECK(calls == 7);
  for (const double t : times) CHECK(t > 0);
}
