"""The plots of the experiments: ``plot.cast_error(experiments.cast_error())``.

Each draws the table that its experiment returned, as ``binade run NAME --plot`` draws the CSV; the
scripts are the same.
"""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from collections.abc import Callable
from typing import Any

from . import _core, experiments


def _folder() -> pathlib.Path:
    """Where the scripts are; an editable install spreads the package over two folders."""
    parts = [pathlib.Path(part) / "_plots" for part in sys.modules[__package__].__path__]
    return next((part for part in parts if part.is_dir()), parts[0])


_SCRIPTS = _folder()


def names() -> list[str]:
    """Every experiment that has a plot.

    Returns
    -------
    list of str

    Notes
    -----
    Source: each experiment's own, in its docstring.

    Examples
    --------
    >>> "cast_error" in plot.names()
    True
    """
    return [name for name in experiments.names() if (_SCRIPTS / f"{name}.py").is_file()]


def draw(name: str, table: Any, path: str | pathlib.Path | None = None) -> Any:
    """Draw an experiment's table; ``plot.<name>(table)`` is the same.

    Parameters
    ----------
    name : str
        One of `names()`.
    table : DataFrame, dict of columns, or path
        What the experiment returned, or the CSV that ``binade run`` wrote.
    path : path, optional
        Where to save it: its ending says in which format.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        For experiments without a plot, and tables that lack the experiment's columns.
    ImportError
        Where matplotlib is not installed.

    Notes
    -----
    Units: the axes name theirs. Nothing is computed here.

    Source: each experiment's own, in its docstring.

    Examples
    --------
    >>> table = experiments.outlier_damage(smoke=True)
    >>> figure = plot.draw("outlier_damage", table)
    >>> figure.get_axes() != []
    True
    """
    if name not in names():
        raise ValueError(f"no plot is called {name!r}: there are {', '.join(names())}")
    shared, script = style(), _script(name)
    from matplotlib import pyplot

    if isinstance(table, (str, pathlib.Path)):
        data = shared.Data(table)
    else:
        data = shared.Data.of(_columns(name, table), _small_print(name, table))
    with pyplot.rc_context(shared.STYLE):
        figure = script.draw(data)
        shared.sign(figure, data)
        if path is not None:
            figure.savefig(path, dpi=160)
    pyplot.close(figure)  # the figure stays; only pyplot forgets it, so that nothing shows it twice
    return figure


def style() -> Any:
    """What the plots share, for drawings of one's own: palette, figures under their question, labels.

    Returns
    -------
    module
        ``STYLE`` (for ``pyplot.rcParams.update``), ``COLORS``, ``FORMAT_COLORS``, ``figure``,
        ``label_ends``, ``percent`` and others.

    Raises
    ------
    ImportError
        Where matplotlib is not installed.

    Notes
    -----
    Units: sizes of figures are inches.

    Source: the colours are Okabe and Ito's.

    Examples
    --------
    >>> figure, axes = plot.style().figure("Why?", "Because.", (6, 4))
    >>> plot.style().FORMAT_COLORS["e4m3"]
    '#0072B2'
    """
    return _script("style")


def _script(name: str) -> Any:
    """A script of the folder of plots. They import `style`, which must be theirs and nobody else's."""
    full = f"{__package__}._plots.{name}"
    if full in sys.modules:
        return sys.modules[full]
    spec = importlib.util.spec_from_file_location(full, _SCRIPTS / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"no plot script {_SCRIPTS / name}.py")
    module = importlib.util.module_from_spec(spec)
    shadowed = sys.modules.get("style")
    if name != "style":
        sys.modules["style"] = style()
    try:
        spec.loader.exec_module(module)
    finally:
        if shadowed is not None:
            sys.modules["style"] = shadowed
        else:
            sys.modules.pop("style", None)
    sys.modules[full] = module
    return module


def _columns(name: str, table: Any) -> dict[str, list[Any]]:
    wanted = [column.name for column in _core.Experiment.find(name).columns]
    missing = [column for column in wanted if column not in table]
    if missing:
        raise ValueError(f"the table has no column {', '.join(missing)}: expected what "
                         f"experiments.{name} returns")
    return {column: list(table[column]) for column in wanted}


def _small_print(name: str, table: Any) -> str:
    notes = getattr(table, "attrs", {}).get("notes", [])
    return "; ".join([f"binade {_core.version} experiments.{name}", *notes])


def _docstring(name: str) -> str:
    """That of `draw`, for one experiment."""
    rest = (draw.__doc__ or "").split("    Parameters\n", 1)[1]
    rest = rest.replace("    name : str\n        One of `names()`.\n", "")
    rest = rest.replace("outlier_damage", name).replace(f'plot.draw("{name}", table)',
                                                        f"plot.{name}(table)")
    question = _core.Experiment.find(name).question
    return f"Draw what experiments.{name} returned: {question}\n\n    Parameters\n{rest}"


def __getattr__(name: str) -> Callable[..., Any]:
    if name.startswith("_") or name not in names():
        raise AttributeError(f"no plot is called {name!r}: there are {', '.join(names())}")

    def drawing(table: Any, path: str | pathlib.Path | None = None) -> Any:
        return draw(name, table, path)

    drawing.__name__ = drawing.__qualname__ = name
    drawing.__doc__ = _docstring(name)
    return drawing


def __dir__() -> list[str]:
    return [*names(), "draw", "names", "style"]
