"""Shared by the oracles: casts numpy arrays with the library, through the program cast_file.

Codes travel as numpy arrays of the container's width; nothing here knows about number formats.
"""
import pathlib
import subprocess
import sys
import tempfile

SKIP = 77


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIP)


try:
    import numpy as np
except ImportError:
    skip("no numpy here")


class Library:
    """Collects casts and runs them in one process."""

    def __init__(self, program):
        self.program = program
        self.jobs = []

    def cast(self, source, from_name, to_name, dtype, rounding="nearest_even", overflow="special",
             nan="keep_sign"):
        """Returns a function that gives the codes, once run() has been called."""
        self.jobs.append((source, from_name, to_name, rounding, overflow, nan, np.dtype(dtype)))
        index = len(self.jobs) - 1
        return lambda: self.results[index]

    def run(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            lines = []
            for i, (source, *names, _) in enumerate(self.jobs):
                source.tofile(folder / f"{i}.in")
                lines.append(" ".join([*names, str(folder / f"{i}.in"), str(folder / f"{i}.out")]))
            subprocess.run([self.program], input="\n".join(lines) + "\n", text=True, check=True)
            self.results = [np.fromfile(folder / f"{i}.out", dtype=job[-1])
                            for i, job in enumerate(self.jobs)]


class Report:
    """Counts comparisons; the first mismatch of each is shown."""

    def __init__(self):
        self.compared = 0
        self.faults = []

    def equal(self, what, inputs, got, want):
        self.compared += len(got)
        wrong = np.flatnonzero(got != want)
        if len(got) != len(want):
            self.faults.append(f"{what}: {len(got)} results for {len(want)}")
        elif len(wrong):
            i = wrong[0]
            self.faults.append(f"{what}: {len(wrong)} of {len(got)} differ, first [{i}] "
                               f"input {inputs[i]!r} got {got[i]:#x} want {want[i]:#x}")

    def finish(self):
        print("\n".join(self.faults) or f"{self.compared} codes equal")
        sys.exit(1 if self.faults or not self.compared else 0)


def hard_floats(values, seed=1):
    """fp32 inputs: random bits, the given values, the middles between them, and their neighbours."""
    values = np.unique(values[np.isfinite(values)].astype(np.float64))
    middles = (values[1:] + values[:-1]) / 2
    with np.errstate(over="ignore"):
        edges = np.concatenate([values, middles, values * 1.0625, values * 2]).astype(np.float32)
    bits = edges.view(np.uint32)
    bits = np.concatenate([bits, bits + 1, bits - 1])
    specials = np.array([0, 0x80000000, 1, 0x80000001, 0x7f800000, 0xff800000, 0x7fc00000,
                         0xffc00000, 0x7f800001, 0x7f7fffff, 0xff7fffff], np.uint32)
    random = np.random.default_rng(seed).integers(0, 2**32, 200_000, dtype=np.uint32)
    return np.concatenate([bits, specials, random]).view(np.float32)
