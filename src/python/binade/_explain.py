"""Drawing an explanation: the aligned terms in binary, the truncated bits set off."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import _core
    from .matmul import Explanation

_WIDTH = 34


def render(e: Explanation) -> str:
    lines = [e.instruction.name]
    for number, step in enumerate(e.steps):
        lines.append(f"step {number}: largest exponent {step.max_exponent}")
        for term in step.terms:
            if term.takes_part:
                lines.append("  " + _term(term, step.max_exponent))
        lines.append(f"  sum {step.sum}")
    lines.append(f"result {e.result!r}")
    return "\n".join(lines)


def _term(term: _core.DotTerm, largest: int) -> str:
    name = "C" if term.k < 0 else f"k={term.k}"
    sign = "-" if term.negative else "+"
    shift = largest - term.exponent
    digits = f"{term.significand:0{term.fraction_bits + 2}b}"
    mark = " loses bits" if term.lost_bits else ""
    return f"{name:>6} {sign}{digits:>{_WIDTH}} * 2^{term.exponent:<5} shifted by {shift}{mark}"
