"""The traps of quantisers, and the recipes that an unknown one may turn out to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import _core
from ._arrays import Array, container_dtype, containers, to_numpy
from ._report import Case, Report
from ._matmul import _scales
from ._scaling import Quantized, element_format, quantize


def _rows_with_amax(amax: Array, cols: int) -> Array:
    """Rows whose largest magnitude is the one given, and stands in the middle."""
    x = np.random.default_rng(4).uniform(-1, 1, (len(amax), cols)).astype(np.float32)
    x = np.asarray(x * (amax.astype(np.float32) / 2)[:, None], np.float32)
    x[:, cols // 2] = amax
    return x


def _traps(cols: int) -> Iterator[tuple[str, str, Array]]:
    """Name, why and matrix of each."""
    rng = np.random.default_rng(5)

    def normal(rows: int, columns: int = cols) -> Array:
        return rng.standard_normal((rows, columns)).astype(np.float32)

    powers = np.exp2(np.arange(-10.0, 16.0)).astype(np.float32)
    zero, tiny, infinite, missing = normal(4), normal(4), normal(4), normal(4)
    zero[0, ::2], zero[0, 1::2] = 0.0, -0.0
    tiny *= np.exp2(np.array([-120.0, -126.0, -140.0, -60.0], np.float32))[:, None]
    infinite[0, 3], infinite[1, 5] = np.inf, -np.inf
    missing[0, 3] = np.nan
    yield ("zero block", "a scale of zero makes 0/0: kernels-community, ao, slime; the scale must "
           "be finite and the elements keep their signs", zero)
    yield ("tiny block", "amax near 2^-120 and in the subnormals: universal's mxblock gives NaN",
           tiny)
    yield ("huge block", "max / amax underflows, amax * something overflows: flashinfer",
           _rows_with_amax(np.array([3e38, 2.0**127, 1e37, 1e30]), cols))
    yield ("infinity in a block", "policies differ: microxcaling makes the block NaN", infinite)
    yield ("NaN in a block", "policies differ: CUDA's max ignores it, torch's does not", missing)
    yield ("amax beside powers of two", "log2 in FP32 is wrong next to 250 of 254 powers of two: "
           "microxcaling, gfloat, universal; BF16 on the way: ao",
           _rows_with_amax(np.concatenate([powers, np.nextafter(powers, np.float32(0)),
                                           np.nextafter(powers, np.float32(np.inf)),
                                           powers * np.float32(1 - 2.0**-10)]), cols))
    yield ("division against reciprocal", "x / s, x * (1 / s) and x * (max / amax) differ in the "
           "last bit: MSLK, sglang", normal(64) * np.float32(2.3))
    yield ("lower clamps", "1e-4 in DeepGEMM, 1e-10 in vLLM, 1e-12 in slime, none in "
           "TransformerEngine", _rows_with_amax(10.0 ** np.arange(-14.0, -1.0), cols))
    yield ("largest element", "the floor rule clamps 957 to 896; scaled values above the largest "
           "number are rounded back only by a saturating cast",
           _rows_with_amax(np.array([448, 449, 463.9, 464, 465, 480, 511, 512, 896, 957.0]), cols))
    yield ("ragged edge", "the last block is smaller: FBGEMM dropped its scale, CUTLASS and vLLM "
           "inferred a wrong one", normal(5, cols + cols // 4))


class _Answer:
    """Codes and scales as a quantiser gave them, or the reason why there are none."""

    def __init__(self, function: Callable[[Any], Any], x: Array, element: _core.FloatFormat) -> None:
        self.codes: Array | None = None
        self.scales: Array | None = None
        self.error = ""
        try:
            answer = function(x.copy())
        except Exception as error:  # a refusal is an answer, and a failed case
            self.error = f"{type(error).__name__}: {error}"
            return
        codes, scales = ((answer.codes, answer.scales) if hasattr(answer, "codes") else answer)
        self.codes = containers(to_numpy(codes), element)[0]
        self.scales = _scales(scales, x.shape[0], "scales")[0].view(np.float32)

    @staticmethod
    def _differ(got: Array | None, want: Array) -> Array:
        if got is None or got.size != want.size:
            return np.ones(want.size, bool)
        return np.asarray(got.ravel() != want.ravel())

    def wrong_codes(self, want: Quantized) -> Array:
        return self._differ(self.codes, want.codes.view(container_dtype(want.format._core)))

    def wrong_scales(self, want: Quantized) -> Array:
        got = None if self.scales is None else self.scales.view(np.uint32)
        return self._differ(got, want.scales.view(np.uint32))


def _filled(got: Array | None, want: Array) -> Array:
    """What was got, or zeros where nothing of the right size was."""
    return np.zeros_like(want) if got is None or got.size != want.size else got.ravel()


def _cases(name: str, why: str, x: Array, answer: _Answer, want: Quantized) -> Iterator[Case]:
    if answer.error:
        why = f"{why} [{answer.error}]"
    elif answer.scales is not None and answer.scales.size != want.scales.size:
        why = f"{why} [scales of shape {answer.scales.shape}, expected {want.scales.shape}]"
    scales, codes = want.scales.ravel(), want.codes.view(container_dtype(want.format._core)).ravel()
    blocks = np.arange(scales.size, dtype=np.float64)
    yield Case(f"{name}: scales", why, blocks, scales, _filled(answer.scales, scales),
               answer.wrong_scales(want))
    yield Case(f"{name}: codes", why, x.ravel(), codes, _filled(answer.codes, codes),
               answer.wrong_codes(want))


def check(function: Callable[[Any], Any], recipe: str, granularity: str | None,
          scale_type: str | None, to: Any) -> Report:
    claim = _core.ScaleRecipe.find(recipe)
    blocks = granularity or claim.default_granularity
    kind = scale_type or claim.scale_types[0]
    element = _core.default_element(kind) if to is None else element_format(to)
    traps = list(_traps(256))
    answers = [_Answer(function, x, element) for _, _, x in traps]

    def wanted(name: str, kind: str) -> list[Quantized]:
        return [quantize(x, name, granularity=blocks, scale_type=kind, to=element)
                for _, _, x in traps]

    cases = [case for (name, why, x), answer, want in zip(traps, answers, wanted(recipe, kind),
                                                          strict=True)
             for case in _cases(name, why, x, answer, want)]
    alike = [f"{name} ({other} scales)" for name in _core.recipe_names()
             for other in _core.ScaleRecipe.find(name).scale_types
             if all(not answer.wrong_codes(want).any() and not answer.wrong_scales(want).any()
                    for answer, want in zip(answers, wanted(name, other), strict=True))]
    return Report(f"{recipe} {blocks} with {kind} scales, to {_core.element_name(element)}", alike,
                  cases)
