// The division by a known number, which tiles of the GEMM find their place by.
#include "divider.hpp"

#include <cstdint>

#include "catch.hpp"

using binade::cuda::Divider;

namespace {

constexpr std::int64_t kMost = 0x7fffffff;

/// Dividends beside whole multiples, where an error would show first.
std::size_t wrong_quotients(std::int64_t divisor) {
  const Divider by(static_cast<std::uint32_t>(divisor));
  std::size_t wrong = 0;
  const std::int64_t multiples = kMost / divisor;
  for (std::int64_t q = 0; q <= multiples; q += 1 + multiples / 5000) {
    for (const std::int64_t n : {q * divisor - 1, q * divisor, q * divisor + 1}) {
      if (n >= 0 && n <= kMost) wrong += by.quotient(static_cast<int>(n)) != n / divisor;
    }
  }
  for (std::int64_t n = kMost; n > kMost - 10; --n) {
    wrong += by.quotient(static_cast<int>(n)) != n / divisor;
  }
  return wrong;
}

}  // namespace

TEST_CASE("division by multiplication is exact") {
  std::size_t wrong = 0;
  for (std::int64_t divisor = 1; divisor < 2000; ++divisor) wrong += wrong_quotients(divisor);
  for (int bit = 11; bit < 31; ++bit) {
    for (const std::int64_t off : {-1, 0, 1})
      wrong += wrong_quotients((std::int64_t{1} << bit) + off);
  }
  wrong += wrong_quotients(kMost);
  CHECK(wrong == 0);
  CHECK(Divider(7).divisor() == 7);
}
