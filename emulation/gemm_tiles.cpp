#include "gemm_tiles.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "binade/emulation/dot_step.hpp"
#include "block_scale_shape.hpp"

namespace binade::detail {
namespace {

constexpr std::size_t kDepth = 128;      ///< K elements of A decoded at once
constexpr std::size_t kPanelDepth = 32;  ///< of B: a panel takes at most 26 KiB and stays in L1
constexpr std::size_t kBlockRows = 16;   ///< rows of A decoded in one call

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
  return small_exponents && i.a.precision() + i.b.precision() <= 24 &&
         m.addend == AddendRule::kAligned && m.min_exponent <= kReach && sum_fits(m, 22) &&
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
  s.plan.lowest_code = std::max(0, s.plan.lowest_exponent - s.plan.code_offset);
  s.plan.c_emin = std::max(i.c.emin(), lowest);
  s.plan.c_zero_exponent = join ? s.plan.c_emin : s.plan.lowest_exponent;
}

/// Wide lanes take exponents as they are.
void set_wide_exponents(ChainPlan& p, const Instruction& i) {
  p.lowest_exponent = std::max(i.model.min_exponent, static_cast<int>(kNoExponent));
  p.c_zero_exponent = i.model.zeros_join_maximum ? p.c_emin : p.lowest_exponent;
}

/// Facts about an instruction that let the loops leave something out.
void set_shortcuts(ChainPlan& p, const Instruction& i) {
  const DotModel& m = i.model;
  p.normalizes = m.normalize_products;
  // 2^64 products of the largest operands, and all results are multiples of the smallest one's unit.
  p.bounded = std::max(i.a.emax() + i.b.emax() + 2, m.min_exponent) + 64 < m.result.emax();
  p.flat = !p.nearest && operand_emin(m, i.a) + operand_emin(m, i.b) - i.a.mantissa_bits -
                                 i.b.mantissa_bits - m.alignment_fraction_bits >=
                             m.result.emin();
}

}  // namespace

ChainSetup make_chain_setup(const Instruction& i) {
  const DotModel& m = i.model;
  ChainSetup s;
  s.mode = ChainMode::kInstruction;
  s.instruction = &i;
  s.double_lanes = !single_lanes_suffice(i);
  s.wide = s.double_lanes && !double_lanes_suffice(i);
  s.alignment = static_cast<int>(m.alignment);
  s.plan.step_k = m.step_k;
  s.plan.steps = i.k / m.step_k;
  s.plan.fraction_bits = m.alignment_fraction_bits;
  s.plan.added_last = m.addend == AddendRule::kAddedLast;
  s.plan.nearest = m.result_rounding == Rounding::kNearestEven;
  s.plan.result_mantissa_bits = m.result.mantissa_bits;
  s.plan.result_emin = std::max(m.result.emin(), s.double_lanes ? -400 : -60);
  s.plan.result_max = decode(m.result, m.result.max_finite_code());
  set_exponent_codes(s, i);
  if (s.wide) set_wide_exponents(s.plan, i);
  set_shortcuts(s.plan, i);
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
  s.plan.bounded = s.plan.flat = false;
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

void turn_rows(const GemmKernels& kernels, RowBlock in, std::size_t bytes, std::size_t rows,
               std::size_t row_bytes, std::byte* room, std::byte* out) {
  if (in.rows < rows || in.count * bytes < row_bytes) {
    for (std::size_t r = 0; r < in.rows; ++r) {
      std::memcpy(room + r * row_bytes, in.codes + r * in.stride, in.count * bytes);
    }
    in.codes = room;
    in.stride = row_bytes;
  }
  kernels.transpose(static_cast<int>(bytes), in.codes, rows, row_bytes, in.stride, out);
}

template <class Real>
TileChain<Real>::TileChain(const ChainSetup& setup, const GemmOperand& a, const GemmOperand& b,
                           std::size_t k)
    : setup_(setup),
      a_(a),
      b_(b),
      k_(k),
      kernels_(gemm_kernels()),
      loops_([this]() -> const GemmLoops<Real>& {
        if constexpr (sizeof(Real) == 4) {
          return kernels_.single_lanes;
        } else {
          return kernels_.double_lanes;
        }
      }()),
      unit_(is_chain() ? static_cast<std::size_t>(setup.instruction->k) : 1) {
  panel_depth_ = ceil_div(kPanelDepth, unit_) * unit_;
  depth_max_ = ceil_div(std::min(kDepth, k), panel_depth_) * panel_depth_;
  depth_ = depth_max_;
  if (setup.wide) {
    wide_a_.emplace(setup.instruction->model, a.format);
    wide_b_.emplace(setup.instruction->model, b.format);
  }
  if (!setup.order.empty()) {
    for (std::size_t at = 0; at < panel_depth_; ++at) {
      panel_order_.push_back(at / unit_ * unit_ + setup.order[at % unit_]);
    }
  }
}

template <class Real>
void TileChain<Real>::start(const Tile& tile) {
  tile_ = tile;
  width_ = kPanelWidths - 1;
  while (is_chain() && width_ > 0 && tile.cols <= loops_.lanes(width_ - 1)) --width_;
  lanes_ = loops_.lanes(width_);
  panels_ = ceil_div(tile.cols, lanes_);
  const bool wide = setup_.wide;
  const std::size_t rows_of_a = std::min(kBlockRows, tile.rows);
  const std::size_t turned = wide ? 0 : round_up(lanes_, 16) * round_up(panel_depth_, 16);
  const std::size_t block = wide ? 0 : std::max(rows_of_a * depth_max_, turned);
  const std::size_t of_a = tile.rows * depth_max_, of_b = lanes_ * panel_depth_;
  arena_.lay_out(piece(codes_, block * std::max(bytes_of(a_.format), bytes_of(b_.format))),
                 piece(turned_, turned * bytes_of(b_.format)),
                 piece(values_, 2 * block),
                 piece(a_values_, wide ? 0 : of_a),
                 piece(a_codes_, wide ? 0 : of_a),
                 piece(b_values_, wide ? 0 : (is_chain() ? 3 : 1) * of_b),
                 piece(b_codes_, wide ? 0 : of_b),
                 piece(a_significands_, wide ? of_a : 0),
                 piece(a_exponents_, wide ? of_a : 0),
                 piece(b_significands_, wide ? of_b : 0),
                 piece(b_exponents_, wide ? of_b : 0),
                 piece(chain_, panels_ * panel_size()),
                 piece(a_special_, tile.rows),
                 piece(b_special_, panels_ * lanes_));
}

/// Decodes some rows of A, padded with zeros to the depth of this round.
template <class Real>
void TileChain<Real>::unpack_rows(std::size_t row, std::size_t rows, std::size_t k0,
                                  std::size_t count) {
  const std::size_t bytes = bytes_of(a_.format), size = rows * depth_;
  const auto* source = static_cast<const std::byte*>(a_.codes);
  for (std::size_t r = 0; r < rows; ++r) {
    std::byte* target = codes_ + r * depth_ * bytes;
    std::memcpy(target, source + ((tile_.row + row + r) * k_ + k0) * bytes, count * bytes);
    std::memset(target + count * bytes, 0, (depth_ - count) * bytes);
  }
  float* values = values_;
  decode(a_.format, codes_, std::span(values, size));
  for (std::size_t r = 0; r < rows && count < depth_; ++r) {  // not every format has a zero
    std::fill(values + r * depth_ + count, values + (r + 1) * depth_, 0.0f);
  }
  if (!panel_order_.empty()) {
    for (std::size_t at = 0; at < size; ++at) {
      values[size + at] = values[at / panel_depth_ * panel_depth_ + panel_order_[at % panel_depth_]];
    }
    values += size;
  }
  Real* out = a_values_ + row * depth_;
  if (!is_chain()) {
    std::copy_n(values, size, out);
    return;
  }
  Code* codes = a_codes_ + row * depth_;
  if (!loops_.split(setup_.split_a, values, size, out, codes)) return;
  for (std::size_t r = 0; r < rows; ++r) {  // which of them was it?
    const std::size_t at = r * depth_;
    if (loops_.split(setup_.split_a, values + at, depth_, out + at, codes + at)) {
      a_special_[row + r] = 1;
      specials_ = true;
    }
  }
}

/// Elements k0 .. k0 + count of a row in the order of the steps, padded with zeros to `depth`.
/// Returns whether a NaN or an infinity was among them.
template <class Real>
bool TileChain<Real>::unpack_wide(const GemmOperand& x, std::size_t row, std::size_t k0,
                                  std::size_t count, std::size_t depth, std::size_t stride,
                                  double* significands, std::int64_t* exponents) const {
  const WideDecoder& decoder = &x == &a_ ? *wide_a_ : *wide_b_;
  const std::size_t bytes = bytes_of(x.format);
  const auto* source = static_cast<const std::byte*>(x.codes) + (row * k_ + k0) * bytes;
  const auto decode_some = [&](std::size_t from, std::size_t some, std::size_t to) {
    const std::byte* codes = from < count ? source + from * bytes : nullptr;
    return decoder.run(codes, some, stride, significands + to * stride, exponents + to * stride);
  };
  bool special = false;
  if (panel_order_.empty()) {
    special = decode_some(0, count, 0);
    decode_some(count, depth - count, count);
  } else {
    for (std::size_t at = 0; at < depth; ++at) {
      const std::size_t in = at % panel_depth_;
      special |= decode_some(at - in + panel_order_[in], 1, at);
    }
  }
  return special;
}

/// As unpack_panel.
template <class Real>
void TileChain<Real>::unpack_wide_panel(std::size_t panel, std::size_t k0, std::size_t count,
                                        std::size_t depth) {
  for (std::size_t l = 0; l < lanes_; ++l) {
    const std::size_t col = panel * lanes_ + l;
    const bool column = col < tile_.cols;
    if (unpack_wide(b_, tile_.col + (column ? col : 0), k0, column ? count : 0, depth, lanes_,
                    b_significands_ + l, b_exponents_ + l)) {
      b_special_[col] = 1;
      specials_ = true;
    }
  }
}

template <class Real>
void TileChain<Real>::unpack_a(std::size_t k0, std::size_t count) {
  for (std::size_t row = 0; setup_.wide && row < tile_.rows; ++row) {
    if (unpack_wide(a_, tile_.row + row, k0, count, depth_, 1, a_significands_ + row * depth_,
                    a_exponents_ + row * depth_)) {
      a_special_[row] = 1;
      specials_ = true;
    }
  }
  if (setup_.wide) return;
  for (std::size_t row = 0; row < tile_.rows; row += kBlockRows) {
    unpack_rows(row, std::min(kBlockRows, tile_.rows - row), k0, count);
  }
}

/// Turns and decodes `count` elements of a panel's rows of B, padded with zeros.
template <class Real>
void TileChain<Real>::unpack_panel(std::size_t panel, std::size_t k0, std::size_t count,
                                   std::size_t depth) {
  if (setup_.wide) return unpack_wide_panel(panel, k0, count, depth);
  const std::size_t bytes = bytes_of(b_.format);
  const std::size_t row_bytes = round_up(depth * bytes, 16);
  const std::size_t stride = round_up(lanes_, 16 / bytes);
  const std::size_t cols = std::min(lanes_, tile_.cols - panel * lanes_);
  turn_rows(kernels_, {static_cast<const std::byte*>(b_.codes) +
                           ((tile_.col + panel * lanes_) * k_ + k0) * bytes,
                       k_ * bytes, cols, count},
            bytes, stride, row_bytes, codes_, turned_);
  float* values = values_;
  decode(b_.format, turned_, std::span(values, stride * count));
  std::fill(values + stride * count, values + stride * depth, 0.0f);
  for (std::size_t k = 0; k < count && cols < lanes_; ++k) {
    std::fill(values + k * stride + cols, values + k * stride + lanes_, 0.0f);
  }
  if (!is_chain()) {
    for (std::size_t k = 0; k < depth; ++k) {
      std::copy_n(values + k * stride, lanes_, b_values_ + k * lanes_);
    }
    return;
  }
  const std::size_t* order = panel_order_.empty() ? nullptr : panel_order_.data();
  const PanelSource<Real> panel_source{values, stride, order, depth, lanes_, b_values_,
                                       b_codes_};
  if (!loops_.split_panel(setup_.split_b, panel_source)) return;
  for (std::size_t k = 0; k < count; ++k) {  // which columns were they?
    for (std::size_t l = 0; l < cols; ++l) {
      if (std::isfinite(values[k * stride + l])) continue;
      b_special_[panel * lanes_ + l] = 1;
      specials_ = true;
    }
  }
}

/// The panel's next `depth` elements, which lie in A from `at` on.
template <class Real>
void TileChain<Real>::run_panel(std::size_t panel, std::size_t at, std::size_t depth) {
  Real* chain = chain_ + panel * panel_size();
  if constexpr (std::is_same_v<Real, double>) {
    if (setup_.wide) {
      return kernels_.wide[width_][setup_.alignment](
          setup_.plan, {a_significands_ + at, a_exponents_ + at, depth_, b_significands_,
                        b_exponents_, chain, tile_.rows, depth});
    }
  }
  const PanelTask<Real> task{a_values_ + at, a_codes_ + at, depth_,     b_values_,
                             b_codes_,       chain,         tile_.rows, depth};
  if (is_chain()) {
    loops_.chain[width_][setup_.alignment](setup_.plan, task);
  } else {
    loops_.multiply_add(task);
  }
}

template <class Real>
Real* TileChain<Real>::run(std::size_t k0, std::size_t k1) {
  std::fill_n(a_special_, tile_.rows, std::uint8_t{0});
  std::fill_n(b_special_, panels_ * lanes_, std::uint8_t{0});
  specials_ = false;
  const std::size_t size = panels_ * panel_size();
  std::fill_n(chain_, size, Real{0});
  for (std::size_t at = k0; at < k1; at += depth_max_) {
    const std::size_t count = std::min(depth_max_, k1 - at);
    depth_ = ceil_div(count, unit_) * unit_;
    unpack_a(at, count);
    for (std::size_t panel = 0; panel < panels_; ++panel) {
      for (std::size_t in = 0; in < depth_; in += panel_depth_) {
        const std::size_t depth = std::min(panel_depth_, depth_ - in);
        unpack_panel(panel, at + in, std::min(depth, count - in), depth);
        run_panel(panel, in, depth);
      }
    }
  }
  if (specials_) {
    give_up_specials();
    repair(k0, k1);
  }
  return chain_;
}

/// Rows and columns with a NaN or an infinity: the loops took them for zeros.
template <class Real>
void TileChain<Real>::give_up_specials() {
  for (std::size_t p = 0; p < panels_; ++p) {
    Real* chain = chain_ + p * panel_size();
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
  for (std::size_t i = 0; i < panels_ * panel_size(); ++i) {
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
