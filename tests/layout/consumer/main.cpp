// A user's program: it sees the installed headers and libraries and nothing else of the tree.
#include <cstdint>
#include <cstdio>
#include <vector>

#include "binade/emulation/instructions.hpp"
#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"

int main() {
  using namespace binade;
  const std::vector<float> x{1.3f, 500.0f, -0.0f};
  std::vector<std::uint8_t> codes(x.size());
  cast(kFp32Format, x.data(), E4M3::format, codes.data(), x.size());
  const bool cast_ok = codes[0] == 0x3a && codes[1] == 0x7e && codes[2] == 0x80;

  const Instruction& wgmma = find_instruction("hopper.wgmma.f32.e4m3.e4m3");
  const std::vector<std::uint8_t> ones(32, 0x38);
  float c = 0.0f, d = 0.0f;
  dot(wgmma, ones.data(), ones.data(), &c, &d, 1, 32);
  std::printf("1.3 -> 0x%02x, a step of 32 ones -> %g\n", codes[0], static_cast<double>(d));
  return cast_ok && d == 32.0f ? 0 : 1;
}
