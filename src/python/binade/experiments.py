"""The toolkit's experiments as functions: ``binade.experiments.promotion_interval(k=1024)``.

Each function is made from the experiment's record: the same names and defaults as the command line.
``plot.<name>`` draws what ``experiments.<name>`` returns.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from typing import Any

from . import _core, _sweep
from ._arrays import Array, fp32_array


def names() -> list[str]:
    """Every experiment, in the order of ``binade list``.

    Returns
    -------
    list of str

    Notes
    -----
    Source: each experiment's own, in its docstring.

    Examples
    --------
    >>> "promotion_interval" in experiments.names()
    True
    """
    return _core.experiment_names()


def run(name: str, *, tensor: Any = None, tensor_b: Any = None,
        layer: Mapping[str, Any] | None = None, smoke: bool = False, threads: int = 0,
        progress: bool | None = None, **parameters: Any) -> Any:
    """Run an experiment by name; ``experiments.<name>(...)`` is the same with its own signature.

    Parameters
    ----------
    name : str
        One of `names()`.
    tensor, tensor_b : array_like, shape (rows, cols), optional
        Real data in place of random numbers, where the experiment takes it.
    layer : mapping of str to array_like of shape (rows, cols), optional
        The tensors of one layer by name, where the experiment takes one.
    smoke : bool
        Tiny sizes, to see that it works.
    threads : int
        How many compute; 0: all.
    progress : bool, optional
        Whether to show how far it is (with tqdm where it is installed); by default where standard
        error is a terminal or a notebook.
    **parameters
        As the record lists them; lists become comma-separated text.

    Returns
    -------
    pandas.DataFrame, or a dict of columns where pandas is not installed

    Raises
    ------
    ValueError
        For unknown experiments, parameters and values.

    Notes
    -----
    Units: each column's stand in the experiment's docstring. Source: there too.

    Examples
    --------
    >>> table = experiments.run("cast_error", formats="e4m3", smoke=True)
    >>> len(table) > 0
    True
    """
    record = _core.Experiment.find(name)
    if tensor is not None and not record.takes_tensor:
        raise ValueError(f"experiment {name} takes no tensor")
    if layer and not record.takes_layer:
        raise ValueError(f"experiment {name} takes no layer")
    matrices = {key: _matrix(value, key) for key, value in (layer or {}).items()}
    with _Progress(name, progress) as show:
        rows, notes = record.run({key: _text(value) for key, value in parameters.items()}, smoke,
                                 _tensor(tensor, "tensor"), _tensor(tensor_b, "tensor_b"),
                                 matrices, threads, show)
    return _table(record, rows, notes)


def sweep(name: str, grid: Mapping[str, Any], *, executor: Executor | None = None,
          out: str | os.PathLike[str] | None = None, tensor: Any = None, tensor_b: Any = None,
          smoke: bool = False, threads: int = 1, progress: bool | None = None,
          **parameters: Any) -> Any:
    """Run an experiment at every point of a grid, side by side.

    Parameters
    ----------
    name : str
        One of `names()`.
    grid : mapping of str to iterable or str
        For each parameter the values that it takes in turn, or a range as ``--sweep`` writes it:
        ``"1..5"``, ``"256..4096:x2"``, ``"0..1:+0.25"``, ``"1..1e6:log20"``. A value that is a list
        is one value.
    executor : concurrent.futures.Executor, optional
        Who runs the points: threads of this process by default, which compute without the
        interpreter's lock; a ProcessPoolExecutor; a cluster's, as ``dask.distributed``'s
        ``client.get_executor()``. Workers need binade installed.
    out : path, optional
        A directory. The table goes to ``NAME_sweep.csv`` in it; until that is whole, a journal
        beside it keeps each finished point, and the same sweep, here or by ``binade run --sweep``,
        goes on from there.
    tensor, tensor_b : array_like, shape (rows, cols), optional
        Real data in place of random numbers, where the experiment takes it.
    smoke : bool
        Tiny sizes, to see that it works.
    threads : int
        How many compute each point.
    progress : bool, optional
        Whether to show how far it is; by default where standard error is a terminal or a notebook.
    **parameters
        The others, as for `run`.

    Returns
    -------
    pandas.DataFrame, or a dict of columns where pandas is not installed
        A column ``sweep_NAME`` for each parameter of the grid, then the experiment's own; rows in
        the order of the grid, the last parameter fastest, whoever ran which point.

    Raises
    ------
    ValueError
        For unknown experiments, parameters and values, an empty grid, and what the experiment
        refuses at a point, which is named. What is finished is kept.
    RuntimeError
        When a worker dies, after the points that were running; and when ``out`` holds another
        sweep. What is finished is kept.

    Notes
    -----
    Units: each column's stand in the experiment's docstring. Source: there too.

    Examples
    --------
    >>> table = experiments.sweep("promotion_interval", {"seed": "1..3", "k": [128, 256]},
    ...                           smoke=True)
    >>> sorted(set(table["sweep_seed"])), sorted(set(table["sweep_k"]))
    ([1, 2, 3], [128, 256])
    """
    record = _core.Experiment.find(name)
    if tensor is not None and not record.takes_tensor:
        raise ValueError(f"experiment {name} takes no tensor")
    axes = [_sweep.axis(key, values, _text) for key, values in grid.items()]
    given = {key: _text(value) for key, value in parameters.items()}
    first, second = _tensor(tensor, "tensor"), _tensor(tensor_b, "tensor_b")
    plan = _core.Sweep(name, axes, given, smoke, first, second)
    labels = [(flag, x[0]) for flag, x in [("--tensor", first), ("--tensor-b", second)] if x]
    line = _sweep.command(name, axes, given, smoke, labels)

    def job(point: int) -> tuple[Any, ...]:
        return name, plan.values(point), first, second, threads

    with _Progress(name, progress) as show:
        _sweep.run_sweep(plan, job, executor, out, line, show)
    rows, notes = plan.table()
    columns = _sweep.typed_columns(plan.column_names, rows)
    return _frame(columns, name, notes[:len(notes) - len(columns)])


def _text(value: Any) -> str:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ",".join(str(item) for item in value)
    return str(value)


def _tensor(x: Any, label: str) -> tuple[str, Array, int, int] | None:
    return None if x is None else _matrix(x, label)


def _matrix(x: Any, label: str) -> tuple[str, Array, int, int]:
    array = fp32_array(x, label)
    if array.ndim != 2:
        raise ValueError(f"{label} has shape {array.shape}: expected a matrix")
    return label, array, array.shape[0], array.shape[1]


def _table(record: _core.Experiment, rows: list[list[Any]], notes: list[str]) -> Any:
    data = {column.name: [row[i] for row in rows] for i, column in enumerate(record.columns)}
    return _frame(data, record.name, notes)


def _frame(data: dict[str, list[Any]], experiment: str, notes: list[str]) -> Any:
    try:
        import pandas
    except ImportError:
        return data
    frame = pandas.DataFrame(data)
    frame.attrs.update(experiment=experiment, notes=notes)
    return frame


class _Progress:
    """A bar on standard error: tqdm's where it is installed, which knows notebooks, else a count."""

    def __init__(self, name: str, wanted: bool | None) -> None:
        notebook = "ipykernel" in sys.modules
        self._name = name
        self._wanted = (notebook or sys.stderr.isatty()) if wanted is None else wanted
        self._bar: Any = None
        self._plain = False

    def __enter__(self) -> Callable[[int, int], None] | None:
        if not self._wanted:
            return None
        try:
            from tqdm.auto import tqdm
        except ImportError:
            self._plain = True
            return self._count
        self._bar = tqdm(desc=self._name, leave=False)
        return self._advance

    def _advance(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def _count(self, done: int, total: int) -> None:
        print(f"\r{self._name}  {done} of {total}", end="", file=sys.stderr, flush=True)

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()
        if self._plain:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _docstring(record: _core.Experiment) -> str:
    def item(name: str, meaning: str, choices: list[str]) -> str:
        listed = f": {', '.join(choices)}" if choices else ""
        return f"{name}\n    {meaning}{listed}"

    parameters = [item(f"{p.name} : str, number or list of them, default {p.default_value!r}",
                       p.meaning, p.choices) for p in record.parameters]
    if record.takes_tensor:
        parameters.append("tensor, tensor_b : array_like, shape (rows, cols), optional\n"
                          "    Real data in place of random numbers.")
    if record.takes_layer:
        parameters.append("layer : mapping of str to array_like of shape (rows, cols), optional\n"
                          "    The tensors of one layer by name.")
    parameters.append("smoke, threads, progress\n    As for `run`.")
    columns = [item(f"{c.name}{f' [{c.unit}]' if c.unit else ''}", c.meaning, [])
               for c in record.columns]
    return "\n".join([
        record.question, "", "Parameters", "----------", *parameters, "", "Returns", "-------",
        "pandas.DataFrame, or a dict of columns where pandas is not installed", "", "Columns",
        "-------", *columns, "", "Raises", "------", "ValueError",
        "    For unknown parameters and values.", "", "Notes", "-----",
        "Units: in brackets behind the columns' names.", "", f"Source: {record.source}", "",
        "Examples", "--------", f">>> table = experiments.{record.name}(smoke=True)",
        ">>> len(table) > 0", "True", ""])


def _function(name: str) -> Callable[..., Any]:
    record = _core.Experiment.find(name)

    def experiment(**arguments: Any) -> Any:
        return run(name, **arguments)

    common: Mapping[str, inspect.Parameter] = inspect.signature(run).parameters
    kept = [p for p in common.values() if p.kind is p.KEYWORD_ONLY
            and (record.takes_tensor or not p.name.startswith("tensor"))
            and (record.takes_layer or p.name != "layer")]
    own = [inspect.Parameter(p.name, inspect.Parameter.KEYWORD_ONLY, default=p.default_value,
                             annotation=Any) for p in record.parameters]
    experiment.__name__ = experiment.__qualname__ = name
    experiment.__doc__ = _docstring(record)
    experiment.__signature__ = inspect.Signature([*own, *kept])  # type: ignore[attr-defined]
    return experiment


_functions: dict[str, Callable[..., Any]] = {}


def __getattr__(name: str) -> Callable[..., Any]:
    if name.startswith("_") or name not in _core.experiment_names():
        raise AttributeError(f"no experiment is called {name!r}: there are {', '.join(names())}")
    return _functions.setdefault(name, _function(name))


def __dir__() -> list[str]:
    return [*names(), "names", "run", "sweep"]
