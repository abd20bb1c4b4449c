// Reading operands as a departure says, summing their chains, rounding the sums.
#include "diagnose_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "binade/formats/catalog.hpp"
#include "block_scale_shape.hpp"

namespace binade::detail {
namespace {

constexpr auto kNothing = static_cast<std::size_t>(-1);

/// One operand as a departure reads it.
struct Side {
  const GemmOperand& x;
  Granularity granularity;
  bool departs;
};
Side side_a(const DiagnoseInput& i, const Departure& d) { return {i.a, i.a_scales, d.of_a}; }
Side side_b(const DiagnoseInput& i, const Departure& d) { return {i.b, i.b_scales, d.of_b}; }

FloatFormat format_of(const Side& s, const Departure& d) {
  return s.departs && d.reading == Reading::kFormat ? d.format : s.x.format;
}

/// How many products a row has: an overrun adds to K.
std::size_t length_of(const DiagnoseInput& i, const Departure& d) {
  return d.reading == Reading::kOverrun ? ceil_div(i.k, d.amount) * d.amount : i.k;
}

/// Which k stands at a place of the row; kNothing for a zero.
std::size_t source_k(const Departure& d, std::size_t k, std::size_t at) {
  switch (d.reading) {
    case Reading::kDrop:
      return at >= d.first && at < d.first + d.amount ? kNothing : at;
    case Reading::kSwapHalves: {
      const std::size_t block = at / d.amount * d.amount;
      if (block + d.amount > k) return at;
      return block + (at - block + d.amount / 2) % d.amount;
    }
    case Reading::kDescending:
      return (k / d.amount - 1 - at / d.amount) * d.amount + at % d.amount;
    default:
      return at;
  }
}

/// Codes [rows, k1 - k0] of one slice.
void gather(const Side& s, const Departure& d, std::size_t k, const std::vector<std::size_t>& rows,
            std::size_t k0, std::size_t k1, std::vector<unsigned char>& codes) {
  const std::size_t width = bytes_of(s.x.format);
  codes.assign(rows.size() * (k1 - k0) * width, 0);
  const auto* from = static_cast<const unsigned char*>(s.x.codes);
  unsigned char* to = codes.data();
  const bool plain = !s.departs || d.concerns_scales() || d.reading == Reading::kAsGiven ||
                     d.reading == Reading::kRunning;
  if (plain) {
    for (const std::size_t row : rows) {
      std::memcpy(to, from + (row * k + k0) * width, (k1 - k0) * width);
      to += (k1 - k0) * width;
    }
    return;
  }
  const bool transposed = d.reading == Reading::kTransposed;
  const std::size_t stride = transposed ? 1 : k, end = s.x.rows * k;
  std::vector<std::size_t> offsets;  // from the beginning of a row; past it: an overrun
  for (std::size_t at = k0; at < k1; ++at) {
    offsets.push_back(transposed ? at * k : source_k(d, k, at));
  }
  for (const std::size_t row : rows) {
    for (const std::size_t offset : offsets) {
      const std::size_t index = row * stride + offset;
      if (offset != kNothing && index < end) std::memcpy(to, from + index * width, width);
      to += width;
    }
  }
}

/// The row and column of the array of scales that a departure reads.
std::size_t scale_index(const Side& s, const Departure& d, std::size_t row, std::size_t k) {
  const Granularity g = s.granularity;
  const std::size_t cols = s.x.scale_cols, last = cols - 1;
  std::size_t r = g.rows == 0 ? 0 : row / g.rows, c = g.cols == 0 ? 0 : std::min(k / g.cols, last);
  if (!s.departs) return r * cols + c;
  switch (d.reading) {
    case Reading::kFirstBlock:
      c = 0;
      break;
    case Reading::kLastStale:
      c = c == last && c > 0 ? c - 1 : c;
      break;
    case Reading::kNextBlock:
      c = std::min(c + 1, last);
      break;
    case Reading::kPreviousBlock:
      c = c == 0 ? 0 : c - 1;
      break;
    case Reading::kFirstRow:
      r = 0;
      break;
    case Reading::kTileRow:
      r = row / d.amount * d.amount / std::max<std::size_t>(g.rows, 1);
      break;
    case Reading::kScaleTransposed:
      return c * s.x.scale_rows + r;
    default:
      break;
  }
  return r * cols + c;
}

float scale_at(const Side& s, const Departure& d, std::size_t row, std::size_t k) {
  if (s.x.scales.empty() || (s.departs && d.reading == Reading::kNoScale)) return 1.0f;
  if (s.departs && d.reading == Reading::kLastOne && s.granularity.cols != 0 &&
      k / s.granularity.cols == s.x.scale_cols - 1) {
    return 1.0f;
  }
  const float scale = s.x.scales[scale_index(s, d, row, k)];
  return s.departs && d.reading == Reading::kReciprocalScale ? 1.0f / scale : scale;
}

/// The sides whose scales A and B have.
Side scales_of_a(const DiagnoseInput& i, const Departure& d) {
  return d.reading == Reading::kScalesExchanged ? side_b(i, d) : side_a(i, d);
}
Side scales_of_b(const DiagnoseInput& i, const Departure& d) {
  return d.reading == Reading::kScalesExchanged ? side_a(i, d) : side_b(i, d);
}

/// How many successive products share a scale; 0: all.
std::size_t scale_run(const Side& s, const Departure& d) {
  const bool constant =
      s.departs && (d.reading == Reading::kNoScale || d.reading == Reading::kFirstBlock);
  if (s.x.scales.empty() || constant || s.x.scale_cols <= 1) return 0;
  return s.granularity.cols;
}

/// The chains of one slice by gemm; all scales 1.
void run_slice(const ChainSpec& spec, GemmOperand a, GemmOperand b, std::size_t k, int threads,
               std::vector<float>& chains) {
  GemmProfile plain;
  plain.name = "diagnose";
  plain.chain = spec.kind;
  Instruction read;
  GemmOptions options;
  options.threads = threads;
  if (spec.kind == ChainKind::kInstruction) {
    read = *spec.instruction;
    read.a = a.format;  // a departure may read them as another format
    read.b = b.format;
    options.instruction = &read;
  }
  gemm(plain, a, b, k, kFp32Format, chains.data(), options);
}

float meet(ScaleMath math, float sum, float chain, float sa, float sb) {
  switch (math) {
    case ScaleMath::kFmaProduct:
      return std::fma(sa * sb, chain, sum);
    case ScaleMath::kFmaAThenB:
      return std::fma(chain * sa, sb, sum);
    case ScaleMath::kFmaBThenA:
      return std::fma(chain * sb, sa, sum);
    case ScaleMath::kApartProduct:
      return sum + chain * (sa * sb);
    case ScaleMath::kApartAThenB:
      return sum + (chain * sa) * sb;
    case ScaleMath::kApartBThenA:
      return sum + (chain * sb) * sa;
    default:
      return sum + chain;
  }
}

float scaled_at_end(ScaleMath math, float sum, float sa, float sb) {
  switch (math) {
    case ScaleMath::kEndProduct:
      return sum * (sa * sb);
    case ScaleMath::kEndBThenA:
      return (sum * sb) * sa;
    case ScaleMath::kEndAThenB:
      return (sum * sa) * sb;
    default:
      return sum;
  }
}

}  // namespace

bool scales_at_end(ScaleMath math) {
  return math == ScaleMath::kEndProduct || math == ScaleMath::kEndBThenA ||
         math == ScaleMath::kEndAThenB;
}

std::vector<OutputRule> output_rules_for(FloatFormat output) {
  const CastRules nearest{Rounding::kNearestEven, Overflow::kSpecial, InfinityRule::kPropagate};
  const auto with = [&](Rounding rounding, Overflow overflow) {
    CastRules rules = nearest;
    rules.rounding = rounding;
    rules.overflow = overflow;
    if (overflow == Overflow::kSaturate) rules.infinity = InfinityRule::kSaturate;
    return rules;
  };
  std::vector<OutputRule> all{{"nearest_even", kFp32Format, nearest}};
  if (output == kFp32Format) {
    all.push_back({"through bf16", Bf16::format, nearest});
    all.push_back({"through fp16", Fp16::format, nearest});
    all.push_back({"through tf32", Tf32::format, nearest});
    return all;
  }
  using enum Rounding;
  all.push_back({"nearest_even, saturating", kFp32Format, with(kNearestEven, Overflow::kSaturate)});
  all.push_back({"toward_zero", kFp32Format, with(kTowardZero, Overflow::kSpecial)});
  all.push_back({"nearest_away", kFp32Format, with(kNearestAway, Overflow::kSpecial)});
  if (output != Fp16::format) all.push_back({"nearest_even, through fp16", Fp16::format, nearest});
  if (output != Bf16::format) all.push_back({"nearest_even, through bf16", Bf16::format, nearest});
  return all;
}

Selection everything(const DiagnoseInput& input) {
  Selection all;
  all.rows.resize(input.a.rows);
  all.cols.resize(input.b.rows);
  std::iota(all.rows.begin(), all.rows.end(), std::size_t{0});
  std::iota(all.cols.begin(), all.cols.end(), std::size_t{0});
  return all;
}

std::size_t slices_of(const DiagnoseInput& input, const ChainSpec& spec,
                      const Departure& departure) {
  return spec.interval == 0 ? 1 : ceil_div(length_of(input, departure), spec.interval);
}

void for_each_chain(const DiagnoseInput& input, const ChainSpec& spec, const Departure& departure,
                    const Selection& at, int threads, const ChainSink& sink) {
  const Side a = side_a(input, departure), b = side_b(input, departure);
  const std::size_t length = length_of(input, departure);
  const std::size_t interval = spec.interval == 0 ? length : spec.interval;
  std::vector<unsigned char> a_codes, b_codes;
  std::vector<float> chains(at.count());
  for (std::size_t k0 = 0; k0 < length; k0 += interval) {
    const std::size_t k1 = std::min(length, k0 + interval);
    // A chain that is never reset is the chain over all of K so far.
    const std::size_t from = departure.reading == Reading::kRunning ? 0 : k0;
    gather(a, departure, input.k, at.rows, from, k1, a_codes);
    gather(b, departure, input.k, at.cols, from, k1, b_codes);
    run_slice(spec, {format_of(a, departure), a_codes.data(), at.rows.size()},
              {format_of(b, departure), b_codes.data(), at.cols.size()}, k1 - from, threads,
              chains);
    sink(k0, chains);
  }
}

bool scales_vary(const DiagnoseInput& input, const Departure& d) {
  return scale_run(scales_of_a(input, d), d) != 0 || scale_run(scales_of_b(input, d), d) != 0;
}

bool scales_fit(const DiagnoseInput& input, const Departure& d, ScaleMath math,
                std::size_t interval) {
  if (math == ScaleMath::kNone) return !input.has_scales();
  if (!scales_vary(input, d)) return true;
  if (scales_at_end(math) || interval == 0) return false;
  const std::size_t runs[] = {scale_run(scales_of_a(input, d), d),
                              scale_run(scales_of_b(input, d), d)};
  return std::all_of(std::begin(runs), std::end(runs),
                     [&](std::size_t run) { return run % interval == 0; });
}

Summation::Summation(const DiagnoseInput& input, const Departure& departure, const Selection& at,
                     ScaleMath math, std::size_t slices, std::size_t split)
    : input_(input),
      departure_(departure),
      at_(at),
      math_(math),
      part_slices_(ceil_div(slices, split)),
      sa_(at.rows.size(), 1.0f),
      sb_(at.cols.size(), 1.0f),
      sum_(at.count()),
      total_(at.count()) {}

void Summation::load_scales(std::size_t k0) {
  const Side a = scales_of_a(input_, departure_), b = scales_of_b(input_, departure_);
  // Scales move with the blocks whose order of K is another.
  const bool moves =
      departure_.reading == Reading::kDescending || departure_.reading == Reading::kSwapHalves;
  const auto k_of = [&](const Side& s) {
    return moves && s.departs ? source_k(departure_, input_.k, k0) : k0;
  };
  for (std::size_t i = 0; i < sa_.size(); ++i) {
    sa_[i] = scale_at(a, departure_, at_.rows[i], k_of(a));
  }
  for (std::size_t i = 0; i < sb_.size(); ++i) {
    sb_[i] = scale_at(b, departure_, at_.cols[i], k_of(b));
  }
}

void Summation::add(std::size_t k0, const std::vector<float>& chains) {
  if (math_ != ScaleMath::kNone && !scales_at_end(math_)) load_scales(k0);
  const std::size_t cols = at_.cols.size();
  for (std::size_t r = 0; r < at_.rows.size(); ++r) {
    for (std::size_t c = 0; c < cols; ++c) {
      float& sum = sum_[r * cols + c];
      sum = meet(math_, sum, chains[r * cols + c], sa_[r], sb_[c]);
    }
  }
  if (++done_ % part_slices_ == 0) close_part();
}

void Summation::close_part() {
  if (parts_closed_++ == 0) {
    total_ = sum_;
  } else {
    std::transform(total_.begin(), total_.end(), sum_.begin(), total_.begin(),
                   [](float total, float part) { return total + part; });
  }
  std::fill(sum_.begin(), sum_.end(), 0.0f);
}

std::vector<float> Summation::finish() {
  if (done_ % part_slices_ != 0) close_part();
  if (!scales_at_end(math_)) return std::move(total_);
  load_scales(0);
  const std::size_t cols = at_.cols.size();
  for (std::size_t i = 0; i < total_.size(); ++i) {
    total_[i] = scaled_at_end(math_, total_[i], sa_[i / cols], sb_[i % cols]);
  }
  return std::move(total_);
}

std::vector<std::uint64_t> exact_outputs(const DiagnoseInput& input, const Departure& d,
                                         const Selection& at, int threads) {
  const Side a = side_a(input, d), b = side_b(input, d);
  std::vector<unsigned char> a_codes, b_codes;
  gather(a, d, input.k, at.rows, 0, length_of(input, d), a_codes);
  gather(b, d, input.k, at.cols, 0, length_of(input, d), b_codes);
  // Scales row by row, as often along K as they change.
  const auto scaled = [&](const Side& s, const std::vector<unsigned char>& codes, FloatFormat f,
                          const std::vector<std::size_t>& rows, std::vector<float>& scales) {
    GemmOperand x{f, codes.data(), rows.size()};
    if (s.x.scales.empty()) return x;
    const std::size_t run = scale_run(s, d) == 0 ? input.k : scale_run(s, d);
    x.scale_rows = rows.size();
    x.scale_cols = ceil_div(input.k, run);
    for (const std::size_t row : rows) {
      for (std::size_t k0 = 0; k0 < input.k; k0 += run) scales.push_back(scale_at(s, d, row, k0));
    }
    x.scales = scales;
    return x;
  };
  GemmProfile profile = find_gemm_profile("exact");
  const auto granularity = [&](const Side& s) { return Granularity{1, scale_run(s, d)}; };
  profile.scale_a = granularity(scales_of_a(input, d));
  profile.scale_b = granularity(scales_of_b(input, d));
  std::vector<float> sa, sb;
  const GemmOperand x = scaled(scales_of_a(input, d), a_codes, format_of(a, d), at.rows, sa);
  const GemmOperand y = scaled(scales_of_b(input, d), b_codes, format_of(b, d), at.cols, sb);
  const std::size_t bytes = bytes_of(input.output);
  std::vector<unsigned char> out(at.count() * bytes);
  GemmOptions options;
  options.threads = threads;
  gemm(profile, x, y, length_of(input, d), input.output, out.data(), options);
  std::vector<std::uint64_t> codes(at.count());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    std::memcpy(&codes[i], out.data() + i * bytes, bytes);
    codes[i] = code_of_container(input.output, codes[i]);
  }
  return codes;
}

std::vector<std::uint64_t> round_outputs(const std::vector<float>& sums, const OutputRule& rule,
                                         FloatFormat output) {
  const std::size_t count = sums.size(), bytes = bytes_of(output);
  std::vector<unsigned char> via(count * bytes_of(rule.via)), out(count * bytes);
  cast(kFp32Format, sums.data(), rule.via, via.data(), count, rule.rules);
  cast(rule.via, via.data(), output, out.data(), count, rule.rules);
  std::vector<std::uint64_t> codes(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(&codes[i], out.data() + i * bytes, bytes);
    codes[i] = code_of_container(output, codes[i]);
  }
  return codes;
}

std::vector<std::uint64_t> found_outputs(const DiagnoseInput& input, const Departure& d,
                                         const Selection& at) {
  const std::size_t bytes = bytes_of(input.output);
  const auto* from = static_cast<const unsigned char*>(input.d);
  std::vector<std::uint64_t> codes;
  codes.reserve(at.count());
  for (const std::size_t row : at.rows) {
    for (const std::size_t col : at.cols) {
      const bool flipped = d.reading == Reading::kOutputTransposed;
      const std::size_t index = flipped ? col * input.a.rows + row : row * input.b.rows + col;
      std::uint64_t word = 0;
      std::memcpy(&word, from + index * bytes, bytes);
      codes.push_back(code_of_container(input.output, word));
    }
  }
  return codes;
}

std::vector<double> rough_outputs(const DiagnoseInput& input, const Departure& d,
                                  const Selection& at) {
  const std::size_t length = length_of(input, d);
  const auto values = [&](const Side& s, const Side& scales, const std::vector<std::size_t>& rows) {
    std::vector<unsigned char> codes;
    gather(s, d, input.k, rows, 0, length, codes);
    const FloatFormat f = format_of(s, d);
    std::vector<double> x(rows.size() * length);
    for (std::size_t i = 0; i < x.size(); ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, codes.data() + i * bytes_of(f), bytes_of(f));
      x[i] = decode(f, code_of_container(f, word)) *
             double{scale_at(scales, d, rows[i / length], i % length)};
    }
    return x;
  };
  const std::vector<double> x = values(side_a(input, d), scales_of_a(input, d), at.rows);
  const std::vector<double> y = values(side_b(input, d), scales_of_b(input, d), at.cols);
  std::vector<double> sums;
  for (std::size_t r = 0; r < at.rows.size(); ++r) {
    for (std::size_t c = 0; c < at.cols.size(); ++c) {
      sums.push_back(
          std::inner_product(&x[r * length], &x[r * length] + length, &y[c * length], 0.0));
    }
  }
  return sums;
}

}  // namespace binade::detail
