#include "binade/emulation/metrics.hpp"

#include <cmath>
#include <stdexcept>

#include "block_scale_shape.hpp"

namespace binade {
namespace {

/// max that keeps a NaN once it has seen one.
double worse(double a, double b) { return a != a || b <= a ? a : b; }

struct Sums {
  double ref = 0, ref_squared = 0, computed_squared = 0, product = 0, error_squared = 0;
  double signed_error = 0, max_error = 0, max_ref = 0;
  std::size_t mismatches = 0;

  void see(double x, double r) {
    const double e = x - r;
    ref += std::fabs(r);
    ref_squared += r * r;
    computed_squared += x * x;
    product += x * r;
    error_squared += e * e;
    signed_error += r > 0 ? e : r < 0 ? -e : r != r ? r : 0;
    max_error = worse(max_error, std::fabs(e));
    max_ref = worse(max_ref, std::fabs(r));
    mismatches += x == r ? 0 : 1;
  }
};

template <class T>
double largest_relative(std::span<const T> computed, std::span<const double> reference,
                        double above) {
  double largest = 0;
  for (std::size_t i = 0; i < computed.size(); ++i) {
    const double x = static_cast<double>(computed[i]), r = reference[i];
    if (std::fabs(r) <= above && x == x) continue;  // a NaN on either side is let through
    largest = worse(largest, std::fabs((x - r) / r));
  }
  return largest;
}

template <class T>
ErrorMetrics metrics_of(std::span<const T> computed, std::span<const double> reference) {
  if (computed.size() != reference.size() || computed.empty()) {
    throw std::invalid_argument("error_metrics: " + std::to_string(computed.size()) +
                                " elements against a reference of " +
                                std::to_string(reference.size()));
  }
  Sums s;
  for (std::size_t i = 0; i < computed.size(); ++i) {
    s.see(static_cast<double>(computed[i]), reference[i]);
  }
  const auto count = static_cast<double>(computed.size());
  const double both = s.ref_squared + s.computed_squared;
  ErrorMetrics m;
  m.fro_rel = std::sqrt(s.error_squared / s.ref_squared);
  m.max_over_mean = s.max_error / (s.ref / count);
  m.max_over_max = s.max_error / s.max_ref;
  m.max_rel_large = largest_relative(computed, reference, s.ref / count);
  m.sqnr_db = 10 * std::log10(s.ref_squared / s.error_squared);
  m.calc_diff = both == 0 ? 0 : 1 - 2 * s.product / both;
  m.cosine = s.product / std::sqrt(s.ref_squared * s.computed_squared);
  m.bias = s.signed_error / s.ref;
  m.mismatch_rate = static_cast<double>(s.mismatches) / count;
  return m;
}

template <class T>
double norm_of(std::span<const T> x, std::size_t rows, std::size_t cols) {
  if (x.size() != rows * cols || x.empty()) {
    throw std::invalid_argument("infinity norm: " + std::to_string(x.size()) +
                                " elements for shape " + detail::shape_text(rows, cols));
  }
  double norm = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (std::size_t c = 0; c < cols; ++c) sum += std::fabs(static_cast<double>(x[r * cols + c]));
    norm = worse(norm, sum);
  }
  return norm;
}

}  // namespace

ErrorMetrics error_metrics(std::span<const double> computed, std::span<const double> reference) {
  return metrics_of(computed, reference);
}
ErrorMetrics error_metrics(std::span<const float> computed, std::span<const double> reference) {
  return metrics_of(computed, reference);
}

double infinity_norm(std::span<const double> x, std::size_t rows, std::size_t cols) {
  return norm_of(x, rows, cols);
}
double infinity_norm(std::span<const float> x, std::size_t rows, std::size_t cols) {
  return norm_of(x, rows, cols);
}

double norm_inf_error(std::span<const double> computed, std::span<const double> reference,
                      std::size_t m, std::size_t n, double norm_a, double norm_b) {
  if (computed.size() != reference.size()) {
    throw std::invalid_argument("norm_inf_error: " + std::to_string(computed.size()) +
                                " elements against a reference of " +
                                std::to_string(reference.size()));
  }
  std::vector<double> error(computed.size());
  for (std::size_t i = 0; i < error.size(); ++i) error[i] = computed[i] - reference[i];
  return infinity_norm(std::span<const double>(error), m, n) / (norm_a * norm_b);
}

}  // namespace binade
