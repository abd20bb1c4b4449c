"""Experiments as functions: tables, real tensors, progress, and what plots make of them."""
import builtins
import io
import os
import subprocess
import sys

import binade
import numpy as np
import pytest

NAMES = binade.experiments.names()


@pytest.mark.parametrize("name", NAMES)
def test_smoke(name):
    try:
        table = getattr(binade.experiments, name)(smoke=True)
    except RuntimeError as error:
        if not str(error).startswith("no CUDA device"):
            raise
        pytest.skip(str(error))
    record = binade._core.Experiment.find(name)
    assert list(table) == [column.name for column in record.columns] and len(table) > 0


def test_the_table_is_that_of_the_command(tmp_path):
    import pandas

    table = binade.experiments.outlier_damage(rows=64, cols=128, ratios=[10, 1e4], seed=3)
    subprocess.run([os.environ["BINADE"], "run", "outlier_damage", "--rows", "64", "--cols", "128",
                    "--ratios", "10,1e4", "--seed", "3", "--out", tmp_path], check=True,
                   stdout=subprocess.DEVNULL)
    theirs = pandas.read_csv(tmp_path / "outlier_damage.csv", comment="#")
    pandas.testing.assert_frame_equal(table, theirs, check_dtype=False, rtol=0, atol=0)
    assert table.attrs["experiment"] == "outlier_damage" and table.attrs["notes"] == []


def test_tensors():
    x = np.random.default_rng(1).standard_normal((64, 128)).astype(np.float32)
    plain = binade.experiments.outlier_damage(tensor=x, ratios=10)
    fortran = binade.experiments.outlier_damage(tensor=np.asfortranarray(x), ratios=10)
    assert plain.equals(fortran)
    other = binade.experiments.outlier_damage(tensor=x * x, ratios=10)
    assert not plain.equals(other)


def test_a_layer():
    rng = np.random.default_rng(2)
    shapes = {"attn.qkv.input": (128, 128), "attn.qkv.weight": (384, 128),
              "attn.o.weight": (128, 128), "attn.o.output_grad": (128, 128),
              "mlp.gate_up.input": (128, 128), "mlp.gate_up.weight": (256, 128),
              "mlp.down.weight": (128, 128), "mlp.down.output_grad": (128, 128)}
    layer = {name: rng.standard_normal(shape).astype(np.float32) / 11
             for name, shape in shapes.items()}
    table = binade.experiments.training_block(layer=layer, recipes="bf16,te-current", smoke=True)
    error = dict(zip(zip(table["recipe"], table["operation"]), table["in_block"]))
    assert 0.001 < error["bf16", "block"] < 0.01 < error["te-current", "block"] < 0.2
    with pytest.raises(ValueError, match="no tensor attn.o.weight"):
        binade.experiments.training_block(layer={n: x for n, x in layer.items() if "attn.o" not in n})
    with pytest.raises(ValueError, match="takes no layer"):
        binade.experiments.run("cast_error", layer=layer)


def test_without_pandas(monkeypatch):
    real = builtins.__import__

    def no_pandas(name, *rest):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *rest)

    frame = binade.experiments.cast_error(smoke=True)
    monkeypatch.setattr(builtins, "__import__", no_pandas)
    columns = binade.experiments.cast_error(smoke=True)
    assert type(columns) is dict
    assert {key: list(value) for key, value in frame.items()} == columns


@pytest.mark.parametrize("with_tqdm", [True, False])
def test_progress(monkeypatch, with_tqdm):
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    if not with_tqdm:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    binade.experiments.cast_error(smoke=True)
    assert shown.getvalue() == ""  # no terminal, nothing asked
    binade.experiments.cast_error(smoke=True, progress=True)
    assert "cast_error" in shown.getvalue()
    assert ("it/s" in shown.getvalue() or "%" in shown.getvalue()) == with_tqdm


def test_an_interrupt_ends_a_run(monkeypatch):
    """What the progress callback raises comes out of the run."""
    def stop(self, done, total):
        raise KeyboardInterrupt

    monkeypatch.setattr(binade.experiments._Progress, "_advance", stop)
    with pytest.raises(KeyboardInterrupt):
        binade.experiments.cast_error(smoke=True, progress=True)


def test_real_interrupts():
    code = ("import binade, signal, threading, os, time\n"
            "threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
            "try:\n"
            "    while True: binade.experiments.outlier_damage(rows=64, cols=128)\n"
            "except KeyboardInterrupt:\n"
            "    print('interrupted')\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.stdout == "interrupted\n", done.stderr


def test_plots(tmp_path):
    import matplotlib
    from matplotlib import pyplot

    before = dict(matplotlib.rcParams)
    table = binade.experiments.cast_error(smoke=True)
    figure = binade.plot.cast_error(table, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert figure.get_axes() and not pyplot.get_fignums()
    assert dict(matplotlib.rcParams) == before, "the reader's own settings were changed"
    assert "style" not in sys.modules
    subprocess.run([os.environ["BINADE"], "run", "cast_error", "--smoke", "--out", tmp_path],
                   check=True, stdout=subprocess.DEVNULL)
    from_csv = binade.plot.cast_error(tmp_path / "cast_error.csv")
    assert len(from_csv.get_axes()) == len(figure.get_axes())
    for ours, theirs in zip(figure.get_axes(), from_csv.get_axes(), strict=True):
        for one, other in zip(ours.get_lines(), theirs.get_lines(), strict=True):
            np.testing.assert_array_equal(one.get_xydata(), other.get_xydata())


def test_plots_refuse_other_tables():
    with pytest.raises(ValueError, match="no column"):
        binade.plot.cast_error({"format": ["e4m3"]})
    with pytest.raises(ValueError, match="no plot is called 'cast_eror'"):
        binade.plot.draw("cast_eror", {})
    with pytest.raises(AttributeError, match="cast_eror"):
        binade.plot.cast_eror
    with pytest.raises(AttributeError, match="cast_eror"):
        binade.experiments.cast_eror


def test_functions_are_the_same_each_time():
    assert binade.experiments.cast_error is binade.experiments.cast_error
    assert set(NAMES) <= set(dir(binade.experiments))
