"""The notebooks run from top to bottom, each in under a minute, and say what they said when kept."""
import os
import pathlib
import time

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("ipywidgets")

FOLDER = pathlib.Path(os.environ["BINADE_SOURCE"]) / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def printed(cell):
    """What a code cell printed."""
    return "".join(o.text for o in cell.get("outputs", [])
                   if o.output_type == "stream" and o.name == "stdout")


def pictures(notebook):
    return sum("image/png" in o.get("data", {}) for cell in notebook.cells
               for o in cell.get("outputs", []))


def test_there_are_six():
    assert [path.name[:3] for path in NOTEBOOKS] == [f"0{i}_" for i in range(1, 7)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_and_says_the_same(path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    kept = nbformat.read(path, as_version=4)
    nbformat.validate(kept)
    assert kept.cells[0].source.startswith("# ") and "?" in kept.cells[0].source.splitlines()[0]
    fresh = nbformat.reads(nbformat.writes(kept), as_version=4)
    start = time.monotonic()
    nbclient.NotebookClient(fresh, timeout=120, kernel_name="python3",
                            resources={"metadata": {"path": str(FOLDER)}}).execute()
    assert time.monotonic() - start < 60
    assert pictures(kept) == pictures(fresh) >= 1, "an answer is a figure"
    for old, new in zip(kept.cells, fresh.cells):
        if old.cell_type == "code":
            assert printed(new) == printed(old), old.source
