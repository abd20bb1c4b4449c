"""binade.cuda: bits as on the host where there is a device; where there is none, one clear line."""
import sys
import types
import unittest

import binade
import numpy as np
from binade import cuda

RNG = np.random.default_rng(5)


def torch_on_device():
    try:
        import torch
    except ImportError as error:
        raise unittest.SkipTest(str(error)) from None
    if not torch.cuda.is_available():
        raise unittest.SkipTest(cuda.devices())
    return torch


def message_of(call):
    try:
        call()
    except (ValueError, RuntimeError) as error:
        text = str(error)
        assert "\n" not in text, text
        return text
    raise AssertionError("nothing was raised")


def host(tensor):
    return tensor.cpu().numpy()


def loud_rows(rows, cols):
    return (RNG.standard_normal((rows, cols)) * np.exp(RNG.standard_normal((rows, 1)))).astype("f4")


def test_without_a_device_one_line_says_so():
    if "no CUDA device" not in cuda.devices():
        raise unittest.SkipTest("there is a device")
    x = np.ones((2, 128), np.float32)
    for call in (lambda: cuda.quantize(x, "deepgemm", granularity="1x128"),
                 lambda: cuda.gemm(x, x, profile="cublaslt"), lambda: cuda.cast(x, "e4m3"),
                 cuda.synchronize):
        assert message_of(call) == cuda.devices()
    cuda.forget()


def test_training_recipes_are_the_librarys():
    names = binade.training.recipes()
    assert names[:3] == ["bf16", "deepseek-v3", "te-block"]
    for name in names:
        recipe = binade.training.recipe(name)
        assert recipe.name == name and recipe.summary and recipe.source and recipe.wide
        for rule in (recipe.forward, recipe.dgrad, recipe.wgrad):
            assert binade.profile(rule.profile).name == rule.profile
            assert recipe.instruction(rule).verified == (recipe.fraction_bits == 0)
    assert "deepseek-v3" in message_of(lambda: binade.training.recipe("deepseek"))


def test_casts_have_the_hosts_bits():
    torch = torch_on_device()
    x = (RNG.standard_normal(100_003) * 100).astype("f4")
    for fmt in ("e4m3", "e5m2", "bf16", "e5m6"):
        ours = cuda.cast(torch.from_numpy(x).cuda(), fmt)
        theirs = binade.encode(x, fmt, overflow="saturate")
        bits = host(ours.view(torch.int16 if ours.element_size() == 2 else torch.uint8))
        assert bits.tobytes() == theirs.tobytes(), fmt
    back = cuda.cast(cuda.cast(torch.from_numpy(x).cuda(), "e4m3"), "fp32", source="e4m3")
    assert host(back).tobytes() == binade.decode(
        binade.encode(x, "e4m3", overflow="saturate")).astype("f4").tobytes()


def test_quantisers_have_the_hosts_bits():
    torch = torch_on_device()
    x = loud_rows(384, 512)
    for granularity in ("1x128", "128x128", "tensor", "row"):
        for recipe, scale_type in (("deepgemm", "fp32"), ("transformer-engine", "pow2")):
            ours = cuda.quantize(torch.from_numpy(x).cuda(), recipe, granularity=granularity,
                                 scale_type=scale_type, transposed=True)
            for q, y in zip(ours, (x, x.T.copy())):
                theirs = binade.quantize(y, recipe, granularity=granularity, scale_type=scale_type)
                assert host(q.codes).tobytes() == theirs.codes.tobytes()
                assert host(q.scales).tobytes() == theirs.scales.tobytes()


def test_layouts_are_told_by_strides():
    layouts = {((3, 4), (4, 1)): "row-major", ((3, 4), (1, 3)): "column-major",
               ((3, 4), (8, 2)): "", ((3, 1), (1, 7)): "row-major", ((1, 4), (9, 1)): "row-major",
               ((2, 3, 4), (1, 2, 6)): "column-major", ((5,), (2,)): "", ((), ()): "row-major",
               ((5, 0), (1, 1)): "row-major"}
    for (shape, strides), layout in layouts.items():
        assert cuda._layout(shape, strides) == layout, (shape, strides)


class Foreign:  # what numba and others give: no DLPack
    def __init__(self, tensor=None, **changes):
        given = {"data": (0, False)} if tensor is None else tensor.__cuda_array_interface__
        self.__cuda_array_interface__ = {**given, **changes}


def test_arrays_without_dlpack():
    for shape, strides in (((3, 4), None), ((3, 4), (16, 4)), ((), ())):
        view = cuda._view(Foreign(shape=shape, strides=strides, typestr="<f4"), "x")
        assert view.layout == "row-major" and view.shape == shape and view.type == "float32"
    between = Foreign(shape=(3,), strides=(5,), typestr="<f4")
    assert message_of(lambda: cuda._view(between, "x")) == "x is not C-contiguous: copy it first"
    columns = Foreign(shape=(3, 4), strides=(4, 12), typestr="<f4")
    assert cuda._view(columns, "x", column_major=True).layout == "column-major"
    assert message_of(lambda: cuda._view(columns, "x")) == "x is not C-contiguous: copy it first"
    times = Foreign(shape=(3,), strides=(8,), typestr="<M8[ns]")
    assert "x holds <M8[ns]" in message_of(lambda: cuda._view(times, "x"))
    assert "the scales of b are column-major" in message_of(
        lambda: cuda._row_major(columns, "the scales of b"))


def test_scales_come_in_either_layout():
    torch = torch_on_device()
    x = torch.from_numpy(loud_rows(384, 640)).cuda()
    for granularity in ("1x128", "128x128", "row", "tensor", "1x32"):
        rows, columns = (cuda.quantize(x, "deepgemm", granularity=granularity, transposed=True,
                                       scale_layout=layout)
                         for layout in ("row-major", "column-major"))
        for by_row, by_column in zip(rows, columns):
            assert torch.equal(by_row.codes, by_column.codes)
            assert torch.equal(by_row.scales, by_column.scales)
            assert by_row.scales.is_contiguous() and by_column.scales.t().is_contiguous()
    left, right = (cuda.quantize(x, "deepgemm", granularity=g) for g in ("1x128", "128x128"))
    turned = [cuda.Quantized(q.codes, q.scales.t().contiguous().t(), q.format)
              for q in (left, right)]
    for path in ("hardware", "emulated"):
        products = [cuda.gemm(a, b, profile="deepgemm", path=path).view(torch.int32)
                    for a, b in ((left, right), (turned[0], right), (left, turned[1]), turned)]
        assert all(torch.equal(products[0], d) for d in products[1:]), path
    foreign = Foreign(turned[0].scales)
    given = {"profile": "deepgemm", "format_a": "e4m3", "scale_a": foreign}
    assert torch.equal(cuda.gemm(left.codes, right, **given), cuda.gemm(left, right, profile="deepgemm"))
    assert "the scales of a are column-major" in message_of(
        lambda: cuda.gemm(left.codes, right, path="emulated", **given))
    strided = torch.ones(384, 10, device="cuda")[:, ::2]
    assert "not C-contiguous" in message_of(lambda: cuda.gemm(
        cuda.Quantized(left.codes, strided, "e4m3"), right, profile="deepgemm"))
    assert "unknown layout 'rows'" in message_of(lambda: cuda.quantize(
        x, "deepgemm", granularity="1x128", scale_layout="rows"))


def test_torchs_tensors_as_they_lie():
    torch = torch_on_device()
    x = torch.from_numpy(loud_rows(256, 384)).cuda()
    codes = cuda.cast(x, "e4m3")
    typed = codes.view(torch.float8_e4m3fn)
    products = [cuda.gemm(a, b, profile="cublaslt", **given) for a, b, given in (
        (codes, codes, {"format_a": "e4m3", "format_b": "e4m3"}), (typed, typed, {}),
        (torch.nn.Parameter(typed, requires_grad=False), typed, {}))]
    assert all(torch.equal(products[0], d) for d in products[1:])
    assert "a holds e4m3, not e5m2" in message_of(
        lambda: cuda.gemm(typed, typed, profile="cublaslt", format_a="e5m2"))
    negated = torch.view_as_complex(x.view(256, 192, 2)).conj().imag
    assert negated.is_neg()
    assert "negated" in message_of(lambda: cuda.cast(negated, "e4m3"))
    assert message_of(lambda: cuda.cast(x.to_sparse(), "e4m3"))


def test_work_waits_for_torchs_stream():
    torch = torch_on_device()
    x = torch.zeros(1 << 20, device="cuda")
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.cuda._sleep(200_000_000)  # 0.1 s, in which a cast that did not wait would read zeros
        x.fill_(1.5)
        codes = cuda.cast(x, "e4m3")
        copied = codes.clone()
        left = cuda.cast(x.clone(), "e4m3")  # whose source's memory is free now, and still to be read
        torch.zeros_like(x)
    torch.cuda.synchronize()
    assert all(bool((c == 0x3c).all()) for c in (codes, copied, left))


class Stream:
    def __init__(self, cuda_stream, log):
        self.cuda_stream, self.log = cuda_stream, log

    def wait_stream(self, other):
        self.log.append(f"{self.cuda_stream} waits for {other.cuda_stream}")


def test_streams_wait_in_both_directions(monkeypatch):
    log = []
    side, default = Stream(7, log), Stream(0, log)
    device = types.SimpleNamespace(
        is_initialized=lambda: True, current_device=lambda: 0, current_stream=lambda i: side,
        default_stream=lambda i: default)
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(cuda=device))
    monkeypatch.setattr(cuda._core, "cuda_require", lambda: None)

    @cuda._in_order
    def work(fails=False):
        log.append("work")
        if fails:
            raise ValueError("no")
        return 5

    expected = ["0 waits for 7", "work", "7 waits for 0"]
    assert work() == 5 and log == expected
    assert message_of(lambda: work(fails=True)) == "no" and log == 2 * expected
    side.cuda_stream = 0
    assert work() == 5 and log == 2 * expected + ["work"]


def test_formats_that_the_device_has_not():
    view = cuda._View(0, (2,), "uint8", "row-major")
    assert "fp64 takes 64 bits" in message_of(lambda: cuda._format_of(view, "fp64", "x"))
    assert "x holds int8: expected" in message_of(
        lambda: cuda._format_of(cuda._View(0, (2,), "int8", "row-major"), None, "x"))


def torch_1x128(torch, x):
    """DeepGEMM's recipe in torch's words."""
    blocks = x.float().view(x.shape[0], -1, 128)
    scales = blocks.abs().amax(2).clamp(1e-4) / 448.0
    codes = (blocks * (1.0 / scales.unsqueeze(2))).to(torch.float8_e4m3fn)
    return codes.view(x.shape), scales


def test_casts_and_quantisers_have_torchs_bits():
    torch = torch_on_device()
    for dtype in (torch.bfloat16, torch.float32):
        x = torch.from_numpy(loud_rows(256, 512)).cuda().to(dtype)
        assert torch.equal(cuda.cast(x, "e4m3", overflow="special"),
                           x.to(torch.float8_e4m3fn).view(torch.uint8))
        recipe = {"recipe": "deepgemm-cuda", "granularity": "1x128"}
        alone, (straight, flipped) = (cuda.quantize(x, **recipe, transposed=transposed)
                                      for transposed in (False, True))
        for q, y in ((alone, x), (straight, x), (flipped, x.t().contiguous())):
            codes, scales = torch_1x128(torch, y)
            assert torch.equal(q.codes, codes.view(torch.uint8)), dtype
            assert torch.equal(q.scales.view(torch.int32), scales.view(torch.int32)), dtype


def operands(torch, granularities, m=96, n=256, k=384, formats=("e4m3", "e4m3")):
    pair = []
    for rows, granularity, fmt in zip((m, n), granularities, formats):
        x = loud_rows(rows, k)
        pair.append((cuda.quantize(torch.from_numpy(x).cuda(), "deepgemm", granularity=granularity,
                                   to=fmt),
                     binade.quantize(x, "deepgemm", granularity=granularity, to=fmt)))
    return pair


def test_products_have_the_hosts_bits_on_both_paths():
    torch = torch_on_device()
    for profile, granularities in (("cublaslt-fast", ("tensor", "tensor")),
                                   ("cublaslt", ("tensor", "tensor")),
                                   ("torch-rowwise", ("row", "row")),
                                   ("deepgemm", ("1x128", "128x128")),
                                   ("te-1dx1d", ("1x128", "1x128"))):
        for formats in (("e4m3", "e4m3"), ("e5m2", "e4m3")):
            (a, host_a), (b, host_b) = operands(torch, granularities, formats=formats)
            for output in ("fp32", "bf16"):
                expected = binade.gemm(host_a, host_b, profile=profile, output=output)
                paths = ("emulated",) if profile == "te-1dx1d" else ("hardware", "emulated")
                for path in paths:
                    d = cuda.gemm(a, b, profile=profile, output=output, path=path)
                    bits = host(d.view(torch.int16 if output == "bf16" else torch.int32))
                    assert bits.tobytes() == expected.tobytes(), (profile, formats, output, path)


def test_model_cards_run_on_the_device():
    torch = torch_on_device()
    (a, host_a), (b, host_b) = operands(torch, ("tensor", "tensor"))
    recipe = binade.training.recipe("e4m3-tensor-f9")
    card = recipe.instruction(recipe.forward).to_json()
    expected = binade.gemm(host_a, host_b, profile="cublaslt-fast", instruction=card)
    assert host(cuda.gemm(a, b, profile="cublaslt-fast", instruction=card)).tobytes() == (
        expected.tobytes())


def test_what_does_not_fit_is_refused_in_a_line():
    torch = torch_on_device()
    x = torch.ones(128, 256, device="cuda")
    assert "C-contiguous" in message_of(lambda: cuda.cast(x.t(), "e4m3"))
    assert "device 0" in message_of(lambda: cuda.cast(x.cpu(), "e4m3"))
    assert "say of which format" in message_of(lambda: cuda.cast(x.to(torch.uint8), "fp32"))
    q = cuda.quantize(x, "deepgemm", granularity="1x128")
    short = cuda.quantize(x[:, :128].contiguous(), "deepgemm", granularity="1x128")
    assert "k = 256" in message_of(lambda: cuda.gemm(q, short, profile="te-1dx1d"))
    assert "scales" in message_of(lambda: cuda.gemm(q, q, profile="deepgemm"))
    assert "matrix" in message_of(lambda: cuda.quantize(x[0], "deepgemm", granularity="1x128"))


def test_arrays_of_the_cuda_array_interface():
    torch = torch_on_device()

    x = torch.from_numpy(loud_rows(128, 256)).cuda()
    q = cuda.quantize(x, "deepgemm", granularity="tensor")
    d = cuda.gemm(q.codes, Foreign(q.codes), profile="cublaslt", format_a="e4m3", format_b="e4m3",
                  scale_a=q.scales, scale_b=Foreign(q.scales))
    assert torch.equal(d, cuda.gemm(q, q, profile="cublaslt"))
