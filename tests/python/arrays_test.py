"""Arrays go in from anywhere, in any layout, without copies that the layout does not ask for."""
import tracemalloc

import binade
import ml_dtypes
import numpy as np
import pytest
from binade import _core
from binade._arrays import containers

RNG = np.random.default_rng(7)
MATRIX = RNG.standard_normal((48, 36)).astype(np.float32) * 50

LAYOUTS = {
    "fortran": np.asfortranarray(MATRIX),
    "transposed": np.ascontiguousarray(MATRIX.T).T,
    "strided": np.repeat(np.repeat(MATRIX, 2, 0), 3, 1)[::2, ::3],
    "reversed": np.ascontiguousarray(MATRIX[::-1, ::-1])[::-1, ::-1],
    "byte-swapped": MATRIX.astype(MATRIX.dtype.newbyteorder(">")),
    "unaligned": np.frombuffer(b"x" + MATRIX.tobytes(), np.uint8)[1:].view(np.float32)
    .reshape(MATRIX.shape),
    "broadcast": np.broadcast_to(MATRIX[:1], MATRIX.shape),
    "list": MATRIX.tolist(),
}


def bits(array):
    return np.asarray(array).view(f"u{np.asarray(array).dtype.itemsize}")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_does_not_matter(layout):
    x = LAYOUTS[layout]
    plain = np.array(x, np.float32, order="C")
    for rounding in ("nearest_even", "stochastic_a"):
        got = binade.encode(x, "e4m3", rounding=rounding, seed=3)
        want = binade.encode(plain, "e4m3", rounding=rounding, seed=3)
        assert got.shape == plain.shape
        np.testing.assert_array_equal(bits(got), bits(want))
    np.testing.assert_array_equal(binade.round_to(x, "e5m2"), binade.round_to(plain, "e5m2"))
    if layout != "list":
        q, p = binade.quantize(x, "deepgemm"), binade.quantize(plain, "deepgemm")
        np.testing.assert_array_equal(bits(q.codes), bits(p.codes))
        np.testing.assert_array_equal(q.scales, p.scales)


def test_codes_in_any_layout():
    codes = RNG.integers(0, 0x7F, (20, 30), dtype=np.uint8)
    want = codes.view(ml_dtypes.float8_e4m3fn).astype(np.float32)
    for x in (codes, np.asfortranarray(codes), codes[::-1], codes.view(ml_dtypes.float8_e4m3fn).T.copy().T):
        np.testing.assert_array_equal(binade.decode(x, "e4m3"),
                                      want[::-1] if x is not codes and x.strides[0] < 0 else want)
    swapped = np.array([0x3C00, 0x4000], ">u2")
    np.testing.assert_array_equal(binade.decode(swapped, "fp16"), [1.0, 2.0])


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (2, 3, 4, 5)])
def test_shapes(shape):
    x = RNG.standard_normal(shape).astype(np.float32)
    codes = binade.encode(x, "e4m3")
    assert isinstance(codes, np.ndarray) and codes.shape == shape
    assert binade.decode(codes).shape == shape
    assert binade.round_to(x, "bf16").shape == shape
    np.testing.assert_array_equal(binade.decode(codes), binade.round_to(x, "e4m3"))


def test_scalars():
    assert binade.encode(1.3, "e4m3").item() == 1.25
    assert binade.encode(np.float32(1.3), "e4m3").item() == 1.25
    assert binade.encode(ml_dtypes.bfloat16(1.3), "e4m3").item() == 1.25
    assert binade.decode(np.uint8(0x3A), "e4m3").item() == 1.25
    assert binade.encode([1, 2, 3], "fp16").tolist() == [1.0, 2.0, 3.0]


def test_read_only():
    x = np.frombuffer(MATRIX.tobytes(), np.float32)
    assert not x.flags.writeable
    before = x.copy()
    binade.encode(x, "e4m3")
    binade.round_to(x, "e4m3")
    np.testing.assert_array_equal(x, before)


def test_results_are_writable_and_own_their_memory():
    codes = binade.encode(MATRIX, "e4m3")
    codes[0, 0] = 2.0
    q = binade.quantize(MATRIX, "ocp-mx")
    for array in (q.codes, q.scales, q.scale_codes):
        assert array.flags.writeable


EXPECTED_DTYPES = {
    "fp64": np.float64, "fp32": np.float32, "fp16": np.float16, "bf16": ml_dtypes.bfloat16,
    "e4m3": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2,
    "e4m3fnuz": ml_dtypes.float8_e4m3fnuz, "e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "e4m3b11fnuz": ml_dtypes.float8_e4m3b11fnuz, "e3m4": ml_dtypes.float8_e3m4,
    "e4m3ieee": ml_dtypes.float8_e4m3, "e3m2": ml_dtypes.float6_e3m2fn,
    "e2m3": ml_dtypes.float6_e2m3fn, "e2m1": ml_dtypes.float4_e2m1fn,
    "e8m0": ml_dtypes.float8_e8m0fnu, "tf32": np.uint32, "e5m6": np.uint16,
    "binary8p4se": np.uint8, "binary12p5uf": np.uint16, "e6m9": np.uint16,
}


@pytest.mark.parametrize("name", EXPECTED_DTYPES)
def test_dtype_that_comes_back(name):
    want = np.dtype(EXPECTED_DTYPES[name])
    assert binade.encode([1.0], name).dtype == want
    assert binade.Format(name).dtype == want
    if want.kind != "u":
        assert binade.Format(want) == binade.Format(name)
        assert binade.decode(np.ones(2, want)).tolist() == [1.0, 1.0]


def test_every_catalogue_format_is_expected_here():
    assert {f.name for f in binade.formats()} <= set(EXPECTED_DTYPES)


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16,
                                   ml_dtypes.float8_e5m2, ml_dtypes.float4_e2m1fn])
def test_contiguous_arrays_are_not_copied(dtype):
    x = np.ones((16, 16), dtype)
    held, _ = containers(x)
    assert address(held) == address(x) and np.shares_memory(held, x)


def test_no_hidden_copies():
    """A cast of 64 MiB may allocate its result, and little besides."""
    x = np.zeros(1 << 24, np.float32)
    binade.encode(x[:16], "e4m3")
    tracemalloc.start()
    codes = binade.encode(x, "e4m3")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert codes.nbytes <= peak < codes.nbytes + 64 * 1024


class Exporter:
    """Another library's array: DLPack and nothing else."""

    def __init__(self, array, device=(1, 0), versioned=True):
        self.array, self.device, self.versioned = array, device, versioned

    def __dlpack_device__(self):
        return self.device

    def __dlpack__(self, **options):
        if not self.versioned and options:
            raise TypeError("no such keyword")
        return self.array.__dlpack__(**options)


@pytest.mark.parametrize("versioned", [True, False])
def test_dlpack(versioned):
    x = MATRIX.copy()
    for array in (x, x[::2, 1:], x.T, x[:0]):
        held, fmt = containers(Exporter(array, versioned=versioned))
        assert fmt.name == "fp32"
        np.testing.assert_array_equal(held.view(np.float32), array)
    held, _ = containers(Exporter(x, versioned=versioned))
    assert address(held) == address(x)
    codes = np.array([0x3A], np.uint8)
    assert binade.decode(Exporter(codes, versioned=versioned), "e4m3").tolist() == [1.25]


def test_dlpack_gives_the_tensor_back():
    import gc
    import weakref

    class Owner(np.ndarray):
        pass

    x = np.ones(8, np.float32).view(Owner)
    alive = weakref.ref(x)
    held, _ = containers(Exporter(x))
    del x
    gc.collect()
    assert alive() is not None  # the view keeps its owner
    del held
    gc.collect()
    assert alive() is None  # and lets go of it


def test_dlpack_capsules_are_taken_once():
    capsule = MATRIX.__dlpack__()
    first = _core.DLPackArray(capsule)
    assert np.asarray(first).shape == MATRIX.shape and first.type == "float32"
    with pytest.raises(ValueError, match="used_dltensor"):
        _core.DLPackArray(capsule)


def test_device_arrays_are_refused():
    with pytest.raises(ValueError, match="copy it to the host first"):
        binade.encode(Exporter(MATRIX, device=(2, 0)), "e4m3")


REFUSED = {
    "unknown format": (lambda: binade.encode([1.0], "e4mm3"), "e4mm3.*e4m3"),
    "unknown rounding": (lambda: binade.encode([1.0], "e4m3", rounding="nearest"), "'nearest'"),
    "unknown overflow": (lambda: binade.encode([1.0], "e4m3", overflow="wrap"), "'wrap'"),
    "unknown NaN rule": (lambda: binade.encode([1.0], "e4m3", nan="drop"), "'drop'"),
    "random bits": (lambda: binade.encode([1.0], "e4m3", rounding="stochastic_a", random_bits=31),
                    "31"),
    "integers": (lambda: binade.encode(np.arange(3), "e4m3"), "int64"),
    "complex": (lambda: binade.encode([1j], "e4m3"), "complex128"),
    "text": (lambda: binade.encode(["1.0"], "e4m3"), "<U3"),
    "big integers": (lambda: binade.encode([2**53 + 1], "e4m3"), r"2\*\*53"),
    "codes without a format": (lambda: binade.decode(np.zeros(3, np.uint8)), "uint8"),
    "codes of another width": (lambda: binade.decode(np.zeros(3, np.uint8), "fp16"),
                               "uint16.*uint8"),
    "codes of another format": (lambda: binade.decode(binade.encode([1.0], "e5m2"), "e4m3"),
                                "e5m2, not e4m3"),
    "no code": (lambda: binade.Format("e4m3").decode(256), "256.*0 to 255"),
    "wide values": (lambda: binade.Format("fp32").values(), r"2\*\*32"),
    "round_to wide": (lambda: binade.round_to([1.0], "fp64"), "fp64"),
    "quantize a vector": (lambda: binade.quantize(np.ones(3, np.float32), "deepgemm"), r"\(3,\)"),
    "quantize fp64": (lambda: binade.quantize(np.ones((2, 2)), "deepgemm"), "fp64"),
    "quantize nothing": (lambda: binade.quantize(np.ones((0, 2), np.float32), "deepgemm"), "0"),
    "unknown recipe": (lambda: binade.quantize(MATRIX, "deepgem"), "deepgem.*deepgemm"),
    "scale type": (lambda: binade.quantize(MATRIX, "deepgemm", scale_type="e4m3"), "deepgemm.*e4m3"),
    "granularity": (lambda: binade.quantize(MATRIX, "deepgemm", granularity="1by128"), "1by128"),
    "threads": (lambda: binade.quantize(MATRIX, "deepgemm", threads=-1), "-1"),
    "unknown instruction": (lambda: binade.instruction("hopper.wgmma"), "hopper.wgmma"),
    "model card": (lambda: binade.instruction("{}"), "name"),
    "dot shapes": (lambda: binade.dot(np.zeros((2, 3), np.uint8), np.zeros((2, 4), np.uint8),
                                      instruction="hopper.wgmma.f32.e4m3.e4m3"),
                   r"\(2, 3\).*\(2, 4\)"),
    "dot operand": (lambda: binade.dot(MATRIX, MATRIX, instruction="hopper.wgmma.f32.e4m3.e4m3"),
                    "fp32, not e4m3"),
    "dot addend": (lambda: binade.dot(np.zeros((2, 3), np.uint8), np.zeros((2, 3), np.uint8),
                                      np.zeros(3, np.float32),
                                      instruction="hopper.wgmma.f32.e4m3.e4m3"), r"\(3,\).*\(2,\)"),
    "explain addend": (lambda: binade.explain(np.zeros(3, np.uint8), np.zeros(3, np.uint8), 0.1,
                                              instruction="hopper.wgmma.f32.e4m3.e4m3"), "0.1"),
    "gemm k": (lambda: binade.gemm(np.zeros((2, 32), np.uint8), np.zeros((2, 64), np.uint8),
                                   format_a="e4m3", format_b="e4m3", profile="cublaslt"), "32.*64"),
    "gemm formats": (lambda: binade.gemm(np.zeros((2, 32), np.uint8), np.zeros((2, 32), np.uint8),
                                         profile="cublaslt"), "uint8"),
    "gemm scales": (lambda: binade.gemm(np.zeros((2, 32), np.uint8), np.zeros((2, 32), np.uint8),
                                        format_a="e4m3", format_b="e4m3", profile="cublaslt",
                                        scale_a=-1.0), "-1"),
    "gemm scale not fp32": (lambda: binade.gemm(np.zeros((2, 32), np.uint8),
                                                np.zeros((2, 32), np.uint8), format_a="e4m3",
                                                format_b="e4m3", profile="cublaslt", scale_a=0.1),
                            "fp32 does not hold"),
    "gemm profile": (lambda: binade.profile("cublas"), "cublas.*cublaslt"),
    "gemm two levels": (lambda: binade.gemm(binade.quantize(MATRIX, "nvfp4"),
                                            binade.quantize(MATRIX, "nvfp4"), profile="exact"),
                        "tensor scale"),
    "metrics": (lambda: binade.metrics([1.0], [1.0, 2.0]), r"\(1,\).*\(2,\)"),
    "metrics of nothing": (lambda: binade.metrics([], []), "0|empty|zero"),
    "experiment": (lambda: binade.experiments.run("cast_eror"), "cast_eror.*cast_error"),
    "experiment parameter": (lambda: binade.experiments.cast_error(format="e4m3"), "'format'"),
    "experiment tensor": (lambda: binade.experiments.outlier_damage(tensor=np.ones(3, np.float32)),
                          r"\(3,\)"),
    "isa": (lambda: binade.set_isa("avx9"), "avx9"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_errors_say_what_was_found(case):
    call, words = REFUSED[case]
    with pytest.raises(ValueError, match=words):
        call()


# Torch is no requirement of the package or of these tests.
def torch():
    return pytest.importorskip("torch", reason="torch is not installed here")


def test_torch_tensors():
    t = torch()
    x = t.from_numpy(MATRIX.copy())
    want = bits(binade.encode(MATRIX, "e4m3"))
    for tensor in (x, x.clone().requires_grad_(), t.from_numpy(MATRIX.T.copy()).T):
        np.testing.assert_array_equal(bits(binade.encode(tensor, t.float8_e4m3fn)), want)
    held, fmt = containers(x)
    assert fmt.name == "fp32" and address(held) == x.data_ptr()
    for name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "bfloat16",
                 "float16"):
        small = x.to(getattr(t, name))
        held, fmt = containers(small)
        assert fmt == binade.Format(name)._core and address(held) == small.data_ptr()
        np.testing.assert_array_equal(binade.decode(small), small.to(t.float32).numpy())
    assert containers(t.empty(0, 3))[0].shape == (0, 3)
    assert binade.encode(t.tensor(1.3), "e4m3").item() == 1.25


def test_packed_torch_tensors_are_refused():
    t = torch()
    packed = t.zeros(4, dtype=t.uint8).view(t.float4_e2m1fn_x2)
    with pytest.raises(ValueError, match="4 bits in 2 lanes"):
        binade.decode(packed)
