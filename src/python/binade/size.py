"""Sizing: what a model's state, training, cache, decoding, traffic and attention cost.

The bills of the library's sizing calculators, which ``binade size`` tabulates. Bytes, seconds and
FLOP; a TB is 1e12 bytes.
"""

from __future__ import annotations

from typing import Any

from . import _core


def models() -> list[str]:
    """The models whose dimensions come with the library.

    Returns
    -------
    list of str

    Notes
    -----
    Source: each model's own, see `model`.

    Examples
    --------
    >>> "deepseek-v3" in size.models()
    True
    """
    return _core.model_names()


def devices() -> list[str]:
    """The devices whose peaks and memory come with the library.

    Returns
    -------
    list of str

    Notes
    -----
    Source: each device's own, see `device`.

    Examples
    --------
    >>> "h800" in size.devices()
    True
    """
    return _core.device_names()


def state_recipes() -> list[str]:
    """Which copies of the parameters training or serving keeps: the names that `state_bill` takes.

    Returns
    -------
    list of str

    Notes
    -----
    Source: the C++ header binade/experiments/sizing.hpp.

    Examples
    --------
    >>> "deepseek-v3" in size.state_recipes()
    True
    """
    return _core.state_recipe_names()


def cache_layouts() -> list[str]:
    """The layouts of the key-value cache: the names that `cache_bill` takes.

    Returns
    -------
    list of str

    Notes
    -----
    Source: the C++ header binade/experiments/sizing.hpp.

    Examples
    --------
    >>> "flashmla" in size.cache_layouts()
    True
    """
    return _core.cache_layout_names()


def model(name: str | _core.ModelDimensions) -> _core.ModelDimensions:
    """The dimensions of a transformer.

    Parameters
    ----------
    name : str or ModelDimensions
        One of `models()`, or JSON text with the fields of ModelDimensions; a record is given back.

    Returns
    -------
    ModelDimensions

    Raises
    ------
    ValueError
        For unknown names, and JSON with fields unknown or missing.

    Notes
    -----
    Units: parameters and dimensions are counts. Source: the record's own field `source`.

    Examples
    --------
    >>> size.model("deepseek-v3").layers
    61
    """
    if isinstance(name, _core.ModelDimensions):
        return name
    if name.lstrip().startswith("{"):
        return _core.ModelDimensions.from_json(name)
    return _core.ModelDimensions.find(name)


_model = model  # the bills have a parameter of the same name


def device(name: str) -> _core.Device:
    """A device: dense peaks in FLOP/s, memory in bytes, bandwidths in bytes/s.

    Parameters
    ----------
    name : str
        One of `devices()`.

    Returns
    -------
    Device

    Raises
    ------
    ValueError
        For unknown names; the message lists the nearest.

    Notes
    -----
    Units: bytes, bytes/s and FLOP/s. Source: the record's own field `source`.

    Examples
    --------
    >>> size.device("h800").memory_bytes
    80000000000.0
    """
    return _core.Device.find(name)


_device = device


def state_bill(model: str | _core.ModelDimensions, recipe: str, *, device: str = "h800",
               fleet: float = 0.0) -> dict[str, float]:
    """Bytes of weights, gradients and optimiser states.

    Parameters
    ----------
    model : str or ModelDimensions
    recipe : str
        One of `state_recipes()`.
    device : str
        One of `devices()`.
    fleet : float
        How many there are, for `share`.

    Returns
    -------
    dict
        weights, scales, gradients, master_weights, moments and their sum bytes_each, in bytes a
        parameter; total_bytes; devices that hold it; share of the fleet's memory.

    Raises
    ------
    ValueError
        For unknown names.

    Notes
    -----
    Units: bytes. Arithmetic: bytes_each is the sum over the copies of element bytes and their
    share of a scale.

    Source: the recipes' own; DeepSeek-V3 report 3.3.

    Examples
    --------
    >>> bill = size.state_bill("deepseek-v3", "deepseek-v3")
    >>> bill["total_bytes"] == bill["bytes_each"] * size.model("deepseek-v3").parameters
    True
    """
    return dict(_core.state_bill(_model(model).parameters, recipe, _device(device).memory_bytes,
                                 fleet))


def token_flops(model: str | _core.ModelDimensions, context: int) -> dict[str, float]:
    """FLOP to train on one token.

    Parameters
    ----------
    model : str or ModelDimensions
    context : int
        Tokens in a sequence.

    Returns
    -------
    dict
        linear, causal_attention, full_attention.

    Raises
    ------
    ValueError
        For unknown names and contexts that are not positive.

    Notes
    -----
    Units: FLOP. Arithmetic: linear is 6 for each active parameter.

    Source: Kaplan et al. 2020.

    Examples
    --------
    >>> m = size.model("deepseek-v3")
    >>> size.token_flops(m, 4096)["linear"] == 6 * m.active_parameters
    True
    """
    return dict(_core.token_flops(_model(model), context))


def training_bill(flops_per_token: float, tokens: float, devices: float, peak_flops: float,
                  utilisation: float) -> dict[str, float]:
    """How long training takes.

    Parameters
    ----------
    flops_per_token, tokens, devices : float
    peak_flops : float
        Of one device.
    utilisation : float
        Of the peak, up to 1.

    Returns
    -------
    dict
        total_flops, seconds, days, device_hours.

    Raises
    ------
    ValueError
        Unless everything is positive and finite.

    Notes
    -----
    Units: FLOP, FLOP/s, seconds. Arithmetic: seconds = total_flops / (devices * peak_flops *
    utilisation).

    Source: Kaplan et al. 2020.

    Examples
    --------
    >>> size.training_bill(1e9, 1e12, 1000, 1e15, 0.5)["seconds"]
    2000.0
    """
    return dict(_core.training_bill(flops_per_token, tokens, devices, peak_flops, utilisation))


def cache_bill(model: str | _core.ModelDimensions, layout: str, context: int,
               layers: int | None = None) -> dict[str, float]:
    """Bytes of the key-value cache.

    Parameters
    ----------
    model : str or ModelDimensions
    layout : str
        One of `cache_layouts()`.
    context : int
        Tokens.
    layers : int, optional
        That keep a cache; the model's when absent.

    Returns
    -------
    dict
        entry_bytes and index_bytes of a token in a layer, token_bytes in all layers, total_bytes,
        and of_bf16, the share of a BF16 cache.

    Raises
    ------
    ValueError
        For unknown names and counts that are not positive.

    Notes
    -----
    Units: bytes. Source: the layouts' own; FlashMLA.

    Examples
    --------
    >>> size.cache_bill("deepseek-v3", "bf16", 1)["entry_bytes"]
    1152.0
    """
    record = _model(model)
    return dict(_core.cache_bill(record, layout, context,
                                 record.layers if layers is None else layers))


def decode_bill(model: str | _core.ModelDimensions, context: int, *, weights: str = "e4m3",
                layout: str = "flashmla", sparse: bool = False, device: str = "h800",
                bandwidth: float | None = None) -> dict[str, float]:
    """Bytes that one decoded token reads, and the least time that takes.

    Parameters
    ----------
    model : str or ModelDimensions
    context : int
        Tokens in the cache.
    weights : str
        How they are stored, as in "bf16" or "e4m3:fp32/128x128".
    layout : str
        One of `cache_layouts()`.
    sparse : bool
        Whether only the chosen entries are read.
    device : str
        One of `devices()`.
    bandwidth : float, optional
        Of the memory, bytes/s; the device's when absent.

    Returns
    -------
    dict
        weight_bytes, cache_bytes, index_bytes, total_bytes, seconds.

    Raises
    ------
    ValueError
        For unknown names, and sparse reading of a model without an indexer.

    Notes
    -----
    Units: bytes, seconds. Arithmetic: seconds = total_bytes / bandwidth, a bound from below.

    Source: the C++ header binade/experiments/sizing.hpp.

    Examples
    --------
    >>> bill = size.decode_bill("deepseek-v3.2", 131072, sparse=True)
    >>> bill["total_bytes"] < size.decode_bill("deepseek-v3.2", 131072)["total_bytes"]
    True
    """
    rate = _device(device).memory_bandwidth if bandwidth is None else bandwidth
    return dict(_core.decode_bill(_model(model), weights, layout, context, sparse, rate))


def exchange_bill(tokens: float, destinations: float, hidden: int, *, dispatch: str = "e4m3",
                  combine: str = "bf16", bandwidth: float, layers: int = 1,
                  overlapped: int = 1) -> dict[str, float]:
    """Expert-parallel traffic of one micro-batch, and the speed that it allows.

    Parameters
    ----------
    tokens : float
        Of one micro-batch on one device.
    destinations : float
        That each token is sent to.
    hidden : int
        Elements of a token.
    dispatch, combine : str
        How activations are stored on their way there and back.
    bandwidth : float
        Of the network, bytes/s.
    layers : int
        That exchange tokens.
    overlapped : int
        Micro-batches that take turns.

    Returns
    -------
    dict
        dispatch_bytes, combine_bytes, seconds, layer_seconds, step_seconds, steps_per_second,
        of_bf16.

    Raises
    ------
    ValueError
        Unless the numbers are positive, and for unknown storages.

    Notes
    -----
    Units: bytes, seconds. Arithmetic: seconds = (dispatch + combine) / bandwidth.

    Source: DeepSeek-V3 report, section 3.2.

    Examples
    --------
    >>> bill = size.exchange_bill(32, 9, 7000, bandwidth=50e9)
    >>> bill["dispatch_bytes"], bill["combine_bytes"]
    (2016000.0, 4032000.0)
    """
    return dict(_core.exchange_bill(tokens, destinations, hidden, dispatch, combine, bandwidth,
                                    layers, overlapped))


def attention_bill(model: str | _core.ModelDimensions, context: int) -> dict[str, float]:
    """Multiply-accumulates of one query in one layer, dense and sparse.

    Parameters
    ----------
    model : str or ModelDimensions
    context : int
        Tokens that a query may attend to.

    Returns
    -------
    dict
        dense; core and index of sparse attention, 0 without an indexer.

    Raises
    ------
    ValueError
        For unknown names and contexts that are not positive.

    Notes
    -----
    Units: multiply-accumulates. Source: DeepSeek-V3.2-Exp report.

    Examples
    --------
    >>> bill = size.attention_bill("deepseek-v3.2", 131072)
    >>> bill["core"] + bill["index"] < bill["dense"]
    True
    """
    return dict(_core.attention_bill(_model(model), context))


def indexer_crossover(model: str | _core.ModelDimensions) -> float:
    """The context beyond which the sparse index costs more than the attention it saves.

    Parameters
    ----------
    model : str or ModelDimensions

    Returns
    -------
    float
        Tokens.

    Raises
    ------
    ValueError
        For models without an indexer.

    Notes
    -----
    Units: tokens. Source: DeepSeek-V3.2-Exp report.

    Examples
    --------
    >>> t = round(size.indexer_crossover("deepseek-v3.2"))
    >>> bill = size.attention_bill("deepseek-v3.2", t)
    >>> abs(bill["core"] / bill["index"] - 1) < 1e-4
    True
    """
    return _core.indexer_crossover(_model(model))


def claims() -> list[dict[str, Any]]:
    """Figures met in articles, the mistake behind each, and what is right.

    Returns
    -------
    list of dict
        statement, claimed, unit, reproduced, correct, mistake.

    Notes
    -----
    Units: each claim's own. Source: the C++ header binade/experiments/sizing.hpp.

    Examples
    --------
    >>> all(c["mistake"] for c in size.claims())
    True
    """
    fields = ("statement", "claimed", "unit", "reproduced", "correct", "mistake")
    return [{name: getattr(claim, name) for name in fields} for claim in _core.claims()]


__all__ = ["attention_bill", "cache_bill", "cache_layouts", "claims", "decode_bill", "device",
           "devices", "exchange_bill", "indexer_crossover", "model", "models", "state_bill",
           "state_recipes", "token_flops", "training_bill"]


def __dir__() -> list[str]:
    return __all__
