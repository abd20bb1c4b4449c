"""From whatever holds numbers (NumPy, ml_dtypes, torch, DLPack, lists) to containers and back.

A *container array* is a C-contiguous NumPy array of unsigned integers that hold codes, as the C++
core takes them. Nothing is copied when the layout allows.
"""

from __future__ import annotations

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
    "e3m4": ml_dtypes.float8_e3m4,
    "e4m3ieee": ml_dtypes.float8_e4m3,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e2m1": ml_dtypes.float4_e2m1fn,
    "e8m0": ml_dtypes.float8_e8m0fnu,
}
_FORMAT_OF_DTYPE = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
_UNSIGNED = {8: np.uint8, 16: np.uint16, 32: np.uint32, 64: np.uint64}


def float_format(name: Any) -> _core.FloatFormat:
    """The core's format for a name, a `Format` or a NumPy dtype."""
    if isinstance(name, _core.FloatFormat):
        return name
    if isinstance(name, str):
        return _core.FloatFormat.parse(name)
    core = getattr(name, "_core", None)
    if isinstance(core, _core.FloatFormat):
        return core
    try:
        return _core.FloatFormat.parse(_FORMAT_OF_DTYPE[np.dtype(name)])
    except (TypeError, KeyError):
        raise ValueError(f"no format is called {name!r}") from None


def dtype_of(fmt: _core.FloatFormat) -> np.dtype[Any]:
    """The NumPy dtype in which codes of `fmt` come back."""
    known = _DTYPES.get(fmt.name)
    return np.dtype(known if known is not None else _UNSIGNED[fmt.container_bits])


def container_dtype(fmt: _core.FloatFormat) -> np.dtype[Any]:
    return np.dtype(_UNSIGNED[fmt.container_bits])


def to_numpy(x: Any) -> tuple[Array, str | None]:
    """`x` as a NumPy array, and the name of its format where only its own library knows it."""
    if isinstance(x, np.ndarray):
        return x, None
    if type(x).__module__.split(".")[0] == "torch":
        return _from_torch(x)
    if hasattr(x, "__dlpack__") and not isinstance(x, np.generic):
        device = x.__dlpack_device__()[0]
        if int(device) not in (1, 3):  # kDLCPU, kDLCUDAHost
            raise ValueError("this array lives on a device; copy it to the host first")
        return np.from_dlpack(x), None
    return np.asarray(x), None


def _from_torch(x: Any) -> tuple[Array, str | None]:
    import torch

    if x.device.type != "cpu":
        raise ValueError(f"this tensor lives on {x.device}; copy it to the host with .cpu() first")
    x = x.detach()
    name = str(x.dtype).removeprefix("torch.")
    if name in ("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz",
                "float8_e8m0fnu"):
        bits = torch.uint8 if name.startswith("float8") else torch.int16
        codes = x.view(bits).numpy()
        return codes.view(_UNSIGNED[codes.dtype.itemsize * 8]), name
    return x.numpy(), None


def containers(x: Any, fmt: Any = None) -> tuple[Array, _core.FloatFormat]:
    """`x` as a container array with the format its elements are in.

    Arrays of floats carry their format in their dtype. Unsigned integers need `fmt`. Python numbers
    and lists become fp64.
    """
    array, foreign = to_numpy(x)
    named = foreign or _FORMAT_OF_DTYPE.get(array.dtype.newbyteorder("="))
    if named is not None:
        found = _core.FloatFormat.parse(named)
        if fmt is not None and float_format(fmt) != found:
            raise ValueError(f"the array holds {found.name}, not {float_format(fmt).name}")
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
    elif array.dtype.kind == "u" and fmt is not None:
        found = float_format(fmt)
        if array.dtype.itemsize * 8 != found.container_bits:
            raise ValueError(f"codes of {found.name} come as uint{found.container_bits}, not as "
                             f"{array.dtype}")
    elif array.dtype.kind in "iu" and fmt is None and not hasattr(x, "dtype"):
        array, found = array.astype(np.float64), _core.FloatFormat.parse("fp64")
    elif array.dtype.kind == "u":
        raise ValueError(f"an array of {array.dtype} holds codes: say of which format")
    else:
        raise ValueError(f"an array of {array.dtype} holds no floating-point numbers")
    return np.ascontiguousarray(array).view(container_dtype(found)).reshape(array.shape), found


def cast_containers(source: Array, source_format: _core.FloatFormat,
                    target_format: _core.FloatFormat, rounding: str = "nearest_even",
                    overflow: str = "special", nan: str = "keep_sign", random_bits: int = 8,
                    seed: int = 0) -> Array:
    """Containers of one format into containers of another, rounded once."""
    target = np.empty(source.shape, container_dtype(target_format))
    _core.cast(source_format, source, target_format, target, source.size, rounding, overflow, nan,
               random_bits, seed)
    return target
