"""Is this cast right, and if not, whose is it? One that goes through FP16 on the way."""
import binade
import ml_dtypes
import numpy as np
import numpy.typing as npt


def suspect(x: npt.NDArray[np.float32]) -> npt.NDArray[np.generic]:
    half: npt.NDArray[np.float16] = x.astype(np.float16)
    return half.astype(ml_dtypes.float8_e4m3fn)


with np.errstate(over="ignore"):
    report: binade.Report = binade.check(suspect, "e4m3", overflow="special", nan="keep_sign")
print(report.passed)
print(report.behaves_like)
for case in report.cases:
    if not case.passed:
        print(case.name)

# Prints:
# False
# ['through fp16, special, NaN keep_sign']
# beside ties
# half the smallest number
# overflow
# double rounding through fp16
# numbers known for trouble
# random numbers
