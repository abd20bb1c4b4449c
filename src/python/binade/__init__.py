"""binade: low-precision floating point, bit for bit as the hardware does it.

>>> import binade
>>> binade.encode(1.3, "e4m3").item()
1.25
"""

from . import cuda, experiments, plot, size, training
from ._conformance import check
from ._core import version as __version__
from ._diagnose import Diagnosis, diagnose
from ._formats import Format, decode, encode, formats, round_to
from ._machine import isa, set_isa, supported_isas
from ._matmul import Explanation, dot, explain, gemm, instruction, instructions, profile, profiles
from ._metrics import errors, metrics
from ._probe import Probe, probe, probe_recorded
from ._report import Case, Report
from ._scaling import Quantized, dequantize, quantize, recipe, recipes
from ._study import study

__all__ = [
    "Case",
    "Diagnosis",
    "Explanation",
    "Format",
    "Probe",
    "Quantized",
    "Report",
    "check",
    "cuda",
    "decode",
    "dequantize",
    "diagnose",
    "dot",
    "encode",
    "errors",
    "experiments",
    "explain",
    "formats",
    "gemm",
    "instruction",
    "instructions",
    "isa",
    "metrics",
    "plot",
    "probe",
    "probe_recorded",
    "profile",
    "profiles",
    "quantize",
    "recipe",
    "recipes",
    "round_to",
    "set_isa",
    "size",
    "study",
    "supported_isas",
    "training",
]
