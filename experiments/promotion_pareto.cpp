// What a promotion interval costs on the tensor cores, and what it buys: both on the device.
#include <algorithm>
#include <numeric>
#include <span>

#include "binade/cuda/gemm.hpp"
#include "binade/cuda/memory.hpp"
#include "binade/emulation/block_scale.hpp"
#include "binade/emulation/gemm.hpp"
#include "binade/emulation/metrics.hpp"
#include "binade/formats/catalog.hpp"
#include "device_gemm.hpp"
#include "sampling.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

using cuda::DeviceArray;
using cuda::DeviceGemm;

/// Codes of a matrix under one scale, which is a common factor of every output and plays no part.
Quantized codes_of(const InputTensor& x, int threads) {
  return quantize(x.values, x.rows, x.cols, find_scale_recipe("deepgemm"), kPerTensor,
                  ScaleType::kFp32, E4M3::format, threads);
}

DeviceGemm make_call(GemmShape shape, int interval) {
  DeviceGemm call;
  call.m = shape.m, call.n = shape.n, call.k = shape.k;
  call.a_format = call.b_format = E4M3::format;
  call.promotion_interval = interval;
  return call;
}

/// The product whose error is measured, in FP32.
struct Accuracy {
  std::string distribution;
  Quantized a, b;
  std::vector<double> exact;

  Accuracy(std::string name, const InputTensor& x, const InputTensor& y, int threads)
      : distribution(std::move(name)), a(codes_of(x, threads)), b(codes_of(y, threads)) {
    exact.resize(a.rows * b.rows);
    exact_gemm(operand(a), operand(b), a.cols, exact, threads);
  }

  static GemmOperand operand(const Quantized& q) { return {q.element, q.codes.data(), q.rows}; }

  /// The tensor cores' error, and how many of their outputs are not the model's.
  std::pair<ErrorMetrics, std::size_t> measure(int interval, int threads) const {
    const DeviceArray x(std::span<const std::uint8_t>(a.codes));
    const DeviceArray y(std::span<const std::uint8_t>(b.codes));
    std::vector<float> computed(exact.size()), model(exact.size());
    DeviceArray d(computed.size() * sizeof(float));
    DeviceGemm call = make_call({a.rows, b.rows, a.cols}, interval);
    call.output = Fp32::format;
    call.a = x.data(), call.b = y.data(), call.d = d.data();
    cuda::gemm_hw(call);
    cuda::synchronize();
    d.download(computed.data(), d.size());
    gemm(find_gemm_profile("cublaslt"), operand(a), operand(b), a.cols, kFp32Format, model.data(),
         {interval, nullptr, threads});
    return {error_metrics(std::span<const float>(computed), exact),
            differing_bits(computed, model)};
  }
};

/// Rates of every interval on one shape: intervals in turn, inputs rotated past the L2.
std::vector<std::vector<double>> measure_rates(GemmShape shape, const std::vector<int>& intervals,
                                               std::size_t repeats, std::uint64_t seed) {
  constexpr std::size_t kPastTheCache = std::size_t{256} << 20, kPeriod = (1 << 22) + 4093;
  const std::size_t bytes = (shape.m + shape.n) * shape.k;
  const std::vector<float> numbers = sample("normal", kPeriod, seed, 7);
  std::vector<std::uint8_t> period(kPeriod), codes(bytes);
  cast(kFp32Format, numbers.data(), E4M3::format, period.data(), kPeriod);
  for (std::size_t i = 0; i < bytes; ++i) codes[i] = period[i % kPeriod];
  std::vector<DeviceArray> operands;
  for (std::size_t i = 0; i <= kPastTheCache / bytes; ++i) {
    operands.emplace_back(std::span<const std::uint8_t>(codes));
  }
  DeviceArray d(shape.m * shape.n * 2);
  const std::size_t count = intervals.size();
  const std::vector<double> times = cuda::time_launches(
      [&](std::size_t i) {
        const std::uint8_t* a = operands[i % operands.size()].as<std::uint8_t>();
        DeviceGemm call = make_call(shape, intervals[i % count]);
        call.output = Bf16::format;
        call.a = a, call.b = a + shape.m * shape.k, call.d = d.data();
        cuda::gemm_hw(call);
      },
      repeats * count, 2 * count);
  std::vector<std::vector<double>> rates(count);
  for (std::size_t i = 0; i < times.size(); ++i) {
    rates[i % count].push_back(2.0 * static_cast<double>(shape.m * shape.n * shape.k) / times[i] *
                               1e-6);
  }
  for (std::vector<double>& list : rates) std::ranges::sort(list);
  return rates;
}

std::vector<int> interval_arguments(const Arguments& arguments) {
  std::vector<int> intervals;
  for (const std::int64_t interval : arguments.integer_list("intervals")) {
    intervals.push_back(static_cast<int>(checked_size("intervals", interval, 0)));
  }
  return intervals;
}

std::vector<Accuracy> make_problems(const Arguments& arguments) {
  const std::size_t side = size_argument(arguments, "side"), k = size_argument(arguments, "k");
  std::vector<Accuracy> problems;
  for (const std::string& name : arguments.text_list("distributions")) {
    problems.emplace_back(name, random_matrix(name, side, k, arguments, 0),
                          random_matrix(name, side, k, arguments, 1), arguments.threads);
  }
  if (arguments.tensor) {
    const InputTensor& a = *arguments.tensor;
    const InputTensor b = arguments.second_tensor
                              ? *arguments.second_tensor
                              : random_matrix("normal", side, a.cols, arguments, 1);
    if (a.cols != b.cols) {
      throw std::invalid_argument("tensors " + a.name + " and " + b.name + ": rows of " +
                                  std::to_string(a.cols) + " and " + std::to_string(b.cols) +
                                  " elements, expected equal lengths K");
    }
    problems.emplace_back(a.name, a, b, arguments.threads);
  }
  return problems;
}

Table run(const Arguments& arguments) {
  cuda::require_device(90, "promotion_pareto");
  const std::vector<int> intervals = interval_arguments(arguments);
  const std::vector<Accuracy> problems = make_problems(arguments);
  const auto shapes = arguments.text_list("shapes");
  Progress progress{arguments, shapes.size() + problems.size() * intervals.size()};
  Table table;
  std::vector<std::vector<std::pair<ErrorMetrics, std::size_t>>> errors(problems.size());
  for (std::size_t p = 0; p < problems.size(); ++p) {
    for (const int interval : intervals) {
      errors[p].push_back(problems[p].measure(interval, arguments.threads));
      progress.step();
    }
  }
  for (const std::string& text : shapes) {
    const auto rates = measure_rates(parse_gemm_shape(text), intervals,
                                     size_argument(arguments, "repeats"), seed_argument(arguments));
    progress.step();
    for (std::size_t p = 0; p < problems.size(); ++p) {
      for (std::size_t i = 0; i < intervals.size(); ++i) {
        const auto& [error, differ] = errors[p][i];
        table.rows.push_back({problems[p].distribution, count_cell(problems[p].a.cols),
                              std::int64_t{intervals[i]}, error.max_over_mean, error.fro_rel,
                              error.bias, count_cell(differ), text, count_cell(rates[i].size()),
                              rates[i][rates[i].size() / 2], rates[i].front(), rates[i].back()});
      }
    }
  }
  table.notes.push_back("one scale a tensor, e4m3; errors of FP32 outputs, rates with BF16");
  return table;
}

}  // namespace

Experiment promotion_pareto() {
  Experiment e;
  e.name = "promotion_pareto";
  e.question = "What does each promotion interval cost on the tensor cores, and what does it buy?";
  e.source =
      "DeepSeek-V3 report 3.3.2: promotion every 128 elements, 4 wgmma, is the smallest interval "
      "that does not cost speed";
  e.parameters = {
      {"intervals", "0,512,256,128,64,32", "0,128", "products between promotions; 0: never", {}},
      {"distributions", "normal,uniform01,abs_normal", "normal", "of A and of B",
       distribution_names()},
      {"side", "256", "32", "rows of A and of B where the error is measured", {}},
      {"k", "4096", "256", "length of the dot products there", {}},
      {"shapes",
       "8192x8192x8192,4096x7168x2048",
       "256x256x256",
       "M x N x K where the rate is measured",
       {}},
      {"repeats", "30", "3", "timed runs of each interval", {}},
      seed_parameter(),
  };
  e.columns = {
      {"distribution", "", "of A and B, or the tensor"},
      {"k", "", "length of the dot products whose error is measured"},
      {"interval", "", "products between promotions; 0: never"},
      {"max_over_mean", "", "max |error| / mean |exact|"},
      {"fro_rel", "", "Frobenius norm of the error over that of the exact product"},
      {"bias", "", "mean (error * sign exact) / mean |exact|"},
      {"differ", "", "outputs of the tensor cores that are not the model's"},
      {"shape", "", "M x N x K whose rate is measured"},
      {"repeats", "", "timed runs"},
      {"rate", "TFLOP/s", "2 M N K over the time, median run"},
      {"rate_slowest", "TFLOP/s", "the same of the slowest run"},
      {"rate_fastest", "TFLOP/s", "the same of the fastest run"},
  };
  e.takes_tensor = true;
  e.measures_time = true;
  e.needs_device = true;
  e.keeps_figure = true;
  e.run = run;
  return e;
}

}  // namespace binade::experiments
