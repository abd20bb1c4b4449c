"""The tables in the page: every value and every fence against ml_dtypes and the definitions, the
traces against the published model in rational numbers, the fates and the bill against plain counting."""
import json
import struct
import tempfile
import pathlib
from fractions import Fraction

import numpy as np

from oracles import (BINARY, DTYPES, ROOT, TENSORS, Report, bits, e5m6_value, floats, p3109_value,
                     read_tables, reference_values, subprocess, wgmma_step, write_page)

report = Report()


def check_values(formats: dict):
    expected = {name: reference_values(name) for name in DTYPES}
    expected["e5m6"] = np.array([e5m6_value(c) for c in range(1 << 12)])
    for precision in (3, 4):
        expected[f"binary8p{precision}se"] = np.array([p3109_value(c, precision) for c in range(256)])
    for name, record in formats.items():
        if "values" not in record:
            report.true(f"{name} is too wide for a table", record["bits"] > 16)
            continue
        got, want = floats(record["values"]), expected[name]
        report.equal(f"{name}: number of codes", len(got), len(want))
        report.true(f"{name}: values", np.array_equal(got, want, equal_nan=True))
        report.true(f"{name}: signs of zero",
                    np.array_equal(np.signbit(got[got == 0]), np.signbit(want[want == 0])))


def check_fences(name: str, record: dict):
    """Each fence is half way, its two sides and itself land where ml_dtypes puts them."""
    top = record["maxFiniteCode"]
    fences = floats(record["boundaries"])
    ties = bits(record["ties"], len(fences))
    values = floats(record["values"])[: top + 1]
    report.equal(f"{name}: fences", len(fences), top + 1)
    report.true(f"{name}: half way", np.array_equal(fences[:-1], (values[:-1] + values[1:]) / 2))
    report.true(f"{name}: in order", np.all(np.diff(fences) > 0))
    if name not in DTYPES:
        return
    at = fences[:-1].astype(np.float32)
    codes = np.arange(top)
    dtype = np.dtype(DTYPES[name])
    view = np.uint16 if dtype.itemsize == 2 else np.uint8
    cast = lambda x: x.astype(dtype).view(view).astype(np.int64)
    below, above = np.nextafter(at, np.float32(0)), np.nextafter(at, np.float32(np.inf))
    usable = (above > at) & (below < at)
    usable[0] &= name != "e8m0"  # below 1.5 * 2^-127 ml_dtypes, working in fp32, already says 2^-126
    report.true(f"{name}: below the fence", np.array_equal(cast(below)[usable], codes[usable]))
    report.true(f"{name}: above the fence", np.array_equal(cast(above)[usable], codes[usable] + 1))
    if name == "e8m0":  # ml_dtypes rounds every tie up; nearest even takes turns, from code 0
        report.true("e8m0: ties to even", np.array_equal((codes + ties[:-1]) % 2, np.zeros(top)))
    else:
        report.true(f"{name}: on the fence", np.array_equal(cast(at), codes + ties[:-1]))


def check_overflow(formats: dict):
    """Published: E4M3 ties to 448 at 464, E5M2 goes to infinity at 61440."""
    for name, fence, tie in (("e4m3", 464.0, 0), ("e5m2", 61440.0, 1)):
        record = formats[name]
        fences = floats(record["boundaries"])
        report.equal(f"{name}: overflow", fences[-1], fence)
        report.equal(f"{name}: overflow tie", bits(record["ties"], len(fences))[-1], tie)
    exits = formats["e4m3"]["exits"]
    report.equal("e4m3 saturates", [exits["saturate"][k] for k in ("over", "under", "infinity", "nan")],
                 [0x7E, 0xFE, 0x7E, 0x7F])
    report.equal("e4m3 special", [exits["special"][k] for k in ("over", "under", "infinity", "nan")],
                 [0x7F, 0xFF, 0x7F, 0x7F])
    report.equal("fnuz has no -0", formats["e4m3fnuz"]["exits"]["saturate"]["minusZero"], 0)


def read_safetensors(path: pathlib.Path) -> dict:
    import ml_dtypes
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8: 8 + length])
    header.pop("__metadata__", None)
    return {name: np.frombuffer(raw[8 + length + t["data_offsets"][0]: 8 + length + t["data_offsets"][1]],
                                ml_dtypes.bfloat16).astype(np.float32) for name, t in header.items()}


def check_fates(tensors: dict):
    values = read_safetensors(TENSORS)
    lowest = tensors["lowestShift"]
    report.equal("tensors", sorted(t["name"] for t in tensors["list"]), sorted(values))
    for tensor in tensors["list"]:
        x = np.abs(values[tensor["name"]])
        finite = x[(x > 0) & np.isfinite(x)]
        first, counts = tensor["histogram"]["first"], np.array(tensor["histogram"]["counts"])
        exponents = np.frexp(finite)[1] - 1
        report.true(f"{tensor['name']}: histogram",
                    np.array_equal(np.bincount(exponents - first, minlength=len(counts)), counts))
        for name in ("e4m3", "e5m2", "fp16", "e2m1"):
            for shift in (0, lowest, 13, 24):
                scaled = np.ldexp(finite, shift)
                landed = scaled.astype(DTYPES[name]).astype(np.float64)
                smallest_normal = {"e4m3": 2.0**-6, "e5m2": 2.0**-14, "fp16": 2.0**-14, "e2m1": 1.0}[name]
                over = {"e4m3": scaled > 464, "e2m1": scaled >= 7}.get(name, np.isinf(landed))
                want = [np.sum(landed == 0), np.sum((landed > 0) & (landed < smallest_normal)), np.sum(over)]
                report.equal(f"{tensor['name']} in {name} times 2^{shift}",
                             tensor["fates"][name][shift - lowest], [int(n) for n in want])


def check_sums(sums: list):
    by_id = {s["id"]: s for s in sums}
    report.equal("examples", len(sums), 6)
    for s in sums:
        products = [t for t in s["terms"] if t["k"] >= 0]
        a, b = ([t[side]["value"] for t in products] for side in "ab")
        report.equal(f"{s['id']}: products", len(products), 32)
        report.equal(f"{s['id']}: D", Fraction(s["result"]), wgmma_step(a, b, s["c"]))
        exact = sum(Fraction(x) * Fraction(y) for x, y in zip(a, b)) + Fraction(s["c"])
        report.equal(f"{s['id']}: exact sum", Fraction(s["exact"]), exact)
        report.equal(f"{s['id']}: register", struct.pack("<I", s["resultCode"]), struct.pack("<f", s["result"]))
        report.equal(f"{s['id']}: promotion", s["promoted"],
                     float(np.float32(s["before"]) + np.float32(s["result"])))
        codes = np.array([t["a"]["code"] for t in products], np.uint8).view(DTYPES["e4m3"])
        report.equal(f"{s['id']}: operands", a, [float(v) for v in codes])
    report.equal("V9 cancels to zero", by_id["cancellation"]["result"], 0.0)
    report.equal("V1 keeps 2^-5", by_id["width-kept"]["result"], 256.03125)
    report.equal("V1 loses 2^-6 twice", by_id["width-lost"]["result"], 256.0)
    report.equal("a large C swallows 43", by_id["swallowed"]["exact"] - by_id["swallowed"]["result"], 43.0)
    report.true("same-sign sums fall short", by_id["same-sign"]["result"] < by_id["same-sign"]["exact"])


def check_memory(memory: dict):
    """Totals in terabytes for 671e9 parameters, and devices of 80 GB."""
    want = {"FP32 throughout": (10.736, 135), "BF16 mixed": (10.736, 135), "FP8 mixed": (9.394, 118),
            "DeepSeek-V3 as reported": (8.723, 110), "FP32": (2.684, 34), "BF16": (1.342, 17),
            "FP8, 128\u00d7128 blocks": (0.671164, 9), "MXFP8": (0.691969, 9)}
    rows = {r["name"]: r for r in memory["recipes"]}
    for name, (terabytes, devices) in want.items():
        report.equal(f"{name}: total", round(rows[name]["totalBytes"] / 1e12, 6), terabytes)
        report.equal(f"{name}: devices", rows[name]["devices"], devices)
    for name, row in rows.items():
        report.equal(f"{name}: parts", sum(row["parts"]), row["bytesPerParameter"])


with tempfile.TemporaryDirectory() as folder:
    path = write_page(pathlib.Path(folder), str(TENSORS))
    again = write_page(pathlib.Path(folder), str(TENSORS)).read_bytes()
    report.true("the same page twice", again == path.read_bytes())
    report.true("under 2 MB", path.stat().st_size < 2_000_000)
    tables = read_tables(path)
    bare = read_tables(write_page(pathlib.Path(folder), "none"))
    report.equal("no tensors asked, none there", bare["tensors"]["list"], [])
    missing = subprocess.run([BINARY, "page", folder + "/x.html", "--tensors", folder + "/none.safetensors"],
                             capture_output=True, text=True, check=False)
    report.equal("a missing tensor file", missing.returncode, 1)
    report.true("leaves no page", not pathlib.Path(folder, "x.html").exists())

named = {f["name"]: f for f in tables["formats"]}
listed = subprocess.run([BINARY, "formats"], capture_output=True, text=True, check=True).stdout
for name in named:
    if not name.startswith("binary"):
        report.true(f"{name} is in the catalogue", any(line.split()[:1] == [name] for line in listed.splitlines()))
check_values(named)
for name, record in named.items():
    if "values" in record:
        check_fences(name, record)
check_overflow(named)
check_fates(tables["tensors"])
check_sums(tables["sums"])
check_memory(tables["memory"])
report.finish(least=300)
