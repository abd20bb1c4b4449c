"""The training script's products are those of its recipe, its delayed scales TransformerEngine's."""
import csv
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile

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
    assert ("needs torch" if torch is None else "--out") in done.stderr, done.stderr
    if torch is not None:
        if not torch.cuda.is_available():
            assert "no CUDA device" in run("--device", "cuda").stderr
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

    for name in binade.training.recipes():
        if name in mini.WIDE:
            continue
        for place in ("attn.qkv", "attn.o"):
            found, exact = layer_results(torch, mini, name, place, torch.device("cpu"))
            for y, wanted in zip(found, exact):
                error = ((y.float() - wanted).norm() / wanted.norm()).item()
                assert y.shape == wanted.shape and 0.03 < error < 0.065, (name, error)
            if torch.cuda.is_available():
                device, _ = layer_results(torch, mini, name, place, torch.device("cuda"))
                for y, other in zip(found, device):
                    assert torch.equal(y, other), (name, place)


def check_a_run():
    """Ten steps of a tiny model on the CPU, into a CSV whose columns are described."""
    with tempfile.TemporaryDirectory() as folder:
        done = run("--device", "cpu", "--recipes", "bf16,deepseek-v3,te-delayed", "--steps", "10",
                   "--seeds", "1,2", "--batch", "2", "--layers", "1", "--width", "128", "--heads",
                   "2", "--hidden", "128", "--sequence", "64", "--jobs", "2", "--out", folder)
        assert done.returncode == 0, done.stderr
        lines = (pathlib.Path(folder) / "mini_training.csv").read_text().splitlines()
    assert lines[0].startswith("# binade ") and "seed: 1,2; isa: " in lines[0]
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert len(rows) == 12 and all(f"# column {name}: " in "\n".join(lines) for name in rows[0])
    for row in rows:
        assert 4 < float(row["loss"]) < 6
        error = float(row["relative_error"])
        assert (error == 0) == (row["recipe"] == "bf16") and abs(error) < 0.02, row


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
    check_a_run()
    print("each recipe's layer is as near as FP8 is"
          + (", with the same bits on the device" if torch.cuda.is_available() else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
