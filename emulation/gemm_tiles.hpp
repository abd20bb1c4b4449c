// Tiles of chains: decodes a tile's operands into the layout of gemm_kernels.hpp, runs the loops,
// and repairs with the scalar core what they give up. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include "binade/emulation/gemm.hpp"
#include "gemm_kernels.hpp"

namespace binade::detail {

/// What runs over k.
enum class ChainMode : std::uint8_t {
  kInstruction,  ///< the instruction's model
  kMultiplyAdd,  ///< s = fl(s + fl(a * b)) in lanes of Real
};

/// An instruction made ready for a pair of operands.
struct ChainSetup {
  ChainMode mode = ChainMode::kMultiplyAdd;
  const Instruction* instruction = nullptr;
  bool double_lanes = false;  ///< whether lanes of fp32 would not be exact
  int alignment = 0;          ///< the model's, as an index of the loops
  bool wide = false;          ///< whether those of fp64 would not be either: wide lanes
  ChainPlan plan;
  SplitPlan split_a{}, split_b{};
  std::vector<std::size_t> order;  ///< place within an instruction -> k; empty where they agree
};

ChainSetup make_chain_setup(const Instruction& instruction);
/// The chain with results that are never rounded (in lanes of fp64): what alignment alone does.
/// Empty where the sums would not be exact.
std::optional<ChainSetup> make_unbounded_setup(const Instruction& instruction);

struct Tile {
  std::size_t row, rows;  ///< of A, and of D
  std::size_t col, cols;  ///< rows of B, and columns of D
};

/// A cover of [m, n] by tiles, small enough that each of `threads` gets several.
std::vector<Tile> make_tiles(std::size_t m, std::size_t n, std::size_t lanes, int threads,
                             std::size_t side = 256);

/// One allocation cut into arrays that start on cache lines, because the loops read whole vectors
/// and small products feel every call of malloc.
class Arena {
 public:
  template <class T>
  struct Piece {
    T*& place;
    std::size_t count;
  };
  /// Places arrays with anything in them; what was laid out before is gone.
  template <class... T>
  void lay_out(Piece<T>... pieces) {
    std::size_t bytes = 0;
    ((bytes += size_of(pieces)), ...);
    if (bytes > room_) {
      data_.reset(static_cast<std::byte*>(::operator new(bytes, kLine)));
      room_ = bytes;
    }
    std::byte* at = data_.get();
    ((pieces.place = reinterpret_cast<T*>(at), at += size_of(pieces)), ...);
  }

 private:
  static constexpr std::align_val_t kLine{64};
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, kLine); }
  };
  template <class T>
  static std::size_t size_of(Piece<T> p) {
    return (p.count * sizeof(T) + 63) / 64 * 64;
  }
  std::unique_ptr<std::byte, Free> data_;
  std::size_t room_ = 0;
};
template <class T>
Arena::Piece<T> piece(T*& place, std::size_t count) {
  return {place, count};
}

/// Some elements of some rows of codes.
struct RowBlock {
  const std::byte* codes;
  std::size_t stride;  ///< bytes between rows
  std::size_t rows, count;
};
/// Turns a block into `rows` columns, over the row_bytes of whole 16-byte blocks; what the block
/// lacks of either holds anything. Codes of `bytes` bytes; room for rows * row_bytes.
void turn_rows(const GemmKernels& kernels, RowBlock in, std::size_t bytes, std::size_t rows,
               std::size_t row_bytes, std::byte* room, std::byte* out);

/// One thread's scratch for one tile at a time.
template <class Real>
class TileChain {
 public:
  TileChain(const ChainSetup& setup, const GemmOperand& a, const GemmOperand& b, std::size_t k);

  void start(const Tile& tile);
  /// The chain over k0 <= k < k1 from zero; k0 is a multiple of the instruction's k.
  /// Returns panels() arrays [tile.rows, lanes()]; what stands past the tile's columns is no result.
  Real* run(std::size_t k0, std::size_t k1);

  std::size_t lanes() const { return lanes_; }
  std::size_t panels() const { return panels_; }
  /// Where an output of the tile lies in the arrays that run returns.
  std::size_t place(std::size_t row, std::size_t col) const {
    return col / lanes() * panel_size() + row * lanes() + col % lanes();
  }
  std::size_t panel_size() const { return tile_.rows * lanes_; }
  const GemmLoops<Real>& loops() const { return loops_; }

 private:
  using Code = typename ExponentCode<Real>::type;
  bool is_chain() const { return setup_.mode == ChainMode::kInstruction; }
  void unpack_a(std::size_t k0, std::size_t count);
  void unpack_rows(std::size_t row, std::size_t rows, std::size_t k0, std::size_t count);
  void unpack_panel(std::size_t panel, std::size_t k0, std::size_t count, std::size_t depth);
  bool unpack_wide(const GemmOperand& x, std::size_t row, std::size_t k0, std::size_t count,
                   std::size_t depth, std::size_t stride, double* significands,
                   std::int64_t* exponents) const;
  void unpack_wide_panel(std::size_t panel, std::size_t k0, std::size_t count, std::size_t depth);
  void run_panel(std::size_t panel, std::size_t at, std::size_t depth);
  void give_up_specials();
  void repair(std::size_t k0, std::size_t k1);
  void repair_some(const std::vector<std::size_t>& places, std::size_t k0, std::size_t k1);

  const ChainSetup& setup_;
  const GemmOperand &a_, &b_;
  std::size_t k_;
  const GemmKernels& kernels_;
  const GemmLoops<Real>& loops_;
  std::size_t unit_;               ///< k of an instruction
  std::size_t depth_max_, depth_;  ///< of A at once, a multiple of panel_depth_
  std::size_t panel_depth_;        ///< of B at once
  int width_ = kPanelWidths - 1;
  std::size_t lanes_ = 0, panels_ = 0;
  Tile tile_{};
  Arena arena_;
  std::byte *codes_ = nullptr, *turned_ = nullptr;
  float* values_ = nullptr;
  Real *a_values_ = nullptr, *b_values_ = nullptr, *chain_ = nullptr;
  Code *a_codes_ = nullptr, *b_codes_ = nullptr;
  std::optional<WideDecoder> wide_a_, wide_b_;  ///< for wide lanes, and what they give:
  double *a_significands_ = nullptr, *b_significands_ = nullptr;
  std::int64_t *a_exponents_ = nullptr, *b_exponents_ = nullptr;
  std::uint8_t *a_special_ = nullptr, *b_special_ = nullptr;  ///< rows and columns to give up
  bool specials_ = false;                                     ///< whether there are any
  std::vector<std::size_t> panel_order_;
};

extern template class TileChain<float>;
extern template class TileChain<double>;

}  // namespace binade::detail
