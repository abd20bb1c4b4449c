// The devices of this machine. The same symbols exist with and without CUDA.
#pragma once

#include <string>
#include <vector>

namespace binade::cuda {

struct Device {
  int ordinal = 0;
  std::string name;
  int compute_capability = 0;  ///< 90 for sm_90
  std::size_t memory_bytes = 0;
  int multiprocessors = 0;
  double clock_hz = 0;  ///< the multiprocessors' highest
};

/// The CUDA devices that can be used now; empty where there is none, no driver, or no CUDA in this
/// build. Errors: none.
std::vector<Device> devices();

/// One line for people and for provenance: the devices, or why there is none ("no CUDA device:
/// ...").
std::string describe_devices();

/// "13.0", CUDA's runtime; "none" in a build without CUDA.
std::string runtime_version();

}  // namespace binade::cuda
