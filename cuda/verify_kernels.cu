#include "check.cuh"
#include "verify_kernels.cuh"

namespace binade::cuda {
namespace {

constexpr int kThreads = 256;

__device__ std::uint32_t load_container(const std::byte* at, int bytes) {
  if (bytes == 1) return *reinterpret_cast<const std::uint8_t*>(at);
  if (bytes == 2) return *reinterpret_cast<const std::uint16_t*>(at);
  return *reinterpret_cast<const std::uint32_t*>(at);
}
__device__ void store_container(std::byte* at, int bytes, std::uint32_t word) {
  if (bytes == 1) *reinterpret_cast<std::uint8_t*>(at) = static_cast<std::uint8_t>(word);
  if (bytes == 2) *reinterpret_cast<std::uint16_t*>(at) = static_cast<std::uint16_t>(word);
  if (bytes == 4) *reinterpret_cast<std::uint32_t*>(at) = word;
}
__host__ __device__ int bytes_of(FloatFormat f) { return f.container_bits() / 8; }

/// One block a step of a tile: its rows of A or B.
__global__ void operand_kernel(const __grid_constant__ VerifyBatch batch, bool is_a, int rows,
                               int row_bytes, std::byte* out) {
  const FloatFormat f = is_a ? batch.a : batch.b;
  const int bytes = bytes_of(f), count = row_bytes / bytes;
  const std::uint32_t tile = blockIdx.x / batch.steps, step = blockIdx.x % batch.steps;
  std::byte* to = out + std::size_t{blockIdx.x} * rows * row_bytes;
  for (int i = threadIdx.x; i < rows * count; i += kThreads) {
    const Place place{tile, step, static_cast<std::uint32_t>(i / count),
                      static_cast<std::uint32_t>(i % count)};
    store_container(to + i * bytes, bytes,
                    operand_container(batch.operands, f, is_a, count, batch.seed, place));
  }
}

/// The two of four elements that a sparse A meets; elements of one byte.
__global__ void keep_kernel(const __grid_constant__ VerifyBatch batch, std::size_t count) {
  int places[2] = {0, 0}, found = 0;
  for (int place = 0; place < 4; ++place) {
    if ((batch.kept >> place & 1) != 0) places[found++] = place;
  }
  for (std::size_t i = std::size_t{blockIdx.x} * kThreads + threadIdx.x; i < count;
       i += std::size_t{gridDim.x} * kThreads) {
    batch.b_codes[i] = batch.b_full[i / 2 * 4 + places[i % 2]];
  }
}

__global__ void addend_kernel(const __grid_constant__ VerifyBatch batch) {
  const int tile = blockIdx.x, a_bytes = bytes_of(batch.a), b_bytes = bytes_of(batch.b);
  const int count = kStepBytes / a_bytes, outputs = kTileRows * batch.n;
  const std::size_t first_step = std::size_t{blockIdx.x} * batch.steps;
  const std::byte* a = batch.a_codes + first_step * kTileRows * kStepBytes;
  const std::byte* b = batch.b_codes + first_step * batch.n * kStepBytes;
  for (int i = threadIdx.x; i < outputs; i += kThreads) {
    const int row = i / batch.n, column = i % batch.n;
    const Place place{static_cast<std::uint32_t>(tile), 0, static_cast<std::uint32_t>(row),
                      static_cast<std::uint32_t>(column)};
    const int k = static_cast<int>(Draw(batch.seed, 8, place).below(count));
    const DotOperand x = dot_operand(
        batch.a,
        code_of_container(batch.a, load_container(a + row * kStepBytes + k * a_bytes, a_bytes)));
    const DotOperand y = dot_operand(
        batch.b,
        code_of_container(batch.b, load_container(b + column * kStepBytes + k * b_bytes, b_bytes)));
    const std::uint32_t code =
        addend_code(batch.addend, batch.c, x.exponent + y.exponent, batch.seed, place);
    store_container(static_cast<std::byte*>(batch.c_codes) +
                        (std::size_t{blockIdx.x} * outputs + i) * bytes_of(batch.c),
                    bytes_of(batch.c), code);
  }
}

/// Decodes [rows][32 bytes] into shared rows of `stride` operands.
__device__ void decode_rows(FloatFormat f, const std::byte* codes, int rows, bool negate,
                            DotOperand* out, int stride) {
  const int bytes = bytes_of(f), count = kStepBytes / bytes;
  for (int i = threadIdx.x; i < rows * count; i += kThreads) {
    DotOperand x = dot_operand(f, code_of_container(f, load_container(codes + i * bytes, bytes)));
    if (negate) x.significand = -x.significand;
    out[i / count * stride + i % count] = x;
  }
}

/// A family of instructions whose parameters the compiler knows: what is the same for all of them
/// folds away, and terms are 32 bits wide.
template <int step_k, int steps, StepOrder order, AddendRule addend>
struct Pinned {
  using Term = std::int32_t;
  /// B's operands held in registers: several steps would index them at run time, and 32 spill.
  static constexpr int column_k = steps == 1 && step_k <= 16 ? step_k : 0;

  static __host__ __device__ DotPlan pin(DotPlan p) {
    p.model.step_k = step_k;
    p.model.order = order;
    p.model.addend = addend;
    p.model.alignment = AlignmentRounding::kTruncate;
    p.model.zeros_join_maximum = false;
    p.model.normalize_products = false;
    if constexpr (addend == AddendRule::kAligned) p.model.multiplier_emin = kStoredExponents;
    p.k = step_k * steps;
    p.steps = steps;
    return p;
  }
};
using OneStepOf32 = Pinned<32, 1, StepOrder::kConsecutive, AddendRule::kAligned>;
using OneStepOf16 = Pinned<16, 1, StepOrder::kConsecutive, AddendRule::kAligned>;
using OneStepOf8 = Pinned<8, 1, StepOrder::kConsecutive, AddendRule::kAligned>;
using ThroughHalf = Pinned<16, 2, StepOrder::kInterleavedPairs, AddendRule::kAddedLast>;

/// Any model.
struct Free {
  using Term = std::int64_t;
  static constexpr int column_k = 0;
  static __host__ __device__ DotPlan pin(const DotPlan& p) { return p; }
};

/// One block a tile. A thread stays with one column of B; lanes of a warp have neighbouring ones,
/// so that A's operand is a broadcast. Rows in shared memory are one operand longer than they need
/// be: lanes meet different banks.
template <class Family>
__global__ void __launch_bounds__(kThreads, 2)
    judge_kernel(const __grid_constant__ VerifyBatch batch, const __grid_constant__ DotPlan given,
                 bool negate_a, bool negate_b, bool ignores_d, Verdict* verdict) {
  extern __shared__ DotOperand shared[];
  const DotPlan plan = Family::pin(given);
  const int stride = plan.k + 1, n = batch.n;
  DotOperand* a = shared;
  DotOperand* b = a + kTileRows * stride;
  auto* chain = reinterpret_cast<std::uint32_t*>(b + n * stride);  // only where steps > 1
  const int c_bytes = bytes_of(batch.c);
  const std::size_t base = std::size_t{blockIdx.x} * kTileRows * n;
  const auto* c = static_cast<const std::byte*>(batch.c_codes) + base * c_bytes;
  const auto* d = static_cast<const std::byte*>(batch.d_codes) + base * c_bytes;
  const int column = static_cast<int>(threadIdx.x) % n, rows_at_once = kThreads / n;
  unsigned differ = 0;
  unsigned long long first = ~0ull;
  for (int step = 0; step < batch.steps; ++step) {
    const std::size_t index = std::size_t{blockIdx.x} * batch.steps + step;
    __syncthreads();
    decode_rows(batch.a, batch.a_codes + index * kTileRows * kStepBytes, kTileRows, negate_a, a,
                stride);
    decode_rows(batch.b, batch.b_codes + index * n * kStepBytes, n, negate_b, b, stride);
    __syncthreads();
    const DotOperand* b_column = b + column * stride;
    DotOperand held[max_of(Family::column_k, 1)];
    if constexpr (Family::column_k != 0) {
#pragma unroll
      for (int k = 0; k < Family::column_k; ++k) held[k] = b_column[k];
      b_column = held;
    }
    for (int row = static_cast<int>(threadIdx.x) / n; row < kTileRows; row += rows_at_once) {
      if (static_cast<int>(threadIdx.x) >= rows_at_once * n) break;
      const int i = row * n + column;
      const std::uint32_t addend = ignores_d   ? 0
                                   : step == 0 ? load_container(c + i * c_bytes, c_bytes)
                                               : chain[i];
      const auto model = static_cast<std::uint32_t>(
          dot_instruction<typename Family::Term>(plan, a + row * stride, b_column, addend));
      if (step + 1 < batch.steps) {
        chain[i] = model;
      } else if (model != load_container(d + i * c_bytes, c_bytes)) {
        ++differ;
        first = min_of(first, static_cast<unsigned long long>(base + i));
      }
    }
  }
  if (differ != 0) {
    atomicAdd(&verdict->differ, static_cast<unsigned long long>(differ));
    atomicMin(&verdict->first, first);
  }
}

/// Launches the kernel of `Family` where that is what the plan describes.
template <class Family>
bool try_judge(const VerifyBatch& batch, const DotPlan& plan, const TileForm& form,
               Verdict* verdict) {
  const DotPlan pinned = Family::pin(plan);
  if (!(pinned.model == plan.model) || pinned.k != plan.k) return false;
  if (sizeof(typename Family::Term) == 4 && !terms_fit_in_32_bits(plan, batch.a, batch.b)) {
    return false;
  }
  const std::size_t operands = static_cast<std::size_t>(kTileRows + batch.n) * (plan.k + 1);
  const std::size_t chain = batch.steps > 1 ? std::size_t{kTileRows} * batch.n * 4 : 0;
  const auto bytes = static_cast<int>(operands * sizeof(DotOperand) + chain);
  // More than 48 KB of shared memory has to be asked for, on each device.
  check(cudaFuncSetAttribute(judge_kernel<Family>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             bytes),
        "shared memory of the judge");
  judge_kernel<Family><<<static_cast<unsigned>(batch.tiles), kThreads, bytes>>>(
      batch, plan, form.negate_a, form.negate_b, form.ignores_d, verdict);
  check_launch("verify judge");
  return true;
}

}  // namespace

void make_inputs(const VerifyBatch& batch) {
  const auto blocks = static_cast<unsigned>(batch.tiles * batch.steps);
  operand_kernel<<<blocks, kThreads>>>(batch, true, kTileRows, kStepBytes, batch.a_codes);
  if (batch.kept == 0) {
    operand_kernel<<<blocks, kThreads>>>(batch, false, batch.n, kStepBytes, batch.b_codes);
  } else {
    operand_kernel<<<blocks, kThreads>>>(batch, false, batch.n, 2 * kStepBytes, batch.b_full);
    keep_kernel<<<1024, kThreads>>>(batch, std::size_t{blocks} * batch.n * kStepBytes);
  }
  addend_kernel<<<static_cast<unsigned>(batch.tiles), kThreads>>>(batch);
  check_launch("verify inputs");
}

void judge(const VerifyBatch& batch, const DotPlan& plan, const TileForm& form, Verdict* verdict) {
  try_judge<OneStepOf32>(batch, plan, form, verdict) ||
      try_judge<OneStepOf16>(batch, plan, form, verdict) ||
      try_judge<OneStepOf8>(batch, plan, form, verdict) ||
      try_judge<ThroughHalf>(batch, plan, form, verdict) ||
      try_judge<Free>(batch, plan, form, verdict);
}

}  // namespace binade::cuda
