// The host's side of the GEMM: what was asked, checked; tensor maps; the choice of a tile; a
// launch.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "binade/cuda/gemm.hpp"
#include "binade/cuda/memory.hpp"
#include "check.cuh"
#include "gemm_variants.cuh"
#include "launcher.cuh"
#include "multiprocessors.cuh"
#include "tensor_map.hpp"

namespace binade::cuda {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument("gemm_hw: " + what);
}

bool is_e5m2(FloatFormat format, const char* operand) {
  if (format == E5M2::format) return true;
  if (format == E4M3::format) return false;
  refuse(std::string("operand ") + operand + " is " + format_name(format) +
         ", expected e4m3 or e5m2");
}

void check_matrix(const char* name, const void* data, std::size_t rows, std::size_t cols,
                  std::size_t stride) {
  constexpr std::size_t kMost = std::size_t{1} << 30;
  if (rows == 0 || cols == 0 || rows > kMost || cols > kMost) {
    refuse(std::string(name) + " is " + std::to_string(rows) + " x " + std::to_string(cols) +
           ", expected 1 to 2^30 each way");
  }
  if (data == nullptr) refuse(std::string(name) + " has no data");
  if (stride < cols) {
    refuse(std::string(name) + " has rows of " + std::to_string(cols) + " at a stride of " +
           std::to_string(stride));
  }
}

/// Strides that were left to us, filled in.
DeviceGemm with_strides(DeviceGemm call) {
  if (call.a_stride == 0) call.a_stride = call.k;
  if (call.b_stride == 0) call.b_stride = call.k;
  if (call.d_stride == 0) call.d_stride = call.n;
  return call;
}

void check_scales(const char* name, const DeviceScales& scales) {
  constexpr std::size_t kMost = std::size_t{1} << 30;
  if (scales.row_stride > kMost || scales.block_stride > kMost) {
    refuse(std::string("scales of ") + name + " at strides of " +
           std::to_string(scales.row_stride) + " and " + std::to_string(scales.block_stride) +
           ", expected at most 2^30");
  }
}

void check_call(const DeviceGemm& call) {
  is_e5m2(call.a_format, "A");
  is_e5m2(call.b_format, "B");
  check_matrix("A", call.a, call.m, call.k, call.a_stride);
  check_matrix("B", call.b, call.n, call.k, call.b_stride);
  check_matrix("D", call.d, call.m, call.n, call.d_stride);
  check_scales("A", call.scale_a);
  check_scales("B", call.scale_b);
  if (call.output != kFp32Format && call.output != Bf16::format) {
    refuse("output " + format_name(call.output) + ", expected fp32 or bf16");
  }
  const int interval = call.promotion_interval;
  if (interval < 0 || (interval % kBlockK != 0 && interval != 32 && interval != 64)) {
    refuse("promotion interval " + std::to_string(interval) +
           ", expected 0 (never), 32, 64 or a multiple of 128");
  }
  if (call.scaling == GemmScaling::kBlock && (interval == 0 || interval > kBlockK)) {
    refuse("scales that change every 128 along K with promotion interval " +
           std::to_string(interval) + ", expected 32, 64 or 128");
  }
}

/// The call with its strides, when these kernels and this device have it.
DeviceGemm checked(const DeviceGemm& asked) {
  const DeviceGemm call = with_strides(asked);
  check_call(call);
  require_device(90, "gemm_hw (wgmma)");
  return call;
}

int chains_of(const DeviceGemm& call) {
  if (call.promotion_interval == 0) return 0;
  return std::max(1, kBlockK / call.promotion_interval);
}

std::vector<GemmVariant> variants_for(const DeviceGemm& call) {
  const bool a = is_e5m2(call.a_format, "A"), b = is_e5m2(call.b_format, "B");
  std::vector<GemmVariant> list;
  for (const GemmVariant& v : a || b ? gemm_variants_mixed(a, b) : gemm_variants_e4m3()) {
    const bool within_block = call.promotion_interval <= kBlockK;
    const bool scaled = call.scaling == GemmScaling::kBlock;
    if (v.chains == chains_of(call) && (v.overlap != Overlap::kTurns || within_block) &&
        (v.takes_block_scales || !scaled)) {
      list.push_back(v);
    }
  }
  return list;
}

using LaunchAttributes = std::array<cudaLaunchAttribute, 2>;

/// A launch of so many clusters, which may begin before the launch ahead of it has ended; the
/// attributes must outlive the configuration.
cudaLaunchConfig_t configure(const GemmVariant& v, int clusters, LaunchAttributes& attributes) {
  const auto size = static_cast<unsigned>(v.cluster_size());
  attributes[0].id = cudaLaunchAttributeClusterDimension;
  attributes[0].val.clusterDim = {size, 1, 1};
  attributes[1] = overlap_attribute();
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(clusters) * size);
  config.blockDim = dim3(static_cast<unsigned>(v.threads));
  config.dynamicSmemBytes = static_cast<std::size_t>(v.dynamic_bytes);
  config.attrs = attributes.data();
  config.numAttrs = attributes.size();
  return config;
}

int ask_resident_clusters(const GemmVariant& v) {
  check(
      cudaFuncSetAttribute(v.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, v.dynamic_bytes),
      "shared memory of the GEMM");
  LaunchAttributes attributes{};
  const cudaLaunchConfig_t config = configure(v, multiprocessors() / v.cluster_size(), attributes);
  int clusters = 0;
  check(cudaOccupancyMaxActiveClusters(&clusters, v.kernel, &config), "clusters of the GEMM");
  if (clusters == 0) throw std::runtime_error("CUDA: this device has no room for a GEMM's cluster");
  return clusters;
}

/// How many clusters run at one time; asked once for each kernel and device, and prepares it.
int resident_clusters(const GemmVariant& v) {
  static std::mutex mutex;
  static std::map<std::pair<const void*, int>, int> known;
  int device = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  const std::lock_guard lock(mutex);
  const auto found = known.find({v.kernel, device});
  if (found != known.end()) return found->second;
  return known[{v.kernel, device}] = ask_resident_clusters(v);
}

int ceil_divide(std::size_t a, int b) {
  return static_cast<int>((a + static_cast<std::size_t>(b) - 1) / static_cast<std::size_t>(b));
}

/// What is to be launched: a tile, and the grid of clusters that covers D.
struct Plan {
  GemmVariant variant;
  double share;
  int cluster_rows = 0, cluster_cols = 0, resident = 0, k_blocks = 0;
  int whole_cols = 0;  ///< of the clusters' columns those of whole tiles; the others' are narrow

  Plan(const DeviceGemm& call, const GemmVariant& v)
      : variant(v),
        share(call.scaling == GemmScaling::kBlock ? v.block_share : v.share),
        cluster_rows(ceil_divide(call.m, v.rows * v.cluster_rows)),
        cluster_cols(ceil_divide(call.n, v.cols * v.cluster_cols)),
        resident(resident_clusters(v)),
        k_blocks(ceil_divide(call.k, kBlockK)),
        whole_cols(as_few_whole_cols(call.n)) {
    // Less is not worth it: promoted, no chain runs ahead where the widths meet.
    if (mean_cols() > 63.0 / 64 * v.cols) whole_cols = cluster_cols;
  }

  double tiles() const { return static_cast<double>(cluster_rows) * cluster_cols; }
  /// Of a tile.
  double mean_cols() const {
    return variant.narrow_cols +
           static_cast<double>(variant.cols - variant.narrow_cols) * whole_cols / cluster_cols;
  }
  /// Cycles, roughly. Multiprocessors that a last round leaves idle give part of their power to the
  /// others: the time lies between that of whole rounds and that of the work evenly spread.
  double cost() const {
    const double spread = tiles() / resident;
    const double rounds = (std::max(spread, 1.0) + std::ceil(spread)) / 2;
    return rounds * k_blocks * variant.rows * mean_cols() * kBlockK / (4096 * share);
  }

 private:
  /// That cover D together with narrow ones.
  int as_few_whole_cols(std::size_t n) const {
    if (variant.narrow_cols == variant.cols) return cluster_cols;
    const std::size_t narrow = static_cast<std::size_t>(cluster_cols) * variant.cluster_cols *
                               static_cast<std::size_t>(variant.narrow_cols);
    return n <= narrow ? 0
                       : ceil_divide(n - narrow,
                                     (variant.cols - variant.narrow_cols) * variant.cluster_cols);
  }
};

std::size_t choose_tile(const DeviceGemm& call, const std::vector<GemmVariant>& variants) {
  if (call.tile >= static_cast<int>(variants.size())) {
    refuse("tile " + std::to_string(call.tile) + ", there are " + std::to_string(variants.size()));
  }
  if (call.tile >= 0) return static_cast<std::size_t>(call.tile);
  std::vector<double> costs;
  for (const GemmVariant& v : variants) costs.push_back(Plan(call, v).cost());
  return static_cast<std::size_t>(std::ranges::min_element(costs) - costs.begin());
}

Plan choose_plan(const DeviceGemm& call) {
  const std::vector<GemmVariant> variants = variants_for(call);
  const Plan plan(call, variants[choose_tile(call, variants)]);
  if (plan.tiles() > 0x7fffffff) refuse("D is of more than 2^31 - 1 tiles");
  return plan;
}

std::size_t round_up(std::size_t x, std::size_t to) { return (x + to - 1) / to * to; }

bool is_aligned(const void* data, std::size_t stride_bytes) {
  return reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && stride_bytes % 16 == 0;
}

/// Device memory of the stream's, which goes when the work on it is done.
class Temporary {
 public:
  Temporary() = default;
  explicit Temporary(std::size_t bytes) {
    check_allocation(cudaMallocAsync(&data_, bytes, nullptr), bytes);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(Temporary&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  ~Temporary() {
    if (data_ != nullptr) cudaFreeAsync(data_, nullptr);
  }
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
};

/// Refuses rows that the driver does not copy; strides in bytes.
void require_copyable(const char* name, std::size_t rows, std::size_t stride) {
  if (rows == 1 || stride <= 0x7fffffff) return;
  refuse(std::string(name) + " has rows " + std::to_string(stride) +
         " bytes apart and not all at multiples of 16: expected at most 2^31 - 1");
}

void copy_rows(void* to, std::size_t to_stride, const void* from, std::size_t from_stride,
               std::size_t width, std::size_t rows) {
  constexpr auto kKind = cudaMemcpyDeviceToDevice;
  check(rows == 1
            ? cudaMemcpyAsync(to, from, width, kKind, nullptr)
            : cudaMemcpy2DAsync(to, to_stride, from, from_stride, width, rows, kKind, nullptr),
        "a copy of rows");
}

/// An operand where the copy engine can read it: where it is, or a copy with longer rows.
class ReadableOperand {
 public:
  ReadableOperand(const char* name, const void* data, std::size_t rows, std::size_t k,
                  std::size_t stride)
      : data_(data), stride_(stride) {
    if (is_aligned(data, stride_)) return;
    require_copyable(name, rows, stride);
    stride_ = round_up(k, 16);
    copy_ = Temporary(rows * stride_);
    copy_rows(copy_.data(), stride_, data, stride, k, rows);
    data_ = copy_.data();
  }

  CUtensorMap map(std::size_t rows, std::size_t k, int box_rows) const {
    return tensor_map(
        {CU_TENSOR_MAP_DATA_TYPE_UINT8, 1, data_, rows, k, stride_, box_rows, kBlockK});
  }

 private:
  const void* data_;
  std::size_t stride_;
  Temporary copy_;
};

/// D where the copy engine can write it: where it is, or a place with longer rows, from which it is
/// copied when it is there.
class WritableResult {
 public:
  explicit WritableResult(const DeviceGemm& call)
      : call_(call),
        width_(call.output == Bf16::format ? 2 : 4),
        data_(call.d),
        stride_(call.d_stride) {
    if (is_aligned(data_, stride_ * width_)) return;
    require_copyable("D", call.m, call.d_stride * width_);
    stride_ = round_up(call.n, 16 / width_);
    place_ = Temporary(call.m * stride_ * width_);
    data_ = place_.data();
  }

  /// tile_cols: of which a warp writes as many at a time as DBoxes says.
  CUtensorMap map(int tile_cols) const {
    const auto type =
        width_ == 2 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
    const int width = static_cast<int>(width_);
    return tensor_map(
        {type, width, data_, call_.m, call_.n, stride_, 16, std::min(128 / width, tile_cols)});
  }
  void copy_back() const {
    if (data_ == call_.d) return;
    copy_rows(call_.d, call_.d_stride * width_, data_, stride_ * width_, call_.n * width_, call_.m);
  }

 private:
  const DeviceGemm& call_;
  std::size_t width_;  ///< bytes of an element
  void* data_;
  std::size_t stride_;
  Temporary place_;
};

GemmArguments make_arguments(const DeviceGemm& call, const Plan& plan, const ReadableOperand& a,
                             const ReadableOperand& b, const WritableResult& d) {
  const GemmVariant& v = plan.variant;
  GemmArguments args{};
  args.a = a.map(call.m, call.k, v.rows / v.cluster_cols);
  args.b = b.map(call.n, call.k, v.cols / v.cluster_rows);
  args.m = static_cast<int>(call.m);
  args.n = static_cast<int>(call.n);
  args.k_blocks = ceil_divide(call.k, kBlockK);
  args.promotion_blocks = std::max(1, call.promotion_interval / kBlockK);
  args.cluster_rows = plan.cluster_rows;
  args.cluster_cols = plan.cluster_cols;
  args.whole_tiles = plan.cluster_rows * plan.whole_cols;
  args.whole_cols = plan.whole_cols * v.cluster_cols * v.cols;
  const int last = plan.cluster_rows % v.band;
  for (const bool narrow : {false, true}) {
    const int cols = narrow ? plan.cluster_cols - plan.whole_cols : plan.whole_cols;
    args.by_band[narrow] = Divider(static_cast<std::uint32_t>(v.band * std::max(cols, 1)));
  }
  args.by_last_height = Divider(static_cast<std::uint32_t>(last == 0 ? v.band : last));
  args.scaling = call.scaling;
  args.scale_a = call.scale_a;
  args.scale_b = call.scale_b;
  args.bf16 = call.output == Bf16::format;
  args.d = d.map(v.cols);
  return args;
}

void launch(const Plan& plan, GemmArguments& args) {
  LaunchAttributes attributes{};
  const cudaLaunchConfig_t config = configure(
      plan.variant, static_cast<int>(std::min<double>(plan.tiles(), plan.resident)), attributes);
  void* parameters[] = {&args};
  check(cudaLaunchKernelExC(&config, plan.variant.kernel, parameters), "gemm_kernel");
}

std::string name_of(const GemmVariant& v) {
  return std::to_string(v.rows) + "x" + std::to_string(v.cols) +
         (v.narrow_cols < v.cols ? "/" + std::to_string(v.narrow_cols) : "") +
         (v.overlap == Overlap::kTiles   ? " each"
          : v.overlap == Overlap::kTurns ? " in turns"
                                         : "") +
         ", cluster " + std::to_string(v.cluster_rows) + "x" + std::to_string(v.cluster_cols) +
         ", " + std::to_string(v.stages) + " stages";
}

}  // namespace

void gemm_hw(const DeviceGemm& asked) {
  const DeviceGemm call = checked(asked);
  const Plan plan = choose_plan(call);
  const ReadableOperand a("A", call.a, call.m, call.k, call.a_stride);
  const ReadableOperand b("B", call.b, call.n, call.k, call.b_stride);
  const WritableResult d(call);
  GemmArguments args = make_arguments(call, plan, a, b, d);
  launch(plan, args);
  d.copy_back();
}

int gemm_tile(const DeviceGemm& asked) {
  const DeviceGemm call = checked(asked);
  return static_cast<int>(choose_tile(call, variants_for(call)));
}

std::vector<GemmTileInfo> gemm_tiles(const DeviceGemm& asked) {
  const DeviceGemm call = checked(asked);
  std::vector<GemmTileInfo> list;
  for (const GemmVariant& v : variants_for(call)) {
    cudaFuncAttributes attributes{};
    check(cudaFuncGetAttributes(&attributes, v.kernel), "attributes of gemm_kernel");
    list.push_back(
        {name_of(v), v.rows, v.cols, v.stages, attributes.numRegs, attributes.localSizeBytes});
  }
  return list;
}

}  // namespace binade::cuda
