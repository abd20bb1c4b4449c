"""binade.study is binade study: files and arrays, figures, what is refused."""
import os
import pathlib
import subprocess

import binade
import numpy as np
import pytest

LAYER = pathlib.Path(os.environ["BINADE_SOURCE"]) / "experiments/data/tiny_lm_layer.safetensors"


def arrays():
    rng = np.random.default_rng(2)
    weights = {"a.weight": rng.standard_normal((96, 128)).astype(np.float32),
               "b.weight": rng.standard_normal((64, 256)).astype(np.float32)}
    inputs = {"a.input": rng.standard_normal((2, 20, 128)).astype(np.float32),
              "b": rng.standard_normal((40, 256)).astype(np.float32)}
    return weights, inputs


def same(ours, theirs):
    import pandas

    pandas.testing.assert_frame_equal(ours, theirs, check_dtype=False, rtol=0, atol=0)


def test_a_file_is_the_commands(tmp_path):
    import pandas

    table = binade.study(LAYER, LAYER, layers="*.mlp.*", recipe=["deepseek-v3:tensor", "ocp-mx"])
    subprocess.run([os.environ["BINADE"], "study", LAYER, "--activations", LAYER, "--layers",
                    "*.mlp.*", "--recipe", "deepseek-v3:tensor,ocp-mx", "--out", tmp_path],
                   check=True, stdout=subprocess.DEVNULL)
    same(table, pandas.read_csv(tmp_path / "study.csv", comment="#"))


def test_arrays_are_a_file(tmp_path):
    numpy_files = pytest.importorskip("safetensors.numpy")
    weights, inputs = arrays()
    numpy_files.save_file(weights, tmp_path / "w.safetensors")
    numpy_files.save_file(inputs, tmp_path / "x.safetensors")
    same(binade.study(weights, inputs),
         binade.study(tmp_path / "w.safetensors", tmp_path / "x.safetensors", panel=4000))
    same(binade.study(weights), binade.study(tmp_path / "w.safetensors", threads=1))


def test_figures_are_quantize_s():
    weights, inputs = arrays()
    table = binade.study(weights, inputs, recipe=["deepseek-v3:128x128"])
    for row, name in zip(table.itertuples(), weights):
        w = weights[name]
        x = list(inputs.values())[row.Index].reshape(-1, w.shape[1])
        wq = binade.dequantize(binade.quantize(w, "deepseek-v3", granularity="128x128"))
        xq = binade.dequantize(binade.quantize(x, "deepseek-v3", granularity="1x128"))
        exact = x.astype(float) @ w.T.astype(float)
        error = np.linalg.norm(xq.astype(float) @ wq.T.astype(float) - exact)
        assert row.output_error == pytest.approx(error / np.linalg.norm(exact), rel=1e-9)


def test_refused(tmp_path):
    weights, inputs = arrays()
    for error, message, arguments in [
            (ValueError, "nearest|did you mean|nvfp4", (weights, None, {"recipe": ["nvfp"]})),
            (ValueError, "layer b.weight has no activations: expected b.input",
             (weights, {"a": inputs["a.input"]}, {})),
            (ValueError, "K = 128", (weights, {**inputs, "a.input": inputs["b"]}, {})),
            (ValueError, "expected a matrix", ({"a": np.zeros(4, np.float32)}, None, {})),
            (ValueError, "expected a matrix", ({"a": np.zeros((0, 4), np.float32)}, None, {})),
            (ValueError, "no layers", ({}, None, {})),
            (ValueError, "two of a kind", (weights, LAYER, {})),
            (ValueError, "two of a kind", (LAYER, inputs, {})),
            (ValueError, "patterns for a file", (weights, None, {"layers": "a"})),
            (RuntimeError, "no tensor of", (LAYER, None, {"layers": ["none"]})),
            (RuntimeError, "No such file", (tmp_path / "none.safetensors", None, {}))]:
        with pytest.raises(error, match=message) as caught:
            binade.study(arguments[0], arguments[1], **arguments[2])
        assert "\n" not in str(caught.value)
