#include "gemm_shape.hpp"

#include <cstdio>
#include <stdexcept>

namespace binade::experiments {

GemmShape parse_gemm_shape(const std::string& text) {
  GemmShape shape;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%zux%zux%zu%c", &shape.m, &shape.n, &shape.k, &rest) != 3 ||
      shape.m == 0 || shape.n == 0 || shape.k == 0) {
    throw std::invalid_argument("parameter shapes: found '" + text + "', expected MxNxK");
  }
  return shape;
}

}  // namespace binade::experiments
