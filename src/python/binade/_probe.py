"""What is this accumulator? The parameters of a dot model, found from outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _core
from ._arrays import Array, containers, dtype_of, float_format


@dataclass(frozen=True)
class Probe:
    """What `probe` found. Printing it says it in words.

    Attributes
    ----------
    record : dict
        Everything: the model `card`, `promotion_interval`, the `parameters` with what else agrees
        with the data, `strata` of rows and how well the card predicts them, `observations`,
        `features`, `known` instructions that agree, `notes`.

    Notes
    -----
    Units: promotion_interval counts products.

    Source: see the C++ header binade/emulation/probe.hpp.

    Examples
    --------
    >>> hopper = "hopper.wgmma.f32.e4m3.e4m3"
    >>> a, b = np.random.default_rng(0).integers(0, 0x7F, (2, 64, 32), dtype=np.uint8)
    >>> found = probe_recorded(a, b, dot(a, b, instruction=hopper), format_a="e4m3",
    ...                        format_b="e4m3")
    >>> hopper in found.known
    True
    """

    record: dict[str, Any]

    @property
    def card(self) -> _core.Instruction:
        """The model card: an instruction that `dot`, `gemm` and `explain` take."""
        return _core.Instruction.from_json(json.dumps(self.record["card"]))

    @property
    def is_exact(self) -> bool:
        """Whether the card gave every bit of rows that the search had not seen."""
        return bool(self.record["exact"])

    @property
    def known(self) -> list[str]:
        """Instructions of `instructions()` that agree with all rows."""
        return list(self.record["known"])

    def __str__(self) -> str:
        r = self.record
        verdict = "every bit of fresh rows" if r["exact"] else "not every bit of fresh rows"
        lines = [f"{r['card']['name']}: the card predicts {verdict} ({r['rows_asked']} rows asked)"]
        if self.known:
            lines.append(f"agrees with: {', '.join(self.known)}")
        if r["promotion_interval"]:
            lines.append(f"promoted to FP32 every {r['promotion_interval']} products")
        for p in r["parameters"]:
            mark = "" if p["determined"] else f"  (or {', '.join(p['consistent'])})"
            lines.append(f"  {p['name']:26} {p['value']}{mark}")
        for s in r["strata"]:
            if s["matching"] != s["rows"]:
                lines.append(f"  {s['name']}: {s['matching']} of {s['rows']} rows")
        return "\n".join([*lines, *(f"- {note}" for note in r["notes"])])


def probe(function: Callable[..., Any], a: Any = "e4m3", b: Any = None, c: Any = "fp32", *,
          takes_c: bool = True, max_k: int = 2048, k_multiple: int = 1, name: str = "probed",
          seed: int = 1, rows: int = 1024) -> Probe:
    """Find the dot model of a unit that can be asked anything.

    Parameters
    ----------
    function : callable
        ``function(a, b, c)`` gives D = A . B + C row by row: a and b arrays of shape (rows, k), c
        and the result of shape (rows,). Without `takes_c` it is ``function(a, b)``.
    a, b : str, Format or dtype
        The operands' formats; b as a when absent.
    c : str, Format or dtype
        The format of C and D: fp32 or fp16.
    takes_c : bool
        Whether there is a C; else it counts as zero.
    max_k : int
        The longest row that it may be asked for.
    k_multiple : int
        Rows have a multiple of this many products.
    name : str
        What the card will be called.
    seed : int
        Of the rows that are asked.
    rows : int
        Fresh rows of each stratum that judge the card.

    Returns
    -------
    Probe

    Raises
    ------
    ValueError
        For formats without zero or sign, a C that is not fp32 or fp16, answers of another shape or
        format. What the function raises passes through.

    Notes
    -----
    Units: k counts products. Determinism: the same rows for the same seed.

    Source: Li et al., FTTN, arXiv 2403.00232; Khattak and Mikaitis, arXiv 2512.07004; Fasi et al.,
    PeerJ CS 2021.

    Examples
    --------
    >>> unit = "hopper.wgmma.f32.e4m3.e4m3"
    >>> found = probe(lambda a, b, c: dot(a, b, c, instruction=unit), "e4m3", max_k=128, rows=64)
    >>> found.is_exact, unit in found.known
    (True, True)
    """
    fmt_a, fmt_c = float_format(a), float_format(c)
    fmt_b = fmt_a if b is None else float_format(b)

    def evaluate(left: bytearray, right: bytearray, addend: bytearray, count: int, k: int) -> Array:
        operands = [np.frombuffer(left, dtype_of(fmt_a)).reshape(count, k),
                    np.frombuffer(right, dtype_of(fmt_b)).reshape(count, k)]
        if takes_c:
            operands.append(np.frombuffer(addend, dtype_of(fmt_c)))
        answer, _ = containers(function(*operands), fmt_c)
        if answer.shape != (count,):
            raise ValueError(f"the function gave shape {answer.shape}: expected ({count},)")
        return answer

    return Probe(json.loads(_core.probe(evaluate, name, fmt_a, fmt_b, fmt_c, takes_c, max_k,
                                        k_multiple, seed, rows)))


def probe_recorded(a: Any, b: Any, d: Any, c: Any = None, *, format_a: Any = None,
                   format_b: Any = None, format_c: Any = None, name: str = "recorded", seed: int = 1,
                   rows: int = 1024) -> Probe:
    """Find a dot model from rows that were recorded elsewhere, on a device for instance.

    Parameters
    ----------
    a, b : array_like, shape (n, k)
        Codes in a dtype that names their format, or unsigned integers with `format_a`, `format_b`.
    d : array_like, shape (n,)
        What the unit gave: fp32 or fp16, or unsigned integers with `format_c`.
    c : array_like, shape (n,), optional
        In the format of D; zero when absent.
    format_a, format_b, format_c : str, Format or dtype, optional
        What unsigned integers are the codes of.
    name : str
        What the card will be called.
    seed : int
        Of the choice of rows.
    rows : int
        Rows of each stratum that judge the card.

    Returns
    -------
    Probe

    Raises
    ------
    ValueError
        For shapes that do not fit, and formats as in `probe`.

    Notes
    -----
    Units: k counts products. Every fourth row is held out and judges the card.

    Source: as `probe`.

    Examples
    --------
    >>> unit = "ampere.mma.f32.bf16.bf16"
    >>> a, b = encode(np.random.default_rng(0).standard_normal((2, 64, 16)), "bf16")
    >>> unit in probe_recorded(a, b, dot(a, b, instruction=unit)).known
    True
    """
    left, fmt_a = containers(a, format_a)
    right, fmt_b = containers(b, format_b)
    outputs, fmt_c = containers(d, format_c)
    addend = None if c is None else containers(c, fmt_c)[0]
    if left.ndim != 2 or right.shape != left.shape:
        raise ValueError(f"a has shape {left.shape} and b {right.shape}: expected the same (n, k)")
    n, k = left.shape
    for label, array in (("d", outputs), ("c", addend)):
        if array is not None and array.shape != (n,):
            raise ValueError(f"{label} has shape {array.shape}: expected ({n},)")
    return Probe(json.loads(_core.probe_recorded(name, fmt_a, fmt_b, fmt_c, n, k, left, right,
                                                 addend, outputs, seed, rows)))
