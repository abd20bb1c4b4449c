#include "binade/emulation/gemm.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "binade/formats/catalog.hpp"
#include "exact_products.hpp"
#include "gemm_scales.hpp"
#include "gemm_tiles.hpp"

namespace binade {
namespace {

using detail::ChainMode;
using detail::ChainSetup;
using detail::ScaleGrid;
using detail::Tile;

/// One call of gemm, checked.
struct Job {
  const GemmProfile& profile;
  const GemmOperand &a, &b;
  std::size_t k;
  FloatFormat output;
  void* d;
  ScaleGrid scale_a, scale_b;
  std::size_t interval;  ///< never 0: the whole K where nothing is promoted
  bool promotes;         ///< whether chains join an FP32 sum at all
};

[[noreturn]] void refuse(const GemmProfile& profile, const std::string& what) {
  throw std::invalid_argument("gemm (" + profile.name + "): " + what);
}

bool scales_at_promotion(ScaleOrder order) {
  return order == ScaleOrder::kPromoteFmaProduct || order == ScaleOrder::kPromoteFmaAThenB ||
         order == ScaleOrder::kPromoteFmaBThenA;
}

void check_operand(const GemmProfile& profile, const GemmOperand& x, const char* name,
                   std::size_t k) {
  if (x.rows == 0 || k == 0 || x.codes == nullptr) {
    refuse(profile, std::string("operand ") + name + " is empty: " + std::to_string(x.rows) +
                        " rows of " + std::to_string(k) + (x.codes == nullptr ? ", no data" : ""));
  }
}

const Instruction& choose_instruction(const GemmProfile& profile, const GemmOperand& a,
                                      const GemmOperand& b, const GemmOptions& options) {
  const auto short_name = [](FloatFormat f) {
    return f == Fp16::format ? std::string("f16") : format_name(f);
  };
  const Instruction& i = options.instruction != nullptr
                             ? *options.instruction
                             : find_instruction(profile.instruction_family + "." +
                                                short_name(a.format) + "." + short_name(b.format));
  validate(i);
  if (i.a != a.format || i.b != b.format) {
    refuse(profile, "instruction " + i.name + " takes " + format_name(i.a) + " and " +
                        format_name(i.b) + ", the operands are " + format_name(a.format) + " and " +
                        format_name(b.format));
  }
  return i;
}

/// The promotion interval in force; the whole K stands for never.
std::size_t choose_interval(const GemmProfile& profile, std::size_t k, std::size_t instruction_k,
                            const ScaleGrid& sa, const ScaleGrid& sb, const GemmOptions& options) {
  const int asked = options.promotion_interval.value_or(profile.promotion_interval);
  if (asked < 0 || static_cast<std::size_t>(asked) % instruction_k != 0) {
    refuse(profile, "promotion interval " + std::to_string(asked) + " is no multiple of the " +
                        std::to_string(instruction_k) + " products of one instruction");
  }
  const std::size_t shared = std::min(sa.block_k(), sb.block_k());
  std::size_t interval = asked == 0 ? k : std::min(static_cast<std::size_t>(asked), k);
  if (profile.chain == ChainKind::kFp32Sequential && asked == 0) interval = shared;
  if (shared < k && !scales_at_promotion(profile.scale_order)) {
    refuse(profile, "scales that vary along K cannot be applied after the last step");
  }
  const auto fits = [&](std::size_t block) { return block >= k || block % interval == 0; };
  if (!fits(sa.block_k()) || !fits(sb.block_k())) {
    refuse(profile, "scales change every " + std::to_string(shared) +
                        " along K, which promotion interval " + std::to_string(asked) +
                        " does not divide");
  }
  return interval;
}

float scaled(ScaleOrder order, float acc, float sa, float sb) {
  if (order == ScaleOrder::kEpilogueBThenA) return (acc * sb) * sa;
  return acc * (sa * sb);
}

/// Accumulates the tiles of one thread.
template <class Real>
class TileWorker {
 public:
  TileWorker(const Job& job, const ChainSetup& setup)
      : job_(job), chain_(setup, job.a, job.b, job.k) {}

  void run(const Tile& tile) {
    chain_.start(tile);
    const std::size_t size = chain_.panels() * chain_.panel_size();
    sums_.assign(size, 0.0f);
    sa_.assign(tile.rows, 1.0f);
    sb_.assign(chain_.panels() * chain_.lanes(), 1.0f);
    for (std::size_t k0 = 0; k0 < job_.k; k0 += job_.interval) {
      const Real* chain = chain_.run(k0, std::min(job_.k, k0 + job_.interval));
      if (job_.promotes) {
        promote(tile, chain, k0);
      } else {
        std::transform(chain, chain + size, sums_.begin(),
                       [](Real x) { return static_cast<float>(x); });
      }
    }
    finish(tile);
  }

 private:
  void load_scales(const Tile& tile, std::size_t k0) {
    for (std::size_t r = 0; r < tile.rows; ++r) sa_[r] = job_.scale_a.at(tile.row + r, k0);
    for (std::size_t c = 0; c < tile.cols; ++c) sb_[c] = job_.scale_b.at(tile.col + c, k0);
  }

  void promote(const Tile& tile, const Real* chain, std::size_t k0) {
    const auto& loops = chain_.loops();
    const ScaleOrder order = job_.profile.scale_order;
    if (scales_at_promotion(order)) load_scales(tile, k0);
    const auto loop = order == ScaleOrder::kPromoteFmaProduct  ? loops.promote_product
                      : order == ScaleOrder::kPromoteFmaAThenB ? loops.promote_a_then_b
                      : order == ScaleOrder::kPromoteFmaBThenA ? loops.promote_b_then_a
                                                               : loops.promote_plain;
    for (std::size_t p = 0; p < chain_.panels(); ++p) {
      const std::size_t at = p * chain_.panel_size();
      loop({chain + at, sums_.data() + at, sa_.data(), sb_.data() + p * chain_.lanes(), tile.rows});
    }
  }

  /// The epilogue: scales that come last, then one rounding to the output.
  void finish(const Tile& tile) {
    const bool epilogue = !scales_at_promotion(job_.profile.scale_order);
    const bool has_scales = !job_.scale_a.empty() || !job_.scale_b.empty();
    if (epilogue) load_scales(tile, 0);
    row_.resize(tile.cols);
    const std::size_t lanes = chain_.lanes();
    for (std::size_t r = 0; r < tile.rows; ++r) {
      for (std::size_t c = 0; c < tile.cols; ++c) {
        const float acc = sums_[c / lanes * chain_.panel_size() + r * lanes + c % lanes];
        row_[c] =
            epilogue && has_scales ? scaled(job_.profile.scale_order, acc, sa_[r], sb_[c]) : acc;
      }
      const std::size_t bytes = static_cast<std::size_t>(job_.output.container_bits()) / 8;
      const std::size_t first = (tile.row + r) * job_.b.rows + tile.col;
      // From fp32 to fp32 as well: the cast makes every NaN the canonical one.
      cast(kFp32Format, row_.data(), job_.output, static_cast<std::byte*>(job_.d) + first * bytes,
           tile.cols, detail::output_rules(job_.output));
    }
  }

  const Job& job_;
  detail::TileChain<Real> chain_;
  std::vector<float> sums_, sa_, sb_, row_;
};

template <class Real>
void run_tiles(const Job& job, const ChainSetup& setup, std::size_t lanes, int threads) {
  const std::vector<Tile> tiles = detail::make_tiles(job.a.rows, job.b.rows, lanes, threads);
#pragma omp parallel num_threads(threads)
  {
    TileWorker<Real> worker(job, setup);
#pragma omp for schedule(dynamic)
    for (std::size_t t = 0; t < tiles.size(); ++t) worker.run(tiles[t]);
  }
}

void run_exact(const Job& job, int threads) {
  const CastRules rules = detail::output_rules(job.output);
  detail::exact_products(job.a, job.scale_a, job.b, job.scale_b, job.k, threads,
                         [&](std::size_t row, std::size_t col, detail::ExactProduct value) {
                           detail::store_output(job.output, job.d, row * job.b.rows + col,
                                                value.round(job.output, rules));
                         });
}

}  // namespace

void gemm(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b, std::size_t k,
          FloatFormat output, void* d, const GemmOptions& options) {
  check_operand(profile, a, "A", k);
  check_operand(profile, b, "B", k);
  if (d == nullptr) refuse(profile, "no place for D");
  if (options.threads < 0) refuse(profile, "threads is " + std::to_string(options.threads));
  const int threads = options.threads > 0 ? options.threads : omp_get_max_threads();
  Job job{profile,
          a,
          b,
          k,
          output,
          d,
          ScaleGrid(a, "A", k, profile.scale_a),
          ScaleGrid(b, "B", k, profile.scale_b),
          k,
          true};
  if (profile.chain == ChainKind::kExact) {
    run_exact(job, threads);
    return;
  }
  ChainSetup setup;
  std::size_t instruction_k = 1;
  if (profile.chain == ChainKind::kInstruction) {
    const Instruction& i = choose_instruction(profile, a, b, options);
    setup = detail::make_chain_setup(i);
    instruction_k = static_cast<std::size_t>(i.k);
  } else if (!embeds_in(a.format, kFp32Format) || !embeds_in(b.format, kFp32Format)) {
    refuse(profile, "operands " + format_name(a.format) + " and " + format_name(b.format) +
                        " do not both fit in fp32");
  }
  job.interval = choose_interval(profile, k, instruction_k, job.scale_a, job.scale_b, options);
  job.promotes = job.interval < k || scales_at_promotion(profile.scale_order);
  if (setup.double_lanes) {
    run_tiles<double>(job, setup, detail::gemm_kernels().double_lanes.lanes, threads);
  } else {
    run_tiles<float>(job, setup, detail::gemm_kernels().single_lanes.lanes, threads);
  }
}

void exact_gemm(const GemmOperand& a, const GemmOperand& b, std::size_t k, std::span<double> d,
                int threads) {
  const GemmProfile& profile = find_gemm_profile("exact");
  check_operand(profile, a, "A", k);
  check_operand(profile, b, "B", k);
  if (d.size() != a.rows * b.rows) {
    refuse(profile, std::to_string(d.size()) + " outputs for " + std::to_string(a.rows) + " x " +
                        std::to_string(b.rows));
  }
  if (threads < 0) refuse(profile, "threads is " + std::to_string(threads));
  const ScaleGrid scale_a(a, "A", k, kAnyGranularity), scale_b(b, "B", k, kAnyGranularity);
  detail::exact_products(a, scale_a, b, scale_b, k, threads,
                         [&](std::size_t row, std::size_t col, detail::ExactProduct value) {
                           d[row * b.rows + col] = value.to_double();
                         });
}

}  // namespace binade
