"""What Python adds to a cast: fp32 to e4m3 through the package, beside the C++ call, ml_dtypes and
gfloat, interleaved in random order in one process.

Usage: cast_speed.py TIMER [COUNT [REPEATS]], where TIMER is the library of cast_timer.cpp. Prints
the median of each with its quartiles, and the ratio of the package to C++; judges nothing. Each visit
calls three times: the first call finds the caches full of another library's work.
"""
import ctypes
import random
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
again = {name: [] for name in (*subjects, *seldom)}
first = {name: [] for name in subjects}
order = list(subjects)
shuffle = random.Random(0).shuffle
for i in range(repeats):
    shuffle(order)  # who comes first after whom must not matter
    for name in order:
        first[name].append(subjects[name]())
        again[name] += [subjects[name](), subjects[name]()]
    if i % 40 == 0:
        for name in seldom:
            again[name].append(seldom[name]())


def ratio(samples):
    return np.median(samples["binade.encode"]) / np.median(samples["C++ cast"])


print(f"fp32 to e4m3, {count} normal numbers, {repeats} interleaved rounds, isa {binade.isa()}")
for name, seconds in again.items():
    low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    print(f"{name:22} {1e6 * median:10.1f} us   quartiles {1e6 * low:.1f} .. {1e6 * high:.1f}")
print(f"binade.encode / C++ cast: {ratio(again):.3f}; "
      f"{ratio(first):.3f} for the first call after another library's")
