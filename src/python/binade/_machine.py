"""Which instruction set computes. The bits do not depend on it."""

from __future__ import annotations

from . import _core


def isa() -> str:
    """The instruction set in force: the widest that this processor has, unless something says
    otherwise (`set_isa`, or at start the environment variable BINADE_ISA).

    Returns
    -------
    str
        ``baseline``, ``x86-64-v3`` or ``x86-64-v4``.

    Notes
    -----
    Source: the x86-64 psABI's levels.

    Examples
    --------
    >>> isa() in supported_isas()
    True
    """
    return _core.isa()


def set_isa(name: str) -> None:
    """Force an instruction set, for instance to see that the bits stay.

    Parameters
    ----------
    name : str
        One of `supported_isas()`. Not to be called while other threads compute.

    Returns
    -------
    None

    Raises
    ------
    ValueError
        For names that this processor does not have.

    Notes
    -----
    Source: the x86-64 psABI's levels.

    Examples
    --------
    >>> before = isa()
    >>> set_isa("baseline"); isa()
    'baseline'
    >>> set_isa(before)
    """
    _core.set_isa(name)


def supported_isas() -> list[str]:
    """Every instruction set that this processor can run, narrowest first.

    Returns
    -------
    list of str

    Notes
    -----
    Source: the x86-64 psABI's levels.

    Examples
    --------
    >>> supported_isas()[0]
    'baseline'
    """
    return _core.supported_isas()
