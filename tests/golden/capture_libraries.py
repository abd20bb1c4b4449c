"""Captures tests/golden/libraries.safetensors on a device: capture_libraries.py FILE.

Whole GEMMs of cuBLASLt through torch._scaled_mm with their inputs: tensorwise, rowwise and 1x128 by
128x128 scales that are not powers of two, fast accumulation on and off, fp32 and bf16 output. Not a
test: goldens are made once, by the library, and never by the code that they judge.
"""
import sys

import torch
from safetensors.torch import save_file

E4M3 = torch.float8_e4m3fn
SHAPES = {"64x128x1024": (64, 128, 1024), "32x128x4096": (32, 128, 4096)}


def codes(rows, cols, generator):
    """Values of spread-out magnitude, so that alignment has something to cut."""
    x = torch.randn(rows, cols, generator=generator, device="cuda")
    x *= torch.exp2(2 * torch.randn(rows, 1, generator=generator, device="cuda"))
    return x.clamp(-448, 448).to(E4M3)


def scales(rows, cols, generator):
    return torch.exp(torch.randn(rows, cols, generator=generator, device="cuda")) * 0.01


def tensorwise(m, n, k, g):
    return scales(1, 1, g), scales(1, 1, g)


def rowwise(m, n, k, g):
    return scales(m, 1, g), scales(n, 1, g)


def blockwise(m, n, k, g):
    return scales(m, k // 128, g), scales(n // 128, k // 128, g)


def multiply(kind, a, b, sa, sb, fast, dtype):
    if kind == "tensorwise":
        sa, sb = sa.reshape(()), sb.reshape(())
    elif kind == "rowwise":
        sb = sb.t().contiguous()
    else:  # torch wants A's scales column-major and B's as the transpose of row-major
        sa, sb = sa.t().contiguous().t(), sb.t()
    return torch._scaled_mm(a, b.t(), scale_a=sa, scale_b=sb, out_dtype=dtype,
                            use_fast_accum=fast)


# kind, fast accumulation, profile
PATHS = [("tensorwise", True, "cublaslt-fast", tensorwise),
         ("tensorwise", False, "cublaslt", tensorwise),
         ("rowwise", True, "torch-rowwise-fast", rowwise),
         ("rowwise", False, "torch-rowwise", rowwise),
         ("blockwise", False, "deepgemm", blockwise)]


def main(path):
    generator = torch.Generator(device="cuda").manual_seed(20261125)
    tensors = {}
    for shape, (m, n, k) in SHAPES.items():
        a, b = codes(m, k, generator), codes(n, k, generator)
        tensors[f"{shape}/a"] = a.view(torch.uint8)
        tensors[f"{shape}/b"] = b.view(torch.uint8)
        for kind, fast, profile, make in PATHS:
            sa, sb = make(m, n, k, generator)
            stem = f"{shape}/{profile}"
            tensors[f"{stem}/scale_a"], tensors[f"{stem}/scale_b"] = sa, sb
            for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
                try:
                    d = multiply(kind, a, b, sa, sb, fast, dtype)
                except (RuntimeError, ValueError) as error:
                    print(f"{stem}/{name}: {str(error).splitlines()[0]}")
                    continue
                tensors[f"{stem}/{name}"] = d.view(torch.uint16) if name == "bf16" else d
                print(f"{stem}/{name}: {tuple(d.shape)}")
    driver = open("/proc/driver/nvidia/version").readline().strip()
    save_file({name: t.contiguous().cpu() for name, t in tensors.items()}, path,
              {"generator": "tests/golden/capture_libraries.py",
               "device": torch.cuda.get_device_name(), "driver": driver,
               "cuda": torch.version.cuda, "torch": torch.__version__, "seed": "20261125"})


if __name__ == "__main__":
    main(sys.argv[1])
