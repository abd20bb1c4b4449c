"""What a conformance check reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._arrays import Array


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
