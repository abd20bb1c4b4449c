#include "binade/formats/cast.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "binade/formats/catalog.hpp"
#include "cast_kernels.hpp"

namespace binade {

const detail::CastKernels& detail::cast_kernels() {
  switch (isa()) {
#if defined(BINADE_HAVE_X86_64_LEVELS)
    case Isa::kX86_64_v3:
      return x86_64_v3::cast_kernels();
    case Isa::kX86_64_v4:
      return x86_64_v4::cast_kernels();
#endif
    default:
      return baseline::cast_kernels();
  }
}

namespace {

using detail::CastKernels;
using detail::EncodePlan;
using detail::RandomStream;

/// Where an array's draws begin.
struct Draws {
  std::uint64_t seed, first;
};

detail::DecodeLoop<float> decoder32(const CastKernels& k, FloatFormat f) {
  return (detail::is_fp32_prefix(f) ? k.widen32 : k.decode32)[detail::container_index(f)];
}

std::uint64_t load_container(const void* data, int bits, std::size_t i) {
  switch (bits) {
    case 8:
      return static_cast<const std::uint8_t*>(data)[i];
    case 16:
      return static_cast<const std::uint16_t*>(data)[i];
    case 32:
      return static_cast<const std::uint32_t*>(data)[i];
    default:
      return static_cast<const std::uint64_t*>(data)[i];
  }
}

void store_container(void* data, int bits, std::size_t i, std::uint64_t word) {
  switch (bits) {
    case 8:
      static_cast<std::uint8_t*>(data)[i] = static_cast<std::uint8_t>(word);
      break;
    case 16:
      static_cast<std::uint16_t*>(data)[i] = static_cast<std::uint16_t>(word);
      break;
    case 32:
      static_cast<std::uint32_t*>(data)[i] = static_cast<std::uint32_t>(word);
      break;
    default:
      static_cast<std::uint64_t*>(data)[i] = word;
  }
}

/// Formats that embed in neither fp32 nor fp64, or have fewer than fp64's exponents to spare.
void cast_scalar(FloatFormat from, const void* source, FloatFormat to, void* target,
                 std::size_t count, CastRules rules, Draws draws) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t code =
        code_of_container(from, load_container(source, from.container_bits(), i));
    const std::uint64_t draw =
        is_stochastic(rules.rounding)
            ? random_at(draws.seed, draws.first + i) & ((std::uint64_t{1} << rules.random_bits) - 1)
            : 0;
    store_container(target, to.container_bits(), i,
                    container_of_code(to, convert(from, code, to, rules, draw)));
  }
}

/// Whether the loops may work on values of this kind: the source widens to it exactly and the
/// target is rounded from it in one step.
template <class Word>
bool word_serves(FloatFormat from, FloatFormat to) {
  constexpr FloatFormat wide = sizeof(Word) == 4 ? kFp32Format : kFp64Format;
  return embeds_in(from, wide) && from.emin() >= wide.emin() &&
         detail::source_word_suffices<Word>(to);
}

/// Encodes values by the lanes where they serve, else by the loop for all formats.
class Encoder32 {
 public:
  Encoder32(const CastKernels& k, FloatFormat f, CastRules rules)
      : plan_(detail::make_plan<std::uint32_t>(f, rules)),
        padding_(f.padding_bits),
        any_(k.encode32[static_cast<int>(rules.rounding)][detail::container_index(f)]) {
    if (!detail::lanes_serve(f, rules)) return;
    lane_plan_ = detail::make_lane_plan(f, plan_);
    lanes_ = k.lanes[static_cast<int>(rules.rounding)][detail::container_index(f)]
                    [static_cast<int>(lane_plan_.kind())];
    narrow_plan_ = detail::make_narrow_plan(f, rules, lane_plan_);
    if (narrow_plan_.kind != detail::NarrowKind::kNone) {
      narrow_ = k.narrow[static_cast<int>(narrow_plan_.kind)];
    }
  }
  void operator()(const float* values, void* target, std::size_t n, RandomStream random,
                  bool past_caches) const {
    if (narrow_ != nullptr) {
      narrow_(values, target, n, narrow_plan_, past_caches);
    } else if (lanes_ != nullptr) {
      lanes_(values, target, n, lane_plan_, padding_, random, past_caches);
    } else {
      any_(values, target, n, plan_, padding_, random, past_caches);
    }
  }

 private:
  EncodePlan<std::uint32_t> plan_;
  int padding_;
  detail::EncodeLoop<float> any_;
  detail::LanePlan lane_plan_{};
  detail::LanesLoop lanes_ = nullptr;
  detail::NarrowPlan narrow_plan_{};
  detail::NarrowLoop narrow_ = nullptr;
};

class Encoder64 {
 public:
  Encoder64(const CastKernels& k, FloatFormat f, CastRules rules)
      : plan_(detail::make_plan<std::uint64_t>(f, rules)),
        padding_(f.padding_bits),
        loop_(k.encode64[static_cast<int>(rules.rounding)][detail::container_index(f)]) {}
  void operator()(const double* values, void* target, std::size_t n, RandomStream random,
                  bool past_caches) const {
    loop_(values, target, n, plan_, padding_, random, past_caches);
  }

 private:
  EncodePlan<std::uint64_t> plan_;
  int padding_;
  detail::EncodeLoop<double> loop_;
};

constexpr std::size_t kBlock = 2048;  ///< elements decoded at once

/// Whether a result of `count` containers of `width` bytes is so large that it should be written
/// past the caches, which will not hold it, and how many of them lie before its first whole line.
struct PastCaches {
  bool worth = false;
  std::size_t lead = 0;

  PastCaches(std::size_t in_bytes, std::size_t count, const void* target, std::size_t width) {
    constexpr std::size_t kLine = 64, kLarge = std::size_t{1} << 24;  // bytes read and written
    const std::size_t before = (kLine - reinterpret_cast<std::uintptr_t>(target) % kLine) % kLine;
    worth = in_bytes + count * width >= kLarge && before % width == 0;
    lead = worth ? before / width : 0;
  }
};

/// body(first, n, past_caches) for the part before the first whole line and for the rest, where a
/// large result is written past the caches; all of it at once where it is not large.
template <class Body>
void lines_of(const CastKernels& k, std::size_t in_bytes, std::size_t count, const void* target,
              std::size_t width, Body&& body) {
  const PastCaches past(in_bytes, count, target, width);
  if (past.lead != 0) body(0, past.lead, false);
  body(past.lead, count - past.lead, past.worth);
  if (past.worth) k.end_stream();
}

template <class Float>
void cast_blocks(FloatFormat from, const std::byte* source, FloatFormat to, std::byte* target,
                 std::size_t count, CastRules rules, Draws draws) {
  constexpr bool kSingle = sizeof(Float) == 4;
  constexpr FloatFormat wide = kSingle ? kFp32Format : kFp64Format;
  const CastKernels& k = detail::cast_kernels();
  const std::conditional_t<kSingle, Encoder32, Encoder64> encode_values(k, to, rules);
  const std::size_t in_bytes = static_cast<std::size_t>(from.container_bits()) / 8;
  const std::size_t out_bytes = static_cast<std::size_t>(to.container_bits()) / 8;
  // The loops take values where they lie, unless that is where the codes go, or between two values.
  const bool where_they_lie = from == wide && source != target &&
                              reinterpret_cast<std::uintptr_t>(source) % alignof(Float) == 0;
  const std::size_t block = where_they_lie ? count : kBlock;
  lines_of(k, in_bytes * count, count, target, out_bytes,
           [&](std::size_t first, std::size_t some, bool past_caches) {
             alignas(64) Float buffer[kBlock];
             for (std::size_t at = first, n = 0; at < first + some; at += n) {
               n = std::min(block, first + some - at);
               const std::byte* in = source + at * in_bytes;
               const Float* values = buffer;
               if (where_they_lie) {
                 values = reinterpret_cast<const Float*>(in);
               } else if (from == wide) {
                 std::memcpy(buffer, in, n * sizeof(Float));
               } else if constexpr (kSingle) {
                 decoder32(k, from)(in, buffer, n, from, false);
               } else {
                 k.decode64[detail::container_index(from)](in, buffer, n, from, false);
               }
               encode_values(values, target + at * out_bytes, n,
                             RandomStream(draws.seed, draws.first + at), past_caches);
             }
           });
}

void cast_stream(FloatFormat from, const void* source, FloatFormat to, void* target,
                 std::size_t count, CastRules rules, Draws draws) {
  const auto* in = static_cast<const std::byte*>(source);
  auto* out = static_cast<std::byte*>(target);
  if (word_serves<std::uint32_t>(from, to)) {
    cast_blocks<float>(from, in, to, out, count, rules, draws);
  } else if (word_serves<std::uint64_t>(from, to)) {
    cast_blocks<double>(from, in, to, out, count, rules, draws);
  } else {
    cast_scalar(from, source, to, target, count, rules, draws);
  }
}

/// What the codes of a lane plan are worth, as fp32 patterns.
detail::RoundPlan round_plan(FloatFormat f, const detail::LanePlan& lanes,
                             const EncodePlan<std::uint32_t>& plan) {
  const auto pattern = [f](std::uint64_t code) {
    return static_cast<std::uint32_t>(convert(f, code, kFp32Format, kIeeeRules));
  };
  return {lanes, pattern(f.max_finite_code()), pattern(plan.overflow[0]) & 0x7fffffff,
          pattern(plan.nan[0]), pattern(plan.nan[0]) ^ pattern(plan.nan[1])};
}

void check(CastRules rules) {
  if (is_stochastic(rules.rounding) &&
      (rules.random_bits < 1 || rules.random_bits > kMaxRandomBits)) {
    throw std::invalid_argument("stochastic rounding takes 1 to " + std::to_string(kMaxRandomBits) +
                                " random bits, not " + std::to_string(rules.random_bits));
  }
}

void check(FloatFormat f) {
  if (!f.is_valid()) throw std::invalid_argument("no such format: " + format_name(f));
}

void check_embeds_in_fp32(FloatFormat f) {
  check(f);
  if (!embeds_in(f, kFp32Format)) {
    throw std::invalid_argument("format " + format_name(f) + " does not fit in fp32");
  }
}

/// Codes of 8 bits and fewer by a table of their values, where the instruction set has a loop for
/// it and the array is long enough to pay for the table.
bool decode_by_table(FloatFormat f, const void* codes, std::span<float> values) {
  constexpr std::size_t kCodes = 256;
  const CastKernels& k = detail::cast_kernels();
  if (k.table32 == nullptr || f.container_bits() != 8 || values.size() < 2 * kCodes) return false;
  std::uint8_t all[kCodes];
  for (std::size_t i = 0; i < kCodes; ++i) all[i] = static_cast<std::uint8_t>(i);
  alignas(64) float table[kCodes];
  k.decode32[0](all, table, kCodes, f, false);
  bool done = true;
  lines_of(k, values.size(), values.size(), values.data(), sizeof(float),
           [&](std::size_t first, std::size_t n, bool past_caches) {
             done = done && k.table32(table, static_cast<const std::byte*>(codes) + first,
                                      values.data() + first, n, past_caches);
           });
  return done;
}

/// Whether a cast does what decode does: nothing is rounded, infinity and NaN stay what they are.
bool is_decode(FloatFormat from, FloatFormat to, const void* target, CastRules rules) {
  return to == kFp32Format && from != kFp32Format && embeds_in(from, to) &&
         word_serves<std::uint32_t>(from, to) && rules.nan == NanRule::kKeepSign &&
         rules.infinity == InfinityRule::kPropagate &&
         reinterpret_cast<std::uintptr_t>(target) % alignof(float) == 0;
}

constexpr std::pair<Rounding, std::string_view> kRoundingNames[] = {
    {Rounding::kNearestEven, "nearest_even"},
    {Rounding::kNearestAway, "nearest_away"},
    {Rounding::kTowardZero, "toward_zero"},
    {Rounding::kUp, "up"},
    {Rounding::kDown, "down"},
    {Rounding::kToOdd, "to_odd"},
    {Rounding::kStochasticA, "stochastic_a"},
    {Rounding::kStochasticB, "stochastic_b"},
    {Rounding::kStochasticC, "stochastic_c"}};

struct OverflowName {
  std::string_view name;
  Overflow overflow;
  InfinityRule infinity;
};
constexpr OverflowName kOverflowNames[] = {
    {"saturate", Overflow::kSaturate, InfinityRule::kSaturate},
    {"special", Overflow::kSpecial, InfinityRule::kPropagate},
    {"sat_finite", Overflow::kSaturate, InfinityRule::kSaturate},
    {"sat_propagate", Overflow::kSaturate, InfinityRule::kPropagate},
    {"sat_none", Overflow::kSpecial, InfinityRule::kPropagate}};

constexpr std::pair<NanRule, std::string_view> kNanNames[] = {{NanRule::kCanonical, "canonical"},
                                                              {NanRule::kKeepSign, "keep_sign"}};

[[noreturn]] void unknown(std::string_view kind, std::string_view name,
                          const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& n : names) list += (list.empty() ? "" : ", ") + n;
  throw std::invalid_argument("unknown " + std::string(kind) + " '" + std::string(name) +
                              "': expected one of " + list);
}

}  // namespace

void cast(FloatFormat from, const void* source, FloatFormat to, void* target, std::size_t count,
          CastRules rules, std::uint64_t seed) {
  check(rules);
  check(from);
  check(to);
  if (is_decode(from, to, target, rules)) {
    decode(from, source, std::span(static_cast<float*>(target), count));
    return;
  }
  cast_stream(from, source, to, target, count, rules, Draws{seed, 0});
}

void round_to(FloatFormat f, std::span<const float> x, std::span<float> rounded, CastRules rules,
              std::uint64_t seed) {
  check(rules);
  check_embeds_in_fp32(f);
  if (x.size() != rounded.size()) {
    throw std::invalid_argument("round_to: " + std::to_string(x.size()) + " inputs for " +
                                std::to_string(rounded.size()) + " outputs");
  }
  if (rules.rounding == Rounding::kNearestEven && detail::lanes_serve(f, rules)) {
    const auto plan = detail::make_plan<std::uint32_t>(f, rules);
    const auto lanes = detail::make_lane_plan(f, plan);
    if (lanes.kind() != detail::LaneKind::kAny) {
      const auto values = round_plan(f, lanes, plan);
      const CastKernels& k = detail::cast_kernels();
      const auto loop = k.round[lanes.signed_zero];
      lines_of(k, x.size() * sizeof(float), x.size(), rounded.data(), sizeof(float),
               [&](std::size_t first, std::size_t n, bool past_caches) {
                 loop(x.data() + first, rounded.data() + first, n, values, past_caches);
               });
      return;
    }
  }
  std::uint64_t codes[kBlock];
  for (std::size_t at = 0; at < x.size(); at += kBlock) {
    const std::size_t n = std::min(kBlock, x.size() - at);
    cast_stream(kFp32Format, x.data() + at, f, codes, n, rules, Draws{seed, at});
    decode(f, codes, rounded.subspan(at, n));
  }
}

void decode(FloatFormat f, const void* codes, std::span<float> values) {
  check_embeds_in_fp32(f);
  if (f == kFp32Format || !word_serves<std::uint32_t>(f, kFp32Format)) {
    cast(f, codes, kFp32Format, values.data(), values.size(), kIeeeRules);
    return;
  }
  if (decode_by_table(f, codes, values)) return;
  // Nothing to round: what the decode loop gives is the result.
  const auto width = static_cast<std::size_t>(f.container_bits()) / 8;
  const CastKernels& k = detail::cast_kernels();
  const auto loop = decoder32(k, f);
  lines_of(k, values.size() * width, values.size(), values.data(), sizeof(float),
           [&](std::size_t first, std::size_t n, bool past_caches) {
             loop(static_cast<const std::byte*>(codes) + first * width, values.data() + first, n, f,
                  past_caches);
           });
}

Rounding parse_rounding(std::string_view name) {
  for (const auto& [value, text] : kRoundingNames) {
    if (text == name) return value;
  }
  unknown("rounding", name, rounding_names());
}

void parse_overflow(std::string_view name, CastRules& rules) {
  for (const OverflowName& o : kOverflowNames) {
    if (o.name == name) {
      rules.overflow = o.overflow;
      rules.infinity = o.infinity;
      return;
    }
  }
  unknown("overflow rule", name, overflow_names());
}

NanRule parse_nan_rule(std::string_view name) {
  for (const auto& [value, text] : kNanNames) {
    if (text == name) return value;
  }
  unknown("NaN rule", name, nan_rule_names());
}

std::string_view name_of(Rounding rounding) {
  return kRoundingNames[static_cast<int>(rounding)].second;
}
std::string_view name_of(NanRule rule) { return kNanNames[static_cast<int>(rule)].second; }

std::vector<std::string> rounding_names() {
  std::vector<std::string> names;
  for (const auto& [value, text] : kRoundingNames) names.emplace_back(text);
  return names;
}
std::vector<std::string> overflow_names() {
  std::vector<std::string> names;
  for (const OverflowName& o : kOverflowNames) names.emplace_back(o.name);
  return names;
}
std::vector<std::string> nan_rule_names() {
  std::vector<std::string> names;
  for (const auto& [value, text] : kNanNames) names.emplace_back(text);
  return names;
}

}  // namespace binade
