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
  bool scalar_only = false;   ///< whether no lanes are: every output goes through the scalar core
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

/// Room for numbers, on the boundary of a cache line: the loops read whole vectors.
template <class T>
class Scratch {
 public:
  /// Room for `count`, with anything in it.
  void resize(std::size_t count) {
    if (count > room_) {
      data_.reset(static_cast<T*>(::operator new(count * sizeof(T), kLine)));
      room_ = count;
    }
    size_ = count;
  }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return data_.get()[i]; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }

 private:
  static constexpr std::align_val_t kLine{64};
  struct Free {
    void operator()(T* p) const { ::operator delete(p, kLine); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t room_ = 0, size_ = 0;
};

/// One thread's scratch for one tile at a time.
template <class Real>
class TileChain {
 public:
  TileChain(const ChainSetup& setup, const GemmOperand& a, const GemmOperand& b, std::size_t k);

  void start(const Tile& tile);
  /// The chain over k0 <= k < k1 from zero; k0 is a multiple of the instruction's k.
  /// Returns panels() arrays [tile.rows, lanes()]; what stands past the tile's columns is no result.
  const Real* run(std::size_t k0, std::size_t k1);

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
  bool run_panel(std::size_t panel, std::size_t at, std::size_t depth);
  bool run_joined(const PanelTask<Real>& task);
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
  Scratch<std::byte> codes_, turned_;
  Scratch<float> values_;
  Scratch<Real> a_values_, b_values_, chain_, addend_;
  Scratch<Code> a_codes_, b_codes_;
  std::vector<std::size_t> panel_order_;
  std::vector<std::uint8_t> a_special_, b_special_;
};

extern template class TileChain<float>;
extern template class TileChain<double>;

}  // namespace binade::detail
