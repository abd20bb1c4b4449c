"""binade: low-precision floating point, bit for bit as the hardware does it.

>>> import binade
>>> binade.encode(1.3, "e4m3").item()
1.25
"""

from . import experiments
from ._core import isa, set_isa, supported_isas
from .conformance import check
from .errors import errors, metrics
from .formats import Format, decode, encode, formats, round_to
from .matmul import Explanation, dot, explain, gemm, instruction, instructions, profiles
from .scaling import Quantized, dequantize, quantize, recipes

__version__ = "0.1.0"
__all__ = [
    "Explanation",
    "Format",
    "Quantized",
    "check",
    "decode",
    "dequantize",
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
    "profiles",
    "quantize",
    "recipes",
    "round_to",
    "set_isa",
    "supported_isas",
]
