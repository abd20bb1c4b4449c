"""How fast are casts, quantisers and FP8 GEMMs on a GPU beside torch's, and how many bits differ?

Casts and quantisers of one matrix and FP8 GEMMs of several shapes through the Python package, and
the same by torch on the same arrays in the same process; the limit of what only moves memory is
torch's copy_ of as many bytes.

    python device_peers.py --out out        # needs torch and a Hopper GPU
    python plots/device_peers.py out/device_peers.csv

A time is that between CUDA events around one call, and calls are queued ahead of the device: the
package works on the legacy default stream, which no graph can capture, and Python may take longer
to launch a kernel than the device to run it. Before those that are timed twice as many calls go,
or four or eight times as many, until the last is queued before the first begins. Where the queue
runs dry nevertheless, and once more, the device waits first (torch.cuda._sleep), twice as long each
time; and then it waits as long for every contender, since a device that has rested runs faster.

Contenders take turns, some calls each, in rounds of changing order: so all meet the same clock,
which under a GEMM's load changes by tenths within a second. Each GEMM has first run for a quarter
of a second, untimed. After that each runs alone for as long and is timed again, at the clock that
its own power leaves it: a second figure, less steady. Inputs take turns beyond the L2, a call's
result has an array of its own, and scales lie as each library takes them.

torch's quantisers are DeepGEMM's words (recipe deepgemm-cuda) for each granularity, compiled.
Compiled code divides to within two units in the last place, not to the nearest, so the package's
bits are also compared with those of the same words run eagerly.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import math
import random
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


MISSING = ""
try:
    import binade
    import binade.cuda
    import torch
    from provenance import write_csv
except (ImportError, OSError) as error:  # OSError: a torch whose libraries are not there
    MISSING = f"{first_line(error)}; it needs the package and torch"

COLUMNS = {
    "operation": "cast, quantise or gemm",
    "what": "formats; format and granularity, to e4m3; scales and fast accumulation",
    "shape": "rows x columns; M x N x K of a GEMM, e4m3 to bf16",
    "library": "binade, torch, torch.compile, or copy: torch's copy_ of as many bytes",
    "repeats": "timed calls",
    "time [us]": "of a call, median",
    "time_slowest [us]": "the same of the slowest call",
    "time_fastest [us]": "the same of the fastest call",
    "share_of_copy": "the copy's median time over this one; nan for a GEMM",
    "rate": "of the median call: GB/s moved, x twice for a tensor's scale; of a GEMM TFLOP/s",
    "binade_over": "this median time over the package's: how many times as fast the package is",
    "differs": "results whose bits are not the package's, codes and scales; -1 for a copy",
    "differs_eager": "the same of torch's words run eagerly, of a quantiser; else -1",
    "ahead": "calls before those that are timed, for each of them",
    "rest [ms]": "for which the device waits before them, while calls are queued",
    "time_alone [us]": "of a GEMM, the median time of a call after others of its own; else nan",
    "alone_over": "as binade_over, of these times",
}
OPERATIONS = ("casts", "quantisers", "gemm")
RECIPE = "deepgemm-cuda"
SOURCES = ("bf16", "fp32")
# What a GEMM's scales are and how it accumulates: our profile, torch's use_fast_accum.
GEMMS = {"tensor fast": ("cublaslt-fast", True), "tensor": ("cublaslt", False),
         "row fast": ("torch-rowwise-fast", True), "row": ("torch-rowwise", False),
         "block": ("deepgemm", False)}
MATRIX, SMALL_MATRIX = (8192, 7168), (256, 512)
SHAPES = ((8192, 8192, 8192), (4096, 4096, 4096), (4096, 7168, 2048), (4096, 2112, 7168),
          (4096, 24576, 1536), (64, 7168, 16384))
SMALL_SHAPES = ((256, 512, 512),)
BEYOND_CACHES = 1 << 29  # bytes that inputs take turns through
HEAT = 0.25  # seconds that each GEMM runs before it is timed, in turns and alone
ALONE = 3  # rounds in which each runs alone
# Times as many calls before those timed, which find what another contender has left.
LEADS = (2, 4, 8)
MOST_REPEATS = 64  # with twice as many before, and the launches of each, they fit into the queue
CYCLES = 2e9  # of the device's clock a second, about
FIRST_PAUSE, LONGEST_PAUSE = 2e-3, 2.0  # seconds


def dtype_of(name: str) -> Any:
    return {"bf16": torch.bfloat16, "fp32": torch.float32, "e4m3": torch.float8_e4m3fn,
            "e5m2": torch.float8_e5m2}[name]


def count_differing(ours: Any, theirs: Any) -> int:
    """Elements of arrays, or of tuples of arrays, whose bits are not the same."""
    if isinstance(ours, tuple):
        return sum(count_differing(*pair) for pair in zip(ours, theirs, strict=True))
    bits = {1: torch.uint8, 2: torch.int16, 4: torch.int32}
    a, b = (t.flatten().view(bits[t.element_size()]) for t in (ours, theirs))
    return int((a != b).sum())


@dataclass
class Trial:
    """One contender. `run` takes which of the sets of inputs."""

    library: str
    run: Callable[[int], Any]
    differs: int = -1
    differs_eager: int = -1
    microseconds: list[float] = field(default_factory=list)  # in turns
    alone: list[float] = field(default_factory=list)

    def stretch(self, sets: int, heat: float, repeats: int, lead: int,
                pause: float) -> list[float] | None:
        """Microseconds of `repeats` calls, after `lead` times as many and a rest; None where one
        may have waited for the host. heat: seconds for which it has run in the same way before."""
        turn, kept = itertools.count(), [None] * sets

        def call() -> None:  # the result stays, so that the next has another place
            at = next(turn) % sets
            kept[at] = self.run(at)

        before = math.ceil(heat / seconds_of(call, pause) / (1 + lead) / repeats) if heat else 0
        for _ in range(before):
            timed(call, repeats, lead, pause)
        return timed(call, repeats, lead, pause)


def seconds_of(call: Callable[[], None], pause: float) -> float:
    """Of one call, about."""
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    calls = 3
    call()
    rest(pause)
    begin.record()
    for _ in range(calls):
        call()
    end.record()
    torch.cuda.synchronize()
    return max(1e-6, begin.elapsed_time(end) * 1e-3 / calls)


def rest(pause: float) -> None:
    if pause:
        torch.cuda._sleep(int(pause * CYCLES))


def timed(call: Callable[[], None], repeats: int, lead: int, pause: float) -> list[float] | None:
    """Microseconds of each call; None where one may have waited for the host."""
    events = [torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]
    rest(pause)
    for _ in range(lead * repeats):
        call()
    events[0].record()
    for event in events[1:]:
        call()
        event.record()
    ahead = not events[0].query()
    torch.cuda.synchronize()
    if not ahead:
        return None
    return [1e3 * begin.elapsed_time(end) for begin, end in itertools.pairwise(events)]


def ways_to_queue() -> Iterator[tuple[int, float]]:
    """How many times as many calls go ahead, and for how long the device waits before them: the
    shortest first, and no rest where calls ahead will do."""
    for lead in LEADS:
        yield lead, 0.0
    pause = FIRST_PAUSE
    while pause <= LONGEST_PAUSE:
        yield LEADS[0], pause
        pause *= 2


@dataclass
class Comparison:
    """One operation by all its contenders. `work`: bytes that a call moves, of a GEMM its FLOP."""

    operation: str
    what: str
    shape: tuple[int, ...]
    work: float
    sets: int
    trials: list[Trial] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    lead: int = LEADS[0]
    pause: float = 0.0  # seconds for which the device waits while calls are queued

    def add_ours(self, run: Callable[[int], Any]) -> Any:
        self.trials.append(Trial("binade", run, 0))
        return run(0)

    def add_peer(self, library: str, run: Callable[[int], Any], ours: Any,
                 eager: Any = None) -> None:
        """A contender that may not have this operation, and whose bits are counted."""
        try:
            theirs = run(0)
        except (RuntimeError, ValueError) as error:
            self.refusals.append(f"{library} has no {self.title}: {first_line(error)}")
            return
        self.trials.append(Trial(library, run, count_differing(ours, theirs),
                                 -1 if eager is None else count_differing(ours, eager)))

    def add_copy(self) -> None:
        half = int(self.work) // 2
        a, b = ([torch.zeros(half, dtype=torch.uint8, device="cuda") for _ in range(self.sets)]
                for _ in range(2))
        self.trials.append(Trial("copy", lambda i: a[i].copy_(b[i])))

    @property
    def title(self) -> str:
        return f"{self.operation} {self.what} {' x '.join(map(str, self.shape))}"

    def measure(self, rounds: int, repeats: int, heat: float,
                shuffle: Callable[[list[Trial]], None]) -> None:
        """heat: seconds that each GEMM runs before it is timed, rests not counted."""
        for self.lead, self.pause in ways_to_queue():
            if self.attempt(rounds, repeats, heat if self.operation == "gemm" else 0.0, shuffle):
                return
        raise RuntimeError(f"{self.title}: calls cannot be queued as fast as they run")

    def attempt(self, rounds: int, repeats: int, heat: float,
                shuffle: Callable[[list[Trial]], None]) -> bool:
        """False as soon as the queue runs dry for a contender: what was measured is dropped."""
        for trial in self.trials:
            trial.microseconds.clear()
            trial.alone.clear()

        def in_turn() -> list[Trial]:
            order = list(self.trials)
            shuffle(order)  # who comes after whom must not matter
            return order

        for trial in in_turn():  # the first calls find no memory yet: these may run dry
            trial.stretch(self.sets, heat, repeats, self.lead, self.pause)
        for alone in [False] * rounds + [True] * (ALONE if heat else 0):
            way = self.sets, heat if alone else 0.0, repeats, self.lead, self.pause
            for trial in in_turn():
                # Once more, for the host may have been held up by something else.
                times = trial.stretch(*way) or trial.stretch(*way)
                if times is None:
                    return False
                (trial.alone if alone else trial.microseconds).extend(times)
        return True

    def rows(self) -> list[list[Any]]:
        medians = {t.library: statistics.median(t.microseconds) for t in self.trials}
        alone = {t.library: statistics.median(t.alone or [math.nan]) for t in self.trials}
        copy = medians.get("copy", math.nan)
        to_rate = 1e-6 if self.operation == "gemm" else 1e-3
        return [[self.operation, self.what, "x".join(map(str, self.shape)), t.library,
                 len(t.microseconds), medians[t.library], max(t.microseconds), min(t.microseconds),
                 copy / medians[t.library], self.work / medians[t.library] * to_rate,
                 medians[t.library] / medians["binade"], t.differs, t.differs_eager,
                 self.lead, self.pause * 1e3, alone[t.library], alone[t.library] / alone["binade"]]
                for t in self.trials]


@dataclass
class Inputs:
    """Normal numbers on the device."""

    seed: int
    smoke: bool

    def __post_init__(self) -> None:
        self.generator = torch.Generator("cuda").manual_seed(self.seed)

    def sets(self, size: int) -> int:
        """How many inputs of `size` bytes lie beyond the caches."""
        return 2 if self.smoke else max(2, -(-BEYOND_CACHES // size))

    def normal(self, rows: int, cols: int, dtype: Any) -> Any:
        return torch.randn(rows, cols, generator=self.generator, device="cuda").to(dtype)

    def matrices(self, source: str) -> list[Any]:
        rows, cols = SMALL_MATRIX if self.smoke else MATRIX
        dtype = dtype_of(source)
        sets = self.sets(rows * cols * dtype.itemsize)
        return [self.normal(rows, cols, dtype) for _ in range(sets)]

    def scales(self, rows: int, cols: int) -> Any:
        return torch.rand(rows, cols, generator=self.generator, device="cuda") * 0.01 + 0.01


def cast_comparison(source: str, to: str, x: list[Any]) -> Comparison:
    torch.compiler.reset()  # what was compiled before would be guarded against at every call
    dtype = dtype_of(to)
    compiled = torch.compile(lambda y: y.to(dtype), dynamic=False)
    comparison = Comparison("cast", f"{source} to {to}", tuple(x[0].shape),
                            x[0].numel() * (x[0].element_size() + 1), len(x))
    ours = comparison.add_ours(lambda i: binade.cuda.cast(x[i], to, overflow="special"))
    comparison.add_peer("torch", lambda i: x[i].to(dtype), ours)
    comparison.add_peer("torch.compile", lambda i: compiled(x[i]), ours)
    comparison.add_copy()
    return comparison


def quantise(x: Any, height: int, width: int) -> tuple[Any, Any]:
    """DeepGEMM's recipe in torch's words: codes, and the scales of blocks."""
    rows, cols = x.shape
    blocks = x.float().view(rows // height, height, cols // width, width)
    scales = blocks.abs().amax((1, 3), keepdim=True).clamp(1e-4) / 448.0
    codes = (blocks * (1.0 / scales)).to(torch.float8_e4m3fn)
    return codes.view(rows, cols), scales


def quantiser_comparison(source: str, granularity: str, x: list[Any]) -> Comparison:
    torch.compiler.reset()
    rows, cols = x[0].shape
    height, width = {"1x128": (1, 128), "128x128": (128, 128), "row": (1, cols),
                     "tensor": (rows, cols)}[granularity]
    compiled = torch.compile(lambda y: quantise(y, height, width), dynamic=False)
    readings = 2 if granularity == "tensor" else 1  # its scale is not known before its end
    moved = (rows * cols * (readings * x[0].element_size() + 1)
             + rows // height * (cols // width) * 4)
    comparison = Comparison("quantise", f"{source} {granularity}", (rows, cols), moved, len(x))

    def ours(i: int) -> tuple[Any, Any]:
        q = binade.cuda.quantize(x[i], RECIPE, granularity=granularity)
        return q.codes, q.scales

    comparison.add_peer("torch.compile", lambda i: compiled(x[i]), comparison.add_ours(ours),
                        eager=quantise(x[0], height, width))
    comparison.add_copy()
    return comparison


def gemm_comparison(what: str, a: list[Any], b: list[Any], scale_a: Any,
                    scale_b: Any) -> Comparison:
    profile, fast = GEMMS[what]
    (m, k), n = a[0].shape, b[0].shape[0]
    comparison = Comparison("gemm", what, (m, n, k), 2.0 * m * n * k, len(a))
    if what == "block":  # A's column-major, and for torch B's as the transpose of row-major
        scale_a = scale_a.t().contiguous().t()
        sa, sb = scale_a, scale_b.t()
    elif what.startswith("row"):
        sa, sb = scale_a, scale_b.t().contiguous()
    else:
        sa, sb = scale_a.reshape(()), scale_b.reshape(())
    left, right = ([binade.cuda.Quantized(x.view(torch.uint8), scales, "e4m3") for x in sets]
                   for sets, scales in ((a, scale_a), (b, scale_b)))
    ours = comparison.add_ours(lambda i: binade.cuda.gemm(
        left[i], right[i], profile=profile, output="bf16", path="hardware"))
    comparison.add_peer("torch", lambda i: torch._scaled_mm(
        a[i], b[i].t(), scale_a=sa, scale_b=sb, out_dtype=torch.bfloat16, use_fast_accum=fast),
        ours)
    return comparison


def comparisons(options: argparse.Namespace) -> Iterator[Comparison]:
    inputs = Inputs(options.seed, options.smoke)
    for source in SOURCES if "casts" in options.only else ():
        x = inputs.matrices(source)
        for to in ("e4m3", "e5m2"):
            yield cast_comparison(source, to, x)
    for source in SOURCES if "quantisers" in options.only else ():
        x = inputs.matrices(source)
        for granularity in ("1x128", "128x128", "row", "tensor"):
            yield quantiser_comparison(source, granularity, x)
    x = []
    shapes = SMALL_SHAPES if options.smoke else SHAPES
    for m, n, k in shapes if "gemm" in options.only else ():
        sets, dtype = inputs.sets((m + n) * k), dtype_of("e4m3")
        a, b = ([inputs.normal(rows, k, dtype) for _ in range(sets)] for rows in (m, n))
        grids = {"tensor": ((1, 1), (1, 1)), "row": ((m, 1), (n, 1)),
                 "block": ((m, -(-k // 128)), (-(-n // 128), -(-k // 128)))}
        for what in GEMMS:
            scales = (inputs.scales(*grid) for grid in grids[what.split()[0]])
            yield gemm_comparison(what, a, b, *scales)


def measure(options: argparse.Namespace) -> tuple[list[list[Any]], list[str]]:
    """Rows, and what torch refused."""
    rows: list[list[Any]] = []
    refusals: list[str] = []
    shuffle = random.Random(options.seed).shuffle
    for comparison in comparisons(options):
        comparison.measure(options.rounds, options.repeats, 0.0 if options.smoke else HEAT, shuffle)
        rows += comparison.rows()
        refusals += comparison.refusals
        for refusal in comparison.refusals:
            print(refusal, file=sys.stderr)
        unit = "TFLOP/s" if comparison.operation == "gemm" else "GB/s"
        for row in rows[-len(comparison.trials):]:
            print(f"{row[0]:8} {row[1]:14} {row[2]:16} {row[3]:13} {row[5]:8.1f} us {row[9]:7.0f} "
                  f"{unit:7} binade over it {row[10]:6.3f}, alone {row[16]:6.3f}   "
                  f"differs {row[11]}", flush=True)
    return rows, refusals


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default=",".join(OPERATIONS), help="some of these")
    parser.add_argument("--repeats", type=int, default=15, help="timed calls of each in a round")
    parser.add_argument("--rounds", type=int, default=20, help="in which each has its turn")
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, one round of 3 calls")
    parser.add_argument("--plot", action="store_true", help="draw it, too: needs matplotlib")
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()
    options.only = options.only.split(",")
    if unknown := [name for name in options.only if name not in OPERATIONS]:
        parser.error(f"--only {unknown[0]!r}: expected some of {', '.join(OPERATIONS)}")
    if not 1 <= options.repeats <= MOST_REPEATS or options.rounds < 1 or options.seed < 0:
        parser.error(f"expected 1 to {MOST_REPEATS} repeats, rounds above 0, and a seed that is "
                     "not negative")
    if options.plot and importlib.util.find_spec("matplotlib") is None:
        parser.error("--plot: no matplotlib here")
    if options.smoke:
        options.repeats, options.rounds = 3, 1
    return options


def why_not() -> str:
    """What is missing here, in one line."""
    if MISSING:
        return MISSING
    if (devices := str(binade.cuda.devices())).startswith("no CUDA"):
        return devices
    return "" if torch.cuda.is_available() else "torch has no CUDA device here"


def main() -> None:
    options = parse()
    if reason := why_not():
        sys.exit(f"device_peers: {reason}")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"device_peers: --out {options.out}: {error.strerror}")
    try:
        rows, refusals = measure(options)
    except RuntimeError as error:
        sys.exit(f"device_peers: {first_line(error)}")
    words = ["python", "device_peers.py"]
    if set(options.only) != set(OPERATIONS):
        words += ["--only", ",".join(options.only)]
    words += ["--smoke"] if options.smoke else [
        "--repeats", str(options.repeats), "--rounds", str(options.rounds)]
    alone = "" if options.smoke else (
        f", after each GEMM has run for {HEAT} s; alone: {ALONE} rounds with as much before each")
    path = options.out / "device_peers.csv"
    write_csv(path, COLUMNS, rows, command=shlex.join(words), seed=options.seed,
              device=binade.cuda.devices(), notes=[
        f"torch {torch.__version__}; normal numbers, arrays take turns beyond the L2; contenders "
        f"take turns in rounds of changing order{alone}",
        *refusals])
    print(path)
    if options.plot:
        script = Path(__file__).parent / "plots" / "device_peers.py"
        sys.exit(subprocess.run([sys.executable, script, path], check=False).returncode)


if __name__ == "__main__":
    main()
