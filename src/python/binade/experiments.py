"""The toolkit's experiments as functions: ``binade.experiments.promotion_interval(k="1024")``.

Each function is made from the experiment's record: the same names and defaults as the command line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import _core


def names() -> list[str]:
    """Every experiment.

    Examples
    --------
    >>> "promotion_interval" in names()
    True
    """
    return list(_core.experiment_names())


def _tensor(x: Any, label: str) -> Any:
    if x is None:
        return None
    array = np.ascontiguousarray(np.asarray(x, dtype=np.float32))
    if array.ndim != 2:
        raise ValueError(f"{label} has shape {array.shape}: expected a matrix")
    return label, array, array.shape[0], array.shape[1]


def run(name: str, *, tensor: Any = None, tensor_b: Any = None, threads: int = 0,
        **parameters: Any) -> Any:
    """Run an experiment.

    Parameters
    ----------
    name : str
    tensor, tensor_b : array_like, optional
        Real data in place of random numbers, where the experiment takes it.
    **parameters
        As the record lists them; sequences are joined with commas.

    Returns
    -------
    pandas.DataFrame, or a dict of columns where pandas is not installed

    Examples
    --------
    >>> table = run("cast_error", formats="e4m3")
    >>> len(table) > 0
    True
    """
    _, _, _, columns, takes_tensor = _core.experiment_facts(name)
    if tensor is not None and not takes_tensor:
        raise ValueError(f"experiment {name} takes no tensor")
    given = {key: ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
             for key, value in parameters.items()}
    rows, notes = _core.run_experiment(name, given, _tensor(tensor, "tensor"),
                                       _tensor(tensor_b, "tensor_b"), threads)
    labels = [column[0] for column in columns]
    data = {label: [row[i] for row in rows] for i, label in enumerate(labels)}
    try:
        import pandas
    except ImportError:
        return data
    frame = pandas.DataFrame(data)
    frame.attrs["experiment"], frame.attrs["notes"] = name, notes
    return frame


def _make(name: str) -> Callable[..., Any]:
    question, source, parameters, columns, takes_tensor = _core.experiment_facts(name)

    def experiment(*, tensor: Any = None, tensor_b: Any = None, threads: int = 0,
                   **parameters: Any) -> Any:
        return run(name, tensor=tensor, tensor_b=tensor_b, threads=threads, **parameters)

    listed = "\n".join(f"{key} : str, default {value!r}\n    {meaning}"
                       for key, value, meaning, _ in parameters)
    drawn = "\n".join(f"{key}{f' [{unit}]' if unit else ''} : {meaning}"
                      for key, unit, meaning in columns)
    experiment.__name__ = experiment.__qualname__ = name
    experiment.__doc__ = (f"{question}\n\nParameters\n----------\n{listed}\n\n"
                          f"Columns\n-------\n{drawn}\n\nNotes\n-----\nSource: {source}\n"
                          + ("Takes a real tensor.\n" if takes_tensor else ""))
    return experiment


def __getattr__(name: str) -> Callable[..., Any]:
    if name in _core.experiment_names():
        return _make(name)
    raise AttributeError(f"no experiment is called {name!r}: there are {', '.join(names())}")


def __dir__() -> list[str]:
    return [*names(), "names", "run"]
