// Catch2's main for tests that need a device: without one they are skipped, saying so.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif
#include <cstdio>

#include "binade/cuda/device.hpp"

namespace {
constexpr int kSkipped = 77;  // ctest's SKIP_RETURN_CODE
}

int main(int argc, char** argv) {
  const std::string devices = binade::cuda::describe_devices();
  if (binade::cuda::devices().empty()) {
    std::printf("skipped: %s\n", devices.c_str());
    return kSkipped;
  }
  std::printf("on %s\n", devices.c_str());
  return Catch::Session().run(argc, argv);
}
