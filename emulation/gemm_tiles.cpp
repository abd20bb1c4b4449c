#include "gemm_tiles.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "binade/emulation/dot_step.hpp"
#include "block_scale_shape.hpp"

namespace binade::detail {
namespace {

constexpr std::size_t kDepth = 128;  ///< K elements decoded at once: a panel of B stays in L1

std::size_t bytes_of(FloatFormat f) { return static_cast<std::size_t>(f.container_bits()) / 8; }

/// Whether a step's sum of products and C stays below 2^bits units: see gemm_kernels.hpp.
bool sum_fits(const DotModel& m, int bits) {
  return bits > m.alignment_fraction_bits &&
         4 * std::int64_t{m.step_k} + 2 <= std::int64_t{1} << (bits - m.alignment_fraction_bits);
}

bool single_lanes_suffice(const Instruction& i) {
  const DotModel& m = i.model;
  constexpr int kReach = 40;  // exponents of a product; 2^(F - E) and its inverse stay normal
  const bool small_exponents =
      i.a.emax() + i.b.emax() <= kReach && operand_emin(m, i.a) + operand_emin(m, i.b) >= -kReach;
  const bool conversions_fit =  // adding 1.5 * 2^23 rounds numbers up to 2^22
      (m.result_rounding == Rounding::kTowardZero || m.result.mantissa_bits <= 20) &&
      (m.alignment != AlignmentRounding::kNearestEven || m.alignment_fraction_bits <= 20);
  return small_exponents && conversions_fit && i.a.precision() + i.b.precision() <= 24 &&
         m.addend == AddendRule::kAligned && m.min_exponent <= kReach && sum_fits(m, 24) &&
         !(m.normalize_products && m.zeros_join_maximum);
}

bool double_lanes_suffice(const Instruction& i) {
  const DotModel& m = i.model;
  constexpr int kReach = 400;
  // Exponents are read off fp32 numbers, whose own subnormals have theirs at -127.
  const bool exponents_show = operand_emin(m, i.a) >= -126 && operand_emin(m, i.b) >= -126;
  return embeds_in(i.a, kFp32Format) && embeds_in(i.b, kFp32Format) && exponents_show &&
         sum_fits(m, 51) && m.min_exponent <= kReach &&
         !(m.normalize_products && m.zeros_join_maximum);
}

/// Stored exponents span emin..emax; a format whose NaN or infinity shares the top row of another's
/// needs no care here, they are replaced by zeros before coding.
int exponent_span(const DotModel& m, FloatFormat f) { return f.emax() - operand_emin(m, f); }

void set_exponent_codes(ChainSetup& s, const Instruction& i) {
  const int gap = std::max(exponent_span(i.model, i.a), exponent_span(i.model, i.b)) + 1;
  const bool join = i.model.zeros_join_maximum;
  const int a_emin = operand_emin(i.model, i.a), b_emin = operand_emin(i.model, i.b);
  s.split_a = {a_emin, gap, join ? gap : 0};
  s.split_b = {b_emin, gap, join ? gap : 0};
  s.plan.code_offset = a_emin + b_emin - 2 * gap;
  const int lowest = s.double_lanes ? -400 : -60;  // below every product and every C
  s.plan.lowest_exponent = std::max(i.model.min_exponent, lowest);
  s.plan.c_emin = std::max(i.c.emin(), lowest);
  s.plan.c_zero_exponent = join ? s.plan.c_emin : s.plan.lowest_exponent;
}

}  // namespace

ChainSetup make_chain_setup(const Instruction& i) {
  const DotModel& m = i.model;
  ChainSetup s;
  s.mode = ChainMode::kInstruction;
  s.instruction = &i;
  s.double_lanes = !single_lanes_suffice(i);
  s.scalar_only = s.double_lanes && !double_lanes_suffice(i);
  s.plan.step_k = m.step_k;
  s.plan.steps = i.k / m.step_k;
  s.plan.fraction_bits = m.alignment_fraction_bits;
  s.plan.added_last = m.addend == AddendRule::kAddedLast;
  s.plan.nearest = m.result_rounding == Rounding::kNearestEven;
  s.plan.result_mantissa_bits = m.result.mantissa_bits;
  s.plan.result_emin = std::max(m.result.emin(), s.double_lanes ? -400 : -60);
  s.plan.result_max = decode(m.result, m.result.max_finite_code());
  set_exponent_codes(s, i);
  if (m.order != StepOrder::kConsecutive) {
    for (int step = 0; step < s.plan.steps; ++step) {
      for (int at = 0; at < m.step_k; ++at) {
        s.order.push_back(static_cast<std::size_t>(step_index(m, step, at)));
      }
    }
  }
  return s;
}

std::optional<ChainSetup> make_unbounded_setup(const Instruction& i) {
  if (!double_lanes_suffice(i) || !sum_fits(i.model, 48)) return std::nullopt;
  ChainSetup s = make_chain_setup(i);
  s.double_lanes = true;
  set_exponent_codes(s, i);
  s.plan.nearest = false;
  s.plan.result_mantissa_bits = 49;  // wider than any sum: rounding to it changes nothing
  s.plan.result_emin = -400;
  s.plan.result_max = 0x1p400;
  s.plan.c_emin = -400;
  return s;
}

std::vector<Tile> make_tiles(std::size_t m, std::size_t n, std::size_t lanes, int threads,
                             std::size_t side) {
  std::size_t rows = side, cols = std::max(side, lanes);
  const std::size_t wanted = threads > 1 ? 4 * static_cast<std::size_t>(threads) : 1;
  // Both sides matter: a tile decodes rows + cols operands for rows * cols chains.
  while (ceil_div(m, rows) * ceil_div(n, cols) < wanted && (rows > 32 || cols > lanes)) {
    const bool halve_cols = (cols >= rows && cols > lanes) || rows <= 32;
    (halve_cols ? cols : rows) /= 2;
  }
  std::vector<Tile> tiles;
  for (std::size_t r = 0; r < m; r += rows) {
    for (std::size_t c = 0; c < n; c += cols) {
      tiles.push_back({r, std::min(rows, m - r), c, std::min(cols, n - c)});
    }
  }
  return tiles;
}

template <class Real>
TileChain<Real>::TileChain(const ChainSetup& setup, const GemmOperand& a, const GemmOperand& b,
                           std::size_t k)
    : setup_(setup), a_(a), b_(b), k_(k), loops_([]() -> const GemmLoops<Real>& {
        if constexpr (sizeof(Real) == 4) {
          return gemm_kernels().single_lanes;
        } else {
          return gemm_kernels().double_lanes;
        }
      }()) {
  const std::size_t unit =
      setup.mode == ChainMode::kInstruction ? static_cast<std::size_t>(setup.instruction->k) : 1;
  depth_max_ = ceil_div(kDepth, unit) * unit;
  decoded_.resize(depth_max_);
  ordered_.resize(depth_max_);
}

template <class Real>
void TileChain<Real>::start(const Tile& tile) {
  tile_ = tile;
  panels_ = ceil_div(tile.cols, lanes());
  a_values_.resize(tile.rows * depth_max_);
  a_codes_.resize(tile.rows * depth_max_);
  b_values_.resize(lanes() * depth_max_);
  b_codes_.resize(lanes() * depth_max_);
  columns_.resize(lanes() * depth_max_);
  column_codes_.resize(lanes() * depth_max_);
  chain_.resize(panels_ * panel_size());
}

template <class Real>
void TileChain<Real>::decode_row(const GemmOperand& x, std::size_t row, std::size_t k0,
                                 std::size_t count) {
  const auto* codes = static_cast<const std::byte*>(x.codes);
  decode(x.format, codes + (row * k_ + k0) * bytes_of(x.format), std::span(decoded_).first(count));
  std::fill(decoded_.begin() + static_cast<std::ptrdiff_t>(count),
            decoded_.begin() + static_cast<std::ptrdiff_t>(depth_), 0.0f);
  if (setup_.order.empty()) return;
  const std::size_t unit = setup_.order.size();
  for (std::size_t at = 0; at < depth_; ++at) {
    ordered_[at] = decoded_[at / unit * unit + setup_.order[at % unit]];
  }
  std::swap(decoded_, ordered_);
}

/// Decodes `count` elements of a row, padded with zeros to the depth of this round.
template <class Real>
bool TileChain<Real>::unpack(const GemmOperand& x, const SplitPlan& split, std::size_t row,
                             std::size_t k0, std::size_t count, Real* values, Code* codes) {
  decode_row(x, row, k0, count);
  if (setup_.mode == ChainMode::kMultiplyAdd) {
    std::copy_n(decoded_.begin(), depth_, values);
    return false;
  }
  return loops_.split(split, decoded_.data(), depth_, values, codes);
}

template <class Real>
void TileChain<Real>::unpack_a(std::size_t k0, std::size_t count) {
  for (std::size_t r = 0; r < tile_.rows; ++r) {
    const bool special = unpack(a_, setup_.split_a, tile_.row + r, k0, count,
                                a_values_.data() + r * depth_, a_codes_.data() + r * depth_);
    a_special_[r] |= special ? 1 : 0;
  }
}

template <class Real>
void TileChain<Real>::unpack_panel(std::size_t panel, std::size_t k0, std::size_t count) {
  const std::size_t width = lanes();
  const bool has_codes = setup_.mode == ChainMode::kInstruction;
  for (std::size_t l = 0; l < width; ++l) {
    const std::size_t col = panel * width + l;
    Real* values = columns_.data() + l * depth_;
    Code* codes = column_codes_.data() + l * depth_;
    if (col >= tile_.cols) {
      std::fill_n(values, depth_, Real{0});
      std::fill_n(codes, depth_, Code{0});
      continue;
    }
    const bool special = unpack(b_, setup_.split_b, tile_.col + col, k0, count, values, codes);
    b_special_[col] |= special ? 1 : 0;
  }
  for (std::size_t k = 0; k < depth_; ++k) {
    for (std::size_t l = 0; l < width; ++l) {
      b_values_[k * width + l] = columns_[l * depth_ + k];
      if (has_codes) b_codes_[k * width + l] = column_codes_[l * depth_ + k];
    }
  }
}

template <class Real>
bool TileChain<Real>::run_panels(std::size_t k0, std::size_t count) {
  unpack_a(k0, count);
  bool lost = false;
  const int alignment =
      setup_.instruction != nullptr ? static_cast<int>(setup_.instruction->model.alignment) : 0;
  const bool normalized =
      setup_.instruction != nullptr && setup_.instruction->model.normalize_products;
  for (std::size_t p = 0; p < panels_; ++p) {
    unpack_panel(p, k0, count);
    PanelTask<Real> task{a_values_.data(),
                         a_codes_.data(),
                         b_values_.data(),
                         b_codes_.data(),
                         chain_.data() + p * panel_size(),
                         tile_.rows,
                         depth_,
                         0};
    if (setup_.mode == ChainMode::kMultiplyAdd) {
      loops_.multiply_add(task);
    } else {
      task.instructions = depth_ / static_cast<std::size_t>(setup_.instruction->k);
      lost |= loops_.chain[alignment][normalized ? 1 : 0](setup_.plan, task);
    }
  }
  return lost;
}

template <class Real>
const Real* TileChain<Real>::run(std::size_t k0, std::size_t k1) {
  constexpr Real kNan = std::numeric_limits<Real>::quiet_NaN();
  a_special_.assign(tile_.rows, 0);
  b_special_.assign(panels_ * lanes(), 0);
  if (setup_.scalar_only) {
    std::fill(chain_.begin(), chain_.end(), kNan);
    repair(k0, k1);
    return chain_.data();
  }
  std::fill(chain_.begin(), chain_.end(), Real{0});
  bool lost = false;
  for (std::size_t at = k0; at < k1; at += depth_max_) {
    const std::size_t count = std::min(depth_max_, k1 - at);
    const std::size_t unit = setup_.mode == ChainMode::kInstruction
                                 ? static_cast<std::size_t>(setup_.instruction->k)
                                 : 1;
    depth_ = ceil_div(count, unit) * unit;
    lost |= run_panels(at, count);
  }
  const auto any = [](const std::vector<std::uint8_t>& flags) {
    return std::find(flags.begin(), flags.end(), 1) != flags.end();
  };
  if (any(a_special_) || any(b_special_)) {
    give_up_specials();
    lost = true;
  }
  if (lost) repair(k0, k1);
  return chain_.data();
}

/// Rows and columns with a NaN or an infinity: the loops took them for zeros.
template <class Real>
void TileChain<Real>::give_up_specials() {
  for (std::size_t p = 0; p < panels_; ++p) {
    Real* chain = chain_.data() + p * panel_size();
    for (std::size_t r = 0; r < tile_.rows; ++r) {
      for (std::size_t l = 0; l < lanes(); ++l) {
        if (a_special_[r] != 0 || b_special_[p * lanes() + l] != 0) {
          chain[r * lanes() + l] = std::numeric_limits<Real>::quiet_NaN();
        }
      }
    }
  }
}

/// Every NaN of the chain is an output that the loops gave up; the scalar core computes it anew.
template <class Real>
void TileChain<Real>::repair(std::size_t k0, std::size_t k1) {
  constexpr std::size_t kBatch = 256;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < chain_.size(); ++i) {
    const std::size_t col = i / panel_size() * lanes() + i % lanes();
    if (!std::isnan(chain_[i])) continue;
    if (col >= tile_.cols) {
      chain_[i] = 0;
      continue;
    }
    places.push_back(i);
    if (places.size() == kBatch) {
      repair_some(places, k0, k1);
      places.clear();
    }
  }
  if (!places.empty()) repair_some(places, k0, k1);
}

template <class Real>
void TileChain<Real>::repair_some(const std::vector<std::size_t>& places, std::size_t k0,
                                  std::size_t k1) {
  const auto gather = [&](const GemmOperand& x, std::vector<std::byte>& rows, std::size_t i,
                          std::size_t row) {
    const std::size_t bytes = bytes_of(x.format), size = (k1 - k0) * bytes;
    const auto* codes = static_cast<const std::byte*>(x.codes);
    std::memcpy(rows.data() + i * size, codes + (row * k_ + k0) * bytes, size);
  };
  const FloatFormat c = setup_.instruction->c;
  std::vector<std::byte> a(places.size() * (k1 - k0) * bytes_of(a_.format));
  std::vector<std::byte> b(places.size() * (k1 - k0) * bytes_of(b_.format));
  std::vector<std::byte> d(places.size() * bytes_of(c));  // C: zeros
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::size_t panel = places[i] / panel_size(), in_panel = places[i] % panel_size();
    gather(a_, a, i, tile_.row + in_panel / lanes());
    gather(b_, b, i, tile_.col + panel * lanes() + in_panel % lanes());
  }
  dot(*setup_.instruction, a.data(), b.data(), d.data(), d.data(), places.size(), k1 - k0, 1);
  std::vector<float> values(places.size());
  decode(c, d.data(), values);
  for (std::size_t i = 0; i < places.size(); ++i) {
    chain_[places[i]] = static_cast<Real>(values[i]);
  }
}

template class TileChain<float>;
template class TileChain<double>;

}  // namespace binade::detail
