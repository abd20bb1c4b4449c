// How fast a GPU's CUDA cores emulate a GEMM, beside the multiply-adds that they can do at all.
#include <algorithm>

#include "binade/cuda/arithmetic_rate.hpp"
#include "binade/cuda/device.hpp"
#include "binade/cuda/emulated_gemm.hpp"
#include "binade/cuda/memory.hpp"
#include "binade/formats/catalog.hpp"
#include "gemm_shape.hpp"
#include "sampling.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

using cuda::DeviceArray;
using cuda::EmulatedGemm;
using cuda::EmulationPath;

/// Normal numbers as codes; a long matrix repeats them at a period that no row length divides.
DeviceArray codes_of(FloatFormat f, std::size_t count, std::uint64_t seed, std::uint64_t stream) {
  constexpr std::size_t kPeriod = (std::size_t{1} << 22) + 4093;
  const auto width = static_cast<std::size_t>(f.container_bits()) / 8;
  const std::vector<float> numbers = sample("normal", std::min(count, kPeriod), seed, stream);
  std::vector<std::uint8_t> codes(count * width);
  cast(kFp32Format, numbers.data(), f, codes.data(), numbers.size());
  for (std::size_t i = kPeriod * width; i < codes.size(); ++i)
    codes[i] = codes[i - kPeriod * width];
  return DeviceArray(std::span<const std::uint8_t>(codes));
}

/// Rates of one kind, the median and its neighbours.
struct Rates {
  std::vector<double> sorted;

  explicit Rates(std::vector<double> rates) : sorted(std::move(rates)) {
    std::ranges::sort(sorted);
  }
  double median() const { return sorted[sorted.size() / 2]; }
};

/// What the lanes of this device can do at most.
struct Limits {
  Rates fp32, fp64;

  explicit Limits(std::size_t repeats)
      : fp32(cuda::multiply_add_rates(cuda::CoreArithmetic::kFp32, repeats)),
        fp64(cuda::multiply_add_rates(cuda::CoreArithmetic::kFp64, repeats)) {}
  double of(EmulationPath path) const {
    return path == EmulationPath::kDoubleLanes ? fp64.median() : fp32.median();
  }
};

std::vector<Cell> row_of(const Instruction& i, const GemmShape& s, int interval,
                         std::size_t repeats, const Limits& limits, const Arguments& arguments) {
  const DeviceArray a = codes_of(i.a, s.m * s.k, seed_argument(arguments), 0);
  const DeviceArray b = codes_of(i.b, s.n * s.k, seed_argument(arguments), 1);
  DeviceArray d(s.m * s.n * sizeof(float));
  const GemmOperand x{i.a, a.data(), s.m}, y{i.b, b.data(), s.n};
  GemmOptions options;
  options.instruction = &i;
  options.promotion_interval = interval;
  EmulatedGemm gemm(find_gemm_profile("cublaslt"), x, y, s.k, kFp32Format, options);
  const auto products = static_cast<double>(s.m) * static_cast<double>(s.n * s.k);
  std::vector<double> rates =
      cuda::time_launches([&](std::size_t) { gemm.run(x, y, d.data()); }, repeats, 1);
  for (double& rate : rates) rate = products / rate * 1e-3;
  const Rates sorted(std::move(rates));
  const double limit = limits.of(gemm.path());
  return {i.name,
          std::int64_t{i.model.step_k},
          std::int64_t{i.model.alignment_fraction_bits},
          std::int64_t{interval},
          std::string(cuda::name_of(gemm.path())),
          s.text(),
          count_cell(s.m),
          count_cell(s.n),
          count_cell(s.k),
          count_cell(repeats),
          sorted.median(),
          sorted.sorted.front(),
          sorted.sorted.back(),
          limit,
          sorted.median() / limit,
          count_cell(gemm.leftovers())};
}

Table run(const Arguments& arguments) {
  cuda::require_device(90, "device_emulation_throughput");
  const std::size_t repeats = size_argument(arguments, "repeats");
  const auto names = arguments.text_list("instructions");
  const auto intervals = arguments.integer_list("intervals");
  const auto shapes = arguments.text_list("shapes");
  Progress progress{arguments, shapes.size() * names.size() * intervals.size()};
  const Limits limits(repeats);
  Table table;
  for (const std::string& shape : shapes) {
    for (const std::string& name : names) {
      for (const std::int64_t interval : intervals) {
        table.rows.push_back(row_of(find_instruction(name), parse_gemm_shape(shape),
                                    static_cast<int>(interval), repeats, limits, arguments));
        progress.step();
      }
    }
  }
  table.notes.push_back("on " + cuda::describe_devices());
  table.notes.push_back(
      "each run between two events, from codes to fp32 outputs, unpacking included; it writes more "
      "than the L2 holds");
  table.notes.push_back(
      "the limit is the rate of independent multiply-adds of the same lanes in this run; a "
      "truncated "
      "product takes three such operations and half an integer one, a floored one takes one and a "
      "half");
  return table;
}

}  // namespace

Experiment device_emulation_throughput() {
  Experiment e;
  e.name = "device_emulation_throughput";
  e.question = "How fast does a GPU emulate a GEMM bit for bit, without its tensor cores?";
  e.source = "this project; the limit is the multiply-add rate of the same CUDA cores";
  e.parameters = {
      {"instructions",
       "hopper.wgmma.f32.e4m3.e4m3,hopper.wgmma.f16.e4m3.e4m3,ada.mma.f32.e4m3.e4m3,"
       "reference.floor14.e4m3.e4m3,hopper.mma.f32.e4m3.e4m3,blackwell.tcgen05.f32.e4m3.e4m3,"
       "hopper.wgmma.f32.f16.f16,hopper.wgmma.f32.bf16.bf16,hopper.wgmma.f32.tf32.tf32",
       "hopper.wgmma.f32.e4m3.e4m3,reference.wide.e4m3.e4m3",
       "instructions whose model is emulated",
       {}},
      {"shapes", "4096x4096x4096", "64x48x128", "M x N x K of the products", {}},
      {"intervals", "0,128", "", "products between promotions to FP32, 0 for never", {}},
      {"repeats", "7", "3", "timed runs of each", {}},
      seed_parameter(),
  };
  e.columns = {
      {"instruction", "", "instruction that is emulated"},
      {"step_k", "", "products of one step of its model"},
      {"fraction_bits", "", "F of its model"},
      {"interval", "", "products between promotions to FP32, 0 for never"},
      {"path", "", "what carries the arithmetic: fp32 lanes, fp64 lanes, scalar text"},
      {"shape", "", "M x N x K"},
      {"m", "", "rows of A"},
      {"n", "", "rows of B, columns of the result"},
      {"k", "", "length of the dot products"},
      {"repeats", "", "timed runs"},
      {"rate", "G/s", "emulated multiply-accumulates a second, median run"},
      {"rate_slowest", "G/s", "the same of the slowest run"},
      {"rate_fastest", "G/s", "the same of the fastest run"},
      {"limit", "G/s", "multiply-adds a second that these lanes do (fp32 for the scalar text)"},
      {"share_of_limit", "", "median rate over the limit"},
      {"leftovers", "", "outputs that the scalar text computed"},
  };
  e.measures_time = true;
  e.needs_device = true;
  e.keeps_figure = true;
  e.run = run;
  return e;
}

}  // namespace binade::experiments
