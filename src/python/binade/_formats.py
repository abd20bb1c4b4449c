"""Number formats and casting."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _core
from ._arrays import (FP32, FP64, Array, cast_containers, container_dtype, containers, dtype_of,
                      float_format)


class Format:
    """A binary floating-point format, by name: its facts, its values, and one number at a time.

    Parameters
    ----------
    name : str, Format or dtype
        A name of the catalogue or an alias (``"e4m3"``, ``"float8_e4m3fn"``), an IEEE P3109 name
        (``"binary8p4se"``), any ``"eXmY"`` with an optional suffix ``ieee``, ``fn``, ``fnuz`` or
        ``finite``, or a dtype of NumPy, ml_dtypes or torch.

    Raises
    ------
    ValueError
        If no format has this name; the message lists the nearest.

    Notes
    -----
    Units: values are pure numbers; exponents count powers of two.

    Source: each format's own, see `source`.

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
    def has_zero(self) -> bool:
        """Whether there is a zero (E8M0 has none)."""
        return self._core.has_zero

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
        return float(2.0**self.emin)

    @property
    def min_subnormal(self) -> float:
        """The smallest positive number."""
        return self._core.decode(1 if self._core.has_zero else 0)

    @property
    def unit_roundoff(self) -> float:
        """Half the spacing of the numbers just above 1: the bound of one rounding's relative error."""
        return float(2.0**-self._core.precision)

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
        return cast_containers(source, self._core, FP64).view(np.float64)

    def encode(self, x: float, *, rounding: str = "nearest_even", overflow: str = "saturate",
               nan: str = "canonical") -> int:
        """The code that one number rounds to. See `binade.encode` for arrays and for the rules.

        Parameters
        ----------
        x : float
        rounding, overflow, nan : str
            The rules of the cast.

        Returns
        -------
        int

        Raises
        ------
        ValueError
            For unknown rules, and for stochastic ones, which `binade.encode` takes.

        Examples
        --------
        >>> Format("e5m2").encode(1e9, overflow="special")  # the code of infinity
        124
        """
        if rounding.startswith("stochastic"):
            raise ValueError(f"rounding {rounding!r} needs a draw: use binade.encode")
        code = cast_containers(np.array(x, np.float64).view(np.uint64), FP64, self._core, rounding,
                               overflow, nan)
        return int(code) >> self._core.padding_bits

    def decode(self, code: int) -> float:
        """The value of one code.

        Parameters
        ----------
        code : int
            From 0 to 2**bits - 1.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            For integers that are no code of the format.

        Examples
        --------
        >>> Format("e4m3").decode(0x7E)
        448.0
        """
        if not 0 <= code < 2**self.bits:
            raise ValueError(f"{code} is no code of {self.name}: expected 0 to {2**self.bits - 1}")
        return self._core.decode(code)

    def neighbours(self, x: float) -> tuple[float, float]:
        """The largest number of the format not above `x` and the smallest not below it.

        Parameters
        ----------
        x : float

        Returns
        -------
        tuple of two floats
            Equal where `x` is a number of the format; infinite or NaN beyond its range.

        Examples
        --------
        >>> Format("e4m3").neighbours(1.3)
        (1.25, 1.375)
        """
        down, up = (self.encode(x, rounding=towards, overflow="special", nan="keep_sign")
                    for towards in ("down", "up"))
        return self.decode(down), self.decode(up)

    def __repr__(self) -> str:
        return f"Format({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Format) and self._core == other._core

    def __hash__(self) -> int:
        return hash(self._core)


def formats() -> list[Format]:
    """Every format of the catalogue, widest first.

    Returns
    -------
    list of Format

    Notes
    -----
    Source: each format's own, see `Format.source`.

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
    x : array_like, any shape and layout
        fp64, fp32, fp16, or any floating-point type of ml_dtypes, torch or another library that
        speaks DLPack; or unsigned integers that hold codes of `source`.
    to : str, Format or dtype
        The format to round to.
    rounding : str
        ``nearest_even``, ``nearest_away``, ``toward_zero``, ``up``, ``down``, ``to_odd``,
        ``stochastic_a``, ``stochastic_b`` or ``stochastic_c``.
    overflow : str
        ``saturate`` (to the largest number), ``special`` (to infinity, else NaN), or the names
        ``sat_finite``, ``sat_propagate``, ``sat_none`` of P3109.
    nan : str
        ``canonical`` (as CUDA) or ``keep_sign`` (as ml_dtypes).
    random_bits : int
        Bits of a stochastic rounding's draw, 1 to 30.
    seed : int
        Of the draws; element i always draws the same bits.
    source : str, Format or dtype, optional
        What unsigned integers are the codes of; the command's ``--from``.

    Returns
    -------
    ndarray, the shape of `x`
        Codes: an ml_dtypes array where ml_dtypes has the format, else unsigned integers.

    Raises
    ------
    ValueError
        For unknown names, arrays that hold no floating-point numbers, arrays on a device.

    Notes
    -----
    Units: none; a number and its code stand for the same quantity.

    Arithmetic: one rounding of the exact value of each element; no other format lies between.
    Determinism: the same codes on every instruction set and number of threads.

    Source: IEEE 754-2019 4.3; PTX ISA, cvt; IEEE P3109 interim report 4.0.

    Examples
    --------
    >>> encode([1.3, 500.0, float("nan")], "e4m3").view("uint8")
    array([ 58, 126, 127], dtype=uint8)
    """
    array, found = containers(x, source)
    fmt = float_format(to)
    return cast_containers(array, found, fmt, rounding, overflow, nan, random_bits,
                           seed).view(dtype_of(fmt))


def decode(codes: Any, source: Any = None) -> Array:
    """The values of codes: fp32, or fp64 where the format does not fit in fp32.

    Parameters
    ----------
    codes : array_like, any shape and layout
        Codes in a dtype that names their format, or unsigned integers together with `source`.
    source : str, Format or dtype, optional
        The format of the codes; the command's ``--from``.

    Returns
    -------
    ndarray of float32 or float64, the shape of `codes`

    Raises
    ------
    ValueError
        For unknown names, integers without `source`, formats that do not fit in fp64.

    Notes
    -----
    Units: none. Arithmetic: exact. A NaN becomes the quiet NaN of its sign.

    Source: IEEE 754-2019 3.4; OCP OFP8 1.0.

    Examples
    --------
    >>> decode(np.array([0x3A, 0x7E, 0x80], np.uint8), "e4m3")
    array([  1.25, 448.  ,  -0.  ], dtype=float32)
    """
    array, found = containers(codes, source)
    wide = FP32 if found.embeds_in(FP32) else FP64
    if not found.embeds_in(wide):
        raise ValueError(f"{found.name} does not fit in fp64")
    return cast_containers(array, found, wide).view(dtype_of(wide))


def round_to(x: Any, to: Any, *, rounding: str = "nearest_even", overflow: str = "saturate",
             nan: str = "canonical", random_bits: int = 8, seed: int = 0) -> Array:
    """The nearest values of a format, kept as fp32.

    Parameters
    ----------
    x : array_like, any shape and layout
        As for `encode`; whatever it is, it is rounded once.
    to : str, Format or dtype
        The format; it must fit in fp32.
    rounding, overflow, nan, random_bits, seed
        As for `encode`.

    Returns
    -------
    ndarray of float32, the shape of `x`

    Raises
    ------
    ValueError
        As `encode`, and for a format that does not fit in fp32.

    Notes
    -----
    Units: those of `x`. Arithmetic: ``decode(encode(x))``.

    Source: IEEE 754-2019 4.3; PTX ISA, cvt.

    Examples
    --------
    >>> round_to([1.3, 0.07], "e4m3")
    array([1.25     , 0.0703125], dtype=float32)
    """
    array, found = containers(x)
    fmt = float_format(to)
    if found == FP32:
        rounded = np.empty(array.shape, np.float32)
        _core.round_to(fmt, array, rounded, array.size, rounding, overflow, nan, random_bits, seed)
        return rounded
    if not fmt.embeds_in(FP32):
        raise ValueError(f"format {fmt.name} does not fit in fp32")
    codes = cast_containers(array, found, fmt, rounding, overflow, nan, random_bits, seed)
    return cast_containers(codes, fmt, FP32).view(np.float32)
