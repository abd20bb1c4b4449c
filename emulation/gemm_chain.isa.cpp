// Chains of dot-add steps: gemm_kernels.hpp says why a fused operation that rounds toward zero is a
// step's multiplication, alignment and sum, and what bounds keep it exact.
//
// Compiled once per instruction set; everything lives in the anonymous namespace inside BINADE_ISA.
// A group of `rows` rows of A by `vectors` vectors of lanes keeps all its sums in registers. Four
// vectors by one row need B read once a row and are best; narrow panels take more rows instead,
// because a fused operation waits four or five cycles for the one before it in the same sum.
#include <cfenv>

#include "gemm_loops.hpp"
#include "gemm_vectors.hpp"

namespace binade::detail::BINADE_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kWideRows = 2;  // 32 registers: two rows share what they load of B
#else
constexpr int kWideRows = 1;
#endif

/// The state of a group in registers.
template <class L, int rows, int vectors>
struct Group {
  using R = typename L::R;
  using I = typename L::I;
  static constexpr std::size_t width = sizeof(R) / sizeof(typename L::Real);
  static constexpr std::size_t lanes = width * vectors;

  R c[rows][vectors];
};

/// E of the products, by the exponent codes: one vector of codes covers a panel.
template <class L, int rows, int vectors, class Task>
BINADE_INLINE void exponents_by_code(const ChainPlan& p, const Task& t, std::size_t a_at,
                                     std::size_t k_at, typename L::I (&e)[rows][vectors]) {
  using Code = typename Task::Code;
  using G = Group<L, rows, vectors>;
  using Codes = Vector<Code, G::lanes * sizeof(Code)>;
  Codes top[rows];
  for (int r = 0; r < rows; ++r) top[r] = Codes{} + static_cast<Code>(p.lowest_code);
  const Code* a = t.a_code + a_at;
  const Code* b = t.b_code + k_at * G::lanes;
  for (int k = 0; k < p.step_k; ++k) {
    const Codes of_b = load<Codes>(b + k * G::lanes);
    for (int r = 0; r < rows; ++r) top[r] = max_of_lanes(top[r], of_b + a[r * t.a_stride + k]);
  }
  // Widened as a loop over arrays: g++ 12 makes single moves of __builtin_convertvector here.
  for (int r = 0; r < rows; ++r) {
    Code codes[G::lanes];
    typename L::Int wide[G::lanes];
    store(codes, top[r]);
    for (std::size_t l = 0; l < G::lanes; ++l) wide[l] = codes[l];
    for (int v = 0; v < vectors; ++v) {
      e[r][v] = load<typename L::I>(wide + v * G::width) +
                static_cast<typename L::Int>(p.code_offset);
    }
  }
}

/// E of the products where it is that of the largest product's leading bit.
template <class L, int rows, int vectors, class Task>
BINADE_INLINE void exponents_by_size(const ChainPlan& p, const Task& t, std::size_t a_at,
                                     std::size_t k_at, typename L::I (&e)[rows][vectors]) {
  using G = Group<L, rows, vectors>;
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      typename L::R largest{};
      for (int k = 0; k < p.step_k; ++k) {
        const auto* b = t.b + (k_at + k) * 3 * G::lanes + v * G::width;
        const auto x = broadcast<typename L::R>(t.a[a_at + r * t.a_stride + k]);
        largest = max_of_lanes(largest, magnitude<L>(x) * load<typename L::R>(b));
      }
      e[r][v] = at_least(exponent_of<L>(largest), static_cast<typename L::Int>(p.lowest_exponent));
    }
  }
}

/// M = 1.5 * 2^(E - F + kMantissa). Exponents are compared where they stand in a number's pattern.
template <class L>
BINADE_INLINE typename L::R make_start(const ChainPlan& p, typename L::I products,
                                       typename L::R c) {
  using I = typename L::I;
  using Int = typename L::Int;
  const auto pattern = [](int e) { return (Int{e} + L::kBias) * (Int{1} << L::kMantissa); };
  const I stored = at_least((I)c & (Int{L::kExponentMask} << L::kMantissa), pattern(p.c_emin));
  const I of_c = c == typename L::Real{0} ? I{} + pattern(p.c_zero_exponent) : stored;
  const I of_products = (products << L::kMantissa) + pattern(0);
  const Int lift = Int{L::kMantissa - p.fraction_bits} * (Int{1} << L::kMantissa);
  return (typename L::R)(max_of_lanes(of_products, of_c) +
                         (lift + (Int{1} << (L::kMantissa - 1))));
}

/// The sums of a group become results.
template <class L, int rows, int vectors>
BINADE_INLINE void finish(const ChainPlan& p, typename L::R (&sum)[rows][vectors]) {
  using Int = typename L::Int;
  const Int mask = -(Int{1} << (L::kMantissa - p.result_mantissa_bits));
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      sum[r][v] = p.flat ? (typename L::R)((typename L::I)sum[r][v] & mask)
                         : round_result<L>(p, sum[r][v], p.nearest);
    }
  }
}

/// Terms whose magnitudes are cut: all of them and the positive ones, toward zero.
template <class L, int rows, int vectors, class Task>
BINADE_INLINE void step_cut(const ChainPlan& p, const Task& t, std::size_t a_at, std::size_t k_at,
                            Group<L, rows, vectors>& g, typename L::I (&e)[rows][vectors]) {
  using R = typename L::R;
  using G = Group<L, rows, vectors>;
  R start[rows][vectors], all[rows][vectors], positive[rows][vectors];
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      const R c = g.c[r][v], m = make_start<L>(p, e[r][v], c);
      start[r][v] = m;
      all[r][v] = m + magnitude<L>(c);
      positive[r][v] = m + positive_part<L>(c);
    }
  }
  const auto* a = t.a + a_at;
  const auto* b = t.b + k_at * 3 * G::lanes;
  for (int k = 0; k < p.step_k; ++k, b += 3 * G::lanes) {
    R x[rows];
    const typename L::Real* half[rows];
    for (int r = 0; r < rows; ++r) {
      const auto of_a = a[r * t.a_stride + k];
      x[r] = magnitude<L>(broadcast<R>(of_a));
      half[r] = b + G::lanes + (sign_mask(of_a) & static_cast<std::ptrdiff_t>(G::lanes));
    }
    for (int v = 0; v < vectors; ++v) {
      R y = load<R>(b + v * G::width);
      if constexpr (rows > 1) keep(y);
      for (int r = 0; r < rows; ++r) {
        all[r][v] = fused(x[r], y, all[r][v]);
        positive[r][v] = fused(x[r], load<R>(half[r] + v * G::width), positive[r][v]);
      }
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      const R up = positive[r][v] - start[r][v], down = positive[r][v] - all[r][v];
      g.c[r][v] = up + down;
    }
  }
  finish<L>(p, g.c);
}

/// Terms that are rounded each by itself, by the FPU's mode: to nearest even, or down.
template <class L, int rows, int vectors, class Task>
BINADE_INLINE void step_each(const ChainPlan& p, const Task& t, std::size_t a_at, std::size_t k_at,
                             Group<L, rows, vectors>& g, typename L::I (&e)[rows][vectors]) {
  using R = typename L::R;
  using G = Group<L, rows, vectors>;
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      const R m = make_start<L>(p, e[r][v], g.c[r][v]);
      R sum = (m + g.c[r][v]) - m;
      for (int k = 0; k < p.step_k; ++k) {
        const R x = broadcast<R>(t.a[a_at + r * t.a_stride + k]);
        const auto* b = t.b + ((k_at + k) * 3 + 1) * G::lanes + v * G::width;
        sum += fused(x, load<R>(b), fused(-x, load<R>(b + G::lanes), m)) - m;
      }
      g.c[r][v] = sum;
    }
  }
  finish<L>(p, g.c);
}

/// One step, and infinities where results left the range.
template <class L, int rows, int vectors, TermRounding rounding, class Task>
BINADE_INLINE void chain_step(const ChainPlan& p, const Task& t, std::size_t a_at, std::size_t k_at,
                              Group<L, rows, vectors>& g) {
  typename L::I e[rows][vectors];
  if (p.normalizes) {
    exponents_by_size<L>(p, t, a_at, k_at, e);
  } else {
    exponents_by_code<L>(p, t, a_at, k_at, e);
  }
  const Group<L, rows, vectors> before = g;
  if constexpr (rounding != TermRounding::kCut) {
    step_each<L>(p, t, a_at, k_at, g, e);
  } else {
    step_cut<L>(p, t, a_at, k_at, g, e);
  }
  if (p.bounded) return;
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      g.c[r][v] = bound_result<L>(p, before.c[r][v], g.c[r][v]);
    }
  }
}

template <class L, int rows, int vectors, TermRounding rounding>
BINADE_INLINE void chain_group(const ChainPlan& p, const PanelTask<typename L::Real>& t,
                               std::size_t row) {
  using R = typename L::R;
  using G = Group<L, rows, vectors>;
  G g;
  auto* chain = t.chain + row * G::lanes;
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) g.c[r][v] = load<R>(chain + r * G::lanes + v * G::width);
  }
  for (std::size_t k = 0; k < t.depth;) {
    const G addend = g;
    if (p.added_last) g = G{};
    for (int step = 0; step < p.steps; ++step, k += static_cast<std::size_t>(p.step_k)) {
      chain_step<L, rows, vectors, rounding>(p, t, row * t.a_stride + k, k, g);
    }
    if (!p.added_last) continue;
    for (int r = 0; r < rows; ++r) {
      for (int v = 0; v < vectors; ++v) {
        g.c[r][v] = join_result<L>(p, addend.c[r][v], g.c[r][v]);
      }
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) store(chain + r * G::lanes + v * G::width, g.c[r][v]);
  }
}

/// Not inlined: no operation may leave it for the stretch under another rounding mode.
template <class L, int rows, int vectors, TermRounding rounding>
__attribute__((noinline)) void chain_rows(const ChainPlan& shared_plan,
                                          const PanelTask<typename L::Real>& shared_task) {
  const ChainPlan p = shared_plan;  // locals, so that stores cannot change them
  const PanelTask<typename L::Real> t = shared_task;
  std::size_t row = 0;
  for (; row + rows <= t.rows; row += rows) {
    chain_group<L, rows, vectors, rounding>(p, t, row);
  }
  if constexpr (rows > 1) {
    for (; row < t.rows; ++row) chain_group<L, 1, vectors, rounding>(p, t, row);
  }
}

template <class L, int rows, int vectors, TermRounding rounding>
void chain_loop(const ChainPlan& p, const PanelTask<typename L::Real>& t) {
  if constexpr (rounding == TermRounding::kNearest) {
    return chain_rows<L, rows, vectors, rounding>(p, t);
  }
  const int mode = std::fegetround();
  std::fesetround(FE_TOWARDZERO);
  chain_rows<L, rows, vectors, rounding>(p, t);
  std::fesetround(mode);
}

/// One lane a pair of rows: nothing is shared, so the product comes first and its halves after it.
template <class L>
__attribute__((noinline)) void pair_lanes(const ChainPlan& shared_plan,
                                          const PairTask<typename L::Real>& shared_task) {
  using R = typename L::R;
  using Code = typename PairTask<typename L::Real>::Code;
  constexpr int vectors = 1 << (kPanelWidths - 1);
  using G = Group<L, 1, vectors>;
  using Codes = Vector<Code, G::lanes * sizeof(Code)>;
  const ChainPlan p = shared_plan;
  const PairTask<typename L::Real> t = shared_task;
  R c[1][vectors];
  for (int v = 0; v < vectors; ++v) c[0][v] = load<R>(t.chain + v * G::width);
  const auto step_k = static_cast<std::size_t>(p.step_k);
  for (std::size_t k0 = 0; k0 < t.depth; k0 += step_k) {
    Codes top = Codes{} + static_cast<Code>(p.lowest_code);
    for (std::size_t at = k0 * G::lanes; at < (k0 + step_k) * G::lanes; at += G::lanes) {
      top = max_of_lanes(top, load<Codes>(t.a_code + at) + load<Codes>(t.b_code + at));
    }
    Code codes[G::lanes];
    typename L::Int wide[G::lanes];
    store(codes, top);
    for (std::size_t l = 0; l < G::lanes; ++l) wide[l] = codes[l];
    R start[vectors], all[vectors], positive[vectors];
    for (int v = 0; v < vectors; ++v) {
      // C may be any number here: where all products are zero, E is C's alone.
      const auto code = load<typename L::I>(wide + v * G::width);
      const auto products = code < typename L::I{} + t.nonzero_code
                                ? typename L::I{} + p.lowest_exponent
                                : code + p.code_offset;
      start[v] = make_start<L>(p, products, c[0][v]);
      all[v] = start[v] + magnitude<L>(c[0][v]);
      positive[v] = start[v] + positive_part<L>(c[0][v]);
    }
    for (std::size_t at = k0 * G::lanes; at < (k0 + step_k) * G::lanes; at += G::lanes) {
      for (int v = 0; v < vectors; ++v) {
        const R product = load<R>(t.a + at + v * G::width) * load<R>(t.b + at + v * G::width);
        all[v] += magnitude<L>(product);
        positive[v] += positive_part<L>(product);
      }
    }
    for (int v = 0; v < vectors; ++v) {
      c[0][v] = (positive[v] - start[v]) + (positive[v] - all[v]);
    }
    finish<L>(p, c);
  }
  for (int v = 0; v < vectors; ++v) store(t.chain + v * G::width, c[0][v]);
}

template <class Real>
void pair_loop(const ChainPlan& p, const PairTask<Real>& t) {
  const int mode = std::fegetround();
  std::fesetround(FE_TOWARDZERO);
  pair_lanes<Lane<Real>>(p, t);
  std::fesetround(mode);
}

template <class L, TermRounding rounding>
void fill_rounding(GemmLoops<typename L::Real>& loops) {
  constexpr auto at = static_cast<int>(rounding);
  loops.chain[0][at] = chain_loop<L, 4, 1, rounding>;
  loops.chain[1][at] = chain_loop<L, 2, 2, rounding>;
  loops.chain[2][at] = chain_loop<L, kWideRows, 4, rounding>;
}

template <class Real>
void fill(GemmLoops<Real>& loops) {
  using L = Lane<Real>;
  loops.width = kVectorBytes / sizeof(Real);
  fill_rounding<L, TermRounding::kCut>(loops);
  fill_rounding<L, TermRounding::kFloor>(loops);
  fill_rounding<L, TermRounding::kNearest>(loops);
  loops.pairs = pair_loop<Real>;
}

}  // namespace

void fill_chain_loops(GemmKernels& k) {
  fill(k.single_lanes);
  fill(k.double_lanes);
}

}  // namespace binade::detail::BINADE_ISA
