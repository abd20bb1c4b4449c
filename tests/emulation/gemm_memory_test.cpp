// An emulated GEMM takes no more memory than twice its operands: every allocation is counted.
#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "binade/emulation/gemm.hpp"
#include "binade/emulation/instructions.hpp"
#include "binade/formats/catalog.hpp"
#include "catch.hpp"

using namespace binade;

namespace {
std::atomic<std::size_t> held{0}, most{0};

/// The size lies before the block, in as much room as keeps the alignment.
void* take(std::size_t bytes, std::size_t alignment) {
  const std::size_t room = alignment < 16 ? 16 : alignment;
  auto* base = static_cast<char*>(std::aligned_alloc(room, (bytes + 2 * room - 1) / room * room));
  if (base == nullptr) throw std::bad_alloc();
  *reinterpret_cast<std::size_t*>(base) = bytes;
  const std::size_t now = held += bytes;
  for (std::size_t seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
  }
  return base + room;
}
void give(void* p, std::size_t alignment) {
  if (p == nullptr) return;
  char* base = static_cast<char*>(p) - (alignment < 16 ? 16 : alignment);
  held -= *reinterpret_cast<std::size_t*>(base);
  std::free(base);
}
}  // namespace

void* operator new(std::size_t n) { return take(n, 16); }
void* operator new(std::size_t n, std::align_val_t a) { return take(n, std::size_t(a)); }
void operator delete(void* p) noexcept { give(p, 16); }
void operator delete(void* p, std::size_t) noexcept { give(p, 16); }
void operator delete(void* p, std::align_val_t a) noexcept { give(p, std::size_t(a)); }
void operator delete(void* p, std::size_t, std::align_val_t a) noexcept { give(p, std::size_t(a)); }

TEST_CASE("a GEMM's scratch stays below twice its operands, and does not grow with them") {
  const auto scratch = [](const char* profile, FloatFormat f, std::size_t side, std::size_t k,
                          int threads, const Instruction* instruction = nullptr) {
    const std::size_t width = static_cast<std::size_t>(f.container_bits()) / 8;
    std::vector<std::uint8_t> a(side * k * width, 0x28), b(side * k * width, 0x29);
    std::vector<float> d(side * side);
    GemmOptions options;
    options.threads = threads;
    options.instruction = instruction;
    const std::size_t before = held;
    most = before;
    gemm(find_gemm_profile(profile), {f, a.data(), side}, {f, b.data(), side}, k, kFp32Format,
         d.data(), options);
    return most - before;
  };
  for (const char* profile : {"cublaslt-fast", "cublaslt", "deepgemm"}) {
    INFO(profile);
    CHECK(scratch(profile, E4M3::format, 1024, 1024, 1) <= 2 * (2 << 20));
    CHECK(scratch(profile, E4M3::format, 1024, 1024, 2) <= 2 * (2 << 20));
    CHECK(scratch(profile, Bf16::format, 512, 1024, 1) <= 2 * (2 << 20));
    CHECK(scratch(profile, E4M3::format, 512, 4096, 1) <=
          scratch(profile, E4M3::format, 512, 1024, 1));
  }
  const Instruction& wide = find_instruction("reference.wide.e4m3.e4m3");
  CHECK(scratch("cublaslt-fast", E4M3::format, 1024, 1024, 2, &wide) <= 2 * (2 << 20));
  CHECK(scratch("cublaslt-fast", E4M3::format, 512, 4096, 1, &wide) <=
        scratch("cublaslt-fast", E4M3::format, 512, 1024, 1, &wide));
}
