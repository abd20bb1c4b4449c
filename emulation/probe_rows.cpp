// Making rows, asking them and predicting their answers.
#include "probe_rows.hpp"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "block_scale_shape.hpp"

namespace binade::detail {
namespace {

void store_code(FloatFormat f, unsigned char* codes, std::size_t index, std::uint64_t code) {
  const std::uint64_t word = container_of_code(f, code);
  std::memcpy(codes + index * bytes_of(f), &word, bytes_of(f));
}

/// The code of 2^exponent, which must lie in the format.
std::uint64_t power_code(FloatFormat f, int exponent, bool negative) {
  Unpacked u;
  u.negative = negative;
  u.exponent = exponent;
  u.significand = 1;
  return encode(f, u, kIeeeRules);
}

/// The draws of one stratum.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : seed_(seed) {}
  std::uint32_t word() { return random_at(seed_, index_++); }
  int below(int n) { return n <= 1 ? 0 : static_cast<int>(word() % static_cast<unsigned>(n)); }
  bool flip() { return (word() & 1) != 0; }
  std::uint64_t sign(FloatFormat f) { return flip() ? f.sign_bit() : 0; }

  /// A finite code of either sign.
  std::uint64_t finite(FloatFormat f) {
    const std::uint64_t magnitude = word() % (f.max_finite_code() + 1);
    return signed_code(f, magnitude);
  }
  /// A finite code of about this exponent.
  std::uint64_t around(FloatFormat f, int exponent) {
    const int field = std::clamp(exponent + f.bias, 0, f.emax() + f.bias);
    const std::uint64_t code =
        (static_cast<std::uint64_t>(field) << f.mantissa_bits) | (word() & f.mantissa_mask());
    return signed_code(f, std::min(code, f.max_finite_code()));
  }
  /// A NaN or an infinity, or one where the format has neither.
  std::uint64_t special(FloatFormat f) {
    if (f.has_infinity() && flip()) return f.infinity_code() | sign(f);
    return f.has_nan() ? f.canonical_nan_code() : power_code(f, 0, false);
  }

 private:
  std::uint64_t signed_code(FloatFormat f, std::uint64_t magnitude) {
    const std::uint64_t code = magnitude | sign(f);
    return f.is_nan(code) ? magnitude : code;  // formats whose -0 is their NaN
  }
  std::uint64_t seed_, index_ = 0;
};

/// Flips the sign of a product by that of the operand that has one.
void negate(const ProbeRows& r, std::uint64_t& x, std::uint64_t& y) {
  std::uint64_t& code = r.a.is_signed ? x : y;
  const FloatFormat f = r.a.is_signed ? r.a : r.b;
  if (f.has_negative_zero() || (code & f.magnitude_mask()) != 0) code ^= f.sign_bit();
}

using Pair = std::pair<std::uint64_t, std::uint64_t>;

Pair sparse_pair(const ProbeRows& r, Draws& d) {
  switch (d.below(8)) {
    case 0:
      return {0, d.flip() ? r.b.max_finite_code() : d.finite(r.b)};
    case 1:
      return {d.flip() ? r.a.max_finite_code() : d.finite(r.a), 0};
    case 2:
      return {d.around(r.a, r.a.emin() - 1), d.around(r.b, r.b.emin() - 1)};
    case 3:
      return {d.around(r.a, r.a.emax()), d.around(r.b, d.below(4) - 2)};
    default:
      return {0, 0};
  }
}

Pair low_pair(const ProbeRows& r, Draws& d) {
  // Around the lowest exponents that products and results have in common.
  const int bottom = std::max(r.a.emin() + r.b.emin(), r.c.min_ulp_exponent() - 6);
  const int sum = bottom - 2 + d.below(24);
  const int half = std::clamp(sum / 2 + d.below(5) - 2, r.a.emin() - 1, r.a.emax());
  return {d.around(r.a, half), d.around(r.b, sum - half)};
}

int any_exponent(FloatFormat f, Draws& d) {
  return f.emin() - 1 + d.below(f.emax() - f.emin() + 2);
}

Pair draw_pair(const ProbeRows& r, Stratum stratum, Draws& d) {
  const FloatFormat a = r.a, b = r.b;
  switch (stratum) {
    case Stratum::kUniform:
      return {d.finite(a), d.finite(b)};
    case Stratum::kWide: {
      // Held where the result can follow.
      const int half = std::min(12, (r.c.emax() - 4) / 2);
      return {d.around(a, std::clamp(any_exponent(a, d), -2 * half, half)),
              d.around(b, std::clamp(any_exponent(b, d), -2 * half, half))};
    }
    case Stratum::kSparse:
      return sparse_pair(r, d);
    case Stratum::kSubnormal:
      return d.flip() ? Pair{d.around(a, a.emin() - 1), d.around(b, d.below(6))}
                      : Pair{d.around(a, a.emin() - d.below(2)), d.around(b, b.emin() - 1)};
    case Stratum::kLow:
      return low_pair(r, d);
    case Stratum::kSpecials:
      if (d.below(24) == 0) return {d.special(a), d.flip() ? 0 : d.around(b, 0)};
      if (d.below(24) == 0) return {d.around(a, 0), d.special(b)};
      [[fallthrough]];
    default:
      return {d.around(a, d.below(3) - 1), d.around(b, d.below(3) - 1)};
  }
}

std::vector<Pair> draw_row(const ProbeRows& r, Stratum stratum, Draws& d) {
  std::vector<Pair> pairs(r.k);
  for (auto& [x, y] : pairs) {
    std::tie(x, y) = draw_pair(r, stratum, d);
    if (stratum == Stratum::kOneSign) {
      x &= r.a.magnitude_mask();
      y &= r.b.magnitude_mask();
    }
  }
  // Partners that take a product back, near or far.
  for (std::size_t i = 0; stratum == Stratum::kWide && i < r.k; i += 3) {
    Pair& partner = pairs[static_cast<std::size_t>(d.below(static_cast<int>(r.k)))];
    partner = pairs[i];
    negate(r, partner.first, partner.second);
  }
  return pairs;
}

std::uint64_t draw_c(const ProbeRows& r, Stratum stratum, std::size_t row, Draws& d) {
  const FloatFormat c = r.c;
  if (stratum == Stratum::kSpecials && d.below(6) == 0) return d.special(c);
  switch (row % 4) {
    case 0:
      return 0;
    case 1:
      return stratum == Stratum::kLow ? d.around(c, c.emin() - 1 + d.below(12))
                                      : d.around(c, d.below(24) - 12);
    case 2:
      return d.around(c, c.emin() - 1);
    default:
      return stratum == Stratum::kNearUnit ? d.around(c, d.below(80) - 40) : d.finite(c);
  }
}

}  // namespace

ProbeRows::ProbeRows(std::string name_, const ProbeTarget& target, std::size_t k_)
    : name(std::move(name_)), a(target.a), b(target.b), c(target.c), k(k_) {}

void ProbeRows::add_row() {
  ++rows;
  a_codes.resize(rows * k * bytes_of(a));
  b_codes.resize(rows * k * bytes_of(b));
  c_codes.resize(rows * bytes_of(c));
}

void ProbeRows::put(std::size_t i, std::uint64_t a_code, std::uint64_t b_code) {
  store_code(a, a_codes.data(), (rows - 1) * k + i, a_code);
  store_code(b, b_codes.data(), (rows - 1) * k + i, b_code);
}

void ProbeRows::put_c(std::uint64_t code) { store_code(c, c_codes.data(), rows - 1, code); }

bool ProbeRows::put_power(std::size_t i, int exponent, bool negative) {
  const int half = exponent >= 0 ? exponent / 2 : -(-exponent / 2);
  // Normal factors where there are any, else subnormal ones.
  for (const bool normal : {true, false}) {
    const int a_low = normal ? a.emin() : a.min_ulp_exponent();
    const int b_low = normal ? b.emin() : b.min_ulp_exponent();
    const int low = std::max(a_low, exponent - b.emax());
    const int high = std::min(a.emax(), exponent - b_low);
    if (low > high) continue;
    const int share = std::clamp(half, low, high);
    put(i, power_code(a, share, negative && a.is_signed),
        power_code(b, exponent - share, negative && !a.is_signed));
    return true;
  }
  return false;
}

void ProbeRows::put_mantissas(std::size_t i, std::uint32_t random) {
  const auto filled = [&](FloatFormat f, const std::vector<unsigned char>& codes,
                          std::uint32_t bits) {
    const std::uint64_t code = code_of_container(f, load_code(f, codes.data(), (rows - 1) * k + i));
    const std::uint64_t magnitude = code & f.magnitude_mask();
    if (magnitude >> f.mantissa_bits == 0) return code;
    return (code & f.sign_bit()) |
           std::min(magnitude | (bits & f.mantissa_mask()), f.max_finite_code());
  };
  put(i, filled(a, a_codes, random), filled(b, b_codes, random >> 16));
}

void ProbeRows::put_c_power(int exponent, bool negative) {
  put_c(power_code(c, exponent, negative));
}

std::uint64_t load_code(FloatFormat f, const unsigned char* codes, std::size_t index) {
  std::uint64_t word = 0;
  std::memcpy(&word, codes + index * bytes_of(f), bytes_of(f));
  return word;
}

void ProbeRows::decode() {
  x.resize(rows * k);
  y.resize(rows * k);
  for (std::size_t i = 0; i < rows * k; ++i) {
    x[i] = dot_operand(a, code_of_container(a, load_code(a, a_codes.data(), i)));
    y[i] = dot_operand(b, code_of_container(b, load_code(b, b_codes.data(), i)));
  }
}

ProbeRows ProbeRows::selected(const std::vector<std::size_t>& which) const {
  ProbeRows s = *this;
  s.rows = which.size();
  const auto pick = [&](auto& to, const auto& from, std::size_t size) {
    to.clear();
    for (const std::size_t row : which) {
      const auto first = from.begin() + static_cast<std::ptrdiff_t>(row * size);
      to.insert(to.end(), first, first + static_cast<std::ptrdiff_t>(size));
    }
  };
  pick(s.a_codes, a_codes, k * bytes_of(a));
  pick(s.b_codes, b_codes, k * bytes_of(b));
  pick(s.c_codes, c_codes, bytes_of(c));
  pick(s.d_codes, d_codes, bytes_of(c));
  pick(s.x, x, k);
  pick(s.y, y, k);
  return s;
}

std::uint64_t ProbeRows::answer(std::size_t row) const { return load_code(c, d_codes.data(), row); }

void ask(const ProbeTarget& target, ProbeRows& rows) {
  rows.d_codes.assign(rows.rows * bytes_of(rows.c), 0);
  if (!target.takes_c) std::fill(rows.c_codes.begin(), rows.c_codes.end(), 0);
  target.evaluate(rows.a_codes.data(), rows.b_codes.data(), rows.c_codes.data(),
                  rows.d_codes.data(), rows.rows, rows.k);
  rows.decode();
}

Predictor::Predictor(const Card& card, const ProbeRows& rows)
    : rows_(rows),
      plan_(make_dot_plan(card.instruction)),
      interval_(static_cast<std::size_t>(card.promotion_interval)),
      x_tail_(static_cast<std::size_t>(plan_.k)),
      y_tail_(x_tail_.size()) {}

std::uint64_t Predictor::chain(const DotOperand* x, const DotOperand* y, std::size_t k,
                               std::uint64_t c) {
  const auto step = static_cast<std::size_t>(plan_.k);
  std::size_t first = 0;
  for (; first + step <= k; first += step) c = dot_instruction(plan_, x + first, y + first, c);
  if (first == k) return c;
  std::fill(x_tail_.begin(), x_tail_.end(), zero_operand(rows_.a));
  std::fill(y_tail_.begin(), y_tail_.end(), zero_operand(rows_.b));
  std::copy(x + first, x + k, x_tail_.begin());
  std::copy(y + first, y + k, y_tail_.begin());
  return dot_instruction(plan_, x_tail_.data(), y_tail_.data(), c);
}

std::uint64_t Predictor::operator()(std::size_t row) {
  const std::uint64_t c = load_code(rows_.c, rows_.c_codes.data(), row);
  const DotOperand* x = rows_.x.data() + row * rows_.k;
  const DotOperand* y = rows_.y.data() + row * rows_.k;
  if (interval_ == 0) return chain(x, y, rows_.k, c);
  float sum = bit_cast<float>(static_cast<std::uint32_t>(c));
  for (std::size_t first = 0; first < rows_.k; first += interval_) {
    const std::size_t width = std::min(interval_, rows_.k - first);
    sum += bit_cast<float>(static_cast<std::uint32_t>(chain(x + first, y + first, width, 0)));
  }
  return sum != sum ? Fp32::format.canonical_nan_code() : bit_cast<std::uint32_t>(sum);
}

bool same_value(FloatFormat f, std::uint64_t x, std::uint64_t y) {
  return x == y || (f.is_nan(x) && f.is_nan(y)) || ((x | y) & f.magnitude_mask()) == 0;
}

PowerRange power_range(const ProbeTarget& t) {
  PowerRange r;
  r.top = std::min({t.a.emax() + t.b.emax(), t.c.emax() - 2, 40});
  r.bottom = std::max(
      {t.a.min_ulp_exponent() + t.b.min_ulp_exponent(), t.c.min_ulp_exponent(), r.top - 80});
  return r;
}

std::size_t fit_k(const ProbeTarget& target, std::size_t k) {
  const std::size_t m = target.k_multiple;
  return std::min((k + m - 1) / m * m, target.max_k / m * m);
}

const char* name_of(Stratum stratum) {
  constexpr const char* kNames[] = {"uniform", "near_unit", "one_sign", "wide",
                                    "sparse",  "subnormal", "low",      "specials"};
  return kNames[static_cast<std::size_t>(stratum)];
}

ProbeRows make_stratum(const ProbeTarget& target, Stratum stratum, std::size_t k, std::size_t rows,
                       std::uint64_t seed) {
  ProbeRows r(name_of(stratum), target, k);
  Draws d(seed * 16 + static_cast<std::uint64_t>(stratum));
  for (std::size_t row = 0; row < rows; ++row) {
    r.add_row();
    const std::vector<Pair> pairs = draw_row(r, stratum, d);
    for (std::size_t i = 0; i < k; ++i) r.put(i, pairs[i].first, pairs[i].second);
    if (target.takes_c) r.put_c(draw_c(r, stratum, row, d));
  }
  return r;
}

}  // namespace binade::detail
