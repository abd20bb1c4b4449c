"""What each recipe would cost each layer of a model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from . import _core
from ._arrays import Array, float_format, fp32_array
from .experiments import _frame


def study(weights: str | os.PathLike[str] | Mapping[str, Any],
          activations: str | os.PathLike[str] | Mapping[str, Any] | None = None, *,
          layers: str | Sequence[str] = (), recipe: Sequence[str] | None = None, to: Any = "e4m3",
          least_db: float = 25, panel: int = 1 << 24, seed: int = 1234, threads: int = 0) -> Any:
    """Which recipe costs each layer of a model how much, and which to take.

    Parameters
    ----------
    weights : path, or mapping of str to array_like, shape (outputs, K)
        A ``.safetensors`` file, whose matrices ``*weight`` are the layers, read piece by piece; or
        arrays by their names.
    activations : path, or mapping of str to array_like, shape (tokens, K), optional
        For a layer ``X.weight`` the tensor ``X.input``, ``X`` or ``X.weight``. Leading dimensions
        count as tokens. With them, errors are those of the layer's outputs.
    layers : str or sequence of str
        Names or patterns of the layers in a file, ``"*.mlp.*"``; by default all.
    recipe : sequence of str, optional
        ``"NAME"`` or ``"NAME:BLOCK"`` of the weights; activations have the same block where it is
        tensor or row, else the recipe's own. By default one scale a tensor, a row and a block of
        128x128, OCP MX and NVFP4.
    to : str or Format
        Element format, but under E4M3 scales (NVFP4), whose elements are E2M1.
    least_db : float
        SQNR that a recommended recipe keeps.
    panel : int
        Elements of a file in memory at once.
    seed : int
        Of the N(0, 1) activations that accumulation is predicted for where there are none.
    threads : int
        How many compute; 0: all.

    Returns
    -------
    pandas.DataFrame, or a dict of columns where pandas is not installed
        A row for each layer and recipe, the best first; the columns are those of ``binade study``,
        NaN where a figure cannot be known.

    Raises
    ------
    ValueError
        For unknown recipes, layers without activations, and shapes that do not fit.
    RuntimeError
        For files that are none, or hold no such layers.

    Notes
    -----
    Units: errors and shares are ratios, SQNR is in dB, storage in bits a weight.

    Source: the C++ header binade/experiments/study.hpp.

    Examples
    --------
    >>> w = np.random.default_rng(0).standard_normal((64, 256)).astype(np.float32)
    >>> table = study({"mlp.weight": w}, recipe=["deepseek-v3:tensor", "nvfp4"])
    >>> list(table["recipe"]), list(table["recommended"])
    (['deepseek-v3 tensor', 'nvfp4 1x16'], [1, 0])
    """
    recipes = list(_core.default_treatments() if recipe is None else recipe)
    rest = (recipes, float_format(to), least_db, panel, seed, threads)
    if isinstance(weights, Mapping):
        if isinstance(layers, str) or layers:
            raise ValueError("layers are patterns for a file's tensors: pass the arrays wanted")
        rows = _core.study(_layers(weights, activations), *rest)
    else:
        if isinstance(activations, Mapping):
            raise ValueError("activations are arrays and weights a file: expected two of a kind")
        patterns = [layers] if isinstance(layers, str) else list(layers)
        path = "" if activations is None else os.fspath(activations)
        rows = _core.study_files(os.fspath(weights), path, patterns, *rest)
    names = [column.name for column in _core.study_columns()]
    columns = {name: [_figure(row[i]) for row in rows] for i, name in enumerate(names)}
    return _frame(columns, "study", [])


def _figure(cell: Any) -> Any:
    return float("nan") if cell == "" else cell


def _layers(weights: Mapping[str, Any], activations: Any) -> list[Any]:
    if not weights:
        raise ValueError("no layers: expected arrays by their names")
    if activations is not None and not isinstance(activations, Mapping):
        raise ValueError("weights are arrays and activations a file: expected two of a kind")
    return [(name, _matrix(w, name), _input_of(name, activations)) for name, w in weights.items()]


def _input_of(name: str, activations: Mapping[str, Any] | None) -> tuple[Array, int, int] | None:
    if activations is None:
        return None
    stem = name.removesuffix(".weight")
    for key in (f"{stem}.input", stem, name):
        if key in activations:
            return _matrix(activations[key], key, fold=True)
    raise ValueError(f"layer {name} has no activations: expected {stem}.input")


def _matrix(x: Any, name: str, fold: bool = False) -> tuple[Array, int, int]:
    array = fp32_array(x, name)
    if array.ndim < 2 or (array.ndim > 2 and not fold) or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: expected a matrix")
    return array, array.size // array.shape[-1], array.shape[-1]
