// The GEMM loops: chains of dot-add steps, plain multiply-add, promotion. gemm_kernels.hpp says why
// the layout is right and what bounds keep it exact.
//
// Compiled once per instruction set; everything lives in the anonymous namespace inside BINADE_ISA.
// Vectors are the compilers' own vector types, as wide as the instruction set's registers: the text
// is the same for every width, and the sums stay in registers.
#include "gemm_kernels.hpp"

namespace binade::detail::BINADE_ISA {
namespace {

#define BINADE_INLINE inline __attribute__((always_inline))

#if defined(__AVX512BW__)
constexpr std::size_t kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr std::size_t kVectorBytes = 32;
#else
constexpr std::size_t kVectorBytes = 16;
#endif

template <class T, std::size_t bytes>
struct VectorOf {
  typedef T type __attribute__((vector_size(bytes)));
};
template <class T, std::size_t bytes = kVectorBytes>
using Vector = typename VectorOf<T, bytes>::type;

template <class V>
BINADE_INLINE V load(const void* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof(V));
  return v;
}
template <class V>
BINADE_INLINE void store(void* p, const V& v) {
  __builtin_memcpy(p, &v, sizeof(V));
}

/// What depends on the kind of lane. A term is an aligned product: int32 in fp32 lanes, where the
/// conversion truncates, and an integral fp64 in fp64 lanes, where it is a rounding.
template <class Real_>
struct Lane;

template <>
struct Lane<float> {
  using Real = float;
  using Int = std::int32_t;
  using R = Vector<float>;
  using I = Vector<std::int32_t>;
  using Term = I;
  static constexpr int kMantissa = 23, kBias = 127;
  static constexpr Int kExponentMask = 255;
  static constexpr float kMagic = 0x1.8p23f;  // adding it rounds to an integer

  static BINADE_INLINE Term truncate(R x) { return __builtin_convertvector(x, I); }
  static BINADE_INLINE R real(Term t) { return __builtin_convertvector(t, R); }
  static BINADE_INLINE Term nearest(R x) { return truncate((x + kMagic) - kMagic); }
  static BINADE_INLINE Term floor(R x) {
    const Term t = truncate(x);
    return t + (x < real(t));  // a true lane is -1
  }
};

template <>
struct Lane<double> {
  using Real = double;
  using Int = std::int64_t;
  using R = Vector<double>;
  using I = Vector<std::int64_t>;
  using Term = R;
  static constexpr int kMantissa = 52, kBias = 1023;
  static constexpr Int kExponentMask = 2047;
  static constexpr double kMagic = 0x1.8p52;

  static BINADE_INLINE R real(Term t) { return t; }
  static BINADE_INLINE Term nearest(R x) { return (x + kMagic) - kMagic; }
#if defined(__x86_64__) && !defined(__SSE4_1__)
  // No instruction rounds towards zero: round the magnitude to nearest, step back where that went
  // up, and give the sign back.
  static BINADE_INLINE Term truncate(R x) {
    const I sign = I(x) & (std::int64_t{1} << 63);
    const R magnitude = R(I(x) ^ sign);
    R y = (magnitude + 0x1p52) - 0x1p52;
    y -= R(I(R{} + 1.0) & (y > magnitude));
    return R(I(y) | sign);
  }
#else
  static BINADE_INLINE Term truncate(R x) {
    R t;
    for (std::size_t i = 0; i < sizeof(R) / sizeof(double); ++i) t[i] = __builtin_trunc(x[i]);
    return t;
  }
#endif
  static BINADE_INLINE Term floor(R x) {
    const Term t = truncate(x);
    return t - R(I(R{} + 1.0) & (x < t));
  }
};

constexpr int kGroup = 4;  // vectors of Real to a panel; as many as sums that fit in registers

template <class Real>
constexpr std::size_t kLanes = kGroup* kVectorBytes / sizeof(Real);

/// 2^e for exponents that are normal in Real.
template <class L>
BINADE_INLINE typename L::R power_of_two(typename L::I e) {
  return (typename L::R)((e + L::kBias) << L::kMantissa);
}
/// Exponent of the leading bit; far below everything for zeros.
template <class L>
BINADE_INLINE typename L::I exponent_of(typename L::R x) {
  return (((typename L::I)x >> L::kMantissa) & L::kExponentMask) - L::kBias;
}
template <class V>
BINADE_INLINE V max_of_lanes(V a, V b) {
  return a > b ? a : b;
}
template <class V, class T>
BINADE_INLINE V at_least(V a, T floor) {
  return max_of_lanes(a, V{} + floor);
}

template <class L, AlignmentRounding alignment>
BINADE_INLINE typename L::Term align(typename L::R x) {
  if constexpr (alignment == AlignmentRounding::kFloor) return L::floor(x);
  if constexpr (alignment == AlignmentRounding::kNearestEven) return L::nearest(x);
  return L::truncate(x);
}

/// x rounded once to the result format; x holds the sum exactly.
template <class L>
BINADE_INLINE typename L::R round_result(const ChainPlan& p, typename L::R x, bool nearest) {
  using Int = typename L::Int;
  const auto ulp =
      at_least(exponent_of<L>(x), static_cast<Int>(p.result_emin)) - Int{p.result_mantissa_bits};
  const auto units = x * power_of_two<L>(-ulp);
  const auto whole = L::real(nearest ? L::nearest(units) : L::truncate(units));
  return whole * power_of_two<L>(ulp) + typename L::Real{0};  // -0 becomes +0
}

/// The state of one step in registers.
template <class L>
struct StepState {
  typename L::R scale[kGroup], unit[kGroup];  // 2^(F - E) and its inverse
  typename L::Term sum[kGroup];
};

/// Pass 1: the largest exponent of the products, by the exponent codes or, where products are
/// normalised, by the largest product itself.
template <class L, bool normalized, class Task>
BINADE_INLINE void largest_exponents(const ChainPlan& p, const Task& t, std::size_t a_at,
                                     std::size_t k_at, typename L::I* exponent) {
  using Real = typename L::Real;
  using Int = typename L::Int;
  constexpr std::size_t lanes = kLanes<Real>, width = lanes / kGroup;
  if constexpr (normalized) {
    typename L::R largest[kGroup] = {};
    for (int k = 0; k < p.step_k; ++k) {
      for (int v = 0; v < kGroup; ++v) {
        const auto b = load<typename L::R>(t.b + (k_at + k) * lanes + v * width);
        const auto product = b * t.a[a_at + k];
        largest[v] = max_of_lanes(largest[v], max_of_lanes(product, -product));
      }
    }
    for (int v = 0; v < kGroup; ++v) exponent[v] = exponent_of<L>(largest[v]);
  } else {
    using Code = typename Task::Code;
    using Codes = Vector<Code>;
    static_assert(sizeof(Codes) == lanes * sizeof(Code), "one vector of codes covers a panel");
    Codes top{};
    for (int k = 0; k < p.step_k; ++k) {
      const Codes b = load<Codes>(t.b_code + (k_at + k) * lanes);
      top = max_of_lanes(top, b + t.a_code[a_at + k]);
    }
    Code codes[lanes];
    store(codes, top);
    for (int v = 0; v < kGroup; ++v) {
      exponent[v] =
          __builtin_convertvector(load<Vector<Code, width * sizeof(Code)>>(codes + v * width),
                                  typename L::I) +
          Int{p.code_offset};
    }
  }
}

/// E, and C aligned to it.
template <class L, AlignmentRounding alignment>
BINADE_INLINE void begin_step(const ChainPlan& p, const typename L::I* products,
                              const typename L::R* c, StepState<L>& s) {
  using Int = typename L::Int;
  for (int v = 0; v < kGroup; ++v) {
    const auto stored = at_least(exponent_of<L>(c[v]), static_cast<Int>(p.c_emin));
    const auto zero = typename L::I{} + Int{p.c_zero_exponent};
    const auto of_c = c[v] == typename L::Real{0} ? zero : stored;
    const auto e = at_least(max_of_lanes(products[v], of_c), static_cast<Int>(p.lowest_exponent));
    s.scale[v] = power_of_two<L>(p.fraction_bits - e);
    s.unit[v] = power_of_two<L>(e - p.fraction_bits);
    s.sum[v] = align<L, alignment>(c[v] * s.scale[v]);
  }
}

template <class L, AlignmentRounding alignment, bool normalized, class Task>
BINADE_INLINE void step(const ChainPlan& p, const Task& t, std::size_t a_at, std::size_t k_at,
                        bool nearest, typename L::R* c) {
  using Real = typename L::Real;
  constexpr std::size_t lanes = kLanes<Real>, width = lanes / kGroup;
  typename L::I exponent[kGroup];
  largest_exponents<L, normalized>(p, t, a_at, k_at, exponent);
  StepState<L> s;
  begin_step<L, alignment>(p, exponent, c, s);
  // Pass 2: four operations a product.
  const Real* a = t.a + a_at;
  const Real* b = t.b + k_at * lanes;
  for (int k = 0; k < p.step_k; ++k) {
    for (int v = 0; v < kGroup; ++v) {
      const auto product = load<typename L::R>(b + k * lanes + v * width) * a[k];
      s.sum[v] += align<L, alignment>(product * s.scale[v]);
    }
  }
  for (int v = 0; v < kGroup; ++v) {
    c[v] = round_result<L>(p, L::real(s.sum[v]) * s.unit[v], nearest);
  }
}

template <class Real, AlignmentRounding alignment, bool normalized>
bool chain_loop(const ChainPlan& shared_plan, const PanelTask<Real>& shared_task) {
  using L = Lane<Real>;
  using R = typename L::R;
  constexpr std::size_t lanes = kLanes<Real>, width = lanes / kGroup;
  const ChainPlan p = shared_plan;  // locals, so that stores cannot change them
  const PanelTask<Real> t = shared_task;
  const Real largest = static_cast<Real>(p.result_max);
  const std::size_t step_k = static_cast<std::size_t>(p.step_k);
  typename L::I any_lost{};
  for (std::size_t row = 0; row < t.rows; ++row) {
    Real* chain = t.chain + row * lanes;
    R c[kGroup];
    typename L::I lost[kGroup];
    for (int v = 0; v < kGroup; ++v) {
      c[v] = load<R>(chain + v * width);
      lost[v] = c[v] != c[v];
      c[v] = lost[v] ? R{} : c[v];
    }
    std::size_t k = 0;
    for (std::size_t i = 0; i < t.instructions; ++i) {
      R addend[kGroup];
      for (int v = 0; v < kGroup; ++v) {
        addend[v] = c[v];
        if (p.added_last) c[v] = R{};
      }
      for (int s = 0; s < p.steps; ++s, k += step_k) {
        step<L, alignment, normalized>(p, t, row * t.depth + k, k, p.nearest, c);
        for (int v = 0; v < kGroup; ++v) lost[v] |= (c[v] > largest) | (c[v] < -largest);
      }
      if (!p.added_last) continue;
      for (int v = 0; v < kGroup; ++v) {
        c[v] = round_result<L>(p, c[v] + addend[v], true);
        lost[v] |= (c[v] > largest) | (c[v] < -largest);
      }
    }
    for (int v = 0; v < kGroup; ++v) {
      store(chain + v * width, lost[v] ? R{} + static_cast<Real>(__builtin_nanf("")) : c[v]);
      any_lost |= lost[v];
    }
  }
  bool any = false;
  for (std::size_t l = 0; l < width; ++l) any |= any_lost[l] != 0;
  return any;
}

template <class Real>
void multiply_add_loop(const PanelTask<Real>& shared_task) {
  using R = typename Lane<Real>::R;
  constexpr std::size_t lanes = kLanes<Real>, width = lanes / kGroup;
  const PanelTask<Real> t = shared_task;
  for (std::size_t row = 0; row < t.rows; ++row) {
    R sum[kGroup];
    for (int v = 0; v < kGroup; ++v) sum[v] = load<R>(t.chain + row * lanes + v * width);
    const Real* a = t.a + row * t.depth;
    for (std::size_t k = 0; k < t.depth; ++k) {
      for (int v = 0; v < kGroup; ++v) sum[v] += load<R>(t.b + k * lanes + v * width) * a[k];
    }
    for (int v = 0; v < kGroup; ++v) store(t.chain + row * lanes + v * width, sum[v]);
  }
}

template <class Real, class Promote>
BINADE_INLINE void promote_loop(const PromotionTask<Real>& shared_task, Promote promote) {
  constexpr std::size_t lanes = kLanes<Real>;
  const PromotionTask<Real> t = shared_task;
  for (std::size_t row = 0; row < t.rows; ++row) {
    const Real* __restrict chain = t.chain + row * lanes;
    float* __restrict sum = t.sum + row * lanes;
    const float sa = t.sa[row];
    for (std::size_t l = 0; l < lanes; ++l) {
      sum[l] = promote(static_cast<float>(chain[l]), sa, t.sb[l], sum[l]);
    }
  }
}

template <class Real>
void promote_plain(const PromotionTask<Real>& t) {
  promote_loop(
      t,
      [](float chain, float, float, float s) __attribute__((always_inline)) { return s + chain; });
}
template <class Real>
void promote_product(const PromotionTask<Real>& t) {
  promote_loop(
      t, [](float chain, float sa, float sb, float s)
             __attribute__((always_inline)) { return __builtin_fmaf(sa * sb, chain, s); });
}
template <class Real>
void promote_a_then_b(const PromotionTask<Real>& t) {
  promote_loop(
      t, [](float chain, float sa, float sb, float s)
             __attribute__((always_inline)) { return __builtin_fmaf(chain * sa, sb, s); });
}
template <class Real>
void promote_b_then_a(const PromotionTask<Real>& t) {
  promote_loop(
      t, [](float chain, float sa, float sb, float s)
             __attribute__((always_inline)) { return __builtin_fmaf(chain * sb, sa, s); });
}

template <class Real>
bool split_loop(const SplitPlan& shared_plan, const float* values, std::size_t count, Real* out,
                typename ExponentCode<Real>::type* code) {
  using Code = typename ExponentCode<Real>::type;
  const SplitPlan p = shared_plan;
  std::uint32_t special = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, values[i]);
    const std::uint32_t field = (bits >> 23) & 255;
    const bool finite = field != 255;
    const float value = finite ? values[i] : 0.0f;
    const int stored = static_cast<int>(field) - 127;
    const int exponent = stored > p.emin ? stored : p.emin;
    out[i] = static_cast<Real>(value);
    code[i] = static_cast<Code>(value != 0.0f ? exponent - p.emin + p.zero_gap : p.zero_code);
    special |= finite ? 0u : 1u;
  }
  return special != 0;
}

template <class Real, AlignmentRounding alignment>
constexpr void fill_chain(GemmLoops<Real>& loops) {
  loops.chain[static_cast<int>(alignment)][0] = chain_loop<Real, alignment, false>;
  loops.chain[static_cast<int>(alignment)][1] = chain_loop<Real, alignment, true>;
}

template <class Real>
constexpr GemmLoops<Real> make_loops() {
  GemmLoops<Real> loops{};
  loops.lanes = kLanes<Real>;
  fill_chain<Real, AlignmentRounding::kTruncate>(loops);
  fill_chain<Real, AlignmentRounding::kFloor>(loops);
  fill_chain<Real, AlignmentRounding::kNearestEven>(loops);
  loops.multiply_add = multiply_add_loop<Real>;
  loops.promote_plain = promote_plain<Real>;
  loops.promote_product = promote_product<Real>;
  loops.promote_a_then_b = promote_a_then_b<Real>;
  loops.promote_b_then_a = promote_b_then_a<Real>;
  loops.split = split_loop<Real>;
  return loops;
}

}  // namespace

const GemmKernels& gemm_kernels() {
  static constexpr GemmKernels kernels{make_loops<float>(), make_loops<double>()};
  return kernels;
}

}  // namespace binade::detail::BINADE_ISA
