"""The device's quantisers, casts and GEMMs, on arrays that lie in device memory already.

Arrays come from torch, cupy or whatever speaks DLPack or ``__cuda_array_interface__``, and are not
copied; results are allocated by torch or cupy, whichever the first argument belongs to. Elements in
formats that those have no type for are unsigned integers that hold codes.

Everything runs on CUDA's device 0, which must be the current one but for torch, where it is made
so for the call.

Streams: all work is queued on that device's legacy default stream and not waited for; torch's and
cupy's own default stream is that stream. Where torch's current stream is another, the default
stream first waits for it, and it then for the results. For an array that comes through DLPack the
default stream waits for its owner's current stream; for one with `__cuda_array_interface__` alone
for none. Whoever reads a result on yet another stream calls `synchronize` or records an event
first.

Scratch memory is kept for each shape and freed with `forget`. Without CUDA or without a device,
every function raises RuntimeError with one line that says so.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from . import _core
from ._arrays import FP32, float_format
from ._matmul import instruction as _find_instruction
from ._scaling import element_format

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")
_CUDA = 2  # DLPack's device type
_DEVICE = 0  # where everything runs
_NAMES = {8: "uint8", 16: "uint16", 32: "uint32"}
#: Formats under which results come back as they are; all others come as codes.
_TYPED = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
_HARDWARE_ORDERS = ("cublaslt-fast", "cublaslt", "torch-rowwise-fast", "torch-rowwise", "deepgemm")


def devices() -> str:
    """One line: the CUDA devices of this machine, or why there is none.

    Returns
    -------
    str

    Notes
    -----
    Source: CUDA's runtime.

    Examples
    --------
    >>> isinstance(cuda.devices(), str)
    True
    """
    return _core.cuda_devices()


def synchronize() -> None:
    """Wait for everything that was queued on the device.

    Returns
    -------
    None

    Raises
    ------
    RuntimeError
        Where there is no device, and with CUDA's message when something queued has failed.

    Notes
    -----
    Source: CUDA's runtime.

    Examples
    --------
    >>> if not cuda.devices().startswith("no CUDA"):
    ...     cuda.synchronize()
    """
    _core.cuda_require()
    _core.cuda_synchronize()


def _in_order(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """What the function queues comes after what torch's current stream holds, and before what that
    stream gets later: else torch would give memory to new tensors that is still read or written."""
    @functools.wraps(function)
    def call(*args: _Given.args, **given: _Given.kwargs) -> _Result:
        _core.cuda_require()
        torch = sys.modules.get("torch")
        if torch is None or not torch.cuda.is_initialized():
            return function(*args, **given)
        with contextlib.nullcontext() if torch.cuda.current_device() == _DEVICE else (
                torch.cuda.device(_DEVICE)):
            current = torch.cuda.current_stream(_DEVICE)
            if current.cuda_stream == 0:
                return function(*args, **given)
            default = torch.cuda.default_stream(_DEVICE)
            default.wait_stream(current)
            try:
                return function(*args, **given)
            finally:
                current.wait_stream(default)

    return call


@dataclass(frozen=True)
class _View:
    """What the core needs of an array, which its owner keeps alive."""

    address: int
    shape: tuple[int, ...]
    type: str
    layout: str  # row-major, C-contiguous; or column-major, its transpose


def _view(x: Any, name: str, *, column_major: bool = False) -> _View:
    """column_major: whether it may lie so."""
    if _is_plain_tensor(x):
        view = _torch_view(x, name)
    else:
        view = _dlpack_view(x, name) if hasattr(x, "__dlpack__") else _interface_view(x, name)
    if view.layout != "row-major" and not (column_major and view.layout == "column-major"):
        raise ValueError(f"{name} is not C-contiguous: copy it first")
    return view


def _layout(shape: tuple[int, ...], strides: Sequence[int], width: int = 1) -> str:
    """Of an array with these strides between elements of this width; empty for neither layout."""
    if 0 in shape:
        return "row-major"

    def is_dense(axes: Iterable[int]) -> bool:
        dense = width
        for axis in axes:  # the fastest first; where there is one element, no stride is used
            if shape[axis] > 1 and strides[axis] != dense:
                return False
            dense *= shape[axis]
        return True

    axes = range(len(shape))
    return "row-major" if is_dense(reversed(axes)) else "column-major" if is_dense(axes) else ""


def _is_plain_tensor(x: Any) -> bool:
    """Whether torch itself says where x lies: DLPack takes 20 us an array, and a GEMM has five."""
    torch = sys.modules.get("torch")
    return (torch is not None and type(x) in (torch.Tensor, torch.nn.Parameter)
            and x.layout is torch.strided)


def _torch_view(x: Any, name: str) -> _View:
    """Of a tensor whose stream `_in_order` has waited for."""
    if x.device.type != "cuda" or x.device.index != _DEVICE:
        raise ValueError(f"{name} lies on {x.device}: expected CUDA's device {_DEVICE}")
    if x.is_neg() or x.is_conj():
        raise ValueError(f"{name} shows its memory negated or conjugated: copy it first")
    shape = tuple(x.shape)
    return _View(x.data_ptr(), shape, str(x.dtype).removeprefix("torch."), _layout(shape, x.stride()))


def _dlpack_view(x: Any, name: str) -> _View:
    kind, ordinal = (int(part) for part in x.__dlpack_device__())
    if kind != _CUDA or ordinal != _DEVICE:
        raise ValueError(f"{name} lies on {getattr(x, 'device', 'the host')}: expected CUDA's device "
                         f"{_DEVICE}")
    if hasattr(x, "detach"):
        x = x.detach()
    try:
        taken = _core.DLPackArray(x.__dlpack__(stream=1))  # 1: the legacy default stream
    except BufferError as error:
        raise ValueError(f"{name} of {getattr(x, 'dtype', 'unknown type')} cannot be shared ({error}); "
                         "view its bits as unsigned integers and name their format") from error
    shape = tuple(taken.shape)
    return _View(taken.address, shape, taken.type, _layout(shape, taken.strides))


def _interface_view(x: Any, name: str) -> _View:
    found = getattr(x, "__cuda_array_interface__", None)
    if found is None:
        raise ValueError(f"{name} is a {type(x).__name__}: expected an array in device memory, with "
                         "__dlpack__ or __cuda_array_interface__")
    types = {"|u1": "uint8", "<u2": "uint16", "<f4": "float32", "<f2": "float16", "<u4": "uint32"}
    kind = types.get(found["typestr"])
    if kind is None:
        raise ValueError(f"{name} holds {found['typestr']}: expected one of {', '.join(types)}")
    shape, layout = tuple(found["shape"]), "row-major"
    if found.get("strides") is not None:
        layout = _layout(shape, found["strides"], int(found["typestr"][2:]))
    return _View(int(found["data"][0]), shape, kind, layout)


def _codes_of(fmt: _core.FloatFormat) -> str:
    """The type of unsigned integers that hold codes of a format."""
    if fmt.container_bits not in _NAMES:
        raise ValueError(f"{fmt.name} takes {fmt.container_bits} bits: the device has formats of up to 32")
    return _NAMES[fmt.container_bits]


def _format_of(view: _View, fmt: Any, name: str) -> _core.FloatFormat:
    """The format of an array's elements: its own, or `fmt` for unsigned integers."""
    if view.type.startswith("uint"):
        if fmt is None:
            raise ValueError(f"{name} of {view.type} holds codes: say of which format")
        found = float_format(fmt)
        if (codes := _codes_of(found)) != view.type:
            raise ValueError(f"codes of {found.name} come as {codes}, not as {view.type}")
        return found
    try:
        found = float_format(view.type)
    except ValueError:
        raise ValueError(f"{name} holds {view.type}: expected numbers of a floating-point format, or "
                         "unsigned integers that hold codes of one") from None
    if fmt is not None and float_format(fmt) != found:
        raise ValueError(f"{name} holds {found.name}, not {float_format(fmt).name}")
    return found


def _matrix(x: Any, fmt: Any, name: str, *,
            column_major: bool = False) -> tuple[_View, _core.FloatFormat]:
    view = _view(x, name, column_major=column_major)
    if len(view.shape) != 2:
        raise ValueError(f"{name} has shape {view.shape}: expected a matrix")
    return view, _format_of(view, fmt, name)


def _empty(like: Any, shape: tuple[int, ...], fmt: _core.FloatFormat) -> Any:
    """An array beside `like`, by the library that it belongs to."""
    kind = _TYPED.get(fmt.name) or _codes_of(fmt)
    library = type(like).__module__.partition(".")[0]
    if library == "cupy" and kind == "bfloat16":
        kind = "uint16"
    if library not in ("torch", "cupy"):
        raise ValueError(f"a {type(like).__name__}: results are allocated by torch or cupy, so one of "
                         "their arrays must come first")
    module = sys.modules[library]
    if library == "torch":
        return module.empty(shape, dtype=getattr(module, kind), device=like.device)
    with like.device:
        return module.empty(shape, dtype=kind)


def _row_major(x: Any, name: str) -> Any:
    """A row-major copy, made on the stream that will read it."""
    library = type(x).__module__.partition(".")[0]
    if library == "torch":
        cuda = sys.modules[library].cuda
        with cuda.stream(cuda.default_stream(x.device)):
            return x.contiguous()
    if library == "cupy":
        with x.device, sys.modules[library].cuda.Stream.null:
            return sys.modules[library].ascontiguousarray(x)
    raise ValueError(f"{name} are column-major, and no array of torch's or cupy's: copy them first")


@_in_order
def cast(x: Any, to: Any, *, source: Any = None, overflow: str = "saturate") -> Any:
    """Cast an array on the device, to nearest even, as `binade.encode` does on the host.

    Parameters
    ----------
    x : array in device memory, any shape
        Floating-point values, or unsigned integers that hold codes of `source`.
    to : str, Format or dtype
        The target format.
    source : str, Format or dtype, optional
        What unsigned integers are the codes of.
    overflow : str
        "saturate" or "special", as for `binade.encode`.

    Returns
    -------
    torch.Tensor or cupy.ndarray, of x's shape
        fp32, bf16 and fp16 as such; all others as codes in unsigned integers.

    Raises
    ------
    ValueError
        For arrays that are not contiguous or not on a device, and for unknown names.
    RuntimeError
        Where there is no device.

    Notes
    -----
    Units: none. Arithmetic: one rounding, to nearest even. Determinism: the bits of `encode`.

    Source: the formats', see `formats`.

    Examples
    --------
    >>> if not cuda.devices().startswith("no CUDA"):
    ...     import torch
    ...     assert cuda.cast(torch.tensor([1.3], device="cuda"), "e4m3").item() == 0x3a
    """
    view = _view(x, "x")
    from_, to_ = _format_of(view, source, "x"), float_format(to)
    out = _empty(x, view.shape, to_)
    count = 1
    for extent in view.shape:
        count *= extent
    _core.cuda_cast(from_, view.address, to_, _view(out, "out").address, count, overflow)
    return out


@dataclass(frozen=True)
class Quantized:
    """A quantised matrix in device memory.

    Attributes
    ----------
    codes : array of unsigned integers, shape (rows, cols)
    scales : array of float32, shape (block rows, block columns)
        The dequantisation factors, row-major or column-major.
    format : str
        Of the codes.

    Notes
    -----
    Units: scales carry those of the matrix.

    Source: the recipe's, see `binade.recipe`.

    Examples
    --------
    >>> if not cuda.devices().startswith("no CUDA"):
    ...     import torch
    ...     codes = torch.zeros(2, 128, dtype=torch.uint8, device="cuda")
    ...     q = cuda.Quantized(codes, torch.ones(1, 1, device="cuda"), "e4m3")
    """

    codes: Any
    scales: Any
    format: str


@functools.lru_cache(maxsize=256)
def _quantizer(source: _core.FloatFormat, rows: int, cols: int, recipe: str, granularity: str,
               scale_type: str, element: _core.FloatFormat) -> _core.CudaQuantizer:
    return _core.CudaQuantizer(source, rows, cols, _core.ScaleRecipe.find(recipe), granularity,
                               scale_type, element)


@_in_order
def quantize(x: Any, recipe: str, *, granularity: str, scale_type: str = "fp32", to: Any = "e4m3",
             source: Any = None, transposed: bool = False,
             scale_layout: str = "row-major") -> Any:
    """Quantise a matrix on the device, to the bits of `binade.quantize`.

    Parameters
    ----------
    x : array in device memory, shape (rows, cols)
    recipe : str
        One of `binade.recipes()`.
    granularity : str
        "tensor", "row", "column" or "RxC".
    scale_type : str
        "fp32", "pow2" or "ue8m0".
    to : str, Format or dtype
        The format of the elements.
    source : str, Format or dtype, optional
        What unsigned integers are the codes of.
    transposed : bool
        Also quantise x's transpose, by blocks of its own rows and columns.
    scale_layout : str
        How scales lie: "row-major", C-contiguous; or "column-major", the transpose of a C-contiguous
        matrix: so cuBLASLt takes 1x128 scales, and so they are written fastest where `transposed`.

    Returns
    -------
    Quantized, or a pair of them where `transposed`
        The second has codes of shape (cols, rows).

    Raises
    ------
    ValueError
        As `binade.quantize`, and for arrays that are not contiguous or not on a device.
    RuntimeError
        Where there is no device.

    Notes
    -----
    Units: `scale` is the dequantisation factor, in the units of x. Arithmetic and determinism: as
    `binade.quantize`.

    Source: the recipe's, see `binade.recipe`.

    Examples
    --------
    >>> if not cuda.devices().startswith("no CUDA"):
    ...     import torch
    ...     x = torch.ones(512, 256, device="cuda")
    ...     q = cuda.quantize(x, "deepgemm", granularity="1x128")
    ...     assert q.scales.shape == (512, 2)
    """
    view, fmt = _matrix(x, source, "x")
    rows, cols = view.shape
    element = element_format(to)
    worker = _quantizer(fmt, rows, cols, recipe, granularity, scale_type, element)

    def room(height: int, width: int) -> Quantized:
        down, across = _core.scale_grid(height, width, granularity)
        scales = (_empty(x, (across, down), FP32).T if scale_layout == "column-major"
                  else _empty(x, (down, across), FP32))
        return Quantized(_empty(x, (height, width), element), scales, element.name)

    def addresses(q: Quantized) -> tuple[int, int]:
        return (_view(q.codes, "codes").address,
                _view(q.scales, "scales", column_major=True).address)

    out = room(rows, cols)
    other = room(cols, rows) if transposed else None
    here, there = addresses(out), addresses(other) if other else (0, 0)
    worker.run(view.address, *here, *there, scale_layout)
    return (out, other) if other else out


def _parts(x: Any, fmt: Any, scales: Any) -> tuple[Any, Any, Any]:
    """Codes, their format and their scales."""
    return (x.codes, x.format, x.scales) if isinstance(x, Quantized) else (x, fmt, scales)


def _operand(x: Any, fmt: Any, scales: Any,
             name: str) -> tuple[_core.DeviceOperand, tuple[Any, ...]]:
    """The core's operand, and the key of its format and shapes."""
    view, found = _matrix(x, fmt, name)
    rows, k = view.shape
    if scales is None:
        return _core.DeviceOperand(found, view.address, rows, k), (found, rows, k)
    factors, kind = _matrix(scales, None, f"the scales of {name}", column_major=True)
    if kind != FP32:
        raise ValueError(f"the scales of {name} are {kind.name}: expected fp32")
    down, across = factors.shape
    operand = _core.DeviceOperand(found, view.address, rows, k, factors.address, down, across,
                                  factors.layout)
    return operand, (found, rows, k, down, across)


@functools.lru_cache(maxsize=256)
def _emulated(profile: str, a: tuple[Any, ...], b: tuple[Any, ...], output: _core.FloatFormat,
              interval: int | None, card: str | None) -> _core.CudaEmulatedGemm:
    def shape(key: tuple[Any, ...]) -> _core.DeviceOperand:
        fmt, rows, k, *grid = key
        here = 16  # addresses are not read, but zero would stand for no array
        return _core.DeviceOperand(fmt, here, rows, k, *((here, *grid) if grid else ()))

    model = None if card is None else _find_instruction(card)
    return _core.CudaEmulatedGemm(_core.GemmProfile.find(profile), shape(a), shape(b), output,
                                  interval, model)


@_in_order
def gemm(a: Any, b: Any, *, profile: str, scale_a: Any = None, scale_b: Any = None,
         format_a: Any = None, format_b: Any = None, output: Any = "fp32",
         promotion_interval: int | None = None, instruction: str | None = None,
         path: str = "auto") -> Any:
    """D = A B^T on the device, to the bits of `binade.gemm`.

    Parameters
    ----------
    a : array in device memory or Quantized, shape (m, k)
    b : array in device memory or Quantized, shape (n, k)
    profile : str
        One of `binade.profiles()`.
    scale_a, scale_b : array of float32, shape (block rows, block columns), optional
        Dequantisation factors, as for `binade.gemm`, row-major or column-major; they are not
        checked.
    format_a, format_b : str, Format or dtype, optional
        What unsigned integers are the codes of.
    output : str, Format or dtype
        The format of D.
    promotion_interval : int, optional
        K elements between promotions to FP32, in place of the profile's; 0 is never.
    instruction : str, optional
        A name or a model card, in place of the profile's: hardware that need not exist.
    path : str
        "hardware": the tensor cores; "emulated": the model on CUDA cores; "auto": the tensor cores
        where they have the profile and the formats, else the model. The bits are the same.

    Returns
    -------
    torch.Tensor or cupy.ndarray, shape (m, n)

    Raises
    ------
    ValueError
        As `binade.gemm`; for arrays that are not contiguous or not on a device; for what the tensor
        cores do not have where they are asked for.
    RuntimeError
        Where there is no device, or not one of compute capability 9.0 for the tensor cores.

    Notes
    -----
    Units: scales are dequantisation factors. Arithmetic and determinism: as `binade.gemm`.

    Source: the profile's, see `binade.profile`.

    Examples
    --------
    >>> if not cuda.devices().startswith("no CUDA"):
    ...     import torch
    ...     x = torch.ones(512, 256, device="cuda")
    ...     q = cuda.quantize(x, "deepgemm", granularity="tensor")
    ...     assert cuda.gemm(q, q, profile="cublaslt", output="bf16").shape == (512, 512)
    """
    if path not in ("auto", "hardware", "emulated"):
        raise ValueError(f"path {path!r}: expected 'auto', 'hardware' or 'emulated'")
    a, format_a, scale_a = _parts(a, format_a, scale_a)
    b, format_b, scale_b = _parts(b, format_b, scale_b)
    left, left_key = _operand(a, format_a, scale_a, "a")
    right, right_key = _operand(b, format_b, scale_b, "b")
    if left_key[2] != right_key[2]:
        raise ValueError(f"a has k = {left_key[2]} and b {right_key[2]}: expected the same")
    out_format = float_format(output)
    d = _empty(a, (left_key[1], right_key[1]), out_format)
    target = _view(d, "d")
    fp8 = {left_key[0].name, right_key[0].name} <= {"e4m3", "e5m2"}
    hardware = instruction is None and profile in _HARDWARE_ORDERS and fp8 and (
        out_format.name in ("fp32", "bf16"))
    if path == "hardware" or (path == "auto" and hardware):
        if instruction is not None:
            raise ValueError("the tensor cores have their own arithmetic: an instruction is emulated")
        _core.cuda_gemm(_core.GemmProfile.find(profile), left, right, out_format, target.address,
                        promotion_interval)
        return d
    worker = _emulated(profile, left_key, right_key, out_format, promotion_interval, instruction)
    if left.scale_layout != "row-major":  # its kernels know one layout
        scale_a = _row_major(scale_a, "the scales of a")
        left, _ = _operand(a, format_a, scale_a, "a")
    if right.scale_layout != "row-major":
        scale_b = _row_major(scale_b, "the scales of b")
        right, _ = _operand(b, format_b, scale_b, "b")
    worker.run(left, right, target.address)
    return d


def forget() -> None:
    """Free the scratch memory that quantisers and emulated GEMMs keep for the shapes they have met.

    Returns
    -------
    None

    Notes
    -----
    Source: this project.

    Examples
    --------
    >>> cuda.forget()
    """
    _quantizer.cache_clear()
    _emulated.cache_clear()


def __dir__() -> list[str]:
    return ["Quantized", "cast", "devices", "forget", "gemm", "quantize", "synchronize"]
