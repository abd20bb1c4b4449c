"""Does a cast or a quantiser do what it should? The canonical traps, put to anybody's function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._arrays import Array, float_format


@dataclass(frozen=True)
class Case:
    """One trap: what went in, what should come out, what did.

    Attributes
    ----------
    name : str
        The trap.
    why : str
        What goes wrong in it, and for whom it did.
    given : ndarray, shape (n,)
        The inputs.
    expected, got : ndarray, shape (n,)
        What they should become and what they did: values, or codes where those decide.
    wrong : ndarray of bool, shape (n,)

    Notes
    -----
    Units: none. Source: the library named in `why`.

    Examples
    --------
    >>> case = check(lambda x: np.abs(encode(x, "e4m3")), "e4m3").case("zeros")
    >>> case.passed, case.given[case.wrong]
    (False, array([-0.], dtype=float32))
    """

    name: str
    why: str
    given: Array
    expected: Array
    got: Array
    wrong: Array

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong.any()

    def __str__(self) -> str:
        head = f"{'pass' if self.passed else 'FAIL'}  {self.name} ({self.given.size} inputs)"
        if self.passed:
            return head
        i = int(np.flatnonzero(self.wrong)[0])
        return (f"{head}: {int(self.wrong.sum())} wrong, first {_shown(self.given[i])} gave "
                f"{_shown(self.got[i])}, expected {_shown(self.expected[i])}. {self.why}")


def _shown(number: Any) -> str:
    if isinstance(number, np.unsignedinteger):
        return f"code {int(number):#04x}"
    return f"{float(number)!r} ({float(number).hex()})"


@dataclass(frozen=True)
class Report:
    """The outcome of `check`. Printing it lists the cases.

    Attributes
    ----------
    subject : str
        What the function claims to be.
    behaves_like : list of str
        The known behaviours that every one of its answers equals.
    cases : list of Case

    Notes
    -----
    Units: none. Source: each case's own.

    Examples
    --------
    >>> report = check(lambda x: encode(x, "e5m2"), "e5m2")
    >>> report.passed, len(report.cases) > 10
    (True, True)
    """

    subject: str
    behaves_like: list[str]
    cases: list[Case] = field(repr=False)

    @property
    def passed(self) -> bool:
        """Whether every case passed."""
        return all(case.passed for case in self.cases)

    def case(self, name: str) -> Case:
        """The case of this name.

        Parameters
        ----------
        name : str

        Returns
        -------
        Case

        Raises
        ------
        ValueError
            For a name that no case has; the message lists them.

        Examples
        --------
        >>> check(lambda x: encode(x, "e4m3")).case("ties").passed
        True
        """
        for case in self.cases:
            if case.name == name:
                return case
        raise ValueError(f"no case is called {name!r}: there are "
                         f"{', '.join(case.name for case in self.cases)}")

    def __str__(self) -> str:
        passing = sum(case.passed for case in self.cases)
        return "\n".join([f"{self.subject}: {passing} of {len(self.cases)} cases pass",
                          f"behaves like: {'; '.join(self.behaves_like) or 'nothing known'}",
                          *(f"  {case}" for case in self.cases)])


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
    # The traps import Case and Report from here.
    from . import _traps_casts, _traps_quantisers

    if recipe is not None:
        return _traps_quantisers.check(function, recipe, granularity, scale_type, to)
    fmt, given = float_format("e4m3" if to is None else to), float_format(source)
    rules = {"rounding": rounding, "overflow": overflow, "nan": nan}
    if rounding.startswith("stochastic"):
        return _traps_casts.check_stochastic(function, fmt, given, rounding)
    return _traps_casts.check(function, fmt, given, rules)
