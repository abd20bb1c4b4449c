// Prints the ISA in force, as a fresh process finds it; the error, and status 3, where there is
// one.
#include <cstdio>
#include <stdexcept>
#include <string>

#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"

int main() {
  try {
    const float x = 1.3f;
    unsigned char code = 0;
    binade::cast(binade::kFp32Format, &x, binade::E4M3::format, &code, 1);
    std::printf("%s 0x%02x\n", std::string(binade::isa_name(binade::isa())).c_str(), code);
    return 0;
  } catch (const std::invalid_argument& error) {
    std::printf("%s\n", error.what());
    return 3;
  }
}
