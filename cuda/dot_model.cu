#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "binade/cuda/dot_model.hpp"
#include "binade/cuda/memory.hpp"
#include "binade/emulation/dot_step.hpp"
#include "check.cuh"
#include "dot_model_tiles.cuh"

namespace binade::cuda {

const std::vector<TileForm>& tile_forms() {
  static const std::vector<TileForm> all = [] {
    std::vector<TileForm> forms;
    add_wgmma_f32_forms(forms);
    add_wgmma_f16_forms(forms);
    add_mma_forms(forms);
    return forms;
  }();
  return all;
}

namespace {

void check_arguments(const Instruction& instruction, const void* a, const void* b, const void* c,
                     const void* d, std::size_t rows, std::size_t k) {
  validate(instruction);
  if (k == 0) throw std::invalid_argument("instruction " + instruction.name + ": k is 0");
  if (rows != 0 && (a == nullptr || b == nullptr || c == nullptr || d == nullptr)) {
    throw std::invalid_argument("instruction " + instruction.name + ": a null array");
  }
}

std::size_t container_bytes(FloatFormat f) {
  return static_cast<std::size_t>(f.container_bits()) / 8;
}

const TileForm& plain_form(const Instruction& instruction) {
  const auto& forms = tile_forms();
  const auto found = std::ranges::find(forms, instruction.name, &TileForm::instruction);
  if (found == forms.end()) {
    throw std::invalid_argument("instruction " + instruction.name + ": sm_90 does not have it");
  }
  return *found;
}

/// Rows of an operand as the rows of a tile, K padded with zeros, one tile after the other.
std::vector<std::byte> tiled(const void* rows_in, std::size_t first, std::size_t count,
                             std::size_t row_bytes, std::size_t steps) {
  std::vector<std::byte> tile(steps * kTileRows * kStepBytes);
  for (std::size_t r = 0; r < count; ++r) {
    const auto* row = static_cast<const std::byte*>(rows_in) + (first + r) * row_bytes;
    for (std::size_t byte = 0; byte < row_bytes; byte += kStepBytes) {
      std::memcpy(tile.data() + (byte / kStepBytes * kTileRows + r) * kStepBytes, row + byte,
                  std::min<std::size_t>(kStepBytes, row_bytes - byte));
    }
  }
  return tile;
}

__global__ void portable_kernel(const __grid_constant__ DotPlan plan, const DotOperand* a,
                                const DotOperand* b, std::uint32_t* c, std::size_t rows,
                                std::size_t width) {
  const std::size_t row = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  std::uint64_t code = c[row];
  for (std::size_t k = 0; k < width; k += static_cast<std::size_t>(plan.k)) {
    code = dot_instruction(plan, a + row * width + k, b + row * width + k, code);
  }
  c[row] = static_cast<std::uint32_t>(code);
}

std::uint64_t load(FloatFormat f, const void* array, std::size_t i) {
  std::uint64_t word = 0;
  std::memcpy(&word, static_cast<const std::byte*>(array) + i * container_bytes(f),
              container_bytes(f));
  return word;
}

std::vector<DotOperand> decoded(FloatFormat f, const void* codes, std::size_t rows, std::size_t k,
                                std::size_t width) {
  std::vector<DotOperand> operands(rows * width, zero_operand(f));
  for (std::size_t i = 0; i < rows * k; ++i) {
    operands[i / k * width + i % k] = dot_operand(f, code_of_container(f, load(f, codes, i)));
  }
  return operands;
}

}  // namespace

void dot_hw(const Instruction& instruction, const void* a, const void* b, const void* c, void* d,
            std::size_t rows, std::size_t k) {
  check_arguments(instruction, a, b, c, d, rows, k);
  const TileForm& form = plain_form(instruction);
  require_device(90, instruction.name);
  const std::size_t a_bytes = k * container_bytes(instruction.a);
  const std::size_t b_bytes = k * container_bytes(instruction.b);
  const std::size_t steps = (a_bytes + kStepBytes - 1) / kStepBytes;
  const std::size_t out = container_bytes(instruction.c);
  // Row r of A meets row r of B on a tile's diagonal; what else the tile holds is not looked at.
  constexpr std::size_t side = kTileRows;
  const std::size_t most = std::max<std::size_t>(1, (std::size_t{1} << 26) / (steps * 4096));
  for (std::size_t begin = 0; begin < rows; begin += most * side) {
    const std::size_t count = std::min(rows - begin, most * side);
    const std::size_t tiles = (count + side - 1) / side;
    std::vector<std::byte> ta, tb, tc(tiles * side * side * out);
    for (std::size_t t = 0; t < tiles; ++t) {
      const std::size_t first = begin + t * side, here = std::min(side, begin + count - first);
      const auto more_a = tiled(a, first, here, a_bytes, steps);
      const auto more_b = tiled(b, first, here, b_bytes, steps);
      ta.insert(ta.end(), more_a.begin(), more_a.end());
      tb.insert(tb.end(), more_b.begin(), more_b.end());
      for (std::size_t r = 0; r < here; ++r) {
        std::memcpy(tc.data() + ((t * side + r) * side + r) * out,
                    static_cast<const std::byte*>(c) + (first + r) * out, out);
      }
    }
    const DeviceArray da(std::span<const std::byte>{ta}), db(std::span<const std::byte>{tb});
    DeviceArray dc(std::span<const std::byte>{tc});
    form.launch({da.as<std::byte>(), db.as<std::byte>(), dc.data(), dc.data(),
                 static_cast<int>(tiles), static_cast<int>(steps)});
    synchronize();
    dc.download(tc.data(), tc.size());
    for (std::size_t r = 0; r < count; ++r) {
      std::memcpy(static_cast<std::byte*>(d) + (begin + r) * out,
                  tc.data() + (r * side + r % side) * out, out);
    }
  }
}

void dot_portable(const Instruction& instruction, const void* a, const void* b, const void* c,
                  void* d, std::size_t rows, std::size_t k) {
  check_arguments(instruction, a, b, c, d, rows, k);
  require_device(75, "the portable dot model");
  const auto step = static_cast<std::size_t>(instruction.k);
  const std::size_t width = (k + step - 1) / step * step;
  const auto x = decoded(instruction.a, a, rows, k, width);
  const auto y = decoded(instruction.b, b, rows, k, width);
  std::vector<std::uint32_t> codes(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    codes[r] = static_cast<std::uint32_t>(load(instruction.c, c, r));
  }
  if (rows == 0) return;
  const DeviceArray dx(std::span<const DotOperand>{x}), dy(std::span<const DotOperand>{y});
  DeviceArray dc(std::span<const std::uint32_t>{codes});
  const auto blocks = static_cast<unsigned>((rows + 127) / 128);
  portable_kernel<<<blocks, 128>>>(make_dot_plan(instruction), dx.as<DotOperand>(),
                                   dy.as<DotOperand>(), dc.as<std::uint32_t>(), rows, width);
  check_launch("portable dot model");
  synchronize();
  dc.download(codes.data(), rows * sizeof codes[0]);
  const std::size_t out = container_bytes(instruction.c);
  for (std::size_t r = 0; r < rows; ++r) {
    std::memcpy(static_cast<std::byte*>(d) + r * out, &codes[r], out);
  }
}

}  // namespace binade::cuda
