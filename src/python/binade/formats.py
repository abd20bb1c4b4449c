"""Number formats and casting."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core
from ._arrays import (Array, cast_containers, container_dtype, containers, dtype_of, float_format)


class Format:
    """A binary floating-point format, by name.

    Parameters
    ----------
    name : str, Format or dtype
        A name of the catalogue or an alias (``"e4m3"``, ``"float8_e4m3fn"``), an IEEE P3109 name
        (``"binary8p4se"``), any ``"eXmY"`` with an optional suffix ``ieee``, ``fn``, ``fnuz`` or
        ``finite``, or an ml_dtypes dtype.

    Raises
    ------
    ValueError
        If no format has this name; the message lists the nearest.

    Examples
    --------
    >>> f = Format("e4m3")
    >>> f.max, f.min_subnormal, f.bits
    (448.0, 0.001953125, 8)
    >>> f.encode(1.3), f.decode(0x3A)
    (58, 1.25)
    """

    def __init__(self, name: Any) -> None:
        self._core: _core.FloatFormat = float_format(name)

    @property
    def name(self) -> str:
        """The name that reads back as this format."""
        return self._core.name

    @property
    def source(self) -> str:
        """Where the format is defined."""
        return _core.format_source(self.name)

    @property
    def bits(self) -> int:
        """Width of a code in bits."""
        return self._core.bits

    @property
    def exponent_bits(self) -> int:
        """Bits of the exponent field."""
        return self._core.exponent_bits

    @property
    def mantissa_bits(self) -> int:
        """Stored bits of the significand."""
        return self._core.mantissa_bits

    @property
    def bias(self) -> int:
        """What the exponent field exceeds the exponent by."""
        return self._core.bias

    @property
    def is_signed(self) -> bool:
        """Whether there is a sign bit."""
        return self._core.is_signed

    @property
    def has_nan(self) -> bool:
        """Whether any code is NaN."""
        return self._core.has_nan

    @property
    def has_infinity(self) -> bool:
        """Whether there are infinities."""
        return self._core.has_infinity

    @property
    def emin(self) -> int:
        """Exponent of the smallest normal number."""
        return self._core.emin

    @property
    def emax(self) -> int:
        """Exponent of the largest finite number."""
        return self._core.emax

    @property
    def max(self) -> float:
        """The largest finite number."""
        return self._core.decode(self._core.max_finite_code)

    @property
    def min_normal(self) -> float:
        """The smallest positive normal number."""
        return 2.0**self.emin

    @property
    def min_subnormal(self) -> float:
        """The smallest positive number."""
        return self._core.decode(1 if self._core.has_zero else 0)

    @property
    def unit_roundoff(self) -> float:
        """Half the spacing of the numbers just above 1: the bound of one rounding's relative error."""
        return 2.0 ** -(self.mantissa_bits + 1)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype that codes come back in."""
        return dtype_of(self._core)

    def values(self) -> Array:
        """The value of every code, in the order of the codes.

        Returns
        -------
        ndarray of float64, shape (2**bits,)

        Raises
        ------
        ValueError
            If the format has more than 2**20 codes.

        Examples
        --------
        >>> Format("e2m1").values()[:8]
        array([0. , 0.5, 1. , 1.5, 2. , 3. , 4. , 6. ])
        """
        if self.bits > 20:
            raise ValueError(f"{self.name} has 2**{self.bits} codes; values() lists up to 2**20")
        codes = np.arange(2**self.bits, dtype=np.uint64) << np.uint64(self._core.padding_bits)
        source = codes.astype(container_dtype(self._core))
        fp64 = _core.FloatFormat.parse("fp64")
        return cast_containers(source, self._core, fp64).view(np.float64)

    def encode(self, x: float, rounding: str = "nearest_even", overflow: str = "saturate",
               nan: str = "canonical") -> int:
        """The code that one number rounds to. See `binade.encode` for arrays."""
        source, fmt = containers(np.float64(x))
        code = cast_containers(source, fmt, self._core, rounding, overflow, nan)
        return int(code) >> self._core.padding_bits

    def decode(self, code: int) -> float:
        """The value of one code."""
        if not 0 <= code < 2**self.bits:
            raise ValueError(f"{code} is no code of {self.name}: expected 0 to {2**self.bits - 1}")
        return self._core.decode(code)

    def neighbours(self, x: float) -> tuple[float, float]:
        """The largest number of the format not above `x` and the smallest not below it.

        Examples
        --------
        >>> Format("e4m3").neighbours(1.3)
        (1.25, 1.375)
        """
        down, up = (self.encode(x, rounding, "special", "keep_sign") for rounding in ("down", "up"))
        return self.decode(down), self.decode(up)

    def __repr__(self) -> str:
        return f"Format({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Format) and self._core == other._core

    def __hash__(self) -> int:
        return hash(self._core)


def formats() -> list[Format]:
    """Every format of the catalogue, widest first.

    Examples
    --------
    >>> [f.name for f in formats()][:6]
    ['fp64', 'fp32', 'tf32', 'bf16', 'fp16', 'e4m3']
    """
    return [Format(name) for name in _core.catalog_names()]


def encode(x: Any, to: Any, *, rounding: str = "nearest_even", overflow: str = "saturate",
           nan: str = "canonical", random_bits: int = 8, seed: int = 0,
           source: Any = None) -> Array:
    """Cast an array to a format, each element rounded once.

    Parameters
    ----------
    x : array_like
        fp64, fp32, fp16, or any ml_dtypes or torch floating-point type, of any shape and layout;
        or unsigned integers that hold codes of `source`.
    to : str, Format or dtype
        The format to round to.
    rounding : str
        nearest_even, nearest_away, toward_zero, up, down, to_odd, stochastic_a, stochastic_b,
        stochastic_c.
    overflow : str
        saturate, special, or P3109's sat_finite, sat_propagate, sat_none.
    nan : str
        canonical (as CUDA) or keep_sign (as ml_dtypes).
    random_bits, seed : int
        For the stochastic roundings: bits per element, and the stream.

    Returns
    -------
    ndarray
        Codes, of the same shape: an ml_dtypes array where ml_dtypes has the format, else unsigned
        integers.

    Raises
    ------
    ValueError
        For unknown names, arrays that hold no floating-point numbers, tensors on a device.

    Notes
    -----
    Source: IEEE 754-2019 4.3; PTX ISA, cvt; IEEE P3109 interim report 4.0.

    Examples
    --------
    >>> encode([1.3, 500.0, float("nan")], "e4m3").view("uint8")
    array([ 58, 126, 127], dtype=uint8)
    """
    array, found = containers(x, source)
    fmt = float_format(to)
    codes = cast_containers(array, found, fmt, rounding, overflow, nan, random_bits, seed)
    return codes.view(dtype_of(fmt)).reshape(array.shape)


def decode(codes: Any, source: Any = None) -> Array:
    """The values of codes: fp32, or fp64 where the format does not fit in fp32.

    Parameters
    ----------
    codes : array_like
        An ml_dtypes array, or unsigned integers together with `source`.
    source : str, Format or dtype, optional
        The format of the codes.

    Returns
    -------
    ndarray of float32 or float64, of the same shape

    Examples
    --------
    >>> import numpy as np
    >>> decode(np.array([0x3A, 0x7E, 0x80], np.uint8), "e4m3")
    array([  1.25, 448.  ,  -0.  ], dtype=float32)
    """
    array, found = containers(codes, source)
    wide = _core.FloatFormat.parse("fp32")
    if found != wide and not found.embeds_in(wide):
        wide = _core.FloatFormat.parse("fp64")
    return cast_containers(array, found, wide).view(dtype_of(wide)).reshape(array.shape)


def round_to(x: Any, to: Any, *, rounding: str = "nearest_even", overflow: str = "saturate",
             nan: str = "canonical", random_bits: int = 8, seed: int = 0) -> Array:
    """The nearest values of a format, kept as fp32.

    Parameters
    ----------
    x : array_like
        As for `encode`; whatever it is, it is rounded once.
    to : str, Format or dtype
        The format; it must fit in fp32.

    Returns
    -------
    ndarray of float32, of the same shape

    Examples
    --------
    >>> round_to([1.3, 0.07], "e4m3")
    array([1.25     , 0.0703125], dtype=float32)
    """
    array, found = containers(x)
    fmt, fp32 = float_format(to), _core.FloatFormat.parse("fp32")
    rounded = np.empty(array.shape, np.float32)
    if found == fp32:
        _core.round_to(fmt, array, rounded, array.size, rounding, overflow, nan, random_bits, seed)
        return rounded
    if not fmt.embeds_in(fp32):
        raise ValueError(f"format {fmt.name} does not fit in fp32")
    codes = cast_containers(array, found, fmt, rounding, overflow, nan, random_bits, seed)
    return cast_containers(codes, fmt, fp32).view(np.float32).reshape(array.shape)
