// After FTTN: which of its tests' constructions fit any types. B stands for 2^base, h for half of
// the last place of B in the result, C carries B where the target takes a C.
#include "probe_features.hpp"

#include <algorithm>
#include <cmath>

#include "binade/formats/catalog.hpp"

namespace binade::detail {
namespace {

/// One row at a time, with the answer at once: there are few.
class Asker {
 public:
  Asker(const ProbeTarget& target, int precision)
      : target_(target),
        precision_(precision),
        k_(fit_k(target, 64)),
        base_(std::max(0, lowest() + precision + 3)) {}

  int base() const { return base_; }
  int half() const { return base_ - precision_ - 1; }  ///< exponent of h
  std::size_t k() const { return k_; }
  /// Whether B and a quarter of h can be formed.
  bool reaches() const { return base_ + 1 <= power_range(target_).top; }

  /// Starts a row. All terms are lost on a target that cannot form them: ok() says so.
  ProbeRows& row() {
    rows_.emplace_back("feature", target_, k_);
    rows_.back().add_row();
    ok_ = true;
    return rows_.back();
  }
  void term(std::size_t at, int exponent, bool negative = false) {
    ok_ &= rows_.back().put_power(at, exponent, negative);
  }
  /// C, or a product in its place.
  void large(std::size_t at, int exponent, bool negative = false) {
    if (target_.takes_c) {
      rows_.back().put_c_power(exponent, negative);
    } else {
      term(at, exponent, negative);
    }
  }
  bool ok() const { return ok_; }
  std::uint64_t answer() {
    ask(target_, rows_.back());
    return rows_.back().answer(0);
  }
  double value() { return decode(target_.c, answer()); }

 private:
  int lowest() const {
    const FloatFormat a = target_.a, b = target_.b;
    return std::max(a.min_ulp_exponent() + b.min_ulp_exponent(), target_.c.min_ulp_exponent());
  }

  const ProbeTarget& target_;
  int precision_;
  std::size_t k_;
  int base_;
  bool ok_ = true;
  std::vector<ProbeRows> rows_;
};

double power_of_two(int exponent) { return std::exp2(exponent); }

constexpr const char* kUnreachable = "these types cannot ask";

std::string subnormal_input(Asker& asker, const ProbeTarget& t, bool of_a) {
  const FloatFormat f = of_a ? t.a : t.b, other = of_a ? t.b : t.a;
  if (f.mantissa_bits == 0) return kUnreachable;
  ProbeRows& r = asker.row();
  // The smallest subnormal times 2^j, where the result is a normal number.
  const int j = std::clamp(t.c.emin() - f.min_ulp_exponent(), 0, other.emax());
  const std::uint64_t one = static_cast<std::uint64_t>(j + other.bias) << other.mantissa_bits;
  r.put(0, of_a ? 1 : one, of_a ? one : 1);
  const double got = asker.value();
  return got == power_of_two(f.min_ulp_exponent() + j) ? "kept" : got == 0 ? "flushed" : "changed";
}

std::string subnormal_output(Asker& asker, const ProbeTarget& t) {
  const int e = t.c.emin() - 1;
  if (t.a.emin() + t.b.emin() > e) return kUnreachable;
  asker.row();
  asker.term(0, e);
  if (!asker.ok()) return kUnreachable;
  const double got = asker.value();
  return got == power_of_two(e) ? "kept" : got == 0 ? "flushed" : "changed";
}

std::string subnormal_accumulation(Asker& asker, const ProbeTarget& t) {
  if (!t.takes_c) return kUnreachable;
  asker.row().put_c_power(t.c.emin() - 1);
  const double got = asker.value();
  return got == power_of_two(t.c.emin() - 1) ? "kept" : got == 0 ? "flushed" : "changed";
}

/// B - (B - h): what is left where one bit more than the result's is kept.
std::string one_extra_bit(Asker& asker) {
  const int b = asker.base(), h = asker.half();
  asker.row();
  asker.large(0, b);
  asker.term(1, b, true);
  asker.term(2, h);
  if (!asker.ok()) return kUnreachable;
  const double got = asker.value();
  return got == power_of_two(h) ? "yes" : got == 0 ? "no" : "changed";
}

/// B - B + h/2 + h/4: how many of two further bits are kept.
std::string more_extra_bits(Asker& asker) {
  const int b = asker.base(), h = asker.half();
  int kept = 0;
  for (const int further : {1, 2}) {
    asker.row();
    asker.large(0, b);
    asker.term(1, b, true);
    asker.term(2, h - further);
    if (!asker.ok()) return kUnreachable;
    kept += asker.value() != 0 ? 1 : 0;
  }
  return kept == 0 ? "none of two further" : kept == 1 ? "one of two further" : "two further";
}

/// +-(2B + 3h): 2B is kept under truncation, its neighbour under rounding to nearest.
std::string rounding_direction(Asker& asker) {
  const int b = asker.base(), h = asker.half();
  bool away[2] = {false, false};
  for (const bool negative : {false, true}) {
    asker.row();
    asker.large(0, b + 1, negative);
    asker.term(1, h, negative);
    asker.term(2, h + 1, negative);
    if (!asker.ok()) return kUnreachable;
    const double got = asker.value(), large = power_of_two(b + 1);
    away[negative ? 1 : 0] = (negative ? -got : got) > large;
  }
  if (away[0] && away[1]) return "to nearest, or away from zero";
  if (away[0]) return "up";
  return away[1] ? "down" : "toward zero";
}

/// Products that are added to B together: h at 0 and at each other place; two make a last place.
std::string width(Asker& asker) {
  const int b = asker.base(), h = asker.half();
  std::size_t together = 1, first_apart = 0;
  for (std::size_t at = 1; at + 1 < asker.k(); ++at) {
    asker.row();
    asker.large(asker.k() - 1, b);
    asker.term(0, h);
    asker.term(at, h);
    if (!asker.ok()) return kUnreachable;
    if (asker.value() > power_of_two(b)) {
      ++together;
    } else if (first_apart == 0) {
      first_apart = at;
    }
  }
  if (together == 1) return "none seen: halves of a last place are lost one by one";
  if (first_apart == 0) return "at least " + std::to_string(together);
  return std::to_string(together);
}

/// The same four terms with B in each place.
std::string order(Asker& asker) {
  const int b = asker.base(), h = asker.half();
  std::vector<double> sums;
  for (std::size_t place = 0; place < 4; ++place) {
    asker.row();
    for (std::size_t at = 0; at < 4; ++at) asker.term(at, at == place ? b : h);
    if (!asker.ok()) return kUnreachable;
    sums.push_back(asker.value());
  }
  const bool same = std::all_of(sums.begin(), sums.end(), [&](double s) { return s == sums[0]; });
  return same ? "does not matter" : "matters";
}

}  // namespace

std::vector<ProbeFeature> ask_features(const ProbeTarget& target, int precision) {
  Asker asker(target, precision);
  const auto if_reached = [&](auto&& question) {
    return asker.reaches() ? question(asker) : std::string(kUnreachable);
  };
  return {
      {"T_si_no", "subnormal operands",
       "A " + subnormal_input(asker, target, true) + ", B " +
           subnormal_input(asker, target, false)},
      {"T_no_so", "subnormal results", subnormal_output(asker, target)},
      {"T_sa", "a subnormal C", subnormal_accumulation(asker, target)},
      {"T_1_bit", "a bit below the result's last place while summing", if_reached(one_extra_bit)},
      {"T_3_bits", "further bits below it", if_reached(more_extra_bits)},
      {"T_rnd_dir", "rounding of a sum", if_reached(rounding_direction)},
      {"T_blk_fma_width", "products summed before one rounding", if_reached(width)},
      {"T_acc_order", "the order of four products", if_reached(order)},
  };
}

}  // namespace binade::detail
