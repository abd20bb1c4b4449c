// How fast the tensor cores multiply with our rules, beside the library that torch._scaled_mm
// calls.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <stdexcept>

#include "binade/cuda/device.hpp"
#include "binade/cuda/gemm.hpp"
#include "binade/cuda/memory.hpp"
#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "cublaslt.hpp"
#include "device_gemm.hpp"
#include "sampling.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

using cuda::DeviceArray;
using cuda::DeviceGemm;
using cuda::GemmScaling;

/// The matrices of one shape, in as many copies as push each other out of the L2.
class Matrices {
 public:
  Matrices(GemmShape shape, FloatFormat output, std::uint64_t seed)
      : shape_(shape), output_(output), normal_(normal_codes(seed)) {
    constexpr std::size_t kPastTheCache = std::size_t{256} << 20;
    const std::size_t a = shape.m * shape.k, b = shape.n * shape.k;
    const std::size_t d = shape.m * shape.n * static_cast<std::size_t>(output.container_bits()) / 8;
    const std::size_t copies = 1 + kPastTheCache / (a + b);
    for (std::size_t i = 0; i < copies; ++i) {
      sets_.push_back({codes(a, 2 * i), codes(b, 2 * i + 1), DeviceArray(d)});
    }
    const std::size_t blocks = (shape.k + 127) / 128;
    scales_a_ = scales(shape.m * blocks, seed, 1);
    scales_b_ = scales(std::max(shape.n, (shape.n + 127) / 128 * blocks), seed, 2);
  }

  /// The product of copy i. Scales of blocks lie as cuBLASLt takes them.
  DeviceGemm call(const GemmPath& path, std::size_t i) {
    Set& set = sets_[i % sets_.size()];
    DeviceGemm call;
    call.m = shape_.m, call.n = shape_.n, call.k = shape_.k;
    call.a_format = call.b_format = E4M3::format;
    call.output = output_;
    call.a = set.a.data(), call.b = set.b.data(), call.d = set.d.data();
    call.scaling = path.scaling;
    call.promotion_interval = path.interval;
    const std::size_t blocks = (shape_.k + 127) / 128;
    const bool block = path.scaling == GemmScaling::kBlock;
    call.scale_a = {scales_a_.as<float>(), 1, block ? shape_.m : 0};
    call.scale_b = {scales_b_.as<float>(), block ? blocks : 1, block ? std::size_t{1} : 0};
    return call;
  }

  std::vector<std::uint8_t> result(std::size_t i) const {
    std::vector<std::uint8_t> bytes(sets_[i].d.size());
    sets_[i].d.download(bytes.data(), bytes.size());
    return bytes;
  }
  void poison(std::size_t i) { sets_[i].d.fill(0xcd); }

 private:
  struct Set {
    DeviceArray a, b, d;
  };

  /// Normal numbers. A matrix repeats them at a period that no row length divides, and each begins
  /// elsewhere.
  DeviceArray codes(std::size_t count, std::size_t matrix) const {
    std::vector<std::uint8_t> codes(count);
    std::size_t from = matrix * 1000003 % normal_.size();
    for (std::size_t done = 0; done < count; from = 0) {
      const std::size_t length = std::min(count - done, normal_.size() - from);
      std::memcpy(&codes[done], &normal_[from], length);
      done += length;
    }
    return DeviceArray(std::span<const std::uint8_t>(codes));
  }

  static std::vector<std::uint8_t> normal_codes(std::uint64_t seed) {
    constexpr std::size_t kPeriod = (std::size_t{1} << 20) + 4093;
    const std::vector<float> numbers = sample("normal", kPeriod, seed);
    std::vector<std::uint8_t> codes(kPeriod);
    cast(kFp32Format, numbers.data(), E4M3::format, codes.data(), kPeriod);
    return codes;
  }

  static DeviceArray scales(std::size_t count, std::uint64_t seed, std::uint64_t stream) {
    std::vector<float> scales = sample("uniform01", count, seed, stream);
    for (float& scale : scales) scale = scale * 0.01f + 0.01f;
    return DeviceArray(std::span<const float>(scales));
  }

  GemmShape shape_;
  FloatFormat output_;
  std::vector<std::uint8_t> normal_;
  std::vector<Set> sets_;
  DeviceArray scales_a_, scales_b_;
};

/// One kernel on one path.
struct Trial {
  GemmPath path;
  std::string kernel, tile;
  std::function<void(std::size_t)> launch;  ///< on the copy of the matrices of this index
  bool is_peer = false;
  std::vector<double> microseconds{};
  std::int64_t differs = -1;  ///< outputs whose bits are not the peer's; -1 without one
  std::int64_t registers = -1, local_bytes = -1;  ///< of our kernel

  double rate(const GemmShape& s, double quantile) const {
    std::vector<double> sorted = microseconds;
    std::ranges::sort(sorted);
    const auto last = static_cast<double>(sorted.size() - 1);
    const double taken = sorted[static_cast<std::size_t>((1 - quantile) * last + 0.5)];
    return 2.0 * static_cast<double>(s.m * s.n * s.k) / taken * 1e-6;
  }
};

/// Everything that is measured on one shape.
class Bench {
 public:
  Bench(GemmShape shape, FloatFormat output, std::uint64_t seed)
      : shape_(shape), output_(output), matrices_(shape, output, seed) {}

  void add_ours(const GemmPath& path, bool all_tiles) {
    const auto tiles = cuda::gemm_tiles(matrices_.call(path, 0));
    const int count = all_tiles ? static_cast<int>(tiles.size()) : 1;
    for (int tile = all_tiles ? 0 : -1, i = 0; i < count; ++tile, ++i) {
      const auto& info = tiles[static_cast<std::size_t>(
          tile < 0 ? cuda::gemm_tile(matrices_.call(path, 0)) : tile)];
      Trial trial{path, "binade", info.name, [this, path, tile](std::size_t copy) {
                    DeviceGemm call = matrices_.call(path, copy);
                    call.tile = tile;
                    cuda::gemm_hw(call);
                  }};
      trial.registers = info.registers;
      trial.local_bytes = static_cast<std::int64_t>(info.spill_bytes);
      trials_.push_back(std::move(trial));
    }
  }

  /// Returns why not, where the library has no algorithm.
  std::optional<std::string> add_peer(const GemmPath& path, CublasLt& library) {
    try {
      const auto matmul = std::make_shared<CublasLt::Matmul>(library, matrices_.call(path, 0));
      trials_.push_back(
          {path, "cublaslt", "-",
           [this, path, matmul](std::size_t copy) { matmul->run(matrices_.call(path, copy)); },
           true});
      return std::nullopt;
    } catch (const std::runtime_error& error) {
      return error.what();
    }
  }

  /// The trials of one path take turns, back and forth: so all meet one clock, which the power
  /// limit changes by tenths within a second. Before they are timed they have done so for a while.
  void run(const GemmPath& path, std::size_t rounds, std::size_t repeats) {
    compare(path);
    std::vector<Trial*> contenders = trials_of(path);
    const auto take_turns = [&](const auto& use) {
      for (Trial* trial : contenders) {
        use(*trial, cuda::time_launches(trial->launch, repeats, kLead * repeats));
      }
      std::ranges::reverse(contenders);
    };
    for (double seconds = 0; seconds < kWarmUpSeconds;) {
      take_turns([&](Trial&, const std::vector<double>& times) {
        seconds += 1e-6 * (1 + kLead) * std::accumulate(times.begin(), times.end(), 0.0);
      });
    }
    for (std::size_t round = 0; round < rounds; ++round) {
      take_turns([](Trial& trial, const std::vector<double>& times) {
        trial.microseconds.insert(trial.microseconds.end(), times.begin(), times.end());
      });
    }
  }

  void fill(Table& table) const {
    for (const Trial& t : trials_) {
      const Trial* peer = peer_of(t);
      table.rows.push_back({count_cell(shape_.m), count_cell(shape_.n), count_cell(shape_.k),
                            t.path.scaling_name, std::int64_t{t.path.interval},
                            format_name(output_), t.kernel, t.tile,
                            count_cell(t.microseconds.size()), t.rate(shape_, 0.5),
                            t.rate(shape_, 0.0), t.rate(shape_, 1.0),
                            peer == nullptr ? std::numeric_limits<double>::quiet_NaN()
                                            : t.rate(shape_, 0.5) / peer->rate(shape_, 0.5),
                            t.differs, t.rate(shape_, 0.5) / peak(), t.registers, t.local_bytes});
    }
  }

 private:
  /// TFLOP/s of the tensor cores at the highest clock, which no power supply lets them keep.
  static double peak() {
    const cuda::Device device = cuda::devices().front();
    return 2 * 4096 * device.multiprocessors * device.clock_hz * 1e-12;
  }

  static bool is_same(const GemmPath& a, const GemmPath& b) {
    return a.scaling == b.scaling && a.interval == b.interval;
  }

  std::vector<Trial*> trials_of(const GemmPath& path) {
    std::vector<Trial*> list;
    for (Trial& t : trials_) {
      if (is_same(t.path, path)) list.push_back(&t);
    }
    return list;
  }

  const Trial* peer_of(const Trial& trial) const {
    for (const Trial& t : trials_) {
      if (t.is_peer && is_same(t.path, trial.path)) return &t;
    }
    return nullptr;
  }

  std::vector<std::uint8_t> result_of(const Trial& trial) {
    matrices_.poison(0);
    trial.launch(0);
    cuda::synchronize();
    return matrices_.result(0);
  }

  /// Counts the outputs that are not the peer's to the bit.
  void compare(const GemmPath& path) {
    const std::size_t width = static_cast<std::size_t>(output_.container_bits()) / 8;
    std::vector<std::uint8_t> theirs;
    for (const Trial* trial : trials_of(path)) {
      if (trial->is_peer) theirs = result_of(*trial);
    }
    for (Trial* trial : trials_of(path)) {
      if (trial->is_peer || theirs.empty()) continue;
      const auto ours = result_of(*trial);
      trial->differs = 0;
      if (ours == theirs) continue;
      for (std::size_t i = 0; i < ours.size(); i += width) {
        if (std::memcmp(&ours[i], &theirs[i], width) != 0) ++trial->differs;
      }
    }
  }

  static constexpr double kWarmUpSeconds = 0.25;
  /// Times as many launches before those that are timed: what another has left in the caches goes.
  static constexpr std::size_t kLead = 2;
  GemmShape shape_;
  FloatFormat output_;
  Matrices matrices_;
  std::vector<Trial> trials_;
};

Table run(const Arguments& arguments) {
  cuda::require_device(90, "device_gemm_throughput");
  const std::string library_path = arguments.text("library");
  std::optional<CublasLt> library;
  if (library_path != "none") library.emplace(library_path);
  const auto shapes = arguments.text_list("shapes"), paths = arguments.text_list("paths");
  const std::size_t rounds = size_argument(arguments, "rounds");
  const std::size_t repeats = size_argument(arguments, "repeats");
  Progress progress{arguments, shapes.size() * paths.size()};
  Table table;
  for (const std::string& shape : shapes) {
    Bench bench(parse_gemm_shape(shape), parse_format(arguments.text("output")).format,
                seed_argument(arguments));
    for (const std::string& text : paths) {
      const GemmPath path = parse_gemm_path(text);
      bench.add_ours(path, arguments.text("tiles") == "all");
      if (library && path.has_peer()) {
        if (const auto refusal = bench.add_peer(path, *library)) {
          table.notes.push_back(shape + " " + text + ": " + *refusal);
        }
      }
      bench.run(path, rounds, repeats);
      progress.step();
    }
    bench.fill(table);
  }
  table.notes.push_back("on " + cuda::describe_devices());
  table.notes.push_back(
      "every launch alone between two events; kernels with the same scaling and interval take "
      "turns, back and forth, for a quarter of a second and then timed; inputs rotated through 256 "
      "MB, normal numbers in e4m3");
  return table;
}

}  // namespace

Experiment device_gemm_throughput() {
  Experiment e;
  e.name = "device_gemm_throughput";
  e.question = "How fast are tensor cores with our rules, beside cuBLASLt with the same scaling?";
  e.source =
      "this project; cuBLASLt by its heuristic's first algorithm, as torch._scaled_mm calls it";
  e.parameters = {
      {"shapes",
       "8192x8192x8192,4096x4096x4096,4096x7168x2048,4096x2112x7168,4096x24576x1536,64x7168x16384",
       "256x512x256",
       "M x N x K",
       {}},
      {"paths",
       "tensor-0,tensor-128,row-0,row-128,block-128,tensor-32,tensor-64,tensor-256,tensor-512",
       "tensor-0,block-128",
       "scaling and promotion interval, 0 for never; cuBLASLt has fast accumulation (0) or not "
       "(128), and 1x128 by 128x128 scales",
       {}},
      {"output", "bf16", "", "format of D", {"bf16", "fp32"}},
      {"tiles", "best", "", "of our kernel: the one that it chooses, or all", {"best", "all"}},
      {"library", "libcublasLt.so.13", "none", "cuBLASLt: name or path, or none", {}},
      {"rounds", "20", "1", "every kernel has its turn in each; an even number is fair", {}},
      {"repeats", "15", "3", "timed runs of a kernel in a round", {}},
      seed_parameter(),
  };
  e.columns = {
      {"m", "", "rows of A and D"},
      {"n", "", "rows of B, columns of D"},
      {"k", "", "products of one output"},
      {"scaling", "", "tensor, row, or block: 1x128 of A by 128x128 of B"},
      {"interval", "", "products between promotions to FP32, 0 for never"},
      {"output", "", "format of D"},
      {"kernel", "", "binade or cublaslt"},
      {"tile", "", "of our kernel: rows x columns of a block, blocks of a cluster, stages"},
      {"repeats", "", "timed runs"},
      {"rate", "TFLOP/s", "2 M N K over the time, median run"},
      {"rate_slowest", "TFLOP/s", "the same of the slowest run"},
      {"rate_fastest", "TFLOP/s", "the same of the fastest run"},
      {"share_of_peer", "", "median rate over cuBLASLt's with the same scaling and accumulation"},
      {"differs", "", "outputs whose bits are not cuBLASLt's; -1 where it has no such product"},
      {"share_of_peak", "", "of 4096 products a cycle and multiprocessor at the highest clock"},
      {"registers", "",
       "of a thread of our kernel at its start, before warpgroups share them anew"},
      {"local_memory", "B", "of a thread of our kernel: spilled registers"},
  };
  e.measures_time = true;
  e.needs_device = true;
  e.keeps_figure = true;
  e.run = run;
  return e;
}

}  // namespace binade::experiments
