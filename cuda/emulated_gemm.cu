#include <algorithm>

#include "binade/cuda/emulated_gemm.hpp"
#include "binade/cuda/memory.hpp"
#include "check.cuh"
#include "emulated_gemm_launch.hpp"
#include "emulated_gemm_scalar.cuh"

namespace binade::cuda {
namespace {

using namespace detail;

std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

template <class Real>
std::pair<std::size_t, std::size_t> stage_memory(const LanePlan& p, std::size_t m, std::size_t n) {
  constexpr TileShape kShape = tile_shape<Real>();
  const int depth = p.stage_steps * p.step_k;
  const std::size_t stages =
      ceil_div(static_cast<std::size_t>(p.total_steps), static_cast<std::size_t>(p.stage_steps));
  return {ceil_div(m, kShape.rows()) * stages * stage_bytes_a<Real>(depth),
          ceil_div(n, kShape.cols()) * stages * stage_bytes_b<Real>(depth)};
}

/// What has to be the same from one run to the next.
struct OperandShape {
  FloatFormat format;
  std::size_t rows, scales, scale_rows, scale_cols;

  explicit OperandShape(const GemmOperand& x)
      : format(x.format),
        rows(x.rows),
        scales(x.scales.size()),
        scale_rows(x.scale_rows),
        scale_cols(x.scale_cols) {}
  bool operator==(const OperandShape&) const = default;
};

}  // namespace

struct EmulatedGemm::State {
  GemmProfile profile;
  Instruction instruction;
  GemmPlan gemm;
  OperandShape a, b;
  std::size_t k;
  FloatFormat output;
  ChainPlan chain{};
  DotPlan dot{};
  DeviceArray a_stages, b_stages, places, count;

  State(const GemmProfile& profile_, const GemmOperand& a_, const GemmOperand& b_, std::size_t k_,
        FloatFormat output_, const GemmOptions& options)
      : profile(profile_),
        gemm(plan_gemm(profile_, a_, b_, k_, options)),
        a(a_),
        b(b_),
        k(k_),
        output(output_) {
    if (gemm.instruction == nullptr) {
      refuse_gemm(profile, "has no matrix instruction, which is all that the device emulates");
    }
    instruction = *gemm.instruction;
    gemm.instruction = &instruction;
    dot = make_dot_plan(instruction);
  }
};

EmulatedGemm::EmulatedGemm(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b,
                           std::size_t k, FloatFormat output, const GemmOptions& options,
                           EmulationPath path)
    : state_(std::make_unique<State>(profile, a, b, k, output, options)) {
  State& s = *state_;
  s.chain = make_chain_plan(s.instruction, k, s.gemm, path == EmulationPath::kScalar);
  if (path != EmulationPath::kFastest && path != this->path()) {
    refuse_gemm(profile, std::string(name_of(path)) + " are not exact for instruction " +
                             s.instruction.name + ", or not its fastest");
  }
  constexpr std::size_t kMostRows = std::size_t{1} << 21;  // of B: blocks of a grid
  if (b.rows > kMostRows) {
    refuse_gemm(profile, std::to_string(b.rows) + " rows of B: the device takes at most " +
                             std::to_string(kMostRows));
  }
  require_device(90, "the emulated GEMM");
  s.count = DeviceArray(sizeof(unsigned long long));
  s.count.fill(0);
  if (s.chain.kind == LaneKind::kScalar) return;
  const auto [a_bytes, b_bytes] = s.chain.kind == LaneKind::kSingle
                                      ? stage_memory<float>(s.chain.lanes, a.rows, b.rows)
                                      : stage_memory<double>(s.chain.lanes, a.rows, b.rows);
  s.a_stages = DeviceArray(a_bytes);
  s.b_stages = DeviceArray(b_bytes);
  constexpr std::size_t kLeast = 1024;  // outputs that may be left over before all are done again
  s.places = DeviceArray(sizeof(unsigned long long) * std::max(kLeast, a.rows * b.rows / 16));
}

EmulatedGemm::EmulatedGemm(EmulatedGemm&&) noexcept = default;
EmulatedGemm& EmulatedGemm::operator=(EmulatedGemm&&) noexcept = default;
EmulatedGemm::~EmulatedGemm() = default;

void EmulatedGemm::run(const GemmOperand& a, const GemmOperand& b, void* d) {
  State& s = *state_;
  if (OperandShape(a) != s.a || OperandShape(b) != s.b) {
    refuse_gemm(s.profile, "made ready for operands of other shapes or formats");
  }
  if (d == nullptr || a.codes == nullptr || b.codes == nullptr) {
    refuse_gemm(s.profile, "no place for A, B or D");
  }
  const auto scales = [](const GemmOperand& x, const ScaleLayout& layout) {
    return Scales{x.scales.empty() ? nullptr : x.scales.data(), layout};
  };
  const Epilogue e{a.rows,
                   b.rows,
                   s.k,
                   s.gemm.interval,
                   s.gemm.promotes,
                   s.profile.scale_order,
                   scales(a, s.gemm.scale_a),
                   scales(b, s.gemm.scale_b),
                   s.output,
                   d};
  const Leftovers leftovers{s.places.as<unsigned long long>(), s.count.as<unsigned long long>(),
                            s.places.size() / sizeof(unsigned long long)};
  check(cudaMemsetAsync(s.count.data(), 0, s.count.size()), "fill");
  const LaneRun run{
      a.codes, b.codes,  s.a_stages.as<unsigned char>(), s.b_stages.as<unsigned char>(),
      e,       leftovers};
  if (s.chain.kind == LaneKind::kSingle) launch_lanes<float>(s.chain, run);
  if (s.chain.kind == LaneKind::kDouble) launch_lanes<double>(s.chain, run);
  constexpr std::size_t kBlocks = 132 * 16;
  const auto blocks = std::min(kBlocks, ceil_div(e.m * e.n, std::size_t{kScalarThreads}));
  scalar_kernel<<<static_cast<unsigned>(blocks), kScalarThreads>>>(s.dot, e, a.format, b.format,
                                                                   a.codes, b.codes, leftovers);
  check_launch("scalar kernel");
}

EmulationPath EmulatedGemm::path() const {
  switch (state_->chain.kind) {
    case LaneKind::kSingle:
      return EmulationPath::kSingleLanes;
    case LaneKind::kDouble:
      return EmulationPath::kDoubleLanes;
    default:
      return EmulationPath::kScalar;
  }
}

std::size_t EmulatedGemm::leftovers() const {
  if (state_->chain.kind == LaneKind::kScalar) return state_->a.rows * state_->b.rows;
  unsigned long long count = 0;
  state_->count.download(&count, sizeof count);
  return count;
}

std::string_view name_of(EmulationPath path) {
  switch (path) {
    case EmulationPath::kSingleLanes:
      return "fp32 lanes";
    case EmulationPath::kDoubleLanes:
      return "fp64 lanes";
    case EmulationPath::kScalar:
      return "scalar text";
    default:
      return "fastest";
  }
}

void gemm_portable(const GemmProfile& profile, const GemmOperand& a, const GemmOperand& b,
                   std::size_t k, FloatFormat output, void* d, const GemmOptions& options) {
  EmulatedGemm gemm(profile, a, b, k, output, options);
  check_scales(a, "A");
  check_scales(b, "B");
  if (d == nullptr) refuse_gemm(profile, "no place for D");
  const auto bytes_of = [](FloatFormat f) {
    return static_cast<std::size_t>(f.container_bits()) / 8;
  };
  const DeviceArray a_codes(a.codes, a.rows * k * bytes_of(a.format));
  const DeviceArray b_codes(b.codes, b.rows * k * bytes_of(b.format));
  const auto upload_scales = [](const GemmOperand& x) {
    return x.scales.empty() ? DeviceArray() : DeviceArray(x.scales);
  };
  const DeviceArray a_scales = upload_scales(a), b_scales = upload_scales(b);
  const auto on_device = [](GemmOperand x, const DeviceArray& codes, const DeviceArray& scales) {
    x.codes = codes.data();
    x.scales = {scales.as<float>(), x.scales.size()};
    return x;
  };
  DeviceArray result(a.rows * b.rows * bytes_of(output));
  gemm.run(on_device(a, a_codes, a_scales), on_device(b, b_codes, b_scales), result.data());
  synchronize();
  result.download(d, result.size());
}

}  // namespace binade::cuda
