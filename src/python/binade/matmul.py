"""Tensor-core arithmetic: instructions, chains, GEMMs as libraries compute them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _core
from ._arrays import (Array, cast_containers, container_dtype, containers, dtype_of, float_format,
                      to_numpy)


def instructions() -> list[str]:
    """The names of all instructions.

    Examples
    --------
    >>> "hopper.wgmma.f32.e4m3.e4m3" in instructions()
    True
    """
    return list(_core.instruction_names())


def profiles() -> list[str]:
    """The names of all GEMM profiles.

    Examples
    --------
    >>> "deepgemm" in profiles()
    True
    """
    return list(_core.profile_names())


def instruction(name: Any) -> _core.Instruction:
    """An instruction by name, or from the JSON of a model card (text that begins with a brace)."""
    if isinstance(name, _core.Instruction):
        return name
    if isinstance(name, str) and name.lstrip().startswith("{"):
        return _core.Instruction.from_json(name)
    return _core.Instruction.find(name)


def _operand(x: Any, fmt: _core.FloatFormat, name: str, ndim: int) -> Array:
    """Containers of `fmt`: codes as they are, values only when they already are of that format."""
    array, foreign = to_numpy(x)
    if array.dtype == np.float32 and fmt.padding_bits:  # tf32 operands are fp32 bit patterns
        array = array.view(np.uint32)
    codes, _ = containers(x if foreign else array, fmt)
    if codes.ndim != ndim:
        raise ValueError(f"{name} has shape {codes.shape}: expected {ndim} dimensions")
    return codes


def dot(a: Any, b: Any, c: Any = None, *, instruction: Any = "hopper.wgmma.f32.e4m3.e4m3",
        threads: int = 0) -> Array:
    """D = A . B + C row by row, through one instruction or a chain of them, bit for bit.

    Parameters
    ----------
    a, b : array_like, shape (rows, k)
        Codes in the instruction's operand formats.
    c : array_like, shape (rows,), optional
        Values in the instruction's accumulator format; zero when absent.
    instruction : str
        A name of `instructions()` or the JSON of a model card.

    Returns
    -------
    ndarray of float32 or float16, shape (rows,)

    Examples
    --------
    >>> from binade import encode
    >>> a = encode([[16.0, 0.125] + [0.0] * 30], "e4m3")
    >>> b = encode([[16.0, 0.125] + [0.0] * 30], "e4m3")
    >>> dot(a, b)  # 256 + 2**-6: the small product lies below the aligned sum's last bit
    array([256.], dtype=float32)
    """
    record = _instruction(instruction)
    left = _operand(a, record.a, "a", 2)
    right = _operand(b, record.b, "b", 2)
    if left.shape != right.shape:
        raise ValueError(f"a has shape {left.shape} and b {right.shape}: expected the same")
    rows, k = left.shape
    addend = (np.zeros(rows, container_dtype(record.c)) if c is None
              else _operand(c, record.c, "c", 1))
    if addend.shape != (rows,):
        raise ValueError(f"c has shape {addend.shape}: expected ({rows},)")
    d = np.empty(rows, container_dtype(record.c))
    _core.dot(record, left, right, addend, d, rows, k, threads)
    return d.view(dtype_of(record.c))


_instruction = instruction  # the parameter of `dot` has the same name


def _scales(scales: Any, rows: int) -> tuple[Array | None, int, int]:
    if scales is None:
        return None, 0, 0
    array = np.ascontiguousarray(np.asarray(scales, dtype=np.float32))
    if array.ndim == 0:
        return array, 1, 1
    if array.ndim == 1:
        return (array, rows, 1) if array.size == rows else (array, 1, array.size)
    if array.ndim == 2:
        return array, array.shape[0], array.shape[1]
    raise ValueError(f"scales of shape {array.shape}: expected at most two dimensions")


def gemm(a: Any, b: Any, *, profile: str = "cublaslt-fast", scale_a: Any = None,
         scale_b: Any = None, format_a: Any = None, format_b: Any = None, output: Any = "fp32",
         promotion_interval: int | None = None, instruction: Any = None,
         threads: int = 0) -> Array:
    """D = A B^T as a library computes it, bit for bit.

    Parameters
    ----------
    a : array_like, shape (m, k)
    b : array_like, shape (n, k)
        Codes: ml_dtypes or torch arrays, or unsigned integers with `format_a`, `format_b`; or the
        `Quantized` that `quantize` gives, which brings its scales along.
    profile : str
        One of `profiles()`: the library's order of operations.
    scale_a, scale_b : array_like of float32, optional
        Dequantisation factors, shaped as the profile's granularity divides the operand.
    output : str, Format or dtype
        The format of D.
    promotion_interval : int, optional
        K elements between promotions to FP32, in place of the profile's; 0 is never.
    instruction : str, optional
        A model card or instruction in place of the profile's.

    Returns
    -------
    ndarray, shape (m, n)

    Raises
    ------
    ValueError
        For mismatched k, scales of the wrong shape, negative or NaN, types without an instruction.

    Examples
    --------
    >>> from binade import encode
    >>> a = encode(np.ones((2, 64)), "e4m3")
    >>> gemm(a, a, profile="cublaslt")
    array([[64., 64.],
           [64., 64.]], dtype=float32)
    """
    a, scale_a = _unwrap(a, scale_a)
    b, scale_b = _unwrap(b, scale_b)
    left, fmt_a = containers(a, format_a)
    right, fmt_b = containers(b, format_b)
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        raise ValueError(f"a has shape {left.shape} and b {right.shape}: expected [m, k] and [n, k]")
    fmt = float_format(output)
    d = np.empty((left.shape[0], right.shape[0]), container_dtype(fmt))
    chosen = None if instruction is None else _instruction(instruction)
    _core.gemm(profile, fmt_a, left, left.shape[0], *_scales(scale_a, left.shape[0]), fmt_b, right,
               right.shape[0], *_scales(scale_b, right.shape[0]), left.shape[1], fmt, d,
               promotion_interval, chosen, threads)
    return d.view(dtype_of(fmt))


def _unwrap(x: Any, scales: Any) -> tuple[Any, Any]:
    from .scaling import Quantized

    if not isinstance(x, Quantized):
        return x, scales
    if scales is not None:
        raise ValueError("a Quantized operand brings its own scales")
    return x.codes, x.scales


@dataclass(frozen=True)
class Explanation:
    """What one row of a chain goes through. Printing it shows the aligned terms in binary."""

    instruction: _core.Instruction
    steps: list[_core.DotStep]
    result: float

    def __str__(self) -> str:
        from ._explain import render

        return render(self)


def explain(a: Any, b: Any, c: Any = None, *,
            instruction: Any = "hopper.wgmma.f32.e4m3.e4m3") -> Explanation:
    """Every term of one dot product as the matrix unit aligns, truncates and sums it.

    Parameters
    ----------
    a, b : array_like, shape (k,)
        Codes in the instruction's operand formats.
    c : array_like, scalar, optional

    Returns
    -------
    Explanation

    Examples
    --------
    >>> from binade import encode
    >>> e = explain(encode([16.0, 0.125], "e4m3"), encode([16.0, 0.125], "e4m3"))
    >>> [t.lost_bits for t in e.steps[0].terms if t.takes_part]
    [False, True]
    """
    record = _instruction(instruction)
    left, right = _operand(a, record.a, "a", 1), _operand(b, record.b, "b", 1)
    if left.shape != right.shape:
        raise ValueError(f"a has shape {left.shape} and b {right.shape}: expected the same")
    addend = (np.zeros(1, container_dtype(record.c)) if c is None
              else _operand(np.atleast_1d(np.asarray(c)), record.c, "c", 1))
    steps, code = _core.trace_dot(record, left, right, addend, left.size)
    fp64 = _core.FloatFormat.parse("fp64")
    value = cast_containers(np.array([code], container_dtype(record.c)), record.c, fp64)
    return Explanation(record, steps, float(value.view(np.float64)[0]))
