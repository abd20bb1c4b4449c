"""The comparison with torch on a device: its table and figure, and what it refuses."""
import csv
import importlib.util
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import types

EXPERIMENTS = pathlib.Path(os.environ["BINADE_SOURCE"]) / "experiments"
SKIPPED = 77
# Results of a compiled quantiser that may differ, as it does not divide to nearest: a thousandth.
FEW = 256 * 512 // 1000


def run(*words, **environment):
    return subprocess.run([sys.executable, EXPERIMENTS / "device_peers.py", *words],
                          capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})


def script():
    sys.path.insert(0, str(EXPERIMENTS))
    spec = importlib.util.spec_from_file_location("device_peers", EXPERIMENTS / "device_peers.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["device_peers"] = module  # where its dataclasses look for their annotations
    spec.loader.exec_module(module)
    return module


def check_refusals(folder):
    """One line, and nothing written."""
    out = folder / "none"
    for words, expected in ((["--repeats", "0"], "1 to 64"), (["--repeats", "65"], "1 to 64"),
                            (["--repeats", "few"], "few"), (["--rounds", "0"], "rounds"),
                            (["--seed", "-1"], "seed"), (["--only", "casts,gem"], "'gem'")):
        done = run(*words, "--out", out)
        assert done.returncode != 0 and expected in done.stderr, done.stderr
        assert "Traceback" not in done.stderr and not out.exists(), done.stderr
    for name in ("torch", "binade"):
        lacking = folder / f"no_{name}"
        lacking.mkdir()
        (lacking / f"{name}.py").write_text(f"raise ImportError('no {name}')\n")
        done = run("--smoke", "--out", out, PYTHONPATH=os.pathsep.join(
            [str(lacking), os.environ.get("PYTHONPATH", "")]))
        assert done.returncode != 0 and not out.exists()
        expected = f"device_peers: no {name}; it needs the package and torch\n"
        assert done.stderr == expected, done.stderr
    done = run("--smoke", "--out", out, CUDA_VISIBLE_DEVICES="")
    assert done.returncode != 0 and not out.exists()
    assert done.stderr.startswith("device_peers: ") and done.stderr.count("\n") == 1, done.stderr


def check_figure(module, folder):
    """Of a table as a device would give it."""
    from provenance import write_csv

    rows, compiled = [], ("binade", "torch.compile", "copy")
    for operation, what, libraries in (("cast", "bf16 to e4m3", ("torch", *compiled)),
                                       ("quantise", "bf16 1x128", compiled)):
        rows += [[operation, what, "8192x7168", library, 60, 60 + 5 * i, 70 + 5 * i, 58 + 5 * i,
                  61 / (60 + 5 * i), 2900, 1 + i / 12, 1234 * i, -1, 2, 4, "nan", "nan"]
                 for i, library in enumerate(libraries)]
    for shape in ("8192x8192x8192", "64x7168x16384"):
        rows += [["gemm", what, shape, library, 60, 900, 990, 850, "nan", rate, 1200 / rate, 0, -1,
                  2, 0, 910, 1200 / rate]
                 for what in module.GEMMS for library, rate in (("binade", 1200), ("torch", 1190))]
    table = folder / "device_peers.csv"
    for operations in (("cast", "quantise", "gemm"), ("cast",), ("gemm",)):
        write_csv(table, module.COLUMNS, [row for row in rows if row[0] in operations],
                  command="python device_peers.py", seed=1, device="none")
        subprocess.run([sys.executable, EXPERIMENTS / "plots/device_peers.py", table], check=True)
        picture = folder / "device_peers.png"
        assert picture.stat().st_size > 10000
        picture.unlink()
    refused = [row for row in rows if row[0] == "gemm" and row[3] == "binade"]
    write_csv(table, module.COLUMNS, refused, command="python device_peers.py", seed=1,
              device="none")
    done = subprocess.run([sys.executable, EXPERIMENTS / "plots/device_peers.py", table],
                          capture_output=True, text=True, check=False)
    assert done.returncode != 0 and not picture.exists()
    assert done.stderr.startswith("nothing to draw") and done.stderr.count("\n") == 1, done.stderr


class Device:
    """Stands in for torch.cuda: calls are queued at the host's time and run one after the other,
    slower the longer the device has been busy with what draws more power."""

    def __init__(self, cycles):
        self.host = self.device = self.heat = 0.0
        self.cycles = cycles
        self.allocations = 40  # in the first calls, for which the host falls behind
        self.is_held_up = lambda: False  # the host, now

    def Event(self, enable_timing):
        assert enable_timing
        return Mark(self)

    def call(self, seconds, power):
        begin = max(self.device, self.host)
        self.heat *= 0.5 ** ((begin - self.device) / 0.01)
        self.heat += (power - self.heat) * (1 - 0.5 ** (seconds / 0.01))
        self.device = begin + seconds * (1 + self.heat)
        self.host += 20e-6 if self.allocations == 0 else 5e-3
        self.allocations = max(0, self.allocations - 1)

    def synchronize(self):
        self.host = max(self.host, self.device)

    def _sleep(self, cycles):
        self.device = max(self.device, self.host) + cycles / self.cycles


class Mark:
    def __init__(self, device):
        self.of = device

    def record(self):
        if self.of.is_held_up():
            self.of.host += 20e-3
            self.of.is_held_up = lambda: False
        self.at = max(self.of.device, self.of.host)

    def query(self):
        return self.at <= self.of.host

    def elapsed_time(self, later):
        return 1e3 * (later.at - self.at)


def check_turns(module):
    """What a comparison makes of contenders whose times are known: in turns the ratio of their
    work, alone that of their power, too. A host that was held up once is tried again; it queues
    more calls ahead where it is hardly faster than the device, which rests where it is slower."""
    measured = {}
    for operation, seconds in (("gemm", 100e-6), ("gemm", 21e-6), ("gemm", 15e-6), ("cast", 60e-6)):
        device = Device(module.CYCLES)
        module.torch = types.SimpleNamespace(cuda=device)
        comparison = module.Comparison(operation, "what", (1, 1), 1.0, 2)
        for library, longer, power in (("binade", 1.0, 0.3), ("torch", 1.1, 0.2)):
            comparison.trials.append(module.Trial(
                library, lambda at, s=seconds * longer, p=power, d=device: d.call(s, p)))
        # Once, when the first turns that count are over.
        device.is_held_up = lambda counted=comparison.trials[0].microseconds: bool(counted)
        comparison.measure(4, 15, 0.05, random.Random(1).shuffle)
        rows = [dict(zip(module.COLUMNS, row, strict=True)) for row in comparison.rows()]
        measured[operation, seconds] = rows[1]
        assert rows[0]["repeats"] == 60 and rows[0]["binade_over"] == 1.0, rows[0]
    long, close, short, cast = measured.values()
    # Of the last 15 calls of 45 at 100 us a contender meets some of its own heat, no more.
    assert abs(long["binade_over"] / 1.1 - 1) < 0.03, long
    assert abs(long["alone_over"] / (1.1 * 1.2 / 1.3) - 1) < 0.01, long
    # Torch's draws less power than its opponent: in turns it meets a device no cooler than alone.
    assert long["time [us]"] > 0.99 * long["time_alone [us]"], long
    assert long["ahead"] == 2 and long["rest [ms]"] == 0 and cast["rest [ms]"] == 0
    assert close["ahead"] > 2 and close["rest [ms]"] == 0, close
    assert short["ahead"] == 2 and short["rest [ms]"] > 0, short
    for at_hand in (close, short):
        assert abs(at_hand["binade_over"] / 1.1 - 1) < 0.03, at_hand
    assert cast["alone_over"] != cast["alone_over"], cast


def check_a_run(folder):
    done = run("--out", os.devnull)
    assert done.returncode != 0 and "--out" in done.stderr and "Traceback" not in done.stderr
    done = run("--smoke", "--out", folder)
    assert done.returncode == 0, done.stderr
    lines = (folder / "device_peers.csv").read_text().splitlines()
    assert lines[0].startswith("# binade ") and "; device: " in lines[0], lines[0]
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    peers = [row for row in rows if row["library"].startswith("torch")]
    assert len(rows) == 4 * 4 + 8 * 3 + 5 * 2 and len(peers) == 4 * 2 + 8 + 5, "\n".join(lines)
    for row in rows:
        assert row["repeats"] == "3", row
        times = [float(row[name]) for name in ("time_fastest", "time", "time_slowest")]
        assert 0 < times[0] and times == sorted(times), row
    for row in peers:
        if row["operation"] == "cast":
            assert row["differs"] == "0", row
        elif row["what"].endswith(" 1x128"):
            assert row["differs_eager"] == "0", row
            assert int(row["differs"]) <= FEW, row


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_refusals(folder)
        module = script()
        if importlib.util.find_spec("matplotlib") is None:
            print("no matplotlib here: no figure was tested")
        else:
            check_figure(module, folder)
        check_turns(script())
        if reason := module.why_not():
            print(f"{reason}: only refusals and the figure were tested")
            return SKIPPED
        check_a_run(folder)
    return 0


sys.exit(main())
