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
    // Rows that follow each other in D are rounded together.
    block_rows_ = tile.cols == job_.b.rows ? std::max<std::size_t>(1, kBlock / tile.cols) : 1;
    const std::size_t size = chain_.panels() * chain_.panel_size();
    const std::size_t cols = chain_.panels() * chain_.lanes();
    arena_.lay_out(detail::piece(sums_, job_.promotes ? size : 0), detail::piece(sa_, tile.rows),
                   detail::piece(sb_, cols), detail::piece(block_, block_rows_ * tile.cols));
    std::fill_n(sa_, tile.rows, 1.0f);
    std::fill_n(sb_, cols, 1.0f);
    if (!job_.promotes) {
      finish(tile, chain_.run(0, job_.k));
      return;
    }
    std::fill_n(sums_, size, 0.0f);
    for (std::size_t k0 = 0; k0 < job_.k; k0 += job_.interval) {
      promote(tile, chain_.run(k0, std::min(job_.k, k0 + job_.interval)), k0);
    }
    finish(tile, sums_);
  }

 private:
  static constexpr std::size_t kBlock = 4096;  ///< outputs rounded at once, if rows are short

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
    const std::size_t lanes = chain_.lanes();
    for (std::size_t p = 0; p < chain_.panels(); ++p) {
      const std::size_t at = p * chain_.panel_size();
      loop({chain + at, sums_ + at, sa_, sb_ + p * lanes, tile.rows, lanes});
    }
  }

  /// The epilogue: scales that come last, then one rounding to the output.
  template <class Sum>
  void finish(const Tile& tile, const Sum* sums) {
    const bool epilogue = !scales_at_promotion(job_.profile.scale_order);
    const bool scales = epilogue && (!job_.scale_a.empty() || !job_.scale_b.empty());
    if (scales) load_scales(tile, 0);
    const std::size_t bytes = static_cast<std::size_t>(output_.container_bits()) / 8;
    for (std::size_t r = 0; r < tile.rows; r += block_rows_) {
      const std::size_t rows = std::min(block_rows_, tile.rows - r);
      for (std::size_t i = 0; i < rows; ++i) gather(tile, sums, r + i, scales, i);
      const std::size_t first = (tile.row + r) * job_.b.rows + tile.col;
      // From fp32 to fp32 as well: the cast makes every NaN the canonical one.
      cast(kFp32Format, block_, output_, d_ + first * bytes, rows * tile.cols,
           output_rules(output_));
    }
  }

  /// One row of the tile, out of its panels.
  template <class Sum>
  void gather(const Tile& tile, const Sum* sums, std::size_t row, bool scales, std::size_t place) {
    const std::size_t lanes = chain_.lanes();
    for (std::size_t col = 0; col < tile.cols; col += lanes) {
      const Sum* from = sums + chain_.place(row, col);
      float* to = block_ + place * tile.cols + col;
      const std::size_t count = std::min(lanes, tile.cols - col);
      for (std::size_t c = 0; c < count; ++c) to[c] = static_cast<float>(from[c]);
      for (std::size_t c = 0; c < count && scales; ++c) {
        to[c] = scaled(job_.profile.scale_order, to[c], sa_[row], sb_[col + c]);
      }
    }
  }

  const GemmJob& job_;
  FloatFormat output_;
  std::byte* d_;
  detail::TileChain<Real> chain_;
  detail::Arena arena_;
  float *sums_ = nullptr, *sa_ = nullptr, *sb_ = nullptr, *block_ = nullptr;
  std::size_t block_rows_ = 1;
};

template <class Real>
void run_tiles(const GemmJob& job, FloatFormat output, void* d, std::size_t lanes) {
  const std::vector<Tile> tiles = detail::make_tiles(job.a.rows, job.b.rows, lanes, job.threads);
  if (tiles.size() == 1) {  // no team, which would take longer to gather than a small product
    TileWorker<Real>(job, output, d).run(tiles[0]);
    return;
  }
#pragma omp parallel num_threads(job.threads)
  {
    TileWorker<Real> worker(job, output, d);
#pragma omp for schedule(dynamic)
    for (std::size_t t = 0; t < tiles.size(); ++t) worker.run(tiles[t]);
  }
}

void run_exact(const GemmJob& job, FloatFormat output, void* d) {
  const CastRules rules = output_rules(output);
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
  if (d == nullptr) refuse_gemm(profile, "no place for D");
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
    refuse_gemm(profile, std::to_string(d.size()) + " outputs for " +
                                     std::to_string(a.rows) + " x " + std::to_string(b.rows));
  }
  detail::exact_products(a, job.scale_a, b, job.scale_b, k, job.threads,
                         [&](std::size_t row, std::size_t col, detail::ExactProduct value) {
                           d[row * b.rows + col] = value.to_double();
                         });
}

}  // namespace binade
