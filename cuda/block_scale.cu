#include <stdexcept>
#include <string>
#include <vector>

#include "binade/cuda/block_scale.hpp"
#include "binade/cuda/memory.hpp"
#include "block_scale_any.cuh"
#include "block_scale_launch.cuh"
#include "check.cuh"

namespace binade::cuda {
namespace {

std::size_t block_count(const BlockGrid& g) { return g.grid_rows * g.grid_cols; }

unsigned any_blocks(std::size_t threads) {
  const std::size_t blocks = (threads + kAnyThreads - 1) / kAnyThreads;
  if (blocks > 0x7fffffffu) {
    throw std::invalid_argument("quantize: " + std::to_string(threads) + " elements are too many");
  }
  return static_cast<unsigned>(blocks);
}

/// Refuses what the twin refuses, by its own words.
void check_arguments(FloatFormat source, const ScaleRecipe& recipe, ScaleType type,
                     FloatFormat element) {
  const std::uint64_t nothing = 0;
  binade::quantize(source, &nothing, 1, 1, recipe, kPerTensor, type, element, 1);
}

/// Scratch of the portable kernels: measures, factors and the tensor's amax.
struct AnyScratch {
  explicit AnyScratch(const BlockGrid& g)
      : measures(block_count(g) * sizeof(Measure)),
        factors(block_count(g) * sizeof(float)),
        tensor(sizeof(std::uint32_t)) {}
  DeviceArray measures, factors, tensor;
};

void launch_any(const Launcher& launch, const BlockJob& job, AnyScratch& scratch) {
  const BlockGrid& g = job.grid;
  auto* measures = scratch.measures.as<Measure>();
  auto* tensor = scratch.tensor.as<std::uint32_t>();
  auto* factors = scratch.factors.as<float>();
  launch.zero(measures, scratch.measures.size());
  launch.zero(tensor, scratch.tensor.size());
  const std::size_t stripes = g.grid_rows * ((g.block_rows + kStripe - 1) / kStripe);
  const unsigned of_blocks = any_blocks(block_count(g));
  launch("measure blocks", measure_any, any_blocks(stripes * g.cols), kAnyThreads, job, measures);
  if (job.type == ScaleType::kE4M3) {
    launch("measure the tensor", measure_tensor, of_blocks, kAnyThreads, job, measures, tensor);
  }
  launch("derive scales", derive_any, of_blocks, kAnyThreads, job, measures, tensor, factors);
  const CastRules rules = job.rule.cast_rules;
  const auto plan = detail::make_plan<std::uint32_t>(job.element, rules);
  const Draws draws(rules, job.seed);
  detail::with_rounding(rules.rounding, [&]<Rounding rounding>() {
    launch("apply scales", apply_any<rounding>, any_blocks(g.rows * g.cols), kAnyThreads, job,
           factors, plan, draws);
  });
}

bool is_aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }

}  // namespace

struct Quantizer::Work {
  BlockJob straight, transposed;
  VectorKernel kernel, tiles;
  DeviceArray vector_scratch;
  std::unique_ptr<AnyScratch> any, any_transposed;

  void run(const Launcher& launch, const void* x, const QuantizedArrays& out, std::uint64_t seed) {
    BlockJob job = straight;
    job.x = x;
    job.out = out;
    job.seed = seed;
    if (kernel != VectorKernel::kNone && is_aligned(x) && is_aligned(out.codes)) {
      launch_vectors(launch, kernel, job, vector_scratch.data());
    } else {
      run_any(launch, job, any);
    }
  }

  void run_both(const Launcher& launch, const void* x, const QuantizedArrays& out,
                const QuantizedArrays& second_out, std::uint64_t seed) {
    BlockJob first = straight, second = transposed;
    first.x = second.x = x;
    first.out = out;
    second.out = second_out;
    first.seed = second.seed = seed;
    if (tiles != VectorKernel::kNone && is_aligned(x) && is_aligned(out.codes) &&
        is_aligned(second_out.codes)) {
      launch_tiles(launch, tiles, first, second, vector_scratch.data());
    } else {
      run(launch, x, out, seed);
      run_any(launch, second, any_transposed);
    }
  }

 private:
  static void run_any(const Launcher& launch, const BlockJob& job,
                      std::unique_ptr<AnyScratch>& scratch) {
    if (scratch == nullptr) scratch = std::make_unique<AnyScratch>(job.grid);
    launch_any(launch, job, *scratch);
  }
};

Quantizer::Quantizer(FloatFormat source, std::size_t rows, std::size_t cols,
                     const ScaleRecipe& recipe, Granularity granularity, ScaleType scale_type,
                     FloatFormat element, Text text) {
  check_arguments(source, recipe, scale_type, element);
  const BlockJob job = make_job(source, rows, cols, recipe, granularity, scale_type, element);
  require_device(90, "quantize");
  const bool portable = text == Text::kPortable;
  const auto kernel = portable ? VectorKernel::kNone : vector_kernel(job, granularity);
  const auto tiles = portable ? VectorKernel::kNone : tile_kernel(job, granularity);
  work_ = std::make_unique<Work>();
  work_->straight = job;
  work_->transposed = transpose_of(job, granularity);
  work_->kernel = kernel;
  work_->tiles = tiles;
  work_->vector_scratch = DeviceArray(tile_scratch(kernel, job.grid));
}

Quantizer::Quantizer(Quantizer&&) noexcept = default;
Quantizer& Quantizer::operator=(Quantizer&&) noexcept = default;
Quantizer::~Quantizer() = default;

void Quantizer::run(const void* x, const QuantizedArrays& out, std::uint64_t seed) {
  work_->run(Launcher(), x, out, seed);
}

void Quantizer::run_with_transpose(const void* x, const QuantizedArrays& out,
                                   const QuantizedArrays& transposed, std::uint64_t seed) {
  work_->run_both(Launcher(), x, out, transposed, seed);
}

KernelFacts Quantizer::facts() const {
  KernelFacts facts;
  work_->run(Launcher(&facts), nullptr, {}, 0);
  return facts;
}

KernelFacts Quantizer::facts_with_transpose(MatrixLayout scales) const {
  KernelFacts facts;
  QuantizedArrays nowhere;
  nowhere.scale_layout = scales;
  work_->run_both(Launcher(&facts), nullptr, nowhere, nowhere, 0);
  return facts;
}

namespace {
const char* passes_of(VectorKernel kernel, bool rows_take_two) {
  if (kernel == VectorKernel::kNone) return "portable";
  const bool two =
      kernel == VectorKernel::kTensor || (kernel == VectorKernel::kRows && rows_take_two);
  return two ? "two passes" : "one pass";
}
}  // namespace

const char* Quantizer::kernel() const { return passes_of(work_->kernel, false); }
const char* Quantizer::kernel_with_transpose() const { return passes_of(work_->tiles, true); }

// ---- host arrays -----------------------------------------------------------------------------

namespace {

std::size_t bytes_of(FloatFormat f) { return static_cast<std::size_t>(f.container_bits()) / 8; }

/// A result on the host, and the device memory that it comes from.
class Result {
 public:
  Result(const BlockGrid& grid, Granularity granularity, ScaleType type, FloatFormat element)
      : codes_(grid.rows * grid.cols * bytes_of(element)),
        scales_(block_count(grid) * sizeof(float)),
        scale_codes_(block_count(grid)),
        tensor_scale_(sizeof(float)) {
    q_.element = element;
    q_.rows = grid.rows;
    q_.cols = grid.cols;
    q_.granularity = granularity;
    q_.scale_rows = grid.grid_rows;
    q_.scale_cols = grid.grid_cols;
    if (type == ScaleType::kUe8m0) q_.scale_format = E8M0::format;
    if (type == ScaleType::kE4M3) q_.scale_format = E4M3::format;
    codes_.fill(0xa5);  // what a kernel leaves out is seen
    scales_.fill(0xa5);
    scale_codes_.fill(0xa5);
  }
  QuantizedArrays arrays() {
    return {codes_.data(), scales_.as<float>(), scale_codes_.as<std::uint8_t>(),
            tensor_scale_.as<float>()};
  }
  Quantized take() {
    q_.codes.resize(codes_.size());
    q_.scales.resize(scales_.size() / sizeof(float));
    codes_.download(q_.codes.data(), codes_.size());
    scales_.download(q_.scales.data(), scales_.size());
    if (q_.scale_format != kFp32Format) {
      q_.scale_codes.resize(scale_codes_.size());
      scale_codes_.download(q_.scale_codes.data(), scale_codes_.size());
    }
    if (q_.scale_format == E4M3::format) tensor_scale_.download(&q_.tensor_scale, sizeof(float));
    return std::move(q_);
  }

 private:
  Quantized q_;
  DeviceArray codes_, scales_, scale_codes_, tensor_scale_;
};

Quantized quantize_by(Quantizer::Text text, FloatFormat source, const void* x, std::size_t rows,
                      std::size_t cols, const ScaleRecipe& recipe, Granularity granularity,
                      ScaleType type, FloatFormat element, std::uint64_t seed) {
  Quantizer quantizer(source, rows, cols, recipe, granularity, type, element, text);
  const DeviceArray on_device(x, rows * cols * bytes_of(source));
  Result result(block_grid(rows, cols, granularity), granularity, type, element);
  quantizer.run(on_device.data(), result.arrays(), seed);
  return result.take();
}

}  // namespace

Quantized quantize_portable(FloatFormat source, const void* x, std::size_t rows, std::size_t cols,
                            const ScaleRecipe& recipe, Granularity granularity,
                            ScaleType scale_type, FloatFormat element, std::uint64_t seed) {
  return quantize_by(Quantizer::Text::kPortable, source, x, rows, cols, recipe, granularity,
                     scale_type, element, seed);
}

Quantized quantize(FloatFormat source, const void* x, std::size_t rows, std::size_t cols,
                   const ScaleRecipe& recipe, Granularity granularity, ScaleType scale_type,
                   FloatFormat element, std::uint64_t seed) {
  return quantize_by(Quantizer::Text::kFastest, source, x, rows, cols, recipe, granularity,
                     scale_type, element, seed);
}

std::pair<Quantized, Quantized> quantize_with_transpose(FloatFormat source, const void* x,
                                                        std::size_t rows, std::size_t cols,
                                                        const ScaleRecipe& recipe,
                                                        Granularity granularity,
                                                        ScaleType scale_type, FloatFormat element,
                                                        std::uint64_t seed) {
  Quantizer quantizer(source, rows, cols, recipe, granularity, scale_type, element);
  const DeviceArray on_device(x, rows * cols * bytes_of(source));
  Result straight(block_grid(rows, cols, granularity), granularity, scale_type, element);
  Result transposed(block_grid(cols, rows, granularity), granularity, scale_type, element);
  quantizer.run_with_transpose(on_device.data(), straight.arrays(), transposed.arrays(), seed);
  Quantized first = straight.take();
  return {std::move(first), transposed.take()};
}

}  // namespace binade::cuda
