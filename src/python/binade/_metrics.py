"""Error metrics under the names that papers use, and errors split by their cause."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core
from ._arrays import FP64, Array, cast_containers, containers, float_format, fp32_array


def metrics(computed: Any, reference: Any) -> dict[str, float]:
    """Every error metric of an array against a reference.

    Parameters
    ----------
    computed, reference : array_like of the same shape
        Floating-point values of any format; widened exactly and compared in fp64.

    Returns
    -------
    dict
        fro_rel, max_over_mean, max_over_max, max_rel_large, sqnr_db, calc_diff, cosine, bias,
        mismatch_rate.

    Raises
    ------
    ValueError
        For arrays of different shapes or without elements.

    Notes
    -----
    Units: ratios, but for sqnr_db in decibels. Arithmetic: sums in fp64 in index order. A NaN on
    either side makes sums and maxima NaN.

    Source: calc_diff is DeepGEMM's; the definitions stand at ErrorMetrics in the C++ header
    binade/emulation/metrics.hpp.

    Examples
    --------
    >>> m = metrics([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    >>> round(m["max_over_max"], 3), round(m["mismatch_rate"], 3)
    (0.25, 0.333)
    """
    x, y = _fp64(computed), _fp64(reference)
    if x.shape != y.shape:
        raise ValueError(f"computed has shape {x.shape}, the reference {y.shape}: expected the same")
    return dict(_core.error_metrics(x, y, x.size))


def _fp64(x: Any) -> Array:
    array, found = containers(x)
    return array if found == FP64 else cast_containers(array, found, FP64)


def errors(a: Any, b: Any, *, recipe: str, profile: str, scale_type: str | None = None,
           to: Any = "e4m3", output: Any = "fp32", threads: int = 0) -> list[dict[str, Any]]:
    """Where the error of a quantised GEMM comes from: scale, cast, alignment, accumulation,
    promotion, output.

    Parameters
    ----------
    a : array_like, shape (m, k)
    b : array_like, shape (n, k)
        Values before quantisation, of formats that fit in fp32.
    recipe : str
        The quantiser, one of `recipes()`.
    profile : str
        The GEMM, one of `profiles()`.
    scale_type : str, optional
        As for `quantize`; the recipe's first when absent.
    to : str, Format or dtype
        The format of the quantised elements.
    output : str, Format or dtype
        The format of the result.
    threads : int
        How many compute; 0: all.

    Returns
    -------
    list of dict
        One a cause, with its name, fro_rel and bias; the stages' errors add up element by element.
        The last, "total", is their sum.

    Raises
    ------
    ValueError
        For shapes that do not fit, fp64 operands, unknown names, E4M3 block scales.

    Notes
    -----
    Units: fro_rel and bias are relative to the exact product of what went in. Arithmetic: seven
    stages, each differing from the one before by one cause; see split_error in the C++ header
    binade/emulation/metrics.hpp.

    Source: the recipe's and the profile's.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.standard_normal((2, 8, 256), dtype=np.float32)
    >>> [part["cause"] for part in errors(a, b, recipe="deepseek-v3", profile="deepgemm")]
    ['scale', 'cast', 'alignment', 'accumulation', 'promotion', 'output', 'total']
    """
    x, y = fp32_array(a, "a"), fp32_array(b, "b")
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"a has shape {x.shape} and b {y.shape}: expected (m, k) and (n, k)")
    split = _core.split_error(x, y, x.shape[0], y.shape[0], x.shape[1],
                              _core.ScaleRecipe.find(recipe), scale_type,
                              _core.GemmProfile.find(profile), float_format(to),
                              float_format(output), threads)
    parts = [(part.cause, part.fro_rel, part.bias) for part in split.parts]
    parts.append(("total", split.total_fro_rel, split.total_bias))
    return [{"cause": cause, "fro_rel": fro_rel, "bias": bias} for cause, fro_rel, bias in parts]
