"""Experiments over a grid of their parameters, on whatever runs functions side by side."""

from __future__ import annotations

import concurrent.futures as futures
import os
import pathlib
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import _core

#: Points that are given to an executor at once: enough for a cluster, and a grid of a million
#: points does not stand in its queue.
_WINDOW = 512


def run_point(name: str, values: dict[str, str], tensor: Any, tensor_b: Any,
              threads: int) -> tuple[list[list[Any]], list[str]]:
    """One grid point, wherever it runs: rows and notes."""
    record = _core.Experiment.find(name)
    return record.run(values, False, tensor, tensor_b, {}, threads, None)


def axis(name: str, values: Any, text: Callable[[Any], str]) -> tuple[str, list[str]]:
    """An axis of the grid: its values one by one, or a range as the command writes it."""
    if isinstance(values, str):
        return name, _core.parse_axis(f"{name}={values}")
    if not isinstance(values, Iterable):
        raise ValueError(f"sweep over {name}: found {values!r}, expected values or a range as "
                         "'1..5'")
    return name, [text(value) for value in values]


def command(name: str, grid: list[tuple[str, list[str]]], given: dict[str, str], smoke: bool,
            tensors: list[tuple[str, str]]) -> str:
    """What one would type: the provenance of the CSV."""
    words = ["binade", "run", name, *(["--smoke"] if smoke else [])]
    for key, value in given.items():
        words += [f"--{key.replace('_', '-')}", value]
    for flag, label in tensors:
        words += [flag, label]
    for key, values in grid:
        words += ["--sweep", f"{key}={','.join(values)}"]
    return shlex.join(words)


class Runner:
    """Gives a sweep's pending points to an executor and keeps what comes back."""

    def __init__(self, sweep: _core.Sweep, job: Callable[[int], tuple[Any, ...]],
                 show: Callable[[int, int], None] | None) -> None:
        self._sweep = sweep
        self._job = job
        self._show = show
        self._running: dict[futures.Future[Any], int] = {}
        self._failure: Exception | None = None

    def run(self, executor: futures.Executor) -> None:
        waiting = iter(self._sweep.pending)
        try:
            while self._submit(executor, waiting) or self._running:
                done, _ = futures.wait(self._running, return_when=futures.FIRST_COMPLETED)
                for future in done:
                    self._keep(future)
        finally:
            for future in self._running:
                future.cancel()
        if self._failure is not None:
            raise self._failure

    def _submit(self, executor: futures.Executor, waiting: Iterable[int]) -> bool:
        """Fills the window; after a failure nothing new is begun."""
        if self._failure is not None or len(self._running) >= _WINDOW:
            return False
        for point in waiting:
            try:
                self._running[executor.submit(run_point, *self._job(point))] = point
            except Exception as error:  # the executor itself is broken
                self._fail(point, error)
                return False
            if len(self._running) >= _WINDOW:
                break
        return bool(self._running)

    def _keep(self, future: futures.Future[Any]) -> None:
        point = self._running.pop(future)
        try:
            rows, notes = future.result()
        except Exception as error:
            self._fail(point, error)
            return
        self._sweep.add(point, rows, notes)
        if self._show is not None:
            self._show(self._sweep.done, self._sweep.size)

    def _fail(self, point: int, error: Exception) -> None:
        """The first failure stands; the points that are running are waited for and kept."""
        if self._failure is not None:
            return
        if isinstance(error, ValueError):
            self._failure = ValueError(f"at {self._sweep.label(point)}: {error}")
        else:
            said = " ".join(str(error).split()).partition(". ")[0]
            self._failure = RuntimeError(f"at {self._sweep.label(point)}: the worker failed with "
                                         f"{type(error).__name__}{': ' if said else ''}{said}")
        self._failure.__cause__ = error
        for waiting in [f for f in self._running if f.cancel()]:
            del self._running[waiting]


def typed_columns(names: list[str], rows: list[list[str]]) -> dict[str, list[Any]]:
    """Cells as a CSV holds them, each column as integers or numbers where all of it is."""
    def typed(column: list[str]) -> list[Any]:
        for kind in (int, float):
            try:
                return [kind(cell) for cell in column]
            except ValueError:
                continue
        return list(column)

    return {name: typed([row[i] for row in rows]) for i, name in enumerate(names)}


def run_sweep(sweep: _core.Sweep, job: Callable[[int], tuple[Any, ...]],
              executor: futures.Executor | None, out: str | os.PathLike[str] | None,
              line: str, show: Callable[[int, int], None] | None) -> None:
    if out is not None:
        pathlib.Path(out).mkdir(parents=True, exist_ok=True)
        sweep.keep_in(os.fspath(out))
    runner = Runner(sweep, job, show)
    try:
        if executor is not None:
            runner.run(executor)
        else:
            with futures.ThreadPoolExecutor(os.cpu_count()) as own:  # it computes without the GIL
                runner.run(own)
        if out is not None:
            sweep.write_csv(line)
    except BaseException as error:
        kept = sweep.kept
        sweep.close()  # whoever keeps this exception shall not keep the journal locked
        if isinstance(error, (ValueError, RuntimeError)):
            raise type(error)(f"{error}{kept}") from error.__cause__
        raise
