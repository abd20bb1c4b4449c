"""Quantising with named recipes: scale, then cast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _core
from ._arrays import Array, cast_containers, containers, dtype_of, float_format
from .formats import Format


def recipes() -> list[str]:
    """The names that `quantize` takes.

    Examples
    --------
    >>> "deepseek-v3" in recipes()
    True
    """
    return list(_core.recipe_names())


@dataclass(frozen=True)
class Quantized:
    """A quantised matrix: ``value ~ codes * scales of their block (* tensor_scale)``.

    Attributes
    ----------
    codes : ndarray, shape (rows, cols)
        Codes of the element format.
    scales : ndarray of float32, shape (block rows, block columns)
        The dequantisation factors.
    scale_codes : ndarray or None
        The scales as E8M0 or E4M3 codes, where the recipe stores them so.
    tensor_scale : float
        NVFP4's second level; 1 elsewhere.
    granularity : str
        "tensor", "row", "column" or "RxC".
    """

    codes: Array
    scales: Array
    scale_codes: Array | None
    tensor_scale: float
    granularity: str
    format: Format
    _core: _core.Quantized

    def dequantize(self, threads: int = 0) -> Array:
        """The values that the codes and scales stand for, in fp32."""
        values = np.empty(self.codes.shape, np.float32)
        self._core.dequantize(values, threads)
        return values


def quantize(x: Any, recipe: str = "deepseek-v3", *, granularity: str | None = None,
             scale_type: str | None = None, element: Any = "e4m3", threads: int = 0) -> Quantized:
    """Quantise a matrix by a named recipe, in that recipe's exact order of operations.

    Parameters
    ----------
    x : array_like, shape (rows, cols)
        Floating-point values; they are read as fp32, which must hold them exactly (fp32, bf16,
        fp16 and smaller do; fp64 is refused).
    recipe : str
        One of `recipes()`.
    granularity : str, optional
        "tensor", "row", "column" or "RxC"; the recipe's own when absent.
    scale_type : str, optional
        "fp32", "ue8m0" or "e4m3"; the recipe's first when absent.
    element : str, Format or dtype
        The format of the codes.

    Returns
    -------
    Quantized

    Raises
    ------
    ValueError
        For arrays that are not two-dimensional, empty or fp64, and for unknown names.

    Notes
    -----
    `scale` is always the dequantisation factor. Sources stand in each recipe's record.

    Examples
    --------
    >>> q = quantize(np.eye(2, 128, dtype=np.float32), "deepgemm", granularity="1x128")
    >>> q.scales.shape, float(q.dequantize()[0, 0])
    ((2, 1), 1.0)
    """
    array, found = containers(x)
    if array.ndim != 2:
        raise ValueError(f"quantize takes a matrix, not an array of shape {array.shape}")
    fp32 = _core.FloatFormat.parse("fp32")
    if found != fp32 and not found.embeds_in(fp32):
        raise ValueError(f"quantize reads fp32; cast this {found.name} array first")
    values = array if found == fp32 else cast_containers(array, found, fp32)
    _, own_granularity, types = _core.recipe_facts(recipe)
    core = _core.quantize(values, array.shape[0], array.shape[1], recipe,
                          granularity or own_granularity, scale_type or types[0],
                          float_format(element), threads)
    shape = (core.scale_rows, core.scale_cols)
    codes = np.frombuffer(core.codes, dtype_of(core.element)).reshape(array.shape)
    stored = core.scale_codes
    return Quantized(
        codes=codes,
        scales=np.frombuffer(core.scales, np.float32).reshape(shape),
        scale_codes=np.frombuffer(stored, dtype_of(core.scale_format)).reshape(shape)
        if len(stored) else None,
        tensor_scale=core.tensor_scale,
        granularity=core.granularity,
        format=Format(core.element),
        _core=core,
    )


def dequantize(q: Quantized, threads: int = 0) -> Array:
    """The fp32 values of a quantised matrix. Same as ``q.dequantize()``."""
    return q.dequantize(threads)
