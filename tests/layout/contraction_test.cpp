// Fails when a*b+c is contracted into a fused operation, or when subnormals are flushed.
#include <cstdio>

int main() {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("fma")) {
    std::puts("skipped: this processor has no FMA, so nothing could be contracted");
    return 77;
  }
#endif
  volatile float x = 1.0f + 0x1p-12f, tiny = 0x1p-126f, half = 0.5f;
  const float a = x;
  // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24: the last term survives only in a fused operation.
  const float product = a * a - (1.0f + 0x1p-11f);
  if (product != 0.0f) {
    std::printf("contracted: a*a-c gives %a, separate operations give 0\n", product);
    return 1;
  }
  const float subnormal = tiny * half;
  if (subnormal != 0x1p-127f) {
    std::printf("flushed: 2^-126 / 2 gives %a\n", subnormal);
    return 1;
  }
  return 0;
}
