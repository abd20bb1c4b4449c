// The error of a quantised GEMM by cause: the same product, made one step less exact at a time.
#include <omp.h>

#include <cmath>
#include <stdexcept>

#include "binade/emulation/exact.hpp"
#include "binade/emulation/metrics.hpp"
#include "block_scale_shape.hpp"
#include "gemm_job.hpp"

namespace binade {
namespace {

using Stage = std::vector<double>;

/// One operand at the stages before the multiplication.
struct Operand {
  std::span<const float> x;
  std::vector<float> scaled;  ///< y, before the cast
  Quantized q;

  GemmOperand inputs() const { return {kFp32Format, x.data(), q.rows}; }
  GemmOperand before_cast() const {
    return {kFp32Format, scaled.data(), q.rows, q.scales, q.scale_rows, q.scale_cols};
  }
  GemmOperand quantised() const {
    return {q.element, q.codes.data(), q.rows, q.scales, q.scale_rows, q.scale_cols};
  }
};

/// y = x / s or x * factor, as the recipe applies it.
std::vector<float> bring_to_range(std::span<const float> x, const ScaleRecipe& recipe,
                                  ScaleType type, const Quantized& q) {
  const BlockGrid grid = block_grid(q.rows, q.cols, q.granularity);
  std::vector<BlockContent> blocks(grid.grid_rows * grid.grid_cols);
  const auto block_of = [&](std::size_t i) {
    return i / q.cols / grid.block_rows * grid.grid_cols + i % q.cols / grid.block_cols;
  };
  for (std::size_t i = 0; i < x.size(); ++i) {
    BlockContent& block = blocks[block_of(i)];
    block.has_nan |= std::isnan(x[i]);
    block.has_infinity |= std::isinf(x[i]);
    if (std::isfinite(x[i])) block.amax = std::max(block.amax, std::fabs(x[i]));
  }
  std::vector<float> factors(blocks.size());
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    factors[i] = scale_of_block(recipe, type, q.element, blocks[i]).factor;
  }
  std::vector<float> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float factor = factors[block_of(i)];
    y[i] = recipe.apply == ApplyScale::kDivide ? x[i] / factor : x[i] * factor;
  }
  return y;
}

Operand prepare(std::span<const float> x, std::size_t rows, std::size_t k,
                const ScaleRecipe& recipe, Granularity granularity, ScaleType type,
                FloatFormat element, int threads) {
  if (type == ScaleType::kE4M3) {
    throw std::invalid_argument("split_error: E4M3 block scales have no GEMM profile");
  }
  if (granularity == kAnyGranularity) {
    granularity = parse_granularity(recipe.default_granularity);
  }
  Operand o;
  o.x = x;
  o.q = quantize(x, rows, k, recipe, granularity, type, element, threads);
  o.scaled = bring_to_range(x, recipe, type, o.q);
  return o;
}

Stage exact_stage(const GemmOperand& a, const GemmOperand& b, std::size_t k, int threads) {
  Stage stage(a.rows * b.rows);
  exact_gemm(a, b, k, stage, threads);
  return stage;
}

/// The chains of a job as `setup` has them, promoted and scaled without rounding.
template <class Real>
Stage chain_stage(const detail::GemmJob& job, const detail::ChainSetup& setup, std::size_t lanes) {
  constexpr std::size_t kSide = 64;  // each output of a tile holds an ExactSum of 752 bytes
  Stage stage(job.a.rows * job.b.rows);
  const auto tiles = detail::make_tiles(job.a.rows, job.b.rows, lanes, job.threads, kSide);
  const auto number = [](auto x) {
    return unpack(kFp64Format, bit_cast<std::uint64_t>(static_cast<double>(x)));
  };
#pragma omp parallel num_threads(job.threads)
  {
    detail::TileChain<Real> chain(setup, job.a, job.b, job.k);
#pragma omp for schedule(dynamic)
    for (std::size_t t = 0; t < tiles.size(); ++t) {
      const detail::Tile& tile = tiles[t];
      chain.start(tile);
      std::vector<ExactSum> totals(tile.rows * tile.cols);
      for (std::size_t k0 = 0; k0 < job.k; k0 += job.interval) {
        const Real* result = chain.run(k0, std::min(job.k, k0 + job.interval));
        for (std::size_t i = 0; i < totals.size(); ++i) {
          const std::size_t r = i / tile.cols, c = i % tile.cols;
          totals[i].add_scaled_product(number(result[chain.place(r, c)]), number(1.0),
                                       number(job.scale_a.at(tile.row + r, k0)),
                                       number(job.scale_b.at(tile.col + c, k0)));
        }
      }
      for (std::size_t i = 0; i < totals.size(); ++i) {
        const std::size_t row = tile.row + i / tile.cols, col = tile.col + i % tile.cols;
        stage[row * job.b.rows + col] = totals[i].to_double();
      }
    }
  }
  return stage;
}

Stage chain_stage(const detail::GemmJob& job, const detail::ChainSetup& setup) {
  const detail::GemmKernels& kernels = detail::gemm_kernels();
  return setup.double_lanes ? chain_stage<double>(job, setup, kernels.double_lanes.widest())
                            : chain_stage<float>(job, setup, kernels.single_lanes.widest());
}

/// Stages 3 and 4; empty stages stand for the one before.
std::pair<Stage, Stage> chain_stages(const detail::GemmJob& job) {
  if (job.profile.chain == ChainKind::kExact) return {};
  if (job.profile.chain != ChainKind::kInstruction) return {{}, chain_stage(job, job.setup)};
  const Instruction& i = *job.setup.instruction;
  const auto unbounded = detail::make_unbounded_setup(i);
  if (!unbounded) {
    throw std::invalid_argument("split_error: instruction " + i.name +
                                " with F = " + std::to_string(i.model.alignment_fraction_bits) +
                                " aligns more bits than fp64 lanes hold");
  }
  return {chain_stage(job, *unbounded), chain_stage(job, job.setup)};
}

Stage gemm_stage(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b,
                 std::size_t k, FloatFormat output, const GemmOptions& options) {
  const std::size_t bytes = static_cast<std::size_t>(output.container_bits()) / 8;
  std::vector<std::byte> d(a.rows * b.rows * bytes);
  gemm(profile, a, b, k, output, d.data(), options);
  Stage stage(a.rows * b.rows);
  cast(output, d.data(), kFp64Format, stage.data(), stage.size(), kIeeeRules);
  return stage;
}

ErrorSplit compare(const std::vector<Stage>& stages) {
  static constexpr const char* kCauses[] = {"scale",        "cast",      "alignment",
                                            "accumulation", "promotion", "output"};
  const Stage& exact = stages.front();
  double norm = 0, mean = 0;
  for (const double x : exact) {
    norm += x * x;
    mean += std::fabs(x);
  }
  const auto part = [&](const char* cause, const Stage& now, const Stage& before) {
    double squares = 0, bias = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
      const double e = now[i] - before[i];
      squares += e * e;
      bias += exact[i] > 0 ? e : exact[i] < 0 ? -e : 0;
    }
    return ErrorSplit::Part{cause, std::sqrt(squares / norm), bias / mean};
  };
  ErrorSplit split;
  for (std::size_t i = 0; i + 1 < stages.size(); ++i) {
    split.parts.push_back(part(kCauses[i], stages[i + 1], stages[i]));
  }
  const ErrorSplit::Part total = part("total", stages.back(), exact);
  split.total_fro_rel = total.fro_rel;
  split.total_bias = total.bias;
  return split;
}

}  // namespace

ErrorSplit split_error(std::span<const float> a, std::span<const float> b, std::size_t m,
                       std::size_t n, std::size_t k, const ScaleRecipe& recipe,
                       ScaleType scale_type, const GemmProfile& profile, FloatFormat element,
                       FloatFormat output, const GemmOptions& options) {
  if (a.size() != m * k || b.size() != n * k) {
    throw std::invalid_argument("split_error: " + std::to_string(a.size()) + " and " +
                                std::to_string(b.size()) + " elements for shapes " +
                                detail::shape_text(m, k) + " and " + detail::shape_text(n, k));
  }
  const int threads = options.threads;
  const Operand x = prepare(a, m, k, recipe, profile.scale_a, scale_type, element, threads);
  const Operand y = prepare(b, n, k, recipe, profile.scale_b, scale_type, element, threads);
  const GemmOperand qa = x.quantised(), qb = y.quantised();
  const detail::GemmJob job = detail::make_gemm_job(profile, qa, qb, k, options);
  std::vector<Stage> stages;
  stages.push_back(exact_stage(x.inputs(), y.inputs(), k, threads));
  stages.push_back(exact_stage(x.before_cast(), y.before_cast(), k, threads));
  stages.push_back(exact_stage(qa, qb, k, threads));
  auto [aligned, accumulated] = chain_stages(job);
  stages.push_back(aligned.empty() ? stages.back() : std::move(aligned));
  stages.push_back(accumulated.empty() ? stages.back() : std::move(accumulated));
  stages.push_back(gemm_stage(profile, qa, qb, k, kFp32Format, options));
  stages.push_back(gemm_stage(profile, qa, qb, k, output, options));
  return compare(stages);
}

}  // namespace binade
