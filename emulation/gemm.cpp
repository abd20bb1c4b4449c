#include "binade/emulation/gemm.hpp"

#include <omp.h>

#include <algorithm>

#include "exact_products.hpp"
#include "gemm_job.hpp"
#include "gemm_tiles.hpp"

namespace binade {
namespace {

using detail::GemmJob;
using detail::Tile;

float scaled(ScaleOrder order, float acc, float sa, float sb) {
  if (order == ScaleOrder::kEpilogueBThenA) return (acc * sb) * sa;
  return acc * (sa * sb);
}

/// Accumulates the tiles of one thread.
template <class Real>
class TileWorker {
 public:
  TileWorker(const GemmJob& job, FloatFormat output, void* d)
      : job_(job),
        output_(output),
        d_(static_cast<std::byte*>(d)),
        chain_(job.setup, job.a, job.b, job.k) {}

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
    if (detail::scales_at_promotion(order)) load_scales(tile, k0);
    const auto loop = order == ScaleOrder::kPromoteFmaProduct  ? loops.promote_product
                      : order == ScaleOrder::kPromoteFmaAThenB ? loops.promote_a_then_b
                      : order == ScaleOrder::kPromoteFmaBThenA ? loops.promote_b_then_a
                                                               : loops.promote_plain;
    for (std::size_t p = 0; p < chain_.panels(); ++p) {
      const std::size_t at = p * chain_.panel_size();
      loop({chain + at, sums_.data() + at, sa_.data(), sb_.data() + p * chain_.lanes(), tile.rows,
            chain_.lanes()});
    }
  }

  /// The epilogue: scales that come last, then one rounding to the output.
  void finish(const Tile& tile) {
    const bool epilogue = !detail::scales_at_promotion(job_.profile.scale_order);
    const bool has_scales = !job_.scale_a.empty() || !job_.scale_b.empty();
    if (epilogue) load_scales(tile, 0);
    row_.resize(tile.cols);
    for (std::size_t r = 0; r < tile.rows; ++r) {
      for (std::size_t c = 0; c < tile.cols; ++c) {
        const float acc = sums_[chain_.place(r, c)];
        row_[c] =
            epilogue && has_scales ? scaled(job_.profile.scale_order, acc, sa_[r], sb_[c]) : acc;
      }
      const std::size_t bytes = static_cast<std::size_t>(output_.container_bits()) / 8;
      const std::size_t first = (tile.row + r) * job_.b.rows + tile.col;
      // From fp32 to fp32 as well: the cast makes every NaN the canonical one.
      cast(kFp32Format, row_.data(), output_, d_ + first * bytes, tile.cols,
           detail::output_rules(output_));
    }
  }

  const GemmJob& job_;
  FloatFormat output_;
  std::byte* d_;
  detail::TileChain<Real> chain_;
  std::vector<float> sums_, sa_, sb_, row_;
};

template <class Real>
void run_tiles(const GemmJob& job, FloatFormat output, void* d, std::size_t lanes) {
  const std::vector<Tile> tiles = detail::make_tiles(job.a.rows, job.b.rows, lanes, job.threads);
#pragma omp parallel num_threads(job.threads)
  {
    TileWorker<Real> worker(job, output, d);
#pragma omp for schedule(dynamic)
    for (std::size_t t = 0; t < tiles.size(); ++t) worker.run(tiles[t]);
  }
}

void run_exact(const GemmJob& job, FloatFormat output, void* d) {
  const CastRules rules = detail::output_rules(output);
  detail::exact_products(job.a, job.scale_a, job.b, job.scale_b, job.k, job.threads,
                         [&](std::size_t row, std::size_t col, detail::ExactProduct value) {
                           detail::store_output(output, d, row * job.b.rows + col,
                                                value.round(output, rules));
                         });
}

}  // namespace

void gemm(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b, std::size_t k,
          FloatFormat output, void* d, const GemmOptions& options) {
  const GemmJob job = detail::make_gemm_job(profile, a, b, k, options);
  if (d == nullptr) detail::refuse_gemm(profile, "no place for D");
  if (profile.chain == ChainKind::kExact) {
    run_exact(job, output, d);
  } else if (job.setup.double_lanes) {
    run_tiles<double>(job, output, d, detail::gemm_kernels().double_lanes.widest());
  } else {
    run_tiles<float>(job, output, d, detail::gemm_kernels().single_lanes.widest());
  }
}

void exact_gemm(const GemmOperand& a, const GemmOperand& b, std::size_t k, std::span<double> d,
                int threads) {
  const GemmProfile& profile = find_gemm_profile("exact");
  const GemmJob job = detail::make_gemm_job(profile, a, b, k, {{}, nullptr, threads});
  if (d.size() != a.rows * b.rows) {
    detail::refuse_gemm(profile, std::to_string(d.size()) + " outputs for " +
                                     std::to_string(a.rows) + " x " + std::to_string(b.rows));
  }
  detail::exact_products(a, job.scale_a, b, job.scale_b, k, job.threads,
                         [&](std::size_t row, std::size_t col, detail::ExactProduct value) {
                           d[row * b.rows + col] = value.to_double();
                         });
}

}  // namespace binade
