// Matrix instructions on the device, in tiles: 64 rows of A against n rows of B, any number of
// chained instructions, every form of every instruction under one geometry. Private to this folder.
//
// All instructions of Hopper read 32 bytes of K a row, whatever the type: a step of a tile is
// A [64][32 bytes] and B [n][32 bytes] (64 bytes under a sparse A). The accumulators stay in
// registers from one step to the next, as they do in a GEMM.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace binade::cuda {

inline constexpr int kTileRows = 64;
inline constexpr int kStepBytes = 32;  ///< of K, a row and step

/// Tiles in device memory; containers as arrays hold them.
struct Tiles {
  const std::byte* a = nullptr;  ///< [tiles][steps][64][32]
  const std::byte* b = nullptr;  ///< [tiles][steps][n][32]; sparse: [..][n][64]
  const void* c = nullptr;       ///< [tiles][64][n]
  void* d = nullptr;             ///< [tiles][64][n]; may be c
  int tiles = 0, steps = 0;
};

/// One form of an instruction: how it is issued, not what it computes, but for the signs.
struct TileForm {
  std::string instruction;  ///< a name of instructions()
  std::string name;         ///< "n64", "n8 A in registers", ...
  int n = 64;
  bool warpgroup = true;  ///< wgmma; else mma.sync
  bool negate_a = false, negate_b = false;
  bool ignores_d = false;  ///< scale-d 0: what stands in D does not matter
  /// Sparse: which two of four neighbours are stored, bit masks; 0: dense.
  int kept = 0;
  void (*launch)(const Tiles&) = nullptr;
};

/// Every form; the plain n = 64 form of an instruction comes first among its forms.
const std::vector<TileForm>& tile_forms();

void add_wgmma_f32_forms(std::vector<TileForm>& forms);
void add_wgmma_f16_forms(std::vector<TileForm>& forms);
void add_mma_forms(std::vector<TileForm>& forms);

}  // namespace binade::cuda
