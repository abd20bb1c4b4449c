#include <stdexcept>
#include <string>

#include "binade/cuda/cast.hpp"
#include "binade/cuda/memory.hpp"
#include "binade/formats/visit.hpp"
#include "launcher.cuh"
#include "vectors.cuh"

namespace binade::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kInFlight = 4;  ///< vectors that a thread loads before it uses the first

/// One array cast into another, for the kernels.
struct Arrays {
  FloatFormat from;
  const void* source;
  FloatFormat to;
  void* target;
  std::size_t first, count;  ///< elements first .. count - 1
};

// ---- the text of codec.hpp -----------------------------------------------------------------

template <Rounding rounding>
__global__ void cast_words(Arrays a, detail::EncodePlan<std::uint32_t> plan, Draws draws) {
  const std::size_t i = a.first + blockIdx.x * std::size_t{kThreads} + threadIdx.x;
  if (i >= a.count) return;
  const std::uint32_t bits =
      widened_bits(a.from, load_container(a.source, a.from.container_bits() / 8, i));
  const std::uint32_t code = detail::encode_word<rounding, std::uint32_t>(plan, bits, draws.at(i));
  store_container(a.target, a.to.container_bits() / 8, i, container_of_code(a.to, code));
}

/// Formats that fp32 does not hold.
__global__ void cast_any(Arrays a, CastRules rules, Draws draws) {
  const std::size_t i = a.first + blockIdx.x * std::size_t{kThreads} + threadIdx.x;
  if (i >= a.count) return;
  const std::uint64_t code =
      code_of_container(a.from, load_container(a.source, a.from.container_bits() / 8, i));
  store_container(a.target, a.to.container_bits() / 8, i,
                  container_of_code(a.to, convert(a.from, code, a.to, rules, draws.at(i))));
}

unsigned blocks_for(std::size_t work, std::size_t each) {
  const std::size_t blocks = (work + each - 1) / each;
  if (blocks > 0x7fffffffu) {
    throw std::invalid_argument("cast: " + std::to_string(work) + " elements are too many");
  }
  return static_cast<unsigned>(blocks);
}

void launch_portable(const Launcher& launch, const Arrays& a, CastRules rules, std::uint64_t seed) {
  if (a.count == a.first) return;
  const unsigned blocks = blocks_for(a.count - a.first, kThreads);
  const Draws draws(rules, seed);
  if (embeds_in(a.from, kFp32Format) && a.from.emin() >= kFp32Format.emin() &&
      detail::source_word_suffices<std::uint32_t>(a.to)) {
    const auto plan = detail::make_plan<std::uint32_t>(a.to, rules);
    detail::with_rounding(rules.rounding, [&]<Rounding rounding>() {
      launch("cast", cast_words<rounding>, blocks, kThreads, a, plan, draws);
    });
  } else {
    launch("cast", cast_any, blocks, kThreads, a, rules, draws);
  }
}

// ---- the instructions ----------------------------------------------------------------------

/// Elements in a vector: the wider side fills 16 bytes.
template <class From, class To>
inline constexpr int kVector = 16 / (kBytes<From> > kBytes<To> ? kBytes<From> : kBytes<To>);

template <class From, class To>
__global__ void __launch_bounds__(kThreads)
    cast_vectors(const void* source, void* target, std::size_t vectors, Narrowing<To> narrowing) {
  constexpr int n = kVector<From, To>;
  const std::size_t base = blockIdx.x * std::size_t{kThreads * kInFlight} + threadIdx.x;
  Packed<From, n> in[kInFlight];
#pragma unroll
  for (int u = 0; u < kInFlight; ++u) {
    const std::size_t at = base + u * kThreads;
    if (at < vectors) in[u] = load_vector<Packed<From, n>>(source, at);
  }
#pragma unroll
  for (int u = 0; u < kInFlight; ++u) {
    const std::size_t at = base + u * kThreads;
    if (at >= vectors) continue;
    float x[n];
    widen(in[u], x);
    if (narrowing.always || narrowing.serves(largest_magnitude(x))) {
      store_vector(target, at, narrow<To>(x));
      continue;
    }
#pragma unroll 1
    for (int i = 0; i < n; ++i) {  // rare: from memory, so that registers need no index
      const std::uint64_t container = load_container(source, kBytes<From>, at * n + i);
      const float value = bit_cast<float>(widened_bits(From::format, container));
      store_container(target, kBytes<To>, at * n + i, narrowing.encode(value));
    }
  }
}

using HardwareFormats = TypeList<Fp32, Bf16, Fp16, E4M3, E5M2>;

/// body(From{}, To{}) for a pair that has instructions; false for the others.
template <class Body>
bool visit_hardware_pair(FloatFormat from, FloatFormat to, Body&& body) {
  bool found = false;
  const auto with_pair = [&](auto from_tag, auto to_tag) {
    using From = decltype(from_tag);
    using To = decltype(to_tag);
    if constexpr (!std::is_same_v<From, To> && (kBytes < From >> 1 || kBytes < To >> 1)) {
      if (from == From::format && to == To::format) found = true, body(from_tag, to_tag);
    }
  };
  const auto with_from = [&]<class... To>(auto from_tag, TypeList<To...>) {
    (with_pair(from_tag, To{}), ...);
  };
  [&]<class... From>(TypeList<From...>) {
    (with_from(From{}, HardwareFormats{}), ...);
  }(HardwareFormats{});
  return found;
}

void launch_hardware(const Launcher& launch, const Arrays& a, CastRules rules) {
  visit_hardware_pair(a.from, a.to, [&](auto from, auto to) {
    using From = decltype(from);
    using To = decltype(to);
    constexpr int n = kVector<From, To>;
    const std::size_t vectors = a.count / n;
    if (vectors != 0) {
      launch("cast", cast_vectors<From, To>, blocks_for(vectors, kThreads * kInFlight), kThreads,
             a.source, a.target, vectors, Narrowing<To>(rules));
    }
    Arrays rest = a;
    rest.first = vectors * n;
    launch_portable(launch, rest, rules, 0);
  });
}

// ---- arguments -----------------------------------------------------------------------------

void check_arguments(FloatFormat from, FloatFormat to, CastRules rules) {
  binade::cast(from, nullptr, to, nullptr, 0, rules);  // refuses what the twin refuses
}

std::size_t bytes_of(FloatFormat f, std::size_t count) {
  return static_cast<std::size_t>(f.container_bits()) / 8 * count;
}

/// Host arrays by way of the device.
template <class Launch>
void through_device(FloatFormat from, const void* source, FloatFormat to, void* target,
                    std::size_t count, Launch&& launch) {
  if (count == 0) return;
  const DeviceArray in(source, bytes_of(from, count));
  DeviceArray out(bytes_of(to, count));
  launch(Arrays{from, in.data(), to, out.data(), 0, count});
  out.download(target, out.size());
}

bool is_aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }

void launch_fastest(const Launcher& launch, const Arrays& a, CastRules rules, std::uint64_t seed) {
  if (has_hw_cast(a.from, a.to, rules) && is_aligned(a.source) && is_aligned(a.target)) {
    launch_hardware(launch, a, rules);
  } else {
    launch_portable(launch, a, rules, seed);
  }
}

}  // namespace

void cast_portable(FloatFormat from, const void* source, FloatFormat to, void* target,
                   std::size_t count, CastRules rules, std::uint64_t seed) {
  check_arguments(from, to, rules);
  through_device(from, source, to, target, count,
                 [&](const Arrays& a) { launch_portable(Launcher(), a, rules, seed); });
}

bool has_hw_cast(FloatFormat from, FloatFormat to, CastRules rules) {
  return rules.rounding == Rounding::kNearestEven &&
         visit_hardware_pair(from, to, [](auto, auto) {});
}

void cast_hw(FloatFormat from, const void* source, FloatFormat to, void* target, std::size_t count,
             CastRules rules) {
  check_arguments(from, to, rules);
  if (!has_hw_cast(from, to, rules)) {
    throw std::invalid_argument("no instruction casts " + format_name(from) + " to " +
                                format_name(to) + " by " + std::string(name_of(rules.rounding)));
  }
  require_device(90, "cvt to FP8");
  through_device(from, source, to, target, count,
                 [&](const Arrays& a) { launch_hardware(Launcher(), a, rules); });
}

void cast_on_device(FloatFormat from, const void* source, FloatFormat to, void* target,
                    std::size_t count, CastRules rules, std::uint64_t seed) {
  check_arguments(from, to, rules);
  require_device(90, "cast_on_device");
  launch_fastest(Launcher(), {from, source, to, target, 0, count}, rules, seed);
}

KernelFacts cast_facts(FloatFormat from, FloatFormat to, CastRules rules) {
  check_arguments(from, to, rules);
  require_device(90, "cast_facts");
  KernelFacts facts;
  // As many elements as make whole vectors of every pair.
  launch_fastest(Launcher(&facts), {from, nullptr, to, nullptr, 0, 16}, rules, 0);
  return facts;
}

}  // namespace binade::cuda
