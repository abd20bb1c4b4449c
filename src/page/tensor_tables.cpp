// Histograms of log2 |x|, and what an unscaled or shifted cast makes of each tensor.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <stdexcept>

#include "page/tables.hpp"

namespace binade::page {
namespace {

// A power of two 2^k multiplies the elements before the cast.
constexpr int kLowestShift = -8;
constexpr int kHighestShift = 32;
constexpr const char* kFates[] = {"e4m3", "e5m2", "fp16", "bf16", "e3m4", "e3m2", "e2m3", "e2m1"};

struct Sorted {
  std::vector<double> magnitudes;  ///< finite and not zero, ascending
  std::size_t zeros = 0, others = 0;
};

Sorted sort_magnitudes(const PageTensor& tensor) {
  Sorted sorted;
  for (const float x : tensor.values) {
    if (!std::isfinite(x)) {
      ++sorted.others;
    } else if (x == 0.0f) {
      ++sorted.zeros;
    } else {
      sorted.magnitudes.push_back(std::abs(static_cast<double>(x)));
    }
  }
  std::sort(sorted.magnitudes.begin(), sorted.magnitudes.end());
  return sorted;
}

Json histogram(const std::vector<double>& magnitudes) {
  if (magnitudes.empty()) return {{"first", 0}, {"counts", Json::array()}};
  const int first = std::ilogb(magnitudes.front()), last = std::ilogb(magnitudes.back());
  std::vector<std::size_t> counts(static_cast<std::size_t>(last - first + 1));
  for (const double x : magnitudes) ++counts[static_cast<std::size_t>(std::ilogb(x) - first)];
  return {{"first", first}, {"counts", counts}};
}

/// How many of x * 2^shift stay below a boundary of the cast.
std::size_t below(const std::vector<double>& magnitudes, Boundary b, int shift) {
  const double at = std::ldexp(b.at, -shift);
  const auto end = b.tie_goes_up ? std::lower_bound(magnitudes.begin(), magnitudes.end(), at)
                                 : std::upper_bound(magnitudes.begin(), magnitudes.end(), at);
  return static_cast<std::size_t>(std::distance(magnitudes.begin(), end));
}

/// For each shift: elements that become zero, become subnormal, and lie beyond the largest finite.
Json fates(const std::vector<double>& magnitudes, FloatFormat f) {
  const Boundary zero = boundary_above(f, 0);
  const Boundary normal = boundary_above(f, f.mantissa_mask());
  const Boundary over = boundary_above(f, f.max_finite_code());
  Json rows = Json::array();
  for (int shift = kLowestShift; shift <= kHighestShift; ++shift) {
    const std::size_t to_zero = below(magnitudes, zero, shift);
    rows.push_back({to_zero, below(magnitudes, normal, shift) - to_zero,
                    magnitudes.size() - below(magnitudes, over, shift)});
  }
  return rows;
}

Json describe(const PageTensor& tensor) {
  std::size_t count = 1;
  for (const std::size_t n : tensor.shape) count *= n;
  if (count != tensor.values.size()) {
    throw std::invalid_argument("tensor " + tensor.name + ": its shape asks for " +
                                std::to_string(count) + " elements, there are " +
                                std::to_string(tensor.values.size()));
  }
  const Sorted sorted = sort_magnitudes(tensor);
  Json out{{"name", tensor.name},
           {"dtype", tensor.dtype},
           {"shape", tensor.shape},
           {"count", count},
           {"zeros", sorted.zeros},
           {"others", sorted.others},
           {"amax", sorted.magnitudes.empty() ? 0.0 : sorted.magnitudes.back()},
           {"histogram", histogram(sorted.magnitudes)}};
  for (const char* name : kFates) {
    out["fates"][name] = fates(sorted.magnitudes, parse_format(name).format);
  }
  return out;
}

}  // namespace

Json tensor_tables(const std::vector<PageTensor>& tensors, std::string_view source) {
  Json list = Json::array();
  for (const PageTensor& tensor : tensors) list.push_back(describe(tensor));
  return {{"source", source},
          {"lowestShift", kLowestShift},
          {"highestShift", kHighestShift},
          {"list", list}};
}

}  // namespace binade::page
