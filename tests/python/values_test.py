"""The package gives the command's bits: arrays through Python equal files through the command.

The command's own values are judged in tests/cli, tests/emulation and tests/oracles.
"""
import json
import os
import subprocess

import binade
import numpy as np
import pytest

RNG = np.random.default_rng(17)
HOPPER = "hopper.wgmma.f32.e4m3.e4m3"


def bits(array):
    return np.asarray(array).view(f"u{np.asarray(array).dtype.itemsize}")


@pytest.fixture
def command(tmp_path):
    """Runs the command in a folder where arrays can be saved to and loaded from."""
    def run(*words, **arrays):
        for name, array in arrays.items():
            np.save(tmp_path / f"{name}.npy", array)
        done = subprocess.run([os.environ["BINADE"], *map(str, words)], cwd=tmp_path, text=True,
                              capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.load = lambda name: np.load(tmp_path / f"{name}.npy")
    return run


X = (RNG.standard_normal((64, 320)) * np.exp2(RNG.uniform(-12, 12, (64, 1)))).astype(np.float32)
X[0, :128] = 0
X[1, 5], X[2, 6], X[3, 7] = np.nan, np.inf, -np.inf


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "bf16", "binary8p3se", "e5m6"])
@pytest.mark.parametrize("rules", [{}, {"rounding": "up", "overflow": "special", "nan": "keep_sign"},
                                   {"rounding": "stochastic_b", "random_bits": 5, "seed": 42}])
def test_cast(command, name, rules):
    words = [word for key, value in rules.items() for word in (f"--{key.replace('_', '-')}", value)]
    command("cast", "x.npy", "codes.npy", "--to", name, *words, x=X)
    np.testing.assert_array_equal(bits(binade.encode(X, name, **rules)), command.load("codes"))
    command("decode", "codes.npy", "values.npy", "--from", name)
    np.testing.assert_array_equal(bits(binade.decode(command.load("codes"), name)),
                                  bits(command.load("values")))


@pytest.mark.parametrize("recipe", binade.recipes())
def test_quantize(command, recipe):
    for scale_type in binade.recipe(recipe).scale_types:
        command("quantize", "x.npy", "--recipe", recipe, "--scale-type", scale_type, "--codes",
                "c.npy", "--scales", "s.npy", x=X)
        q = binade.quantize(X, recipe, scale_type=scale_type)
        np.testing.assert_array_equal(bits(q.codes), command.load("c"))
        np.testing.assert_array_equal(bits(q.scales), bits(command.load("s")))
        back = q.dequantize()
        block = q.scales.repeat(-(-X.shape[0] // q.scales.shape[0]), 0)[:X.shape[0]]
        block = block.repeat(-(-X.shape[1] // q.scales.shape[1]), 1)[:, :X.shape[1]]
        with np.errstate(invalid="ignore", over="ignore"):
            want = q.codes.astype(np.float32) * block * np.float32(q.tensor_scale)
        if q.granularity in ("tensor", "1x32", "1x16"):  # these divide 320 columns
            np.testing.assert_array_equal(back, want)


def codes(shape):
    found = RNG.integers(0, 256, shape, dtype=np.uint8)
    found[(found & 0x7F) == 0x7F] = 0x38
    return found


def test_dot(command):
    a, b = codes((2, 40, 96))
    c = RNG.standard_normal(40).astype(np.float32)
    for name in (HOPPER, "hopper.mma.f32.e4m3.e4m3", "ada.mma.f32.e4m3.e4m3"):
        command("dot", "--instruction", name, "a.npy", "b.npy", "c.npy", "d.npy", a=a, b=b, c=c)
        d = binade.dot(a, b, c, instruction=name)
        np.testing.assert_array_equal(bits(d), bits(command.load("d")))
        for row in (0, 39):
            e = binade.explain(a[row], b[row], c[row], instruction=name)
            assert np.float32(e.result) == d[row]
            assert e.steps[-1].result == int(bits(d)[row])


@pytest.mark.parametrize("profile", ["cublaslt", "deepgemm", "te-1dx2d", "fp32-sequential", "exact"])
@pytest.mark.parametrize("output", ["fp32", "bf16"])
def test_gemm(command, profile, output):
    a, b = codes((48, 256)), codes((40, 256))
    blocks = profile in ("deepgemm", "te-1dx2d")
    sa = np.exp2(RNG.integers(-3, 4, (48, 2) if blocks else (1, 1))).astype(np.float32) * 1.25
    sb = np.exp2(RNG.integers(-3, 4, (1, 2) if blocks else (1, 1))).astype(np.float32) * 1.5
    command("gemm", "a.npy", "b.npy", "d.npy", "--profile", profile, "--format-a", "e4m3",
            "--format-b", "e4m3", "--scale-a", "sa.npy", "--scale-b", "sb.npy", "--output", output,
            a=a, b=b, sa=sa, sb=sb)
    d = binade.gemm(a, b, profile=profile, format_a="e4m3", format_b="e4m3", scale_a=sa, scale_b=sb,
                    output=output)
    np.testing.assert_array_equal(bits(d), bits(command.load("d")))
    if profile == "exact" or output == "bf16":
        return
    told = json.loads(command("diagnose", "a.npy", "b.npy", "d.npy", "--format-a", "e4m3",
                              "--format-b", "e4m3", "--scale-a", "sa.npy", "--scale-b", "sb.npy",
                              "--json"))
    found = binade.diagnose(a, b, d, format_a="e4m3", format_b="e4m3", scale_a=sa, scale_b=sb)
    assert found.record == told
    assert any(profile in e["profiles"] for e in found.exact)
    assert found.exact[0]["text"] in str(found)


def test_diagnose_says_where_it_is_wrong():
    a, b = codes((32, 256)), codes((32, 256))
    d = binade.gemm(a, b, profile="cublaslt", format_a="e4m3", format_b="e4m3")
    d[5, 7] = np.nextafter(d[5, 7], np.float32(np.inf))
    found = binade.diagnose(a, b, d, format_a="e4m3", format_b="e4m3")
    assert not found.is_explained and found.record["mismatches"] == 1
    assert (found.record["first"][0]["row"], found.record["first"][0]["col"]) == (5, 7)
    assert "[5, 7]" in str(found)


def test_gemm_operands_of_every_kind():
    x = RNG.standard_normal((16, 128)).astype(np.float32)
    q = binade.quantize(x, "deepgemm", granularity="1x128")
    whole = binade.gemm(q, q, profile="te-1dx1d")
    apart = binade.gemm(q.codes, q.codes, scale_a=q.scales, scale_b=q.scales, profile="te-1dx1d")
    vectors = binade.gemm(bits(q.codes), bits(q.codes), scale_a=q.scales[:, 0],
                          scale_b=q.scales[:, 0], format_a="e4m3", format_b=q.format,
                          profile="te-1dx1d")
    np.testing.assert_array_equal(bits(whole), bits(apart))
    np.testing.assert_array_equal(bits(whole), bits(vectors))
    mx = binade.quantize(x, "ocp-mx", granularity="1x128")
    np.testing.assert_array_equal(
        bits(binade.gemm(mx.codes, mx.codes, scale_a=mx.scale_codes, scale_b=mx.scale_codes,
                         profile="exact", output="fp64")),
        bits(binade.gemm(mx, mx, profile="exact", output="fp64")))
    tf32 = binade.round_to(x, "tf32")
    np.testing.assert_array_equal(
        bits(binade.gemm(tf32, tf32, format_a="tf32", format_b="tf32", profile="cublaslt-fast")),
        bits(binade.gemm(bits(tf32), bits(tf32), format_a="tf32", format_b="tf32",
                         profile="cublaslt-fast")))


def test_metrics_by_their_definitions():
    ref = RNG.standard_normal(1000)
    x = ref + 0.01 * RNG.standard_normal(1000)
    e, m = x - ref, binade.metrics(x, ref)
    mean = np.abs(ref).mean()
    large = np.abs(ref) > mean
    want = {"fro_rel": np.linalg.norm(e) / np.linalg.norm(ref),
            "max_over_mean": np.abs(e).max() / mean, "max_over_max": np.abs(e).max() / np.abs(ref).max(),
            "max_rel_large": np.abs(e / ref)[large].max(),
            "sqnr_db": 10 * np.log10((ref**2).sum() / (e**2).sum()),
            "calc_diff": 1 - 2 * (x * ref).sum() / (x**2 + ref**2).sum(),
            "cosine": (x * ref).sum() / np.sqrt((x**2).sum() * (ref**2).sum()),
            "bias": (e * np.sign(ref)).mean() / mean, "mismatch_rate": 1.0}
    assert list(m) == list(want)
    np.testing.assert_allclose(list(m.values()), list(want.values()), rtol=1e-9)
    half = binade.metrics(x.astype(np.float16), ref.astype(np.float32))
    assert half["mismatch_rate"] > 0.9


def test_errors_add_up():
    a, b = RNG.standard_normal((2, 16, 512)).astype(np.float32)
    parts = binade.errors(a, b, recipe="deepseek-v3", profile="deepgemm", output="bf16")
    assert parts[-1]["cause"] == "total"
    assert sum(p["bias"] for p in parts[:-1]) == pytest.approx(parts[-1]["bias"], abs=1e-15)
    q = binade.quantize(a, "deepseek-v3"), binade.quantize(b, "deepseek-v3", granularity="128x128")
    d = binade.gemm(*q, profile="deepgemm", output="bf16")
    exact = a.astype(np.float64) @ b.astype(np.float64).T
    assert binade.metrics(d, exact)["fro_rel"] == pytest.approx(parts[-1]["fro_rel"], rel=1e-6)


def test_probe_of_a_function():
    """A unit written in NumPy: four exact products at a time, each sum rounded once to FP32."""
    def unit(a, b, c):
        np.seterr(all="ignore")  # it is asked about NaN and infinity too
        total = c.astype(np.float64)
        for k in range(0, a.shape[1], 4):
            part = (a[:, k:k + 4].astype(np.float64) * b[:, k:k + 4].astype(np.float64)).sum(axis=1)
            total = (total + part).astype(np.float32).astype(np.float64)
        return total.astype(np.float32)

    found = binade.probe(unit, "e4m3", max_k=64, rows=64)
    assert found.record["card"]["name"] == "probed" and str(found).startswith("probed")
    emulated = binade.probe(lambda a, b, c: binade.dot(a, b, c, instruction=HOPPER), max_k=128,
                            rows=64)
    assert emulated.is_exact and HOPPER in emulated.known
    a, b = codes((2, 8, 64))
    np.testing.assert_array_equal(bits(binade.dot(a, b, instruction=emulated.card)),
                                  bits(binade.dot(a, b, instruction=HOPPER)))


def test_what_a_probed_function_raises_comes_out():
    def broken(a, b, c):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        binade.probe(broken)
    with pytest.raises(ValueError, match="shape"):
        binade.probe(lambda a, b, c: np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="fp64, not fp32"):
        binade.probe(lambda a, b, c: np.zeros(len(a)))
