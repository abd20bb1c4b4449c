"""Does a cast or a quantiser do what it should? The canonical traps, put to anybody's function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import _traps_casts, _traps_quantisers
from ._arrays import float_format
from ._report import Report


def check(function: Callable[[Any], Any], to: Any = None, *, rounding: str = "nearest_even",
          overflow: str = "saturate", nan: str = "canonical", source: Any = "fp32",
          recipe: str | None = None, granularity: str | None = None,
          scale_type: str | None = None) -> Report:
    """Put a cast or a quantiser to the traps that other implementations fell into.

    Parameters
    ----------
    function : callable
        A cast: takes an array of shape (n,), returns codes (ml_dtypes, torch or unsigned integers)
        or values of the same shape. With `recipe`, a quantiser: takes a float32 matrix, returns
        codes and dequantisation factors, as a pair or as something with `codes` and `scales`.
    to : str, Format or dtype, optional
        The format it claims to cast to; e4m3 (under a recipe: what `quantize` takes) when absent.
    rounding, overflow, nan : str
        The rules that a cast claims to follow; the cases expect them.
    source : str, Format or dtype
        What a cast is given: fp32, or fp64, bf16 or fp16.
    recipe, granularity, scale_type : str, optional
        The quantiser that it claims to be, as for `quantize`.

    Returns
    -------
    Report
        Whatever the function claims, `behaves_like` names the known behaviours that it equals.

    Raises
    ------
    ValueError
        For unknown names and answers of the wrong shape or kind. What the function itself raises
        passes through.

    Notes
    -----
    Units: none. Arithmetic: expectations are those of `encode` and `quantize`, whose own tests are
    exhaustive.

    Source: issues and measurements of the libraries that the cases name.

    Examples
    --------
    >>> import ml_dtypes
    >>> report = check(lambda x: x.astype(ml_dtypes.float8_e4m3fn), "e4m3", overflow="special",
    ...                nan="keep_sign")
    >>> report.passed, report.behaves_like
    (True, ['ml_dtypes', 'torch 2.11'])
    """
    if recipe is not None:
        return _traps_quantisers.check(function, recipe, granularity, scale_type, to)
    fmt, given = float_format("e4m3" if to is None else to), float_format(source)
    rules = {"rounding": rounding, "overflow": overflow, "nan": nan}
    if rounding.startswith("stochastic"):
        return _traps_casts.check_stochastic(function, fmt, given, rounding)
    return _traps_casts.check(function, fmt, given, rules)
