"""The toolkit's experiments as functions: ``binade.experiments.promotion_interval(k=1024)``.

Each function is made from the experiment's record: the same names and defaults as the command line.
``plot.<name>`` draws what ``experiments.<name>`` returns.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import _core
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
    layer : mapping of str to array_like, optional
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
    try:
        import pandas
    except ImportError:
        return data
    frame = pandas.DataFrame(data)
    frame.attrs.update(experiment=record.name, notes=notes)
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
        parameters.append("layer : mapping of str to array_like, optional\n"
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
    return [*names(), "names", "run"]
