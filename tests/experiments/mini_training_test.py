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


def check_products(torch, mini):
    """Each recipe's layer against FP32: as near as FP8 is; and dW, dX with the right shapes."""
    import binade

    torch.manual_seed(3)
    device = torch.device("cuda")
    x = torch.randn(256, 384, device=device, dtype=torch.bfloat16)
    dy = torch.randn(256, 128, device=device, dtype=torch.bfloat16) * 1e-4
    linear = torch.nn.Linear(384, 128, bias=False).to(device)
    w = linear.weight.detach().bfloat16().float()
    exact = (x.float() @ w.t(), dy.float() @ w, dy.float().t() @ x.float())
    for name in binade.training.recipes():
        if name in mini.WIDE:
            continue
        recipe = binade.training.recipe(name)
        delayed = None
        for step in range(2):  # a delayed scale is that of the first step
            if step == 0 and recipe.forward.left.delayed:
                largest = [binade.Format(r.format).max for r in (
                    recipe.forward.left, recipe.forward.right, recipe.dgrad.left)]
                delayed = mini.DelayedScales([float(v) for v in largest], device)
            layer = mini.RecipeLinear(linear, mini.Arithmetic(recipe, "attn.qkv", delayed, 0))
            given = x.clone().requires_grad_()
            linear.weight.grad = None
            y = layer(given)
            y.backward(dy)
            if delayed:
                delayed.update()
        for found, wanted in zip((y, given.grad, linear.weight.grad), exact):
            error = ((found.float() - wanted).norm() / wanted.norm()).item()
            assert found.shape == wanted.shape and 0.02 < error < 0.075, (name, error)


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
    if not torch.cuda.is_available():
        print("no device here: delayed scales and refusals alone were tested")
        return SKIPPED
    check_products(torch, mini)
    return 0


if __name__ == "__main__":
    sys.exit(main())
