"""Error metrics under the names that papers use, and errors split by their cause."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core
from ._arrays import float_format


def metrics(computed: Any, reference: Any) -> dict[str, float]:
    """Every error metric of an array against a reference.

    Parameters
    ----------
    computed, reference : array_like of the same shape
        Compared in fp64.

    Returns
    -------
    dict
        fro_rel, max_over_mean, max_over_max, max_rel_large, sqnr_db, calc_diff, cosine, bias,
        mismatch_rate.

    Examples
    --------
    >>> m = metrics([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    >>> round(m["max_over_max"], 3), round(m["mismatch_rate"], 3)
    (0.25, 0.333)
    """
    x = np.ascontiguousarray(np.asarray(computed, dtype=np.float64))
    y = np.ascontiguousarray(np.asarray(reference, dtype=np.float64))
    if x.shape != y.shape:
        raise ValueError(f"computed has shape {x.shape}, the reference {y.shape}")
    return dict(_core.error_metrics(x, y, x.size))


def errors(a: Any, b: Any, *, recipe: str = "deepseek-v3", scale_type: str | None = None,
           profile: str = "deepgemm", element: Any = "e4m3", output: Any = "bf16",
           threads: int = 0) -> list[dict[str, Any]]:
    """Where the error of a quantised GEMM comes from: scale, cast, alignment, accumulation,
    promotion, output.

    Parameters
    ----------
    a : array_like, shape (m, k)
    b : array_like, shape (n, k)
        fp32 values, before quantisation.

    Returns
    -------
    list of dict
        One a cause, with fro_rel and bias against the exact product of what went in.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.standard_normal((2, 8, 256), dtype=np.float32)
    >>> [part["cause"] for part in errors(a, b)]
    ['scale', 'cast', 'alignment', 'accumulation', 'promotion', 'output']
    """
    x = np.ascontiguousarray(np.asarray(a, dtype=np.float32))
    y = np.ascontiguousarray(np.asarray(b, dtype=np.float32))
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"a has shape {x.shape} and b {y.shape}: expected [m, k] and [n, k]")
    kind = scale_type or _core.recipe_facts(recipe)[2][0]
    parts, _ = _core.split_error(x, y, x.shape[0], y.shape[0], x.shape[1], recipe, kind, profile,
                                 float_format(element), float_format(output), threads)
    return [{"cause": cause, "fro_rel": fro_rel, "bias": bias} for cause, fro_rel, bias in parts]
