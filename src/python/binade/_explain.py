"""Drawing an explanation: the aligned terms in binary, the bits that alignment drops set off."""

from __future__ import annotations

from . import _core

_MOST_LOST_BITS = 24


def render(name: str, k: int, steps: list[_core.DotStep], result: float) -> str:
    lines = [f"{name}, k = {k}"]
    for number, step in enumerate(steps, 1):
        lines += _step(f"step {number} of {len(steps)}", step)
    return "\n".join([*lines, f"result {result!r}"])


def _step(head: str, step: _core.DotStep) -> list[str]:
    if not step.terms:
        return [f"{head}: NaN or infinity decides"]
    if step.is_final_addition:
        head += ": C is added to the finished chain"
    fraction_bits = max(step.max_exponent - step.unit_exponent, 0)
    shown = [term for term in step.terms if term.significand]
    widest = max(abs(number) for number in (step.sum, *(term.aligned for term in shown)))
    whole_bits = max(widest.bit_length() - fraction_bits, 1)

    def line(label: str, units: int, negative: bool, lost: str) -> str:
        digits = f"{abs(units):0{fraction_bits + 1}b}"
        whole, fraction = digits[:len(digits) - fraction_bits], digits[len(digits) - fraction_bits:]
        number = f"{'-' if negative else '+'}{whole}".rjust(whole_bits + 1)
        return f"{label:>9}  {number}.{fraction} | {lost}".rstrip()

    lines = [f"{head}, largest exponent {step.max_exponent}, last place kept 2^{step.unit_exponent}"]
    lines += [line(_label(term), term.aligned, term.negative, _lost(term, step)) for term in shown]
    lines.append(line("sum", step.sum, step.sum < 0, ""))
    silent = len(step.terms) - len(shown)
    return [*lines, f"  and {silent} zero terms"] if silent else lines


def _label(term: _core.DotTerm) -> str:
    names = {_core.TERM_C: "C", _core.TERM_CHAIN: "chain"}
    return names.get(term.k, f"k = {term.k}")


def _lost(term: _core.DotTerm, step: _core.DotStep) -> str:
    """The bits of the significand below the last place kept."""
    below = step.unit_exponent - (term.exponent - term.fraction_bits)
    if below <= 0:
        return ""
    bits = f"{term.significand & ((1 << below) - 1):0{below}b}".rstrip("0")
    return bits if len(bits) <= _MOST_LOST_BITS else bits[:_MOST_LOST_BITS] + "..."
