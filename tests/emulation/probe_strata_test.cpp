// Each instruction of the table as a black box: the card that comes back gives every bit of 10^5
// rows of strata that the probe knows nothing of.
#include <cstring>
#include <map>
#include <vector>

#include "binade/emulation/probe.hpp"
#include "catch.hpp"
#include "dot_strata.hpp"
#include "probe_black_box.hpp"

using namespace binade;

namespace {

constexpr std::size_t kRows = 100'000;

void pack(std::vector<unsigned char>& to, std::uint32_t code, int bytes) {
  const std::size_t at = to.size();
  to.resize(at + static_cast<std::size_t>(bytes));
  std::memcpy(&to[at], &code, static_cast<std::size_t>(bytes));
}

/// Rows of one length, each of the strata in turn.
struct Batch {
  std::vector<unsigned char> a, b, c, d, card_d;
  std::size_t rows, k;

  Batch(const oracle::Spec& s, std::size_t rows_, std::size_t k_, unsigned seed)
      : rows(rows_), k(k_) {
    strata::Generator generator(s, seed);
    for (std::size_t i = 0; i < rows; ++i) {
      const auto kind = static_cast<strata::Operands>(i % strata::kOperands);
      const auto addend = static_cast<strata::Addend>(i / strata::kOperands % strata::kAddends);
      const strata::Row row = generator.row(kind, addend, k);
      for (std::size_t n = 0; n < k; ++n) {
        pack(a, row.a[n], s.a.bytes());
        pack(b, row.b[n], s.b.bytes());
      }
      pack(c, row.c, s.c.bytes());
    }
    d.resize(c.size());
    card_d.resize(c.size());
  }

  std::size_t differing(const Instruction& i, const ProbeResult& r) {
    dot(i, a.data(), b.data(), c.data(), d.data(), rows, k);
    promoted_dot(r.card, r.promotion_interval, a.data(), b.data(), c.data(), card_d.data(), rows,
                 k);
    const std::size_t bytes = c.size() / rows;
    std::size_t differ = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      differ += std::memcmp(&d[row * bytes], &card_d[row * bytes], bytes) != 0 ? 1 : 0;
    }
    return differ;
  }
};

}  // namespace

TEST_CASE("Every instruction of the table is recovered from outside") {
  std::vector<Instruction> seen;
  for (const Instruction& i : instructions()) {
    Instruction bare = i;
    bare.name = bare.source = "";
    bare.verified = false;
    if (std::find(seen.begin(), seen.end(), bare) != seen.end()) continue;
    seen.push_back(bare);
    ProbeTarget target;
    target.a = i.a;
    target.b = i.b;
    target.c = i.c;
    target.evaluate = [&](const void* a, const void* b, const void* c, void* d, std::size_t rows,
                          std::size_t k) { dot(i, a, b, c, d, rows, k, 1); };
    const ProbeResult r = probe(target, {static_cast<std::uint64_t>(seen.size()), 64});
    INFO(i.name << " " << instruction_to_json(r.card) << " promoted " << r.promotion_interval);
    CHECK(r.exact);
    CHECK(std::find(r.known.begin(), r.known.end(), i.name) != r.known.end());
    const oracle::Spec s = oracle::spec_of(i.name);
    const auto k = static_cast<std::size_t>(i.k);
    const auto seed = static_cast<unsigned>(seen.size());
    CHECK(Batch(s, kRows / 2, k, seed).differing(i, r) == 0);
    CHECK(Batch(s, kRows / 2, 3 * k, seed + 1000).differing(i, r) == 0);
    // A parameter that is called determined is the one that was planted, but for other words.
    for (const ProbeParameter& p : r.parameters) {
      if (p.determined && p.name == "alignment_fraction_bits") {
        CHECK(p.value == std::to_string(i.model.alignment_fraction_bits));
      }
      if (p.determined && p.name == "step_k") CHECK(p.value == std::to_string(i.model.step_k));
    }
  }
}

TEST_CASE("Hypothetical accumulators: almost all are recovered, and a failure is admitted") {
  std::size_t recovered = 0, admitted = 0;
  constexpr unsigned kBoxes = 24;
  for (unsigned seed = 101; seed < 101 + kBoxes; ++seed) {
    const Instruction i = black_box::hypothetical(seed);
    const ProbeResult r = probe(black_box::in_black_box(i), {seed, 1024});
    const std::size_t differ =
        black_box::differing(i, 0, r.card, r.promotion_interval, true, seed, kRows);
    INFO(instruction_to_json(i) << " found " << instruction_to_json(r.card) << " promoted "
                                << r.promotion_interval);
    if (r.exact) {
      CHECK(differ <= kRows / 1000);  // what ten thousand rows do not show is rare
      recovered += differ == 0 ? 1 : 0;
    } else {
      ++admitted;
    }
  }
  WARN(recovered << " of " << kBoxes << " recovered, " << admitted << " not found and said so");
  CHECK(recovered + 2 >= kBoxes);
}
