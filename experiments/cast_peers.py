"""How fast is a cast beside those of other libraries, on one thread of a CPU?

Encodes fp32 arrays and decodes their codes through the Python package, and the same by ml_dtypes,
gfloat and, for fp16, numpy, interleaved in random order in one process; the limit is numpy's copy of
the fp32 array. Counts the codes, or values, that differ from the package's: all libraries round to
nearest even, and standard normal numbers overflow in none of the formats.

    python cast_peers.py --out out
    python plots/cast_peers.py out/cast_peers.csv
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before the package is loaded

import binade
import numpy as np
from provenance import write_csv

try:
    import gfloat
    import ml_dtypes
    from gfloat import formats
except ImportError as error:
    sys.exit(f"cast_peers: {error}; it needs ml_dtypes and gfloat")

COLUMNS = {
    "operation": "encode (fp32 to codes), decode (codes to fp32) or copy (fp32 to fp32, by numpy)",
    "format": "of the codes",
    "library": "whose cast it is",
    "elements": "of the array",
    "repeats": "timed runs",
    "rate [G/s]": "elements a second of the thread's own time, median run",
    "rate_slowest [G/s]": "the same of the slowest run",
    "rate_fastest [G/s]": "the same of the fastest run",
    "binade_over": "the package's median rate over this one",
    "differs": "results whose bits are not the package's; -1 for a copy",
}
# The format's name here, ml_dtypes' type, gfloat's description.
FORMATS = {
    "e4m3": (ml_dtypes.float8_e4m3fn, formats.format_info_ocp_e4m3),
    "e5m2": (ml_dtypes.float8_e5m2, formats.format_info_ocp_e5m2),
    "bf16": (ml_dtypes.bfloat16, formats.format_info_bfloat16),
    "fp16": (np.float16, formats.format_info_binary16),
}
GFLOAT_ELEMENTS = 1 << 16  # it takes microseconds an element


@dataclass
class Trial:
    operation: str
    format: str
    library: str
    elements: int
    run: Callable[[], Any]
    seconds: list[float] = field(default_factory=list)
    differs: int = -1

    def rate(self, seconds: float) -> float:
        return self.elements / seconds * 1e-9

    def visit(self) -> None:
        begin = time.thread_time()
        self.run()
        self.seconds.append(time.thread_time() - begin)


def words(values: Any) -> np.ndarray:
    """Bits, as unsigned integers."""
    array = np.ascontiguousarray(values)
    return array.view(f"u{array.dtype.itemsize}")


def count_differing(ours: Any, theirs: Any) -> int:
    a, b = words(ours), words(theirs).astype(words(ours).dtype)
    return int(np.count_nonzero(a[: b.size] != b))


def trials_of(name: str, x: np.ndarray) -> list[Trial]:
    dtype, info = FORMATS[name]
    few = x[:GFLOAT_ELEMENTS]
    wide = few.astype(np.float64)  # what gfloat computes in
    codes = np.ascontiguousarray(x.astype(dtype))
    few_codes = words(codes[:few.size]).astype(np.uint64)
    peer = "numpy" if name == "fp16" else "ml_dtypes"

    def gfloat_encode() -> Any:
        return gfloat.encode_ndarray(info, gfloat.round_ndarray(info, wide))

    trials = [
        Trial("encode", name, "binade", x.size, lambda: binade.encode(x, name)),
        Trial("encode", name, peer, x.size, lambda: x.astype(dtype)),
        Trial("encode", name, "gfloat", few.size, gfloat_encode),
        Trial("decode", name, "binade", x.size, lambda: binade.decode(codes, name)),
        Trial("decode", name, peer, x.size, lambda: codes.astype(np.float32)),
        Trial("decode", name, "gfloat", few.size, lambda: gfloat.decode_ndarray(info, few_codes)),
    ]
    for trial in trials:
        ours = binade.encode(x, name) if trial.operation == "encode" else binade.decode(codes, name)
        theirs = trial.run()
        if trial.library == "gfloat" and trial.operation == "decode":
            theirs = np.asarray(theirs, np.float32)
        trial.differs = count_differing(ours, theirs)
    return trials


def measure(elements: int, repeats: int, seed: int) -> list[Trial]:
    x = np.random.default_rng(seed).standard_normal(elements).astype(np.float32)
    room = np.empty_like(x)
    trials = [Trial("copy", "fp32", "numpy", elements, lambda: np.copyto(room, x))]
    for name in FORMATS:
        trials += trials_of(name, x)
    order, shuffle = list(trials), random.Random(seed).shuffle
    for _ in range(repeats):
        shuffle(order)  # who comes after whom must not matter
        for trial in order:
            trial.visit()
    return trials


def rows_of(trials: list[Trial]) -> list[list[Any]]:
    medians = {(t.operation, t.format): t.rate(statistics.median(t.seconds))
               for t in trials if t.library == "binade"}
    rows: list[list[Any]] = []
    for t in trials:
        median = t.rate(statistics.median(t.seconds))
        ours = medians.get((t.operation, t.format), float("nan"))
        rows.append([t.operation, t.format, t.library, t.elements, len(t.seconds), median,
                     t.rate(max(t.seconds)), t.rate(min(t.seconds)), ours / median, t.differs])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--elements", type=int, default=1 << 24, help="of the arrays")
    parser.add_argument("--repeats", type=int, default=7, help="timed runs of each, interleaved")
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()
    if min(options.elements, options.repeats) < 1 or options.seed < 0:
        parser.error("expected elements and repeats above 0, and a seed that is not negative")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {options.out}: {error.strerror}")
    rows = rows_of(measure(options.elements, options.repeats, options.seed))
    path = options.out / "cast_peers.csv"
    write_csv(path, COLUMNS, rows, command="python cast_peers.py", seed=options.seed, notes=[
        f"standard normal numbers, one thread; numpy {np.__version__}, ml_dtypes "
        f"{ml_dtypes.__version__}; results that are new arrays, as each library makes them"])
    for row in rows:
        print(f"{row[0]:7} {row[1]:5} {row[2]:10} {row[5]:9.4f} G/s   binade over it {row[8]:8.2f}"
              f"   differs {row[9]}")
    print(path)


if __name__ == "__main__":
    main()
