"""Sweeps from Python: any executor, the command's files, interruptions, workers that die."""
import concurrent.futures
import json
import multiprocessing
import os
import pathlib
import subprocess

import binade
import numpy as np
import pytest

EXPERIMENT = "promotion_interval"
GRID = {"seed": "1..3", "k": [128, 256]}
JOURNAL, TABLE = (f"{EXPERIMENT}_sweep.{ending}" for ending in ("journal", "csv"))


def sweep(grid=GRID, **options):
    return binade.experiments.sweep(EXPERIMENT, grid, smoke=True, **options)


def command(*words, **options):
    return subprocess.run([os.environ["BINADE"], "run", EXPERIMENT, "--smoke", *map(str, words)],
                          capture_output=True, text=True, check=False, **options)


@pytest.fixture(scope="module")
def expected():
    """The rows of single runs, one after the other."""
    import pandas

    parts = []
    for seed in (1, 2, 3):
        for k in (128, 256):
            part = binade.experiments.run(EXPERIMENT, seed=seed, k=k, smoke=True)
            part.insert(0, "sweep_seed", seed)
            part.insert(1, "sweep_k", k)
            parts.append(part)
    return pandas.concat(parts, ignore_index=True)


def same(ours, theirs):
    import pandas

    pandas.testing.assert_frame_equal(ours, theirs, check_dtype=False, rtol=0, atol=0)


@pytest.fixture(scope="module", params=["fork", "spawn"])
def processes(request):
    context = multiprocessing.get_context(request.param)
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
        yield executor


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes of a local cluster, as a user would have them elsewhere."""
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed here")
    import dask

    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), \
            distributed.LocalCluster(2, threads_per_worker=1, processes=True,
                                     dashboard_address=None) as local, \
            distributed.Client(local) as client:
        yield client


def test_threads(expected):
    same(sweep(), expected)
    assert sweep().attrs["experiment"] == EXPERIMENT


def test_processes(expected, processes):
    same(sweep(executor=processes), expected)


def test_a_cluster(expected, cluster, tmp_path):
    with cluster.get_executor() as executor:
        same(sweep(executor=executor, out=tmp_path), expected)
        assert [path.name for path in tmp_path.iterdir()] == [TABLE]
        x = np.random.default_rng(1).standard_normal((4, 64)).astype(np.float32)
        grid = {"seed": [1, 2]}
        same(sweep(grid, executor=executor, tensor=x), sweep(grid, tensor=x))
    workers = {info["pid"] for info in cluster.run(_identity).values()}
    assert len(workers) == 2 and os.getpid() not in workers


def _identity():
    return {"pid": os.getpid()}


def test_the_file_is_that_of_the_command(expected, tmp_path):
    import pandas

    same(sweep(out=tmp_path / "python"), expected)
    text = (tmp_path / "python" / TABLE).read_text()
    typed = text.splitlines()[0].split("; command: ")[1].split("; seed: ")[0]
    assert typed == "binade run promotion_interval --smoke --sweep seed=1,2,3 --sweep k=128,256"
    done = command("--sweep", "seed=1,2,3", "--sweep", "k=128,256", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    theirs = (tmp_path / "out" / TABLE).read_text()
    assert text == theirs
    same(pandas.read_csv(tmp_path / "out" / TABLE, comment="#"), expected)


class Deadly:
    """An executor whose n-th job ends the worker that takes it."""

    def __init__(self, executor, deadly):
        self._executor = executor
        self._deadly = deadly
        self._count = 0

    def submit(self, function, *arguments):
        self._count += 1
        if self._count > self._deadly:
            # What was given before is to be finished: this test is about what comes after.
            concurrent.futures.wait(self._given)
            return self._executor.submit(os._exit, 1)
        future = self._executor.submit(function, *arguments)
        self._given = [*getattr(self, "_given", []), future]
        return future


def dies(executor, out, after):
    with pytest.raises(RuntimeError) as caught:
        sweep(executor=Deadly(executor, after), out=out)
    message = str(caught.value)
    assert "\n" not in message and "the worker failed with" in message
    assert f"{after} of 6 grid points are kept in" in message
    lines = (pathlib.Path(out) / JOURNAL).read_text().splitlines()
    assert sorted(json.loads(line)["point"] for line in lines[1:]) == list(range(after))
    return message


def test_a_process_that_dies(expected, tmp_path):
    with concurrent.futures.ProcessPoolExecutor(2) as executor:
        message = dies(executor, tmp_path, 4)
    assert message.startswith("at seed = 3, k = ") and "BrokenProcessPool" in message
    # The command goes on where Python stopped, and the other way round.
    done = command("--sweep", "seed=1..3", "--sweep", "k=128,256", "--out", tmp_path)
    assert "of which 4 were kept from before" in done.stdout, done.stderr
    same(sweep(out=tmp_path), expected)


def test_a_worker_of_a_cluster_that_dies(expected, cluster, tmp_path):
    with cluster.get_executor() as executor:
        message = dies(executor, tmp_path, 3)
    assert "KilledWorker" in message
    kept = (tmp_path / JOURNAL).read_text()
    cluster.wait_for_workers(2, timeout=60)  # its nanny has started another
    counted = []
    with cluster.get_executor() as executor:
        class Counting:
            def submit(self, function, *arguments):
                counted.append(arguments)
                return executor.submit(function, *arguments)

        same(sweep(executor=Counting(), out=tmp_path), expected)
    assert len(counted) == 3 and kept.count("\n") == 4


def test_workers_that_live_on_do_not_hold_the_journal(expected, tmp_path):
    """Forked ones share the lock of the process that forked them."""
    with concurrent.futures.ProcessPoolExecutor(
            2, mp_context=multiprocessing.get_context("fork")) as executor:
        with pytest.raises(ValueError, match="k = 0"):
            sweep({"seed": [1], "k": [128, 256, 0]}, executor=executor, out=tmp_path)
        done = command("--sweep", "seed=1", "--sweep", "k=128,256,0", "--out", tmp_path)
        assert "at k = 0" in done.stderr or "at seed = 1, k = 0" in done.stderr, done.stderr
        assert "another process" not in done.stderr


def test_without_a_file_nothing_is_kept_but_the_line_is_one():
    with concurrent.futures.ProcessPoolExecutor(1) as executor, \
            pytest.raises(RuntimeError, match="^at seed = .*, k = .*: the worker failed"):
        sweep(executor=Deadly(executor, 1))


def test_a_point_that_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^at k = 0: parameter k: found 0.*2 of 3 grid points"):
        sweep({"k": [128, 256, 0]}, out=tmp_path,
              executor=concurrent.futures.ThreadPoolExecutor(1))
    with pytest.raises(RuntimeError, match="holds a sweep with sweep k 128, 256, 0, this one has"):
        sweep({"k": [128, 256, 512]}, out=tmp_path)
    with pytest.raises(ValueError, match="^at k = 0: "):
        sweep({"k": [0]}, out=tmp_path / "none")
    assert list((tmp_path / "none").iterdir()) == []


def test_an_interrupt_keeps_what_is_finished(expected, tmp_path):
    seen = []

    class Interrupting(concurrent.futures.ThreadPoolExecutor):
        def submit(self, *arguments):
            if len(seen) == 4:
                concurrent.futures.wait(seen)
                raise KeyboardInterrupt
            seen.append(super().submit(*arguments))
            return seen[-1]

    with pytest.raises(KeyboardInterrupt):
        sweep(out=tmp_path, executor=Interrupting(2))
    same(sweep(out=tmp_path), expected)


def test_lists_are_values():
    table = sweep({"k": [[64, 128], 256]}, seed=3)
    assert list(dict.fromkeys(table["sweep_k"])) == ["64,128", "256"]
    assert set(table["k"]) == {64, 128, 256}


@pytest.mark.parametrize("grid, message", [
    ({}, "over nothing"), ({"k": []}, "no values"), ({"k": "5..1"}, "smaller end first"),
    ({"k": 5}, "expected values or a range"), ({"size": [1]}, "no parameter 'size'"),
    ({"k": [1, 1]}, "twice"), ({"format": ["e9"]}, "found 'e9'"),
    ({"seed": [1], "m": [2]}, "both given and swept")])
def test_grids_that_are_none(grid, message):
    with pytest.raises(ValueError, match=message):
        sweep(grid, m=3)
    with pytest.raises(ValueError, match="takes no tensor"):
        binade.experiments.sweep("embedding_vector", {"formats": ["e4m3"]}, tensor=np.zeros((2, 2), np.float32))


def test_progress(capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    sweep(progress=True)
    assert "6 of 6" in capsys.readouterr().err
