"""Which order of operations made this output?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from . import _core
from ._arrays import containers
from ._matmul import _gemm_operand
from ._matmul import instruction as _instruction


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found. Printing it says it in words.

    Attributes
    ----------
    record : dict
        Everything, as ``binade diagnose --json`` writes it: shapes, the explanations that match
        every bit (`exact`) and what would tell them apart (`ties`), the closest one, mismatches,
        where they lie (`map`) and how far (`ulp_histogram`), the `first` ones, and `findings`.

    Notes
    -----
    Units: ulp distances count codes along the output format's axis.

    Source: see DiagnoseOptions in the C++ header binade/emulation/diagnose.hpp.

    Examples
    --------
    >>> a = encode(np.linspace(-2, 2, 64 * 256).reshape(64, 256), "e4m3")
    >>> found = diagnose(a, a, gemm(a, a, profile="cublaslt"))
    >>> found.is_explained, found.record["mismatches"]
    (True, 0)
    """

    record: dict[str, Any]

    @property
    def exact(self) -> list[dict[str, Any]]:
        """The explanations that match every bit of every output."""
        return list(self.record["exact"])

    @property
    def is_explained(self) -> bool:
        """Whether there is one."""
        return bool(self.exact)

    @property
    def closest(self) -> dict[str, Any]:
        """The explanation that matches most outputs."""
        return dict(self.record["closest"])

    @property
    def findings(self) -> list[str]:
        """Structure among the mismatches, in words."""
        return list(self.record["findings"])

    def __str__(self) -> str:
        r = self.record
        outputs = f"{r['rows']} x {r['cols']} outputs over K = {r['k']}"
        findings = [f"- {finding}" for finding in self.findings]
        if self.is_explained:
            lines = [f"every bit of {outputs}:", f"  {self.exact[0]['text']}", *findings]
            for tie in r["ties"]:
                lines.append(f"not told apart from: {self.exact[tie['other']]['text']}")
                lines.append(f"  {tie['separating'] or 'nothing that was tried separates them'}")
            return "\n".join(lines)
        near = self.closest
        lines = [f"none of {r['tried']} explanations matches every bit of {outputs}",
                 f"closest: {near['text']}",
                 f"  {near['matching']} of {near['compared']} outputs equal"]
        if r["rest"]:
            lines.append(f"the rest: {r['rest']['text']}")
        first = [f"  [{m['row']}, {m['col']}] found {m['found']}, expected {m['expected']}"
                 for m in r["first"]]
        return "\n".join([*lines, *findings, *first])


def diagnose(a: Any, b: Any, d: Any, *, scale_a: Any = None, scale_b: Any = None,
             format_a: Any = None, format_b: Any = None, output: Any = None,
             instruction: str | _core.Instruction | None = None, mismatches: int = 16,
             seed: int = 1, threads: int = 0) -> Diagnosis:
    """Find how D = A B^T was computed: which chain, promotion, scales, rounding; or what went wrong.

    Parameters
    ----------
    a : array_like or Quantized, shape (m, k)
    b : array_like or Quantized, shape (n, k)
        As for `gemm`.
    d : array_like, shape (m, n)
        What the kernel gave: floats, or unsigned integers that hold codes of `output`.
    scale_a, scale_b : array_like of float32 or E8M0, shape (block rows, block columns), optional
        Dequantisation factors, as for `gemm`.
    format_a, format_b : str, Format or dtype, optional
        What unsigned integers are the codes of.
    output : str, Format or dtype, optional
        The format of D; that of its floats when absent.
    instruction : str or Instruction, optional
        One to try beside the known ones; the command's ``--model``.
    mismatches : int
        How many are listed.
    seed : int
        Of the sample that is looked at first.
    threads : int
        How many compute; 0: all.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ValueError
        As `gemm`, and for a D of another shape.

    Notes
    -----
    Units: scales are dequantisation factors. Determinism: a pure function of its arguments.

    Source: DeepGEMM, CUTLASS and Transformer Engine; see the C++ header
    binade/emulation/diagnose.hpp.

    Examples
    --------
    >>> a = encode(np.linspace(-2, 2, 64 * 256).reshape(64, 256), "e4m3")
    >>> d = gemm(a, a, profile="fp32-sequential")
    >>> diagnose(a, a, d).exact[0]["chains"]
    ['fp32-sequential']
    """
    left, m = _gemm_operand(a, format_a, scale_a, "a")
    right, n = _gemm_operand(b, format_b, scale_b, "b")
    outputs, found = containers(d, output)
    if outputs.shape != (m, n):
        raise ValueError(f"d has shape {outputs.shape}: expected ({m}, {n})")
    return Diagnosis(json.loads(_core.diagnose(
        left, right, found, outputs, None if instruction is None else _instruction(instruction),
        mismatches, seed, threads)))
