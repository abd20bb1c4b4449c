// FTTN's feature tests against what is published of the units; GEMMs in place of rows; and boxes
// that are no sums.
#include <cmath>
#include <map>

#include "catch.hpp"
#include "probe_black_box.hpp"

using namespace binade;
using namespace black_box;

namespace {

std::map<std::string, std::string> features_of(const std::string& name) {
  const ProbeResult r = probe(in_black_box(find_instruction(name)), {1, 32});
  std::map<std::string, std::string> answers;
  for (const ProbeFeature& f : r.features) answers[f.name] = f.answer;
  CHECK(answers.size() == 8);
  return answers;
}

/// A box that changes the answers of another.
ProbeTarget changed(const ProbeTarget& inner,
                    const std::function<std::uint32_t(std::uint32_t d, std::size_t k)>& change) {
  ProbeTarget t = inner;
  t.evaluate = [inner, change](const void* a, const void* b, const void* c, void* d,
                               std::size_t rows, std::size_t k) {
    inner.evaluate(a, b, c, d, rows, k);
    auto* words = static_cast<std::uint32_t*>(d);
    for (std::size_t r = 0; r < rows; ++r) words[r] = change(words[r], k);
  };
  return t;
}

bool notes_hold(const ProbeResult& r, const std::string& words) {
  for (const std::string& note : r.notes) {
    if (note.find(words) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("Feature tests: extra bits, width and rounding of three generations") {
  auto v = features_of("volta.mma.f32.f16.f16");
  CHECK(v["T_1_bit"] == "no");
  CHECK(v["T_rnd_dir"] == "toward zero");
  CHECK(v["T_si_no"] == "A kept, B kept");
  CHECK(v["T_sa"] == "kept");
  auto a = features_of("ampere.mma.f32.f16.f16");
  CHECK(a["T_1_bit"] == "yes");
  CHECK(a["T_3_bits"] == "none of two further");
  CHECK(a["T_blk_fma_width"] == "8");
  CHECK(a["T_acc_order"] == "does not matter");
  auto h = features_of("hopper.wgmma.f32.f16.f16");
  CHECK(h["T_1_bit"] == "yes");
  CHECK(h["T_3_bits"] == "one of two further");
  CHECK(h["T_blk_fma_width"] == "16");
  CHECK(h["T_no_so"] == "these types cannot ask");
  CHECK(features_of("hopper.wgmma.f32.bf16.bf16")["T_no_so"] == "kept");
  auto half = features_of("hopper.wgmma.f16.f16.f16");
  CHECK(half["T_rnd_dir"] == "to nearest, or away from zero");
  auto floor = features_of("reference.wide.e5m2.e5m2");
  CHECK(floor["T_3_bits"] == "two further");
}

TEST_CASE("A GEMM is asked through the diagonal of squares") {
  const Instruction& i = find_instruction("hopper.wgmma.f32.e4m3.e4m3");
  std::size_t widest = 0;
  const GemmFunction gemm = [&](const void* a, const void* b, const void* c, void* d, std::size_t m,
                                std::size_t n, std::size_t k) {
    widest = std::max({widest, m, n});
    for (std::size_t row = 0; row < m; ++row) {
      for (std::size_t col = 0; col < n; ++col) {
        dot(i, static_cast<const unsigned char*>(a) + row * k,
            static_cast<const unsigned char*>(b) + col * k,
            static_cast<const float*>(c) + row * n + col, static_cast<float*>(d) + row * n + col, 1,
            k, 1);
      }
    }
  };
  ProbeTarget t = in_black_box(i);
  t.max_k = 256;
  t.evaluate = rows_of_gemm(gemm, i.a, i.b, i.c, 3);
  const ProbeResult r = probe(t, {1, 32});
  CHECK(widest == 3);
  CHECK(r.exact);
  CHECK(r.known == std::vector<std::string>{i.name});
  CHECK_THROWS_WITH(rows_of_gemm(gemm, i.a, i.b, i.c, 0), ContainsSubstring("side is 0"));
}

TEST_CASE("Other NaN patterns in some rows alone: every value, but not every bit") {
  const ProbeTarget t = in_black_box(find_instruction("hopper.wgmma.f32.e5m2.e5m2"));
  const ProbeResult r = probe(changed(t,
                                      [](std::uint32_t d, std::size_t k) {
                                        const bool nan = (d & 0x7fffffffu) > 0x7f800000u;
                                        return nan && k > 40 ? 0x7fc00000u : d;
                                      }),
                              {1, 64});
  CHECK(r.exact_values);
  CHECK_FALSE(r.exact);
  for (const ProbeObservation& o : r.observations) CHECK(o.observed == o.predicted);
}

TEST_CASE("Constants, noise and functions that throw") {
  const ProbeTarget t = in_black_box(find_instruction("hopper.wgmma.f32.e4m3.e4m3"));
  for (const std::uint32_t word : {0u, 0x7fc00000u, 0x3f800000u}) {
    const ProbeResult r =
        probe(changed(t, [&](std::uint32_t, std::size_t) { return word; }), {1, 16});
    CHECK_FALSE(r.exact_values);
    CHECK(r.parameters.empty());
    CHECK(notes_hold(r, "whatever is asked"));
  }
  std::mt19937 bits(1);
  const ProbeResult r =
      probe(changed(t, [&](std::uint32_t d, std::size_t) { return bits() % 8 == 0 ? d ^ 1u : d; }),
            {1, 16});
  CHECK_FALSE(r.exact_values);
  CHECK(notes_hold(r, "when they are asked again"));
  CHECK_THROWS_WITH(probe(changed(t,
                                  [](std::uint32_t, std::size_t) -> std::uint32_t {
                                    throw std::runtime_error("on purpose");
                                  })),
                    "on purpose");
}
