"""Casts and quantisers beside torch, on the same tensors in the same process.

Usage: quantize_speed.py LIBRARY [ROWS COLS [REPEATS]], where LIBRARY is that of quantize_speed.cpp.
First the bits: torch's codes and scales against the toolkit's, by the recipe that torch's formula
is. Then times by events: rounds in which each contender has a stretch to itself, inputs and outputs
taking turns beyond the L2; the median with its extremes, and its share of a copy that moves as many
bytes. Judges nothing but the bits.
"""
import ctypes
import statistics
import sys

try:
    import torch
except ImportError:
    torch = None

if torch is None or not torch.cuda.is_available():
    print("skipped: no torch with CUDA here")
    sys.exit(77)

lib = ctypes.CDLL(sys.argv[1])
lib.speed_error.restype = ctypes.c_char_p
lib.speed_quantizer.restype = ctypes.c_void_p
ROWS, COLS = (int(w) for w in sys.argv[2:4]) if len(sys.argv) > 3 else (8192, 7168)
REPEATS = int(sys.argv[4]) if len(sys.argv) > 4 else 50
ROUNDS = 3
BEYOND_CACHES = 1 << 29


def pointer(tensor):
    return ctypes.c_void_p(tensor.data_ptr())


def checked(done):
    if not done:
        raise RuntimeError(lib.speed_error().decode())
    return done


def quantizer(source, recipe, granularity, scales):
    made = lib.speed_quantizer(source.encode(), ctypes.c_size_t(ROWS), ctypes.c_size_t(COLS),
                               recipe.encode(), granularity.encode(), scales.encode())
    return ctypes.c_void_p(checked(made))


def ours_1x128(handle, x, codes, scales):
    checked(lib.speed_quantize(handle, pointer(x), pointer(codes), pointer(scales)))


def ours_cast(source, x, codes, rules):
    checked(lib.speed_cast(source.encode(), pointer(x), b"e4m3", pointer(codes),
                           ctypes.c_size_t(x.numel()), rules))


def torch_1x128(x):
    """DeepGEMM's recipe in torch's words."""
    blocks = x.float().view(x.shape[0], -1, 128)
    scales = blocks.abs().amax(2).clamp(1e-4) / 448.0
    codes = (blocks * (1.0 / scales.unsqueeze(2))).to(torch.float8_e4m3fn)
    return codes.view(x.shape), scales


compiled_1x128 = torch.compile(torch_1x128, dynamic=False)
compiled_cast = torch.compile(lambda x: x.to(torch.float8_e4m3fn), dynamic=False)


def same(ours, theirs):
    return int((ours.view(torch.uint8) != theirs.view(torch.uint8)).sum())


def times_of(contenders):
    """Median, fastest and slowest microseconds of each."""
    events = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            for i in range(-3, REPEATS):  # those below zero find what the last contender left
                begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                begin.record()
                run(i)
                end.record()
                if i >= 0:
                    events[name].append((begin, end))
    torch.cuda.synchronize()
    taken = {name: [b.elapsed_time(e) * 1e3 for b, e in pairs] for name, pairs in events.items()}
    return {name: (statistics.median(t), min(t), max(t)) for name, t in taken.items()}


def report(title, moved, contenders):
    half = moved // 2 // 16 * 16
    sets = max(2, -(-BEYOND_CACHES // moved))
    a = [torch.empty(half, dtype=torch.uint8, device="cuda") for _ in range(sets)]
    b = [torch.empty(half, dtype=torch.uint8, device="cuda") for _ in range(sets)]
    for by_driver, name in ((0, "copy kernel"), (1, "cudaMemcpy")):
        contenders[name] = lambda i, d=by_driver: checked(lib.speed_copy(
            pointer(a[i % sets]), pointer(b[i % sets]), ctypes.c_size_t(half), d))
    times = times_of(contenders)
    best = min(times["copy kernel"][0], times["cudaMemcpy"][0])
    for name, (median, least, most) in times.items():
        print(f"{title:24} {name:22} {median:8.1f} us ({least:.1f} to {most:.1f}) "
              f"{moved / median * 1e-3:7.0f} GB/s  {best / median:.3f} of the copy")


def main():
    print(f"on {torch.cuda.get_device_name()}, torch {torch.__version__}, [{ROWS}, {COLS}]")
    elements = ROWS * COLS
    differ = 0
    for source, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        bytes_each = torch.finfo(dtype).bits // 8
        sets = max(2, -(-BEYOND_CACHES // (elements * bytes_each)))
        torch.manual_seed(1)
        xs = [torch.randn(ROWS, COLS, device="cuda").to(dtype) for _ in range(sets)]
        codes = [torch.empty(ROWS, COLS, dtype=torch.uint8, device="cuda") for _ in range(sets)]
        flipped = torch.empty(COLS, ROWS, dtype=torch.uint8, device="cuda")
        scales = torch.empty(ROWS, COLS // 128, dtype=torch.float32, device="cuda")
        flipped_scales = torch.empty(COLS, -(-ROWS // 128), dtype=torch.float32, device="cuda")
        handle = quantizer(source, "deepgemm-cuda", "1x128", "fp32")

        theirs, their_scales = torch_1x128(xs[0])
        ours_1x128(handle, xs[0], codes[0], scales)
        differ += same(codes[0], theirs) + same(scales, their_scales)
        ours_cast(source, xs[0], codes[0], 1)
        differ += same(codes[0], xs[0].to(torch.float8_e4m3fn))
        checked(lib.speed_quantize_both(handle, pointer(xs[0]), pointer(codes[0]), pointer(scales),
                                        pointer(flipped), pointer(flipped_scales)))
        differ += same(codes[0], theirs)
        if ROWS % 128 == 0:
            theirs, their_scales = torch_1x128(xs[0].t().contiguous())
            differ += same(flipped, theirs) + same(flipped_scales, their_scales)
        del theirs, their_scales
        print(f"{source}: {differ} codes and scales differ from torch's")

        kept = [None] * sets  # torch's results stay, so that the next has another place

        def keep(i, result):
            kept[i % sets] = result

        report(f"{source} to e4m3", elements * (bytes_each + 1), {
            "binade": lambda i: ours_cast(source, xs[i % sets], codes[i % sets], 1),
            "torch .to": lambda i: keep(i, xs[i % sets].to(torch.float8_e4m3fn)),
            "torch.compile .to": lambda i: keep(i, compiled_cast(xs[i % sets])),
        })
        report(f"{source} 1x128", elements * (bytes_each + 1) + elements // 32, {
            "binade": lambda i: ours_1x128(handle, xs[i % sets], codes[i % sets], scales),
            "torch.compile": lambda i: keep(i, compiled_1x128(xs[i % sets])),
        })
        report(f"{source} 1x128 and transpose", elements * (bytes_each + 2) + elements // 16, {
            "binade": lambda i: checked(lib.speed_quantize_both(
                handle, pointer(xs[i % sets]), pointer(codes[i % sets]), pointer(scales),
                pointer(flipped), pointer(flipped_scales)))})
    return 1 if differ else 0


sys.exit(main())
