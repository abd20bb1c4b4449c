// Directed rows. B stands for a large power of two, s for a small one; all other operands are zero.
#include "probe_vectors.hpp"

#include <algorithm>

#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"

namespace binade::detail {
namespace {

std::uint64_t near_unit(FloatFormat f, std::uint32_t random) {
  const auto one = static_cast<std::uint64_t>(f.bias) << f.mantissa_bits;
  return std::min(one | (random & f.mantissa_mask()), f.max_finite_code());
}

std::uint64_t power(FloatFormat f, int exponent, bool negative = false) {
  Unpacked u;
  u.negative = negative && f.is_signed;
  u.exponent = std::clamp(exponent, f.min_ulp_exponent(), f.emax());
  u.significand = 1;
  return encode(f, u, kIeeeRules);
}

/// Whether anything but zero came back for each row.
std::vector<bool> survivals(const ProbeRows& r) {
  std::vector<bool> alive;
  for (std::size_t i = 0; i < r.rows; ++i) {
    alive.push_back((r.answer(i) & r.c.magnitude_mask()) != 0);
  }
  return alive;
}

std::size_t count_true(const std::vector<bool>& flags) {
  return static_cast<std::size_t>(std::count(flags.begin(), flags.end(), true));
}

/// +B at `plus`, -B at `minus`, s at `small`.
void add_cancelling(ProbeRows& r, PowerRange p, std::size_t plus, std::size_t minus,
                    std::size_t small) {
  r.add_row();
  r.put_power(plus, p.top);
  r.put_power(minus, p.top, true);
  r.put_power(small, p.bottom);
}

/// The consecutive or interleaved step that the positions spell, or the nearest, with a note.
void read_positions(Grouping& g, std::size_t k) {
  const auto& s = g.first_step;
  g.step_k = static_cast<int>(s.size());
  if (s.back() == s.size() - 1) {
    if (s.size() == k) g.note = "all products of the longest rows tried share one step";
    return;
  }
  const std::size_t length = s.size() * 2;
  bool interleaved = length % 4 == 0;
  for (std::size_t i = 0; interleaved && i < s.size(); ++i) {
    interleaved = s[i] == 4 * (i / 2) + i % 2;
  }
  if (interleaved) {
    g.order = StepOrder::kInterleavedPairs;
    return;
  }
  g.note = "the first step takes positions that no known order has:";
  for (const std::size_t i : s) g.note += " " + std::to_string(i);
}

/// The powers of two that come back unchanged as the only product.
PowerRange surviving_powers(const ProbeTarget& target, ProbeData& data) {
  PowerRange p = power_range(target);
  ProbeRows r("powers alone", target, fit_k(target, 4));
  // All there are: below the range that the other rows use, a clamp may show.
  const int lowest = std::max(target.a.min_ulp_exponent() + target.b.min_ulp_exponent(),
                              target.c.min_ulp_exponent());
  for (int e = lowest; e <= p.top; ++e) {
    r.add_row();
    r.put_power(0, e);
  }
  ask(target, r);
  for (int e = p.top; e >= p.bottom; --e) {
    if (r.answer(static_cast<std::size_t>(e - lowest)) != power(r.c, e)) {
      p.bottom = std::min(e + 1, p.top);
      break;
    }
  }
  data.push_back(std::move(r));
  return p;
}

/// The shape of `grouping` at rows of k products; false if rows so short cannot tell.
bool group_at(const ProbeTarget& target, std::size_t k, Grouping& g, ProbeData& data) {
  const PowerRange p = g.powers;
  // s leaves the sum where it meets +B - B in one step, if F is smaller than the distance.
  ProbeRows lost("grouping by loss", target, k);
  for (std::size_t l = 2; l < k; ++l) add_cancelling(lost, p, 0, 1, l);
  ask(target, lost);
  const auto alive = survivals(lost);
  data.push_back(std::move(lost));
  g.first_step = {0, 1};
  if (count_true(alive) < alive.size()) {
    g.loses_small = true;
    for (std::size_t l = 2; l < k; ++l) {
      if (!alive[l - 2]) g.first_step.push_back(l);
    }
    return count_true(alive) > 0;
  }
  // Else the result is rounded between +B and -B unless they share a step with s.
  ProbeRows kept("grouping by survival", target, k);
  for (std::size_t l = 2; l < k; ++l) add_cancelling(kept, p, 0, l, 1);
  ask(target, kept);
  const auto whole = survivals(kept);
  data.push_back(std::move(kept));
  for (std::size_t l = 2; l < k; ++l) {
    if (whole[l - 2]) g.first_step.push_back(l);
  }
  return count_true(whole) < whole.size();
}

std::size_t unit_of(const Grouping& g) {
  const auto step = static_cast<std::size_t>(g.step_k);
  return g.order == StepOrder::kInterleavedPairs ? 2 * step : step;
}

/// Whether s at 0 survives large terms in the `unit`-th unit and later.
bool survives_later(const ProbeTarget& target, const Grouping& g, std::size_t unit, std::size_t k,
                    ProbeData& data) {
  const PowerRange p = g.powers;
  const std::size_t u = unit_of(g), at = unit * u;
  ProbeRows r("chain interruption", target, k);
  if (g.loses_small) {
    add_cancelling(r, p, at, at + 1, 0);
  } else {
    // Across the boundary of two steps; two boundaries, as one may also end a chain.
    add_cancelling(r, p, at - 1, at, 0);
    if (at + u < k) add_cancelling(r, p, at + u - 1, at + u, 0);
  }
  ask(target, r);
  const bool alive = count_true(survivals(r)) > 0;
  data.push_back(std::move(r));
  return alive;
}

/// The positions of three terms of one step; the third is outside where steps are shorter.
struct Places {
  std::size_t plus = 0, minus = 1, small = 2;
};
Places places(const Grouping& g) {
  if (g.first_step.size() >= 3) return {0, 1, g.first_step[2]};
  return {2, 3, 0};  // s comes before: as C of the step of +B - B
}

}  // namespace

Grouping find_grouping(const ProbeTarget& target, ProbeData& data) {
  Grouping g;
  const PowerRange powers = surviving_powers(target, data);
  std::size_t k = fit_k(target, 128);
  for (;;) {
    g = Grouping{};
    g.powers = powers;
    const std::size_t longer = std::min(fit_k(target, k * 4), fit_k(target, 512));
    if (group_at(target, k, g, data) || longer <= k) break;
    k = longer;
  }
  // Nothing told: every term survives whatever it stands beside. A guess, for the search to judge.
  if (!g.loses_small && g.first_step.size() == k) {
    g.first_step.resize(std::min<std::size_t>(k, 16));
    g.note = "the operands' range is too short to see which products share a step";
  }
  read_positions(g, k);
  if (!g.loses_small && g.first_step.size() == 2) {
    g.step_k = 1;
    g.first_step = {0};
  }
  return g;
}

int find_chunk(const ProbeTarget& target, const Grouping& g, ProbeData& data) {
  const std::size_t k = fit_k(target, 2048), u = unit_of(g);
  if (k < 3 * u) return 0;
  // survives_later(j) is monotone in j: false within the first chain, true beyond it.
  std::size_t inside = 0, beyond = k / u - 2;
  if (!survives_later(target, g, beyond, k, data)) return 0;
  while (beyond - inside > 1) {
    const std::size_t middle = (inside + beyond) / 2;
    (survives_later(target, g, middle, k, data) ? beyond : inside) = middle;
  }
  return static_cast<int>(beyond * u);
}

ProbeRows alignment_rows(const ProbeTarget& target, const Grouping& g, std::size_t k) {
  const PowerRange p = g.powers;
  const Places at = places(g);
  ProbeRows r("alignment", target, k);
  const std::uint64_t half_more = target.b.mantissa_bits > 0
                                      ? near_unit(target.b, 1u << (target.b.mantissa_bits - 1))
                                      : near_unit(target.b, 0);
  for (int e = p.top; e >= p.bottom; --e) {
    for (const bool negative : {false, true}) {
      r.add_row();
      r.put_power(at.plus, p.top);
      r.put_power(at.minus, p.top, true);
      r.put_power(at.small, e, negative);
      // The same with any significands, twice.
      for (const unsigned draw : {0u, 1u}) {
        r.add_row();
        r.put_power(at.plus, p.top);
        r.put_power(at.minus, p.top, true);
        r.put_power(at.small, e, negative);
        r.put_mantissas(at.small, random_at(13 + draw, 2 * unsigned(e + 4000) + negative));
      }
      // The same and half of it again, where one factor can be 1.5.
      if (e > target.a.emax() || e < target.a.emin()) continue;
      r.add_row();
      r.put_power(at.plus, p.top);
      r.put_power(at.minus, p.top, true);
      const bool on_a = negative && target.a.is_signed;
      r.put(at.small, power(target.a, e, on_a),
            half_more | (negative && !on_a ? target.b.sign_bit() : 0));
    }
  }
  return r;
}

ProbeRows result_rows(const ProbeTarget& target, const Grouping& g, std::size_t k) {
  const PowerRange p = g.powers;
  ProbeRows r("result", target, k);
  std::uint64_t draw = 0;
  for (int row = 0; row < 96; ++row) {
    r.add_row();
    const int spread = 1 + row % 32;
    for (const std::size_t i : g.first_step) {
      if (i >= k) continue;
      const int top = std::min({p.top - 8, target.a.emax(), 40});
      const int e = std::max(top - static_cast<int>(random_at(7, draw++) % unsigned(spread)),
                             target.a.min_ulp_exponent());
      const bool negative = row % 3 == 0 && random_at(7, draw++) % 2 == 1;
      const bool on_a = negative && target.a.is_signed;
      r.put(i, power(target.a, e, on_a),
            near_unit(target.b, random_at(7, draw++)) |
                (negative && !on_a ? target.b.sign_bit() : 0));
    }
  }
  return r;
}

ProbeRows addend_rows(const ProbeTarget& target, const Grouping& g, std::size_t k) {
  const PowerRange p = g.powers;
  const Places at = places(g);
  const FloatFormat c = target.c;
  ProbeRows r("addend", target, k);
  for (int e = c.min_ulp_exponent(); e<c.emax(); e += c.emax()> 40 ? 3 : 1) {
    r.add_row();
    const auto exponent = static_cast<std::uint64_t>(std::max(e, c.emin() - 1) + c.bias);
    const std::uint64_t sign = (e & 1) != 0 ? c.sign_bit() : 0;
    r.put_c(exponent << c.mantissa_bits | (random_at(11, unsigned(e + 4000)) & c.mantissa_mask()) |
            sign);
    if (std::abs(e - p.top) > 60) continue;
    r.add_row();
    r.put_c_power(e, (e & 1) != 0);
    r.put_power(at.plus, p.top);
    r.put_power(at.minus == 3 ? 3 : 1, p.top, true);
    r.add_row();
    r.put_c_power(e, (e & 1) != 0);
    r.put_power(0, std::clamp(e - 14, p.bottom, p.top));
  }
  return r;
}

ProbeRows exponent_rows(const ProbeTarget& target, const Grouping& g, std::size_t k) {
  const FloatFormat a = target.a, b = target.b;
  const PowerRange p = g.powers;
  const Places at = places(g);
  ProbeRows r("exponents", target, k);
  const std::uint64_t full_a = near_unit(a, ~0u), full_b = near_unit(b, ~0u);
  for (int e = p.bottom; e <= p.top; ++e) {
    // A product of nearly 4 that cancels; a subnormal factor; a zero beside the largest partner:
    // with 2^e.
    r.add_row();
    r.put(at.plus, full_a, full_b);
    r.put(at.minus, full_a | a.sign_bit(), full_b | (a.is_signed ? 0 : b.sign_bit()));
    r.put_power(at.small, e);
    r.add_row();
    r.put(at.plus, power(a, a.min_ulp_exponent()), power(b, b.emax()));
    r.put_power(at.small, e);
    r.add_row();
    r.put(at.plus, power(a, a.emax()), power(b, b.min_ulp_exponent()));
    r.put_power(at.small, e, true);
    // The same where they cancel.
    const std::uint64_t minus_a = a.sign_bit(), minus_b = a.is_signed ? 0 : b.sign_bit();
    r.add_row();
    r.put(at.plus, power(a, a.min_ulp_exponent()), power(b, b.emax()));
    r.put(at.minus, power(a, a.min_ulp_exponent()) | minus_a, power(b, b.emax()) | minus_b);
    r.put_power(at.small, e);
    r.add_row();
    r.put(at.plus, power(a, a.emax()), power(b, b.min_ulp_exponent()));
    r.put(at.minus, power(a, a.emax()) | minus_a, power(b, b.min_ulp_exponent()) | minus_b);
    r.put_power(at.small, e);
    r.add_row();
    r.put(at.plus, 0, b.max_finite_code());
    r.put_power(at.small, e);
    r.add_row();
    r.put(at.plus, a.max_finite_code(), 0);
    r.put_power(at.small, e, true);
  }
  // C beside zeros of large partners, down to where any alignment loses it.
  for (int e = std::max(p.bottom - 60, target.c.min_ulp_exponent()); e <= 0 && target.takes_c;
       ++e) {
    r.add_row();
    r.put(at.plus, 0, b.max_finite_code());
    r.put_c_power(e, (e & 1) != 0);
  }
  return r;
}

SpecialQuestions special_questions(const ProbeTarget& target, std::size_t k) {
  const FloatFormat a = target.a, b = target.b, c = target.c;
  SpecialQuestions s{ProbeRows("special values", target, k), {}};
  const std::uint64_t one_a = power(a, 0), one_b = power(b, 0);
  const auto put = [&](std::string question, std::vector<std::uint64_t> codes,
                       std::uint64_t c_code) {
    if (!target.takes_c && c_code != 0) return;
    s.rows.add_row();
    for (std::size_t i = 0; i + 1 < codes.size(); i += 2) s.rows.put(i / 2, codes[i], codes[i + 1]);
    s.rows.put_c(c_code);
    s.questions.push_back(std::move(question));
  };
  if (a.has_nan()) put("NaN times 1", {a.canonical_nan_code(), one_b}, 0);
  if (a.has_nan() && a.has_negative_zero()) {
    put("-NaN times 1", {a.canonical_nan_code() | a.sign_bit(), one_b}, 0);
  }
  put("1 times 1 plus a signalling NaN as C", {one_a, one_b}, c.infinity_code() | 5);
  if (a.has_infinity()) {
    const std::uint64_t inf = a.infinity_code();
    put("infinity times 0", {inf, 0}, 0);
    put("infinity times 1", {inf, one_b}, 0);
    put("-infinity times 1", {inf | a.sign_bit(), one_b}, 0);
    put("infinity minus infinity", {inf, one_b, inf | a.sign_bit(), one_b}, 0);
  }
  put("1 times 1 plus -infinity as C", {one_a, one_b}, c.infinity_code() | c.sign_bit());
  if (a.has_negative_zero()) put("-0 times 1", {a.sign_bit(), one_b}, 0);
  put("0 times 0 plus -0 as C", {0, 0}, c.sign_bit());
  if (a.has_negative_zero()) put("-0 times 1 plus -0 as C", {a.sign_bit(), one_b}, c.sign_bit());
  put("1 times 1 minus 1 times 1",
      {one_a, one_b, power(a, 0, true), one_b | (a.is_signed ? 0 : b.sign_bit())}, 0);
  put("the largest product and the largest C", {a.max_finite_code(), b.max_finite_code()},
      c.max_finite_code());
  put("the smallest product", {1, 1}, 0);
  put("the smallest product, negative", {1 | a.sign_bit(), 1}, 0);
  return s;
}

ProbeRows clamp_rows(const ProbeTarget& target, const Card& card) {
  const DotModel& m = card.instruction.model;
  const std::size_t k = fit_k(target, static_cast<std::size_t>(std::max(card.instruction.k, 4)));
  ProbeRows r("clamp", target, k);
  const int lowest = target.a.min_ulp_exponent() + target.b.min_ulp_exponent();
  const int first = std::max(lowest, target.c.min_ulp_exponent() - 8);
  for (int e = first; e < std::min(first + 90, target.c.emax() - 8); ++e) {
    // Two units of the grid below 2^e, taken from it: a higher clamp drops them.
    for (const int below : {0, 1, 2}) {
      r.add_row();
      if (!r.put_power(0, e)) r.put_power(0, lowest);
      r.put_power(1, e - m.alignment_fraction_bits + below, true);
      r.put_power(2, e - m.alignment_fraction_bits + below, true);
    }
  }
  // Where results are rounded to nearest: half of the smallest one, and dust that lifts it off the
  // tie unless a clamp drops it.
  const int half = target.c.min_ulp_exponent() - 1;
  for (int dust = std::max(lowest, half - 90); dust < half; ++dust) {
    for (const bool negative : {false, true}) {
      r.add_row();
      r.put_power(0, half, negative);
      r.put_power(1, dust, negative);
    }
  }
  return r;
}

ProbeRows fingerprint_rows(const ProbeTarget& target) {
  // One small term everywhere but where +B and -B stand: its count in the result spells how many
  // products share their step, and from which size on it is lost spells the width. Without -B the
  // rounding of the result joins in.
  const PowerRange p = power_range(target);
  const std::size_t k = fit_k(target, 64);
  ProbeRows r("fingerprint", target, k);
  for (int distance = 6; distance <= 36; distance += 3) {
    for (const bool cancels : {true, false}) {
      for (const bool negative : {false, true}) {
        r.add_row();
        for (std::size_t i = 0; i < k; ++i) {
          r.put_power(i, std::max(p.top - distance, p.bottom), negative);
        }
        r.put_power(0, p.top);
        if (cancels) r.put_power(1, p.top, true);
      }
    }
  }
  return r;
}

}  // namespace binade::detail
