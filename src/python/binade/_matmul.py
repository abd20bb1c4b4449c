"""Tensor-core arithmetic: instructions, chains, GEMMs as libraries compute them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _core
from ._arrays import (FP64, Array, cast_containers, container_dtype, containers, dtype_of,
                      float_format, fp32_array, to_numpy)
from ._explain import render
from ._scaling import Quantized


def instructions() -> list[str]:
    """The names of all instructions.

    Returns
    -------
    list of str

    Notes
    -----
    Source: each instruction's own, see `instruction`.

    Examples
    --------
    >>> "hopper.wgmma.f32.e4m3.e4m3" in instructions()
    True
    """
    return _core.instruction_names()


def profiles() -> list[str]:
    """The names of all GEMM profiles.

    Returns
    -------
    list of str

    Notes
    -----
    Source: each profile's own, see `profile`.

    Examples
    --------
    >>> "deepgemm" in profiles()
    True
    """
    return _core.profile_names()


def instruction(name: str | _core.Instruction) -> _core.Instruction:
    """A matrix instruction: its operands' formats, its K, and where its model comes from.

    Parameters
    ----------
    name : str or Instruction
        A name of `instructions()`, or a model card: JSON text, as `Instruction.to_json` writes it.
        An Instruction is given back as it is.

    Returns
    -------
    Instruction

    Raises
    ------
    ValueError
        For unknown names, and for cards with unknown fields or models that cannot be evaluated.

    Notes
    -----
    Units: k counts products. Source: the record's own field `source`; `verified` says whether a
    device gave the same bits.

    Examples
    --------
    >>> i = instruction("hopper.wgmma.f32.e4m3.e4m3")
    >>> i.k, i.verified
    (32, True)
    >>> wider = i.to_json().replace('"alignment_fraction_bits": 13', '"alignment_fraction_bits": 20')
    >>> instruction(wider).k
    32
    """
    if isinstance(name, _core.Instruction):
        return name
    if name.lstrip().startswith("{"):
        return _core.Instruction.from_json(name)
    return _core.Instruction.find(name)


_instruction = instruction  # `dot` and its like have a parameter of the same name


def profile(name: str) -> _core.GemmProfile:
    """A GEMM profile: a library's order of operations.

    Parameters
    ----------
    name : str
        One of `profiles()`.

    Returns
    -------
    GemmProfile

    Raises
    ------
    ValueError
        For unknown names; the message lists the nearest.

    Notes
    -----
    Units: promotion_interval counts elements of K; 0 is never. Source: the record's own field
    `source`; `verified` says whether a device gave the same bits.

    Examples
    --------
    >>> profile("deepgemm").promotion_interval
    128
    """
    return _core.GemmProfile.find(name)


def _operand(x: Any, fmt: _core.FloatFormat, name: str, ndim: int) -> Array:
    codes, _ = containers(x, fmt)
    if codes.ndim != ndim:
        raise ValueError(f"{name} has shape {codes.shape}: expected {ndim} dimensions")
    return codes


def _dot_operands(record: _core.Instruction, a: Any, b: Any, ndim: int) -> tuple[Array, Array]:
    left, right = _operand(a, record.a, "a", ndim), _operand(b, record.b, "b", ndim)
    if left.shape != right.shape:
        raise ValueError(f"a has shape {left.shape} and b {right.shape}: expected the same")
    return left, right


def dot(a: Any, b: Any, c: Any = None, *, instruction: str | _core.Instruction,
        threads: int = 0) -> Array:
    """D = A . B + C row by row, through one instruction or a chain of them, bit for bit.

    Parameters
    ----------
    a, b : array_like, shape (rows, k)
        Codes in the instruction's operand formats: in a dtype that names them, or unsigned
        integers.
    c : array_like, shape (rows,), optional
        In the instruction's accumulator format; zero when absent.
    instruction : str or Instruction
        A name of `instructions()`, a model card (the command's ``--model``), or a record.
    threads : int
        How many compute; 0: all.

    Returns
    -------
    ndarray of float32 or float16, shape (rows,)

    Raises
    ------
    ValueError
        For shapes that do not fit and operands in other formats than the instruction's.

    Notes
    -----
    Units: none; codes in, values out. Arithmetic: the instruction's model, in integers. NaN, Inf
    times 0 and Inf - Inf give the canonical NaN. Determinism: the same bits everywhere.

    Source: the instruction's, see `instruction`.

    Examples
    --------
    >>> a = encode([[16.0, 0.125] + [0.0] * 30], "e4m3")
    >>> dot(a, a, instruction="hopper.wgmma.f32.e4m3.e4m3")  # 2**-6 is below the last bit kept
    array([256.], dtype=float32)
    """
    record = _instruction(instruction)
    left, right = _dot_operands(record, a, b, 2)
    rows, k = left.shape
    addend = (np.zeros(rows, container_dtype(record.c)) if c is None
              else _operand(c, record.c, "c", 1))
    if addend.shape != (rows,):
        raise ValueError(f"c has shape {addend.shape}: expected ({rows},)")
    d = np.empty(rows, container_dtype(record.c))
    _core.dot(record, left, right, addend, d, rows, k, threads)
    return d.view(dtype_of(record.c))


def _scales(scales: Any, rows: int, name: str) -> tuple[Array, int, int]:
    """Scales as fp32 with their rows and columns; a vector of `rows` is a column."""
    if not hasattr(scales, "dtype"):
        wide = np.asarray(scales, np.float64)
        scales = wide.astype(np.float32)
        if not np.array_equal(scales.astype(np.float64), wide, equal_nan=True):
            raise ValueError(f"{name} holds numbers that fp32 does not hold exactly")
    array = fp32_array(scales, name)
    if array.ndim == 0:
        return array, 1, 1
    if array.ndim == 1:
        return (array, rows, 1) if array.size == rows else (array, 1, array.size)
    if array.ndim == 2:
        return array, array.shape[0], array.shape[1]
    raise ValueError(f"{name} has shape {array.shape}: expected at most two dimensions")


def _gemm_operand(x: Any, fmt: Any, scales: Any, name: str) -> tuple[_core.Operand, int]:
    """The core's operand and its number of rows."""
    if isinstance(x, Quantized):
        if scales is not None or fmt is not None:
            raise ValueError(f"{name} is Quantized and brings its own scales and format")
        if x.tensor_scale != 1.0:
            raise ValueError(f"{name} has a tensor scale of {x.tensor_scale} above its block scales: "
                             "GEMM profiles have one level")
        x, fmt, scales = x.codes, x.format, x.scales
    codes, found = containers(x, fmt)
    if codes.ndim != 2:
        raise ValueError(f"{name} has shape {codes.shape}: expected a matrix")
    rows, k = codes.shape
    shaped = (None, 0, 0) if scales is None else _scales(scales, rows, f"the scales of {name}")
    return _core.Operand(found, codes, rows, k, *shaped), rows


def gemm(a: Any, b: Any, *, profile: str, scale_a: Any = None, scale_b: Any = None,
         format_a: Any = None, format_b: Any = None, output: Any = "fp32",
         promotion_interval: int | None = None, instruction: str | _core.Instruction | None = None,
         threads: int = 0) -> Array:
    """D = A B^T as a library computes it, bit for bit.

    Parameters
    ----------
    a : array_like or Quantized, shape (m, k)
    b : array_like or Quantized, shape (n, k)
        Codes in a dtype that names their format, or unsigned integers with `format_a`, `format_b`;
        or what `quantize` gives, which brings its scales along.
    profile : str
        One of `profiles()`: the library's order of operations.
    scale_a, scale_b : array_like of float32 or E8M0, shape (block rows, block columns), optional
        Dequantisation factors, one a block as the profile's granularity divides the operand.
    format_a, format_b : str, Format or dtype, optional
        What unsigned integers are the codes of.
    output : str, Format or dtype
        The format of D.
    promotion_interval : int, optional
        K elements between promotions to FP32, in place of the profile's; 0 is never.
    instruction : str or Instruction, optional
        In place of the profile's; the command's ``--model``.
    threads : int
        How many compute; 0: all.

    Returns
    -------
    ndarray, shape (m, n)
        Codes of `output`, in its dtype.

    Raises
    ------
    ValueError
        For mismatched k, scales of the wrong shape, negative or NaN, types without an instruction.

    Notes
    -----
    Units: scales are dequantisation factors. Arithmetic: chains of the instruction over each
    promotion interval, promoted to FP32 and scaled in the profile's order, rounded once to
    `output`. Determinism: the same bits on every instruction set and number of threads.

    Source: the profile's, see `profile`.

    Examples
    --------
    >>> a = encode(np.ones((2, 64)), "e4m3")
    >>> gemm(a, a, profile="cublaslt")
    array([[64., 64.],
           [64., 64.]], dtype=float32)
    """
    left, m = _gemm_operand(a, format_a, scale_a, "a")
    right, n = _gemm_operand(b, format_b, scale_b, "b")
    fmt = float_format(output)
    d = np.empty((m, n), container_dtype(fmt))
    _core.gemm(_core.GemmProfile.find(profile), left, right, fmt, d, promotion_interval,
               None if instruction is None else _instruction(instruction), threads)
    return d.view(dtype_of(fmt))


@dataclass(frozen=True)
class Explanation:
    """What one row of a chain goes through. Printing it shows the aligned terms in binary.

    Attributes
    ----------
    instruction : Instruction
    steps : list of DotStep
        Each with its aligned terms, their sum and the result, as integers; empty of terms where NaN
        or infinity decides.
    result : float
        What the instruction gives.

    Notes
    -----
    Units: `aligned` and `sum` count 2**unit_exponent of their step.

    Source: the instruction's, see `instruction`.

    Examples
    --------
    >>> a = encode([1.0, 2.0**-7], "e4m3")
    >>> print(explain(a, a, instruction="hopper.wgmma.f32.e4m3.e4m3"))
    hopper.wgmma.f32.e4m3.e4m3, k = 2
    step 1 of 1, largest exponent 0, last place kept 2^-13
        k = 0  +1.0000000000000 |
        k = 1  +0.0000000000000 | 1
          sum  +1.0000000000000 |
      and 31 zero terms
    result 1.0
    """

    instruction: _core.Instruction
    k: int
    steps: list[_core.DotStep]
    result: float

    def __str__(self) -> str:
        return render(self.instruction.name, self.k, self.steps, self.result)


def explain(a: Any, b: Any, c: Any = None, *,
            instruction: str | _core.Instruction) -> Explanation:
    """Every term of one dot product as the matrix unit aligns, truncates and sums it.

    Parameters
    ----------
    a, b : array_like, shape (k,)
        Codes in the instruction's operand formats.
    c : float or array_like of shape (1,), optional
        In the instruction's accumulator format; zero when absent.
    instruction : str or Instruction
        A name of `instructions()`, a model card (the command's ``--model``), or a record.

    Returns
    -------
    Explanation

    Raises
    ------
    ValueError
        As `dot`.

    Notes
    -----
    Units: see `Explanation`. Arithmetic: as `dot`; the last step's result is what `dot` gives.

    Source: the instruction's, see `instruction`.

    Examples
    --------
    >>> a = encode([16.0, 0.125], "e4m3")
    >>> e = explain(a, a, instruction="hopper.wgmma.f32.e4m3.e4m3")
    >>> [t.lost_bits for t in e.steps[0].terms if t.takes_part]
    [False, True]
    """
    record = _instruction(instruction)
    left, right = _dot_operands(record, a, b, 1)
    addend = (np.zeros(1, container_dtype(record.c)) if c is None
              else _operand(_single(c, record.c), record.c, "c", 1))
    if addend.size != 1:
        raise ValueError(f"c has shape {addend.shape}: expected one number")
    steps, code = _core.trace_dot(record, left, right, addend, left.size)
    value = cast_containers(np.array([code], container_dtype(record.c)), record.c, FP64)
    return Explanation(record, left.size, steps, float(value.view(np.float64)[0]))


def _single(c: Any, fmt: _core.FloatFormat) -> Array:
    """Python's numbers as elements of the accumulator's format, which must hold them."""
    if hasattr(c, "dtype"):
        return np.atleast_1d(to_numpy(c))
    wide = np.atleast_1d(np.asarray(c, np.float64))
    codes = cast_containers(wide.view(np.uint64), FP64, fmt)
    back = cast_containers(codes, fmt, FP64).view(np.float64)
    if not np.array_equal(back, wide, equal_nan=True):
        raise ValueError(f"c is {c!r}, which is no number of {fmt.name}")
    return codes
