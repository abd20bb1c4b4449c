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

/// The state of a group in registers.
template <class L, int rows, int vectors>
struct Group {
  using R = typename L::R;
  using I = typename L::I;
  static constexpr std::size_t width = sizeof(R) / sizeof(typename L::Real);
  static constexpr std::size_t lanes = width * vectors;

  R c[rows][vectors];
  R peak[rows][vectors];  ///< the largest magnitude among results
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
  for (int r = 0; r < rows; ++r) {
    Code codes[G::lanes];
    store(codes, top[r]);
    for (int v = 0; v < vectors; ++v) {
      using Part = Vector<Code, G::width * sizeof(Code)>;
      e[r][v] = __builtin_convertvector(load<Part>(codes + v * G::width), typename L::I) +
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
        const auto* b = t.b + (k_at + k) * 2 * G::lanes + v * G::width;
        const auto product = (load<typename L::R>(b) + load<typename L::R>(b + G::lanes)) *
                             t.a[a_at + r * t.a_stride + k];
        largest = max_of_lanes(largest, max_of_lanes(product, -product));
      }
      e[r][v] = at_least(exponent_of<L>(largest), static_cast<typename L::Int>(p.lowest_exponent));
    }
  }
}

/// 1.5 * 2^(E - F) with as many bits above the point as Real's mantissa has: M.
template <class L>
BINADE_INLINE typename L::R make_start(const ChainPlan& p, typename L::I products,
                                       typename L::R c) {
  using Int = typename L::Int;
  const auto stored = at_least(exponent_of<L>(c), static_cast<Int>(p.c_emin));
  const auto zero = typename L::I{} + static_cast<Int>(p.c_zero_exponent);
  const auto e = max_of_lanes(products, c == typename L::Real{0} ? zero : stored);
  const Int base = (Int{L::kBias + L::kMantissa} - p.fraction_bits) * (Int{1} << L::kMantissa) +
                   (Int{1} << (L::kMantissa - 1));
  return (typename L::R)((e << L::kMantissa) + base);
}

template <class L>
BINADE_INLINE typename L::R finish(const ChainPlan& p, typename L::R sum) {
  using Int = typename L::Int;
  if (!p.flat) return round_result<L>(p, sum, p.nearest);
  const Int mask = -(Int{1} << (L::kMantissa - p.result_mantissa_bits));
  return (typename L::R)((typename L::I)sum & mask);
}

/// Terms that are cut: positive and negative ones in sums of their own, rounding toward zero.
template <class L, int rows, int vectors, class Task>
BINADE_INLINE void step_cut(const ChainPlan& p, const Task& t, std::size_t a_at, std::size_t k_at,
                            Group<L, rows, vectors>& g, typename L::I (&e)[rows][vectors]) {
  using R = typename L::R;
  using G = Group<L, rows, vectors>;
  constexpr auto kSign = static_cast<typename L::Int>(typename L::Int{1} << (8 * sizeof(e[0][0][0]) - 1));
  const typename L::Int flip = p.floors ? 0 : kSign;
  R start[rows][vectors], up[rows][vectors], down[rows][vectors];
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      const R c = g.c[r][v], m = make_start<L>(p, e[r][v], c);
      start[r][v] = m;
      up[r][v] = m + (c > R{} ? c : R{});
      down[r][v] = (R)((typename L::I)m ^ flip) + (c < R{} ? c : R{});
    }
  }
  const auto* a = t.a + a_at;
  const auto* b = t.b + k_at * 2 * G::lanes;
  for (int k = 0; k < p.step_k; ++k, b += 2 * G::lanes) {
    for (int r = 0; r < rows; ++r) {
      const auto x = a[r * t.a_stride + k];
      const std::size_t swap = __builtin_signbit(x) ? G::lanes : 0;
      const auto* to_up = b + swap;
      const auto* to_down = b + (G::lanes - swap);
      for (int v = 0; v < vectors; ++v) {
        up[r][v] = fused(R{} + x, load<R>(to_up + v * G::width), up[r][v]);
        down[r][v] = fused(R{} + x, load<R>(to_down + v * G::width), down[r][v]);
      }
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      const R m = start[r][v];
      g.c[r][v] = finish<L>(p, p.floors ? (up[r][v] - m) + (down[r][v] - m) : up[r][v] + down[r][v]);
    }
  }
}

/// Terms that are rounded to nearest even, each by itself.
template <class L, int rows, int vectors, class Task>
BINADE_INLINE void step_nearest(const ChainPlan& p, const Task& t, std::size_t a_at,
                                std::size_t k_at, Group<L, rows, vectors>& g,
                                typename L::I (&e)[rows][vectors]) {
  using R = typename L::R;
  using G = Group<L, rows, vectors>;
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      const R m = make_start<L>(p, e[r][v], g.c[r][v]);
      R sum = (m + g.c[r][v]) - m;
      for (int k = 0; k < p.step_k; ++k) {
        const R x = R{} + t.a[a_at + r * t.a_stride + k];
        const auto* b = t.b + (k_at + k) * 2 * G::lanes + v * G::width;
        sum += fused(x, load<R>(b), fused(x, load<R>(b + G::lanes), m)) - m;
      }
      g.c[r][v] = finish<L>(p, sum);
    }
  }
}

template <class L, int rows, int vectors, bool to_nearest>
BINADE_INLINE typename L::I chain_group(const ChainPlan& p, const PanelTask<typename L::Real>& t,
                                        std::size_t row) {
  using R = typename L::R;
  using Real = typename L::Real;
  using G = Group<L, rows, vectors>;
  const Real largest = static_cast<Real>(p.result_max);
  G g;
  typename L::I lost[rows][vectors], any_lost{};
  Real* chain = t.chain + row * G::lanes;
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      const R c = load<R>(chain + r * G::lanes + v * G::width);
      lost[r][v] = c != c;
      g.c[r][v] = p.bounded ? c : lost[r][v] ? R{} : c;
      g.peak[r][v] = R{};
    }
  }
  const auto step_k = static_cast<std::size_t>(p.step_k);
  for (std::size_t k = 0; k < t.depth; k += step_k) {
    typename L::I e[rows][vectors];
    const std::size_t a_at = row * t.a_stride + k;
    if (p.normalizes) {
      exponents_by_size<L>(p, t, a_at, k, e);
    } else {
      exponents_by_code<L>(p, t, a_at, k, e);
    }
    if constexpr (to_nearest) {
      step_nearest<L>(p, t, a_at, k, g, e);
    } else {
      step_cut<L>(p, t, a_at, k, g, e);
    }
    if (p.bounded) continue;
    for (int r = 0; r < rows; ++r) {
      for (int v = 0; v < vectors; ++v) {
        g.peak[r][v] = max_of_lanes(g.peak[r][v], max_of_lanes(g.c[r][v], -g.c[r][v]));
      }
    }
  }
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      R c = g.c[r][v];
      if (!p.bounded) {
        lost[r][v] |= g.peak[r][v] > largest;
        c = lost[r][v] ? R{} + static_cast<Real>(__builtin_nanf("")) : c;
        any_lost |= lost[r][v];
      }
      store(chain + r * G::lanes + v * G::width, c);
    }
  }
  return any_lost;
}

template <class V>
BINADE_INLINE bool any_lane(const V& v) {
  bool any = false;
  for (std::size_t l = 0; l < sizeof(V) / sizeof(v[0]); ++l) any |= v[l] != 0;
  return any;
}

/// Not inlined: no operation may leave it for the stretch under another rounding mode.
template <class L, int rows, int vectors, bool to_nearest>
__attribute__((noinline)) bool chain_rows(const ChainPlan& shared_plan,
                                          const PanelTask<typename L::Real>& shared_task) {
  const ChainPlan p = shared_plan;  // locals, so that stores cannot change them
  const PanelTask<typename L::Real> t = shared_task;
  typename L::I lost{};
  std::size_t row = 0;
  for (; row + rows <= t.rows; row += rows) {
    lost |= chain_group<L, rows, vectors, to_nearest>(p, t, row);
  }
  if constexpr (rows > 1) {
    for (; row < t.rows; ++row) lost |= chain_group<L, 1, vectors, to_nearest>(p, t, row);
  }
  return any_lane(lost);
}

template <class L, int rows, int vectors, bool to_nearest>
bool chain_loop(const ChainPlan& p, const PanelTask<typename L::Real>& t) {
  if constexpr (to_nearest) return chain_rows<L, rows, vectors, to_nearest>(p, t);
  const int mode = std::fegetround();
  std::fesetround(FE_TOWARDZERO);
  const bool lost = chain_rows<L, rows, vectors, to_nearest>(p, t);
  std::fesetround(mode);
  return lost;
}

template <class Real>
bool join_loop(const ChainPlan& shared_plan, const Real* addend, Real* chain, std::size_t count) {
  using L = Lane<Real>;
  using R = typename L::R;
  constexpr std::size_t width = sizeof(R) / sizeof(Real);
  const ChainPlan p = shared_plan;
  const Real largest = static_cast<Real>(p.result_max);
  typename L::I lost{};
  for (std::size_t i = 0; i < count; i += width) {
    const R d = round_result<L>(p, load<R>(chain + i) + load<R>(addend + i), true);
    const typename L::I over = (d > largest) | (d < -largest) | (d != d);
    store(chain + i, over ? R{} + static_cast<Real>(__builtin_nanf("")) : d);
    lost |= over;
  }
  return any_lane(lost);
}

template <class Real>
constexpr void fill(GemmLoops<Real>& loops) {
  using L = Lane<Real>;
  loops.width = kVectorBytes / sizeof(Real);
  loops.chain[0][0] = chain_loop<L, 4, 1, false>;
  loops.chain[1][0] = chain_loop<L, 2, 2, false>;
  loops.chain[2][0] = chain_loop<L, 1, 4, false>;
  loops.chain[0][1] = chain_loop<L, 4, 1, true>;
  loops.chain[1][1] = chain_loop<L, 2, 2, true>;
  loops.chain[2][1] = chain_loop<L, 1, 4, true>;
  loops.join = join_loop<Real>;
}

}  // namespace

void fill_chain_loops(GemmKernels& k) {
  fill(k.single_lanes);
  fill(k.double_lanes);
}

}  // namespace binade::detail::BINADE_ISA
