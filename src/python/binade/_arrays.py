"""From whatever holds numbers (NumPy, ml_dtypes, torch, DLPack, lists) to containers and back.

A *container array* is a C-contiguous NumPy array of unsigned integers that hold codes, as the C++
core takes them. Nothing is copied when the layout allows.
"""

from __future__ import annotations

import functools
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from . import _core

Array = npt.NDArray[Any]

#: Formats that NumPy or ml_dtypes has a type for. Codes of all others are unsigned integers.
_DTYPES: dict[str, Any] = {
    "fp64": np.float64,
    "fp32": np.float32,
    "fp16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "e4m3b11fnuz": ml_dtypes.float8_e4m3b11fnuz,
    "e3m4": ml_dtypes.float8_e3m4,
    "e4m3ieee": ml_dtypes.float8_e4m3,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e2m1": ml_dtypes.float4_e2m1fn,
    "e8m0": ml_dtypes.float8_e8m0fnu,
}
_UNSIGNED = {bits: np.dtype(f"u{bits // 8}") for bits in (8, 16, 32, 64)}

# Looked up once a name: what a small cast costs is mostly what surrounds it.
_parse = functools.lru_cache(maxsize=1024)(_core.FloatFormat.parse)
_FORMAT_OF_DTYPE = {np.dtype(dtype): _parse(name) for name, dtype in _DTYPES.items()}
FP32, FP64 = _parse("fp32"), _parse("fp64")

#: DLPack's device types whose memory the host can read: CPU, pinned by CUDA or ROCm, managed.
_HOST_DEVICES = {1, 3, 11, 13}


def float_format(name: Any) -> _core.FloatFormat:
    """The core's format for a name, a `Format` or a dtype of NumPy, ml_dtypes or torch."""
    if isinstance(name, _core.FloatFormat):
        return name
    if isinstance(name, str):
        return _parse(name)
    core = getattr(name, "_core", None)
    if isinstance(core, _core.FloatFormat):
        return core
    if str(name).startswith("torch."):
        return _parse(str(name).removeprefix("torch."))
    try:
        return _FORMAT_OF_DTYPE[np.dtype(name)]
    except (TypeError, KeyError):
        raise ValueError(f"no format is called {name!r}") from None


@functools.lru_cache(maxsize=1024)
def dtype_of(fmt: _core.FloatFormat) -> np.dtype[Any]:
    """The NumPy dtype in which codes of `fmt` come back."""
    known = _DTYPES.get(fmt.name)
    return container_dtype(fmt) if known is None else np.dtype(known)


def container_dtype(fmt: _core.FloatFormat) -> np.dtype[Any]:
    return _UNSIGNED[fmt.container_bits]


def to_numpy(x: Any) -> Array:
    """`x` as a NumPy array, sharing its memory where it has any."""
    if isinstance(x, np.ndarray):
        return x
    if hasattr(x, "__dlpack__") and not isinstance(x, np.generic):
        return _from_dlpack(x)
    return np.asarray(x)


def _from_dlpack(x: Any) -> Array:
    if int(x.__dlpack_device__()[0]) not in _HOST_DEVICES:
        where = getattr(x, "device", "a device")
        raise ValueError(f"this array lives on {where}; copy it to the host first")
    if hasattr(x, "detach"):
        x = x.detach()  # torch does not export tensors that record gradients
    try:
        capsule = x.__dlpack__(max_version=(1, 1))
    except TypeError:  # from before DLPack 1.0
        capsule = x.__dlpack__()
    except BufferError as error:
        raise ValueError(f"this array of {getattr(x, 'dtype', 'unknown type')} cannot be shared "
                         f"({error}); view its bits as unsigned integers and name their format") from error
    taken = _core.DLPackArray(capsule)
    return np.asarray(taken).view(np.dtype(getattr(ml_dtypes, taken.type, taken.type)))


def _integers_as_fp64(array: Array) -> Array:
    """Python's integers as fp64, unless that would round them."""
    if array.size and max(abs(int(array.max())), abs(int(array.min()))) > 2**53:
        raise ValueError("integers beyond 2**53 do not fit in fp64, and would be rounded twice")
    return array.astype(np.float64)


def containers(x: Any, fmt: Any = None) -> tuple[Array, _core.FloatFormat]:
    """`x` as a container array with the format its elements are in.

    Arrays of floats carry their format in their dtype. Unsigned integers need `fmt`. Python numbers
    and lists become fp64.
    """
    array = to_numpy(x)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind in "iu" and fmt is None and not hasattr(x, "dtype"):
        array = _integers_as_fp64(array)
    found = _FORMAT_OF_DTYPE.get(array.dtype)
    if found is not None:
        wanted = found if fmt is None else float_format(fmt)
        if wanted != found and not _holds(array.dtype, wanted):
            raise ValueError(f"the array holds {found.name}, not {wanted.name}")
        found = wanted
    elif array.dtype.kind != "u":
        raise ValueError(f"an array of {array.dtype} holds no numbers of a known format: expected "
                         "fp64 or narrower floats, or unsigned integers that hold codes")
    elif fmt is None:
        raise ValueError(f"an array of {array.dtype} holds codes: say of which format")
    else:
        found = float_format(fmt)
        if array.dtype.itemsize * 8 != found.container_bits:
            raise ValueError(f"codes of {found.name} come as uint{found.container_bits}, not as "
                             f"{array.dtype}")
    if not array.flags.c_contiguous:
        array = np.array(array, order="C")
    return array.view(container_dtype(found)), found


def _holds(dtype: np.dtype[Any], fmt: _core.FloatFormat) -> bool:
    """tf32 lives in fp32 words."""
    return bool(fmt.padding_bits) and dtype == np.float32


def fp32_array(x: Any, name: str) -> Array:
    """`x` as C-contiguous fp32, refused where that would round it."""
    array, found = containers(x)
    if not found.embeds_in(FP32):
        raise ValueError(f"{name} holds {found.name}, which fp32 does not hold exactly: cast it first")
    values = array if found == FP32 else cast_containers(array, found, FP32)
    return values.view(np.float32)


def cast_containers(source: Array, source_format: _core.FloatFormat,
                    target_format: _core.FloatFormat, rounding: str = "nearest_even",
                    overflow: str = "special", nan: str = "keep_sign", random_bits: int = 8,
                    seed: int = 0) -> Array:
    """Containers of one format into containers of another, rounded once."""
    target = np.empty(source.shape, container_dtype(target_format))
    _core.cast(source_format, source, target_format, target, source.size, rounding, overflow, nan,
               random_bits, seed)
    return target
