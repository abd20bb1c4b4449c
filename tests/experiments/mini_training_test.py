"""The training script's products are those of its recipe, its delayed scales TransformerEngine's."""
import importlib.util
import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(os.environ["BINADE_SOURCE"])
SCRIPT = SOURCE / "experiments/mini_training.py"
SKIPPED = 77


def script():
    spec = importlib.util.spec_from_file_location("mini_training", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*words):
    return subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True,
                          check=False)


def check_refusals(torch):
    done = run("--steps", "10", "--out", os.devnull)
    assert done.returncode != 0 and "Traceback" not in done.stderr, done.stderr
    why = ("needs torch" if torch is None else
           "--out" if torch.cuda.is_available() else "no CUDA device")
    assert why in done.stderr, done.stderr
    if torch is not None:
        assert "deepseek-v3" in run("--recipes", "bf16,deepseek").stderr
        assert "expected bf16" in run("--recipes", "fp32").stderr


def check_delayed_scales(torch, mini):
    """Beside TransformerEngine's rules, step by step, on the CPU."""
    scales = mini.DelayedScales([448.0, 57344.0], torch.device("cpu"), history=3)
    history = [[0.0] * 3, [0.0] * 3]
    inverse = [1.0, 1.0]
    for step, amax in enumerate([2.0, 8.0, 1.0, 0.0, 0.5, 0.25, float("inf"), 0.25, 0.25, 0.25]):
        scales.history[:, 0] = torch.maximum(scales.history[:, 0], torch.tensor(amax))
        scales.update()
        for row, largest in enumerate((448.0, 57344.0)):
            history[row][0] = max(history[row][0], amax)
            most = max(history[row])
            if 0 < most < float("inf"):
                inverse[row] = largest / most
            history[row] = [*history[row][1:], history[row][0]]
            history[row][0] = 0.0
            assert scales.history[row].tolist() == history[row], step
            assert scales.inverse[row].item() == inverse[row], step
            assert scales.scale[row].item() == torch.tensor(1.0).div(inverse[row]).item(), step


def host_arithmetic(torch):
    """binade.cuda's functions by the host's, so that the layers run without a device."""
    import binade
    import ml_dtypes
    import numpy as np

    def array(x):
        x = x.detach().contiguous()
        if x.dtype == torch.bfloat16:
            return x.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        return x.numpy()

    def tensor(codes):
        return torch.from_numpy(codes.view(f"u{codes.itemsize}").copy())

    def quantized(x, recipe, to, **how):
        q = binade.quantize(x, recipe, to=to, **how)
        return binade.cuda.Quantized(tensor(q.codes), torch.from_numpy(q.scales.copy()), to)

    def cast(x, to, source=None):
        values = array(x) if source is None else binade.decode(array(x), source).astype(np.float32)
        return (torch.from_numpy(values) if to == "fp32"
                else tensor(binade.encode(values, to, overflow="saturate")))

    def quantize(x, recipe, *, transposed=False, **how):
        first = quantized(array(x), recipe, **how)
        return (first, quantized(array(x.t()), recipe, **how)) if transposed else first

    def gemm(a, b, output, **how):
        d = binade.gemm(a.codes.numpy(), b.codes.numpy(), format_a=a.format, format_b=b.format,
                        scale_a=a.scales.numpy(), scale_b=b.scales.numpy(), output=output, **how)
        if output == "fp32":
            return torch.from_numpy(d)
        return torch.from_numpy(d.view(np.int16).copy()).view(torch.bfloat16)

    return {"cast": cast, "quantize": quantize, "gemm": gemm}


def layer_results(torch, mini, name, place, device):
    """Y, dX and dW of one linear layer, after a first step that a delayed scale is taken from."""
    import binade

    torch.manual_seed(3)
    x = torch.randn(256, 384, dtype=torch.bfloat16).to(device)
    dy = torch.randn(256, 128, dtype=torch.bfloat16).to(device) * 1e-4
    linear = torch.nn.Linear(384, 128, bias=False).to(device)
    recipe = binade.training.recipe(name)
    rules = (recipe.forward.left, recipe.forward.right, recipe.dgrad.left)
    delayed = mini.DelayedScales([float(binade.Format(r.format).max) for r in rules], device)
    layer = mini.RecipeLinear(linear, mini.Arithmetic(recipe, place, delayed, 0))
    for _ in range(2):
        given = x.clone().requires_grad_()
        linear.weight.grad = None
        y = layer(given)
        y.backward(dy)
        delayed.update()
    w = linear.weight.detach().bfloat16().float()
    exact = (x.float() @ w.t(), dy.float() @ w, dy.float().t() @ x.float())
    return [t.detach().cpu() for t in (y, given.grad, linear.weight.grad)], [t.cpu() for t in exact]


def check_products(torch, mini):
    """Each recipe's layer is as near to FP32 as FP8 is, on the host's arithmetic; and has the same
    bits on the device's."""
    import binade

    on_device = {name: getattr(binade.cuda, name) for name in ("cast", "quantize", "gemm")}
    for name in binade.training.recipes():
        if name in mini.WIDE:
            continue
        for place in ("attn.qkv", "attn.o"):
            vars(binade.cuda).update(host_arithmetic(torch))
            found, exact = layer_results(torch, mini, name, place, torch.device("cpu"))
            vars(binade.cuda).update(on_device)
            for y, wanted in zip(found, exact):
                error = ((y.float() - wanted).norm() / wanted.norm()).item()
                assert y.shape == wanted.shape and 0.03 < error < 0.065, (name, error)
            if torch.cuda.is_available():
                device, _ = layer_results(torch, mini, name, place, torch.device("cuda"))
                for y, other in zip(found, device):
                    assert torch.equal(y, other), (name, place)


def main():
    try:
        import torch
    except ImportError:
        torch = None
    check_refusals(torch)
    if torch is None:
        print("no torch here: only that it says so was tested")
        return SKIPPED
    mini = script()
    check_delayed_scales(torch, mini)
    check_products(torch, mini)
    print("each recipe's layer is as near as FP8 is"
          + (", with the same bits on the device" if torch.cuda.is_available() else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
