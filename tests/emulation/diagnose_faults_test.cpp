// Wrong kernels: each fault is planted by changing what gemm() is given, and must be named.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "diagnose_problem.hpp"

using namespace binade;
using problem::lists;
using problem::Problem;

namespace {

std::string told(const Problem& p, const GemmDiagnosis& d) {
  return diagnosis_to_json(d, p.output);
}

/// `seen` is the problem as the faulty kernel saw it; only its D is passed on.
void check_named(const Problem& given, Problem seen, const std::string& profile,
                 const std::string& words) {
  seen.run(profile);
  Problem p = given;
  p.d = seen.d;
  const GemmDiagnosis d = p.diagnose();
  INFO(words << "\n" << told(p, d));
  REQUIRE(!d.exact.empty());
  bool named = false, by_profile = false;
  for (const GemmExplanation& e : d.exact) {
    named |= e.departure.find(words) != std::string::npos;
    by_profile |= e.departure.find(words) != std::string::npos && e.compared == p.m * p.n;
    CHECK(!e.departure.empty());
  }
  CHECK(named);
  CHECK(by_profile);
}

void zero_columns(Problem& p, std::size_t first, std::size_t end) {
  for (std::size_t r = 0; r < p.m; ++r) {
    for (std::size_t k = first; k < end; ++k) p.a[r * p.k + k] = 0;
  }
  for (std::size_t r = 0; r < p.n; ++r) {
    for (std::size_t k = first; k < end; ++k) p.b[r * p.k + k] = 0;
  }
}

void swap_halves(std::vector<unsigned char>& codes, std::size_t block) {
  for (std::size_t at = 0; at + block <= codes.size(); at += block) {
    const auto first = codes.begin() + static_cast<std::ptrdiff_t>(at);
    std::rotate(first, first + static_cast<std::ptrdiff_t>(block / 2),
                first + static_cast<std::ptrdiff_t>(block));
  }
}

}  // namespace

TEST_CASE("Tails of K: dropped, and filled from the rows that follow (A11, B10)") {
  const Problem given = problem::plain(1, 552);  // 4 * 128 + 40
  Problem seen = given;
  zero_columns(seen, 512, 552);
  check_named(given, seen, "cublaslt", "the last 40 products of K are left out");
  seen = given;
  zero_columns(seen, 544, 552);
  check_named(given, seen, "cublaslt-fast", "the last 8 products of K are left out");
  seen = given;
  zero_columns(seen, 0, 32);
  check_named(given, seen, "cublaslt", "the first 32 products of K are left out");
  // Rows of 552 read as rows of 640 that begin every 552.
  seen = given;
  seen.k = 640;
  const auto overrun = [&](const std::vector<unsigned char>& codes, std::size_t rows) {
    std::vector<unsigned char> wide(rows * 640);
    for (std::size_t i = 0; i < wide.size(); ++i) {
      const std::size_t from = i / 640 * 552 + i % 640;
      wide[i] = from < codes.size() ? codes[from] : 0;
    }
    return wide;
  };
  seen.a = overrun(given.a, given.m);
  seen.b = overrun(given.b, given.n);
  check_named(given, seen, "cublaslt", "K is filled to a multiple of 128");
}

TEST_CASE("Orders of K: swapped halves, blocks last first, and layouts of one operand") {
  const Problem given = problem::plain(2, 512, Fp32::format);
  Problem seen = given;
  swap_halves(seen.a, 512);
  swap_halves(seen.b, 512);
  check_named(given, seen, "cublaslt-fast", "halves of every 512 products are swapped in both");
  seen = given;
  swap_halves(seen.b, 32);
  check_named(given, seen, "cublaslt", "halves of every 32 products are swapped in B");
  seen = given;
  const auto reverse = [](std::vector<unsigned char>& codes) {
    for (std::size_t row = 0; row < codes.size(); row += 512) {
      std::vector<unsigned char> old(codes.begin() + static_cast<std::ptrdiff_t>(row),
                                     codes.begin() + static_cast<std::ptrdiff_t>(row + 512));
      for (std::size_t i = 0; i < 512; ++i) codes[row + i] = old[(15 - i / 32) * 32 + i % 32];
    }
  };
  reverse(seen.a);
  reverse(seen.b);
  check_named(given, seen, "cublaslt-fast", "blocks of 32 products come last first");
}

TEST_CASE("A chain that is not reset after its promotion") {
  Problem p = problem::plain(3, 512, Fp32::format);
  std::vector<float> sum(p.m * p.n);
  for (std::size_t end = 128; end <= 512; end += 128) {
    Problem part = p;
    zero_columns(part, end, 512);  // the chain over all products so far
    part.run("cublaslt-fast");
    for (std::size_t i = 0; i < sum.size(); ++i) {
      float chain = 0;
      std::memcpy(&chain, &part.d[4 * i], 4);
      sum[i] = sum[i] + chain;
    }
  }
  p.d.resize(4 * sum.size());
  std::memcpy(p.d.data(), sum.data(), p.d.size());
  const GemmDiagnosis d = p.diagnose();
  INFO(told(p, d));
  REQUIRE(!d.exact.empty());
  CHECK(d.exact.front().departure == "chains are not reset after a promotion");
  CHECK(d.exact.front().promotion_interval == 128);
}

TEST_CASE("Operands: the other format, B or D transposed") {
  Problem given = problem::plain(4, 256);
  Problem seen = given;
  seen.b_format = E5M2::format;
  check_named(given, seen, "cublaslt", "B is read as e5m2");
  seen.a_format = E5M2::format;
  check_named(given, seen, "cublaslt", "both operands are read as e5m2");
  given = problem::plain(5, 48);
  seen = given;
  for (std::size_t r = 0; r < 48; ++r) {
    for (std::size_t k = 0; k < 48; ++k) seen.b[r * 48 + k] = given.b[k * 48 + r];
  }
  check_named(given, seen, "cublaslt-fast", "B is read transposed");
  given = problem::plain(6, 256);
  given.run("cublaslt");
  const std::vector<unsigned char> d = given.d;
  for (std::size_t i = 0; i < given.m * given.n; ++i) {
    const std::size_t to = i % given.n * given.m + i / given.n;
    std::memcpy(&given.d[2 * to], &d[2 * i], 2);
  }
  const GemmDiagnosis found = given.diagnose();
  REQUIRE(!found.exact.empty());
  CHECK(found.exact.front().departure == "D is written column by column");
}

TEST_CASE("Scales: missing, stale, shifted, upside down, of another row") {
  const Problem given = problem::blocks(7, 512);
  const std::size_t blocks = 4;
  const auto with = [&](auto change) {
    Problem seen = given;
    change(seen);
    return seen;
  };
  check_named(given, with([](Problem& p) { std::fill(p.sb.begin(), p.sb.end(), 1.0f); }),
              "deepgemm", "scales of B not applied");
  check_named(given, with([](Problem& p) {
                for (float& s : p.sa) s = 1.0f / s;
              }),
              "deepgemm", "reciprocals of the scales of A");
  check_named(given, with([&](Problem& p) {
                for (std::size_t i = blocks - 1; i < p.sa.size(); i += blocks) p.sa[i] = 1.0f;
              }),
              "deepgemm", "scales of A: 1 in place of the last K block's");
  check_named(given, with([&](Problem& p) {
                for (std::size_t i = blocks - 1; i < p.sb.size(); i += blocks)
                  p.sb[i] = p.sb[i - 1];
              }),
              "deepgemm", "scales of B: the last K block has the one before's");
  check_named(given, with([&](Problem& p) {
                for (std::size_t i = 0; i < p.sa.size(); ++i) p.sa[i] = given.sa[i / 4 * 4];
              }),
              "deepgemm", "scales of A: that of the first K block for all of K");
  check_named(given, with([&](Problem& p) {
                for (std::size_t i = 0; i < p.sa.size(); ++i) {
                  p.sa[i] = given.sa[i / 4 * 4 + std::min<std::size_t>(i % 4 + 1, 3)];
                }
              }),
              "deepgemm", "scales of A: each K block has the next one's");
  check_named(given, with([&](Problem& p) {
                for (std::size_t i = 0; i < p.sa.size(); ++i) p.sa[i] = given.sa[i % 4];
              }),
              "deepgemm", "scales of A: the first row's for all rows");
  check_named(given, with([&](Problem& p) {
                for (std::size_t i = 0; i < p.sa.size(); ++i)
                  p.sa[i] = given.sa[i / 32 * 32 + i % 4];
              }),
              "deepgemm", "scales of A: every 8 rows have their first one's");
  check_named(given, with([&](Problem& p) {
                for (std::size_t i = 0; i < p.sa.size(); ++i) {
                  p.sa[i] = given.sa[i % 4 * given.m + i / 4];
                }
              }),
              "deepgemm", "scales of A: the array is read column by column");
  // The last block's scale lost: its products are gone.
  check_named(given, with([&](Problem& p) {
                for (std::size_t i = blocks - 1; i < p.sa.size(); i += blocks) p.sa[i] = 0.0f;
              }),
              "deepgemm", "the last 128 products of K are left out");
}

TEST_CASE("A fault in part of D: where it lies, and what made it") {
  Problem p = problem::blocks(8, 512);
  p.run("deepgemm");
  Problem stale = p;
  for (std::size_t i = 3; i < stale.sb.size(); i += 4) stale.sb[i] = stale.sb[i - 1];
  stale.run("deepgemm");
  for (std::size_t row = 0; row < p.m; ++row) {  // the second block of columns, 128 to 159
    std::memcpy(&p.d[2 * (row * p.n + 128)], &stale.d[2 * (row * p.n + 128)], 2 * 32);
  }
  const GemmDiagnosis d = p.diagnose();
  INFO(told(p, d));
  CHECK(d.exact.empty());
  CHECK(lists(d.closest.profiles, "deepgemm"));
  CHECK(d.closest.departure.empty());
  CHECK(d.mismatches > 0);
  CHECK(d.closest.matching + d.mismatches == p.m * p.n);
  CHECK(d.rest.departure == "scales of B: the last K block has the one before's");
  CHECK(d.rest.matching == d.mismatches);
  REQUIRE(!d.findings.empty());
  CHECK_THAT(d.findings.front(), ContainsSubstring("columns 128 to 159"));
  REQUIRE(!d.first.empty());
  CHECK(d.first.front().row == 0);
  CHECK(d.first.front().col >= 128);
  std::size_t binned = d.not_finite;
  for (const UlpBin& b : d.ulp_histogram) binned += b.count;
  CHECK(binned == d.mismatches);
  for (std::size_t cell = 0; cell < d.map.size(); ++cell) {
    const std::size_t col = cell % d.map_cols * ((p.n + 63) / 64);
    if (col + 2 < 128) CHECK(d.map[cell] == 0);
  }
}

TEST_CASE("One output without a block of K: the block is found") {
  Problem p = problem::plain(9, 512, Fp32::format);
  p.run("cublaslt");
  Problem less = p;
  zero_columns(less, 256, 384);
  less.run("cublaslt");
  const std::size_t at = 5 * p.n + 7;
  std::memcpy(&p.d[4 * at], &less.d[4 * at], 4);
  const GemmDiagnosis d = p.diagnose();
  REQUIRE(d.mismatches == 1);
  REQUIRE(d.first.size() == 1);
  CHECK(d.first[0].row == 5);
  CHECK(d.first[0].col == 7);
  CHECK(d.first[0].k_first == 256);
  CHECK(d.first[0].k_end == 384);
  CHECK(d.first[0].found != d.first[0].expected);
  std::uint32_t bits = 0;
  std::memcpy(&bits, &p.d[4 * at], 4);
  CHECK(d.first[0].found == bits);
}

TEST_CASE("Specials: NaN patterns and signs of zero are told from wrong values") {
  Problem p = problem::plain(10, 128);
  p.a[3 * p.k] = 0x7f;                                                             // a row of NaN
  std::fill(p.b.begin() + 128, p.b.begin() + 256, static_cast<unsigned char>(0));  // a column of 0
  p.run("cublaslt-fast");
  for (std::size_t i = 0; i < p.m * p.n; ++i) {
    if (p.d[2 * i + 1] == 0x7f && p.d[2 * i] == 0xff) p.d[2 * i] = 0xc0;
    if (p.d[2 * i + 1] == 0 && p.d[2 * i] == 0) p.d[2 * i + 1] = 0x80;
  }
  const GemmDiagnosis d = p.diagnose();
  INFO(told(p, d));
  CHECK(d.exact.empty());
  CHECK(d.closest.same_value == p.m * p.n);
  CHECK(d.mismatches == p.n + p.m - 1);
  CHECK(d.not_finite == p.n);
  std::string all;
  for (const std::string& f : d.findings) all += f + "; ";
  CHECK_THAT(all, ContainsSubstring("NaN under other bits"));
  CHECK_THAT(all, ContainsSubstring("zeros under another sign"));
}

TEST_CASE("An output that has nothing to do with its inputs is called that") {
  Problem p = problem::plain(11, 256);
  p.d = problem::normal_codes(Bf16::format, p.m * p.n, 99);
  const GemmDiagnosis d = p.diagnose();
  CHECK(d.exact.empty());
  CHECK(d.closest.matching * 4 < p.m * p.n);
  CHECK(d.rest.chains.empty());
  // Constants: zeros and NaN.
  for (const int byte : {0x00, 0xff}) {
    std::fill(p.d.begin(), p.d.end(), static_cast<unsigned char>(byte));
    const GemmDiagnosis constant = p.diagnose();
    CHECK(constant.exact.empty());
    CHECK(!constant.findings.empty());
  }
}
