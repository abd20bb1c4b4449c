#include "device_gemm.hpp"

#include <stdexcept>

namespace binade::experiments {

GemmPath parse_gemm_path(const std::string& text) {
  const std::size_t dash = text.find('-');
  const std::string name = text.substr(0, dash);
  const std::string interval = dash == std::string::npos ? "" : text.substr(dash + 1);
  const bool digits = !interval.empty() && interval.size() < 6 &&
                      interval.find_first_not_of("0123456789") == std::string::npos;
  if ((name != "tensor" && name != "row" && name != "block") || !digits) {
    throw std::invalid_argument("parameter paths: found '" + text +
                                "', expected tensor-, row- or block- and a promotion interval");
  }
  using enum cuda::GemmScaling;
  return {text, name,
          name == "tensor" ? kTensor
          : name == "row"  ? kRow
                           : kBlock,
          std::stoi(interval)};
}

}  // namespace binade::experiments
