"""What Python adds to a cast: fp32 to e4m3 through the package, beside the C++ call, ml_dtypes and
gfloat, interleaved in one process.

Usage: cast_speed.py TIMER [COUNT [REPEATS]], where TIMER is the library of cast_timer.cpp. Prints
the median of each with its quartiles, and the ratio of the package to C++; judges nothing.
"""
import ctypes
import sys
import time

import binade
import ml_dtypes
import numpy as np

timer = ctypes.CDLL(sys.argv[1]).cast_seconds
timer.restype = ctypes.c_double
timer.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
count = int(sys.argv[2]) if len(sys.argv) > 2 else 1 << 20
repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 201

x = np.random.default_rng(0).standard_normal(count).astype(np.float32)
target = np.empty(count, np.uint8)


def timed(function):
    def seconds():
        begin = time.perf_counter()
        function()
        return time.perf_counter() - begin
    return seconds


subjects = {
    "C++ cast": lambda: timer(x.ctypes.data, target.ctypes.data, count),
    "binade.encode": timed(lambda: binade.encode(x, "e4m3")),
    "ml_dtypes astype": timed(lambda: x.astype(ml_dtypes.float8_e4m3fn)),
}
seldom = {}
try:
    import gfloat
    from gfloat.formats import format_info_ocp_e4m3

    seldom["gfloat.round_ndarray"] = timed(
        lambda: gfloat.round_ndarray(format_info_ocp_e4m3, x.astype(np.float64), sat=True))
except ImportError:
    print("no gfloat here")

subjects["C++ cast"]()
assert np.array_equal(target, binade.encode(x, "e4m3").view(np.uint8)), "two casts, two answers"
samples = {name: [] for name in (*subjects, *seldom)}
for i in range(repeats):
    for name in subjects:
        samples[name].append(subjects[name]())
    if i % 40 == 0:
        for name in seldom:
            samples[name].append(seldom[name]())

print(f"fp32 to e4m3, {count} normal numbers, {repeats} interleaved repeats, isa {binade.isa()}")
for name, seconds in samples.items():
    low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    print(f"{name:22} {1e6 * median:10.1f} us   quartiles {1e6 * low:.1f} .. {1e6 * high:.1f}")
pairs = np.array(samples["binade.encode"]) / np.array(samples["C++ cast"])
ratio = np.median(samples["binade.encode"]) / np.median(samples["C++ cast"])
print(f"binade.encode / C++ cast: ratio of medians {ratio:.3f}, median of ratios "
      f"{np.median(pairs):.3f}")
