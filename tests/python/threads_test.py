"""The interpreter's lock is released while C++ computes, and threads do not disturb each other."""
import concurrent.futures
import threading
import time

import binade
import numpy as np
import pytest

RNG = np.random.default_rng(13)


@pytest.fixture(scope="module")
def data():
    x = RNG.standard_normal((2048, 8192)).astype(np.float32)
    q = binade.quantize(x, "deepgemm", granularity="1x128")
    codes = q.codes[:512, :2048]
    return {"x": x, "wide": x.astype(np.float64), "q": q, "codes": codes}


CALLS = {
    "encode": lambda d: binade.encode(d["x"], "binary8p4se"),
    "decode": lambda d: binade.decode(d["q"].codes),
    "round_to": lambda d: binade.round_to(d["x"], "binary8p4se"),
    "quantize": lambda d: binade.quantize(d["x"], "deepgemm"),
    "dequantize": lambda d: d["q"].dequantize(),
    "dot": lambda d: binade.dot(d["codes"], d["codes"], instruction="hopper.wgmma.f32.e4m3.e4m3"),
    "gemm": lambda d: binade.gemm(d["codes"], d["codes"], profile="cublaslt", threads=1),
    "metrics": lambda d: binade.metrics(d["wide"], d["wide"]),
    "errors": lambda d: binade.errors(d["x"][:64, :1024], d["x"][:64, :1024], recipe="deepseek-v3",
                                      profile="deepgemm"),
    "experiment": lambda d: binade.experiments.outlier_damage(rows=256, cols=1024),
}


def ticks_inside(call, most_calls):
    """How often another thread's clock ticked within one call, between its first tenth and its
    last; the calls are repeated until one saw three ticks."""
    ticks, stop, best = [], threading.Event(), 0

    def clock():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0002)

    thread = threading.Thread(target=clock)
    thread.start()
    try:
        for _ in range(most_calls):
            ticks.clear()
            begin = time.perf_counter()
            call()
            tenth = (time.perf_counter() - begin) / 10
            best = max(best, sum(begin + tenth < t < begin + 9 * tenth for t in ticks))
            if best >= 3:
                break
    finally:
        stop.set()
        thread.join()
    return best


@pytest.mark.parametrize("name", CALLS)
def test_the_lock_is_released(name, data):
    assert ticks_inside(lambda: CALLS[name](data), 200) >= 3


def test_a_lock_that_is_held_would_be_noticed():
    numbers = RNG.standard_normal(1 << 19).tolist()
    assert ticks_inside(lambda: sorted(numbers), 3) == 0


def test_threads_get_what_one_alone_would():
    x = RNG.standard_normal((64, 512)).astype(np.float32) * 30
    jobs = []
    for name in ("e4m3", "e5m2", "bf16", "binary8p3se", "e3m4"):
        jobs.append(lambda name=name: binade.encode(x, name).tobytes())
        jobs.append(lambda name=name: binade.encode(x, name, rounding="stochastic_a",
                                                    seed=9).tobytes())
    for recipe in ("deepgemm", "ocp-mx", "nvfp4"):
        jobs.append(lambda recipe=recipe: binade.quantize(x, recipe).codes.tobytes())
    q = binade.quantize(x, "deepgemm", granularity="1x128")
    jobs.append(lambda: binade.gemm(q.codes, q.codes, profile="cublaslt").tobytes())
    want = [job() for job in jobs]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            got = list(pool.map(lambda job: job(), jobs))
            assert got == want
