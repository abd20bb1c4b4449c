"""The comparison of casts with other libraries: its table and figure, and what it refuses."""
import csv
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile

EXPERIMENTS = pathlib.Path(os.environ["BINADE_SOURCE"]) / "experiments"
SKIPPED = 77


def run(*words):
    return subprocess.run([sys.executable, EXPERIMENTS / "cast_peers.py", *words],
                          capture_output=True, text=True, check=False)


def main():
    if any(importlib.util.find_spec(name) is None for name in ("ml_dtypes", "gfloat", "matplotlib")):
        print("no ml_dtypes, gfloat or matplotlib here: skipped")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        done = run("--elements", "4096", "--repeats", "2", "--out", folder)
        assert done.returncode == 0, done.stderr
        table = pathlib.Path(folder) / "cast_peers.csv"
        lines = [line for line in table.read_text().splitlines() if not line.startswith("#")]
        rows = list(csv.DictReader(lines))
        casts = [row for row in rows if row["operation"] != "copy"]
        assert len(rows) == 25 and len(casts) == 24
        assert {row["library"] for row in casts} == {"binade", "ml_dtypes", "numpy", "gfloat"}
        for row in casts:
            assert row["differs"] == "0", row
            assert float(row["rate_slowest"]) <= float(row["rate"]) <= float(row["rate_fastest"]), row
        subprocess.run([sys.executable, EXPERIMENTS / "plots/cast_peers.py", table, "--out", folder],
                       check=True)
        assert (pathlib.Path(folder) / "cast_peers.png").stat().st_size > 10000
    for words, expected in ((["--repeats", "0"], "above 0"), (["--out", os.devnull], "--out")):
        done = run(*words)
        assert done.returncode != 0 and expected in done.stderr, done.stderr
        assert "Traceback" not in done.stderr, done.stderr
    return 0


sys.exit(main())
