"""check() passes what is right, names what it meets, and catches what is broken."""
import binade
import ml_dtypes
import numpy as np
import pytest

E4M3 = ml_dtypes.float8_e4m3fn
ML_RULES = {"overflow": "special", "nan": "keep_sign"}


def failed(report):
    return {case.name for case in report.cases if not case.passed}


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "e4m3fnuz", "e3m2", "e2m1", "bf16", "fp16", "e8m0",
                                  "tf32", "e5m6", "binary8p4se", "binary6p3uf", "e4m3ieee"])
@pytest.mark.parametrize("source", ["fp32", "fp64", "bf16", "fp16"])
def test_our_own_casts_pass(name, source):
    for rules in ({}, ML_RULES, {"rounding": "toward_zero"}, {"rounding": "up"}):
        report = binade.check(lambda x, r=rules: binade.encode(x, name, **r), name, source=source,
                              **rules)
        assert report.passed, str(report)
    values = binade.check(lambda x: binade.decode(binade.encode(x, name), name), name, source=source)
    assert values.passed, str(values)


@pytest.mark.parametrize("rules, behaviour", [
    ({}, "CUDA, __NV_SATFINITE"), ({"overflow": "special"}, "CUDA, __NV_NOSAT"), (ML_RULES, "torch 2.11"),
    ({"nan": "keep_sign"}, "saturating, NaN keeps its sign"),
    ({"rounding": "toward_zero"}, "toward zero, saturating"),
    ({"rounding": "nearest_away"}, "ties away from zero, saturating"),
    ({"rounding": "up"}, "upward, saturating"), ({"rounding": "down"}, "downward, saturating")])
def test_behaviours_are_told_apart(rules, behaviour):
    report = binade.check(lambda x: binade.encode(x, "e4m3", **rules), "e4m3")
    also = {"torch 2.11": {"ml_dtypes"},
            "saturating, NaN keeps its sign": {"torch 2.15"}}.get(behaviour, set())
    assert set(report.behaves_like) == {behaviour} | also


@pytest.mark.parametrize("overflow, behaviour", [
    ("sat_finite", "P3109 SatFinite"), ("sat_propagate", "P3109 SatPropagate"),
    ("sat_none", "P3109 SatNone")])
def test_behaviours_of_p3109(overflow, behaviour):
    name = "binary8p4se"
    report = binade.check(lambda x: binade.encode(x, name, overflow=overflow), name,
                          overflow=overflow)
    assert report.passed and behaviour in report.behaves_like


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "bfloat16",
                                   "float8_e3m4", "float8_e4m3b11fnuz"])
def test_ml_dtypes_conforms(dtype):
    kind = np.dtype(getattr(ml_dtypes, dtype))
    report = binade.check(lambda x: x.astype(kind), kind, **ML_RULES)
    assert report.passed and "ml_dtypes" in report.behaves_like, str(report)


def test_what_ml_dtypes_is_known_for():
    """E5M2: its NaN is not torch's. fp64 goes through fp32. E2M1 has no NaN and makes zero of it."""
    report = binade.check(lambda x: x.astype(ml_dtypes.float8_e5m2), "e5m2", **ML_RULES)
    assert report.behaves_like == ["ml_dtypes"]
    report = binade.check(lambda x: x.astype(E4M3), source="fp64", **ML_RULES)
    assert "double rounding through fp32" in failed(report)
    assert any(name.startswith("through fp32, special") for name in report.behaves_like)
    report = binade.check(lambda x: x.astype(ml_dtypes.float4_e2m1fn), "e2m1")
    assert failed(report) == {"NaN", "negative NaN"}


def saturating(x):
    return binade.encode(x, "e4m3").view(np.uint8)


def through_fp16(x):
    return x.astype(np.float16).astype(E4M3)


def through_bf16(x):
    return saturating(x.astype(ml_dtypes.bfloat16))


def sign_dropped(x):
    codes = saturating(x)
    codes[codes == 0x80] = 0
    return codes


def flushes_subnormals(x):
    codes = saturating(x)
    codes[(codes & 0x7F) < 8] &= 0x80
    return codes


def nan_to_largest(x):
    return saturating(np.where(np.isnan(x), np.float32(1e9), x))


def top_is_480(x):
    values = binade.decode(binade.encode(np.nan_to_num(x, nan=480.0), "e4m3finite"), "e4m3finite")
    return np.where(np.isnan(x), np.float32(np.nan), values)


def ties_up(x):
    return binade.encode(x, "e4m3", rounding="nearest_away")


def half_of_the_smallest_up(x):
    return np.where(np.abs(x) == 2.0**-10, np.uint8(1), saturating(x))


BROKEN = {
    through_fp16: {"double rounding through fp16", "beside ties", "overflow"},
    through_bf16: {"double rounding through bf16", "beside ties"},
    sign_dropped: {"zeros", "negative underflow"},
    flushes_subnormals: {"subnormals", "values"},
    nan_to_largest: {"NaN", "negative NaN"},
    top_is_480: {"overflow", "infinities"},
    ties_up: {"ties"},
    half_of_the_smallest_up: {"half the smallest number", "ties"},
}


@pytest.mark.parametrize("cast", BROKEN, ids=lambda cast: cast.__name__)
def test_broken_casts_are_caught(cast):
    rules = ML_RULES if cast is through_fp16 else {}
    report = binade.check(cast, "e4m3", **rules)
    assert not report.passed and BROKEN[cast] <= failed(report), str(report)
    for name in BROKEN[cast]:
        assert "FAIL" in str(report.case(name)) and "first" in str(report.case(name))


def test_detours_are_met_on_both_sides_of_every_tie():
    """A detour rounds a number beside a tie wrongly on the side of the odd neighbour."""
    for cast, via in ((through_fp16, "fp16"), (through_bf16, "bf16")):
        case = binade.check(cast, **(ML_RULES if cast is through_fp16 else {})).case(
            f"double rounding through {via}")
        magnitudes, above = np.abs(case.given), np.abs(case.expected.view(np.uint8) & 0x7F)
        assert case.wrong.sum() * 2 == case.given.size
        assert len(np.unique(above[case.wrong])) > 60 and np.isfinite(magnitudes).all()


def test_detours_are_named():
    assert binade.check(through_fp16, **ML_RULES).behaves_like == \
        ["through fp16, special, NaN keep_sign"]
    assert "through bf16, saturate, NaN canonical" in binade.check(through_bf16).behaves_like
    assert "the format e4m3finite, saturate" in binade.check(
        lambda x: binade.decode(binade.encode(x, "e4m3finite"), "e4m3finite")).behaves_like


def test_the_wrong_format_is_named():
    for other in ("e4m3fnuz", "e4m3ieee", "binary8p4se"):
        report = binade.check(lambda x, o=other: binade.encode(x, o).view(np.uint8), "e4m3")
        assert not report.passed
        assert any(f"the format {other}" in name for name in report.behaves_like), str(report)


def test_stochastic_casts():
    for mode in ("stochastic_a", "stochastic_b", "stochastic_c"):
        report = binade.check(lambda x, m=mode: binade.encode(x, "e4m3", rounding=m, seed=1),
                              rounding=mode)
        assert report.passed, str(report)
    biased = binade.check(lambda x: binade.encode(x, "e4m3", rounding="nearest_away"),
                          rounding="stochastic_a")
    assert failed(biased) == {"probability"}
    moving = binade.check(lambda x: binade.encode(x * np.float32(1.01), "e4m3",
                                                  rounding="stochastic_a"), rounding="stochastic_a")
    assert "exact numbers" in failed(moving)


@pytest.mark.parametrize("recipe", binade.recipes())
def test_our_own_quantisers_pass(recipe):
    for scale_type in binade.recipe(recipe).scale_types:
        report = binade.check(lambda x, t=scale_type: binade.quantize(x, recipe, scale_type=t),
                              recipe=recipe, scale_type=scale_type)
        assert report.passed, str(report)
        assert f"{recipe} ({scale_type} scales)" in report.behaves_like


def per_block(x, scale_of):
    """A plain 1x128 quantiser in NumPy: codes of x / scale and the scales."""
    rows, cols = x.shape
    blocks = -(-cols // 128)
    codes = np.zeros((rows, cols), np.uint8)
    scales = np.zeros((rows, blocks), np.float32)
    with np.errstate(all="ignore"):
        for j in range(blocks):
            block = x[:, j * 128:(j + 1) * 128]
            scales[:, j] = scale_of(np.fmax.reduce(np.abs(block), axis=1))
            codes[:, j * 128:(j + 1) * 128] = binade.encode(
                np.asarray(block / scales[:, j:j + 1], np.float32), "e4m3").view(np.uint8)
    return codes, scales


def test_broken_quantisers_are_caught():
    naive = binade.check(lambda x: per_block(x, lambda amax: amax / np.float32(448)),
                         recipe="deepseek-v3")
    assert "zero block: codes" in failed(naive) or "zero block: scales" in failed(naive)
    logs = binade.check(
        lambda x: per_block(x, lambda amax: np.exp2(np.floor(np.log2(amax)) - 8)),
        recipe="ocp-mx", granularity="1x128", scale_type="pow2")
    assert {"amax beside powers of two: scales"} <= failed(logs)
    whole = binade.check(lambda x: binade.quantize(x[:, :x.shape[1] // 128 * 128], "deepgemm"),
                         recipe="deepgemm")
    assert "ragged edge: codes" in failed(whole) and "ragged edge: scales" in failed(whole)

    def refuses(x):
        if x.shape[1] % 128:
            raise RuntimeError("columns must be a multiple of 128")
        return binade.quantize(x, "deepgemm")

    report = binade.check(refuses, recipe="deepgemm")
    assert failed(report) == {"ragged edge: codes", "ragged edge: scales"}
    assert "multiple of 128" in str(report)


def test_answers_that_cannot_be_judged():
    with pytest.raises(ValueError, match="shape"):
        binade.check(lambda x: x[:3])
    with pytest.raises(ValueError, match="int64"):
        binade.check(lambda x: np.zeros(x.shape, np.int64))
    with pytest.raises(ZeroDivisionError):
        binade.check(lambda x: 1 / 0)


def test_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed here")
    for name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz"):
        dtype = getattr(torch, name)
        report = binade.check(lambda x, d=dtype: torch.from_numpy(x).to(d), dtype, **ML_RULES)
        assert any(known.startswith("torch") for known in report.behaves_like), str(report)
