"""What must an FP8 GEMM return, to the last bit? Quantise as DeepSeek-V3 does, multiply as DeepGEMM
does, and split the error by its causes."""
import binade
import numpy as np

rng = np.random.default_rng(0)
activations = rng.standard_normal((64, 512)).astype(np.float32)
weights = rng.standard_normal((128, 512)).astype(np.float32)

a = binade.quantize(activations, "deepseek-v3", granularity="1x128")
b = binade.quantize(weights, "deepseek-v3", granularity="128x128")
d = binade.gemm(a, b, profile="deepgemm", output="bf16")
exact = binade.gemm(a, b, profile="exact", output="fp64")
print(d.dtype, d.shape)
print(f"relative error of the GEMM alone: {binade.metrics(d, exact)['fro_rel']:.1e}")
for part in binade.errors(activations, weights, recipe="deepseek-v3", profile="deepgemm",
                          output="bf16"):
    cause: str = part["cause"]
    print(f"{cause:12} {part['fro_rel']:.1e}")

# Prints:
# bfloat16 (64, 128)
# relative error of the GEMM alone: 1.7e-03
# scale        3.6e-08
# cast         3.7e-02
# alignment    1.2e-04
# accumulation 2.4e-05
# promotion    4.7e-08
# output       1.7e-03
# total        3.7e-02
