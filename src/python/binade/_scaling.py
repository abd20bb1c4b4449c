"""Quantising with named recipes: scale, then cast."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import _core
from ._arrays import Array, containers, dtype_of, float_format
from ._formats import Format


def recipes() -> list[str]:
    """The names that `quantize` takes.

    Returns
    -------
    list of str

    Notes
    -----
    Source: each recipe's own, see `recipe`.

    Examples
    --------
    >>> "deepseek-v3" in recipes()
    True
    """
    return _core.recipe_names()


def recipe(name: str) -> _core.ScaleRecipe:
    """The record of a recipe: source, scale types, default granularity.

    Parameters
    ----------
    name : str
        One of `recipes()`.

    Returns
    -------
    ScaleRecipe

    Raises
    ------
    ValueError
        For unknown names; the message lists the nearest.

    Notes
    -----
    Source: the record's own field `source`.

    Examples
    --------
    >>> recipe("ocp-mx").default_granularity, recipe("ocp-mx").scale_types
    ('1x32', ['ue8m0', 'pow2'])
    """
    return _core.ScaleRecipe.find(name)


def element_format(name: Any) -> _core.FloatFormat:
    """The core's format of quantised elements: ``"int8"`` and ``"mxint8"`` are among them."""
    return _core.element_format(name) if isinstance(name, str) else float_format(name)


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
    format : Format
        Of the codes.

    Notes
    -----
    Units: scales carry those of the matrix.

    Source: the recipe's, see `recipe`.

    Examples
    --------
    >>> q = quantize(np.ones((2, 64), np.float32), "ocp-mx", granularity="1x32")
    >>> q.codes.shape, q.scales.shape, q.scale_codes.dtype
    ((2, 64), (2, 2), dtype(float8_e8m0fnu))
    """

    codes: Array
    scales: Array
    scale_codes: Array | None
    tensor_scale: float
    granularity: str
    format: Format
    _core: _core.Quantized = field(repr=False)

    def dequantize(self, threads: int = 0) -> Array:
        """The values that the codes and scales stand for. See `binade.dequantize`.

        Parameters
        ----------
        threads : int
            How many compute; 0: all.

        Returns
        -------
        ndarray of float32, shape (rows, cols)

        Examples
        --------
        >>> quantize(np.ones((1, 2), np.float32), "transformer-engine").dequantize()
        array([[1., 1.]], dtype=float32)
        """
        values = np.empty(self.codes.shape, np.float32)
        self._core.dequantize(values, threads)
        return values


def quantize(x: Any, recipe: str, *, granularity: str | None = None, scale_type: str | None = None,
             to: Any = None, seed: int = 0, threads: int = 0, source: Any = None) -> Quantized:
    """Quantise a matrix by a named recipe, in that recipe's exact order of operations.

    Parameters
    ----------
    x : array_like, shape (rows, cols)
        Floating-point values of a format that fits in fp32 (fp32, bf16, fp16 and smaller; fp64 is
        refused), or unsigned integers that hold codes of `source`.
    recipe : str
        One of `recipes()`.
    granularity : str, optional
        "tensor", "row", "column" or "RxC"; the recipe's own when absent.
    scale_type : str, optional
        "fp32", "pow2", "ue8m0" or "e4m3"; the recipe's first when absent.
    to : str, Format or dtype, optional
        The format of the elements, "int8" and "mxint8" among them; e4m3, or e2m1 under e4m3 scales,
        when absent.
    seed : int
        Of stochastic roundings, where a recipe has them.
    threads : int
        How many compute; 0: all.
    source : str, Format or dtype, optional
        What unsigned integers are the codes of; the command's ``--from``.

    Returns
    -------
    Quantized
        codes of shape (rows, cols), scales of shape (block rows, block columns).

    Raises
    ------
    ValueError
        For arrays that are not two-dimensional, are empty or fp64, and for unknown names.

    Notes
    -----
    Units: `scale` is always the dequantisation factor, in the units of `x`.

    Arithmetic: amax of each block, its scale by the recipe's formula, one FP32 product or quotient
    and one cast an element. Determinism: the same bits on every instruction set and number of
    threads.

    Source: the recipe's, see `recipe`.

    Examples
    --------
    >>> q = quantize(np.eye(2, 128, dtype=np.float32), "deepgemm", granularity="1x128")
    >>> q.scales.shape, float(q.dequantize()[0, 0])
    ((2, 1), 1.0)
    """
    array, found = containers(x, source)
    if array.ndim != 2:
        raise ValueError(f"x has shape {array.shape}: expected a matrix")
    rows, cols = array.shape
    core = _core.quantize(found, array, rows, cols, _core.ScaleRecipe.find(recipe), granularity,
                          scale_type, None if to is None else element_format(to), threads, seed)
    shape = (core.scale_rows, core.scale_cols)
    stored = core.scale_codes
    return Quantized(
        codes=np.frombuffer(core.codes, dtype_of(core.element)).reshape(array.shape),
        scales=np.frombuffer(core.scales, np.float32).reshape(shape),
        scale_codes=np.frombuffer(stored, dtype_of(core.scale_format)).reshape(shape)
        if len(stored) else None,
        tensor_scale=core.tensor_scale,
        granularity=core.granularity,
        format=Format(core.element),
        _core=core,
    )


def dequantize(q: Quantized, threads: int = 0) -> Array:
    """The fp32 values of a quantised matrix. Same as ``q.dequantize()``.

    Parameters
    ----------
    q : Quantized
        What `quantize` gave.
    threads : int
        How many compute; 0: all.

    Returns
    -------
    ndarray of float32, shape (rows, cols)

    Raises
    ------
    ValueError
        For a negative number of threads.

    Notes
    -----
    Units: those of the matrix that was quantised. Arithmetic: ``fl(fl(value(code) * scale) *
    tensor_scale)`` in FP32. A NaN scale makes its block NaN.

    Source: the recipe's, see `recipe`.

    Examples
    --------
    >>> dequantize(quantize(np.full((1, 2), 3.0, np.float32), "transformer-engine"))
    array([[3., 3.]], dtype=float32)
    """
    return q.dequantize(threads)
