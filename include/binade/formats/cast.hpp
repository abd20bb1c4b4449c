// Casting arrays from any format to any format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "binade/formats/codec.hpp"
#include "binade/formats/isa.hpp"

namespace binade {

/// Casts `count` elements from one format to another, each rounded once.
///
/// Shapes: source holds `count` containers of from.container_bits(), target as many of
/// to.container_bits(); they must not overlap unless they are the same array with containers of
/// equal width.
/// Arithmetic: target[i] = convert(from, source[i], to, rules, r_i), where r_i are the
/// rules.random_bits low bits of random_at(seed, i).
/// Special values: as encode (codec.hpp). Determinism: the same bytes on every ISA and any number
/// of threads. Errors: std::invalid_argument if a stochastic rounding has random_bits outside
/// 1..kMaxRandomBits, or a format is not valid. Tests: tests/formats/, tests/exhaustive/,
/// tests/oracles/.
void cast(FloatFormat from, const void* source, FloatFormat to, void* target, std::size_t count,
          CastRules rules = {}, std::uint64_t seed = 0);

/// x rounded to the values of `f` and kept as fp32: decode(encode(x)). The format must embed in
/// fp32 (std::invalid_argument otherwise). In place is allowed.
void round_to(FloatFormat f, std::span<const float> x, std::span<float> rounded,
              CastRules rules = {}, std::uint64_t seed = 0);

/// Decodes containers of `f` to fp32; the format must embed in fp32 (std::invalid_argument
/// otherwise). NaN decodes to the quiet NaN of its sign.
void decode(FloatFormat f, const void* codes, std::span<float> values);

namespace detail {

inline constexpr std::uint64_t kRandomStep = 0x9e3779b97f4a7c15u;
BINADE_HD constexpr std::uint64_t random_counter(std::uint64_t seed, std::uint64_t index) {
  return index * kRandomStep + seed * 0xd1342543de82ef95u + 0x2545f4914f6cdd1du;
}
/// Two rounds of the 64-bit finaliser of Stafford's variant 13 (as in SplitMix64, OOPSLA 2014).
BINADE_HD constexpr std::uint32_t random_mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return static_cast<std::uint32_t>(z >> 32);
}

}  // namespace detail

/// The 32 random bits of element `index` under `seed`: a counter-based hash, so that they do not
/// depend on threads, ISA or the order of evaluation.
BINADE_HD constexpr std::uint32_t random_at(std::uint64_t seed, std::uint64_t index) {
  return detail::random_mix(detail::random_counter(seed, index));
}

/// Names as the CLI and Python spell them. Parsing throws std::invalid_argument with the choices.
///   rounding: nearest_even nearest_away toward_zero up down to_odd stochastic_a stochastic_b
///             stochastic_c
///   overflow: saturate, special (finite and infinite inputs alike), and P3109's sat_finite,
///             sat_propagate, sat_none; sets both overflow and infinity
///   nan:      canonical keep_sign
Rounding parse_rounding(std::string_view name);
void parse_overflow(std::string_view name, CastRules& rules);
NanRule parse_nan_rule(std::string_view name);
std::string_view name_of(Rounding rounding);
std::string_view name_of(NanRule rule);
std::vector<std::string> rounding_names();
std::vector<std::string> overflow_names();
std::vector<std::string> nan_rule_names();

}  // namespace binade
