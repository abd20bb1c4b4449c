// Every instruction against the definition in arbitrary-precision integers, over all strata; and
// the neighbouring models, each of which must be told apart.
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "binade/emulation/dot_model.hpp"
#include "binade/emulation/instructions.hpp"
#include "catch.hpp"
#include "dot_strata.hpp"

using namespace binade;

namespace {

struct Batch {
  std::size_t k = 0;
  std::vector<strata::Row> rows;
  std::vector<std::uint32_t> want;
};

Batch make_batch(const oracle::Spec& s, std::size_t rows, std::size_t k, unsigned seed) {
  strata::Generator generator(s, seed);
  Batch batch;
  batch.k = k;
  for (std::size_t i = 0; i < rows; ++i) {
    const auto kind = static_cast<strata::Operands>(i % strata::kOperands);
    const auto addend = static_cast<strata::Addend>(i / strata::kOperands % strata::kAddends);
    batch.rows.push_back(generator.row(kind, addend, k));
  }
  batch.want.resize(rows);
#pragma omp parallel for schedule(static)
  for (std::size_t i = 0; i < rows; ++i) {
    batch.want[i] = oracle::dot(s, batch.rows[i].a, batch.rows[i].b, batch.rows[i].c);
  }
  return batch;
}

std::vector<unsigned char> pack(const std::vector<std::uint32_t>& codes, int bytes) {
  const auto width = static_cast<std::size_t>(bytes);
  std::vector<unsigned char> packed(codes.size() * width);
  for (std::size_t i = 0; i < codes.size(); ++i) std::memcpy(&packed[i * width], &codes[i], width);
  return packed;
}

std::vector<std::uint32_t> evaluate(const Instruction& i, const oracle::Spec& s,
                                    const Batch& batch) {
  std::vector<std::uint32_t> a, b, c;
  for (const strata::Row& row : batch.rows) {
    a.insert(a.end(), row.a.begin(), row.a.end());
    b.insert(b.end(), row.b.begin(), row.b.end());
    c.push_back(row.c);
  }
  std::vector<unsigned char> d = pack(c, s.c.bytes());
  dot(i, pack(a, s.a.bytes()).data(), pack(b, s.b.bytes()).data(), d.data(), d.data(), c.size(),
      batch.k);
  const auto width = static_cast<std::size_t>(s.c.bytes());
  for (std::size_t r = 0; r < c.size(); ++r) {
    c[r] = 0;
    std::memcpy(&c[r], &d[r * width], width);
  }
  return c;
}

std::size_t count_differences(const Instruction& i, const oracle::Spec& s, const Batch& batch) {
  const std::vector<std::uint32_t> got = evaluate(i, s, batch);
  std::size_t differ = 0;
  for (std::size_t r = 0; r < got.size(); ++r) {
    if (got[r] == batch.want[r]) continue;
    if (differ++ == 0) {
      UNSCOPED_INFO("first: row " << r << " stratum " << r % strata::kOperands << " addend "
                                  << r / strata::kOperands % strata::kAddends << std::hex << " C "
                                  << batch.rows[r].c << " got " << got[r] << " want "
                                  << batch.want[r]);
    }
  }
  return differ;
}

}  // namespace

TEST_CASE("every instruction equals the definition, 22160 rows each") {
  unsigned seed = 100;
  for (const Instruction& i : instructions()) {
    INFO(i.name);
    const oracle::Spec s = oracle::spec_of(i.name);
    const auto k = static_cast<std::size_t>(s.k);
    CHECK(count_differences(i, s, make_batch(s, 20160, k, ++seed)) == 0);
    // Chains, the last instruction ragged.
    CHECK(count_differences(i, s, make_batch(s, 2000, 3 * k - 1, ++seed)) == 0);
  }
}

namespace {

struct Neighbour {
  const char* instruction;
  const char* what;
  std::function<void(DotModel&)> change;
};

const std::vector<Neighbour>& neighbours() {
  constexpr const char* kFp8 = "hopper.wgmma.f32.e5m2.e5m2";
  constexpr const char* kBf16 = "hopper.wgmma.f32.bf16.bf16";
  constexpr const char* kTf32 = "hopper.wgmma.f32.tf32.tf32";
  constexpr const char* kMma = "hopper.mma.f32.e4m3.e4m3";
  constexpr const char* kMmaHalf = "hopper.mma.f16.e4m3.e4m3";
  constexpr const char* kHalf = "hopper.wgmma.f16.f16.f16";
  const auto bits = [](int f) { return [f](DotModel& m) { m.alignment_fraction_bits = f; }; };
  const auto clamp = [](int e) { return [e](DotModel& m) { m.min_exponent = e; }; };
  const auto floor = [](DotModel& m) { m.alignment = AlignmentRounding::kFloor; };
  const auto nearest = [](DotModel& m) { m.alignment = AlignmentRounding::kNearestEven; };
  const auto zeros = [](DotModel& m) { m.zeros_join_maximum = true; };
  const auto normalized = [](DotModel& m) { m.normalize_products = true; };
  const auto grid = [](int mantissa) {
    return [mantissa](DotModel& m) { m.result.mantissa_bits = mantissa; };
  };
  const auto halves = [](DotModel& m) { m.step_k /= 2; };
  const auto round_to_nearest = [](DotModel& m) { m.result_rounding = Rounding::kNearestEven; };
  const auto truncate = [](DotModel& m) { m.result_rounding = Rounding::kTowardZero; };
  const auto consecutive = [](DotModel& m) { m.order = StepOrder::kConsecutive; };
  const auto as_stored = [](DotModel& m) { m.multiplier_emin = kStoredExponents; };
  const auto aligned = [](DotModel& m) { m.addend = AddendRule::kAligned; };
  static const std::vector<Neighbour> all{
      {kFp8, "F=12", bits(12)},
      {kFp8, "F=14", bits(14)},
      {kFp8, "floor", floor},
      {kFp8, "terms to nearest even", nearest},
      {kFp8, "zeros join the maximum", zeros},
      {kFp8, "products normalised", normalized},
      {kFp8, "no final truncation", grid(23)},
      {kFp8, "E8M12 result", grid(12)},
      {kFp8, "result to nearest", round_to_nearest},
      {kFp8, "two 16-term sums", halves},
      {kBf16, "F=24", bits(24)},
      {kBf16, "F=26", bits(26)},
      {kBf16, "clamp -126", clamp(-126)},
      {kBf16, "clamp -132", clamp(-132)},
      {kBf16, "clamp -134", clamp(-134)},
      {kBf16, "no clamp", clamp(kNoExponentClamp)},
      {kBf16, "zeros join the maximum", zeros},
      {kBf16, "two 8-term sums", halves},
      {kTf32, "F=24", bits(24)},
      {kTf32, "F=26", bits(26)},
      {kTf32, "clamp -126", clamp(-126)},
      {kTf32, "clamp -132", clamp(-132)},
      {kTf32, "clamp -134", clamp(-134)},
      {kHalf, "F=24", bits(24)},
      {kHalf, "F=26", bits(26)},
      {kHalf, "result toward zero", truncate},
      {kMma, "F=24", bits(24)},
      {kMma, "F=26", bits(26)},
      {kMma, "consecutive halves", consecutive},
      {kMma, "C aligned", aligned},
      {kMma, "steps to nearest", round_to_nearest},
      {"hopper.mma.f32.e4m3.e5m2", "subnormals as stored", as_stored},
      {"hopper.mma.f32.e5m2.e4m3", "subnormals as stored", as_stored},
      {kMmaHalf, "consecutive halves", consecutive},
      {kMmaHalf, "C aligned", aligned},
      {kMmaHalf, "steps toward zero", truncate},
  };
  return all;
}

}  // namespace

TEST_CASE("neighbouring models differ from the definition") {
  std::string last;
  Batch batch;
  for (const Neighbour& n : neighbours()) {
    const oracle::Spec s = oracle::spec_of(n.instruction);
    Instruction changed = find_instruction(n.instruction);
    if (last != n.instruction) {
      batch = make_batch(s, 28000, static_cast<std::size_t>(s.k), 9);
      REQUIRE(count_differences(changed, s, batch) == 0);
    }
    last = n.instruction;
    n.change(changed.model);
    const std::size_t differ = count_differences(changed, s, batch);
    INFO(n.instruction << ", " << n.what << ": " << differ << " of 28000 differ");
    CHECK(differ > 0);
  }
}
