"""The CSV that a measuring script leaves: where it comes from, what its columns are, its rows.

The first lines are those that `binade run` writes, so that the same plots and readers take both.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import binade


def write_csv(path: Path, columns: Mapping[str, str], rows: Iterable[Sequence[Any]], *,
              command: str, seed: int | str, device: str | None = None,
              notes: Sequence[str] = ()) -> None:
    """Writes the rows under their provenance.

    `columns` maps each name, with its unit in brackets where it has one, to what it means; the
    header has the names alone. `notes` become comment lines of their own.
    """
    provenance = (f"binade {binade.__version__}; command: {command}; seed: {seed}; "
                  f"isa: {binade.isa()}")
    if device is not None:
        provenance += f"; device: {device}"
    text = io.StringIO()  # whole in memory first: a file is there with all its rows or not at all
    for line in (provenance, *notes,
                 *(f"column {name}: {meaning}" for name, meaning in columns.items())):
        text.write(f"# {line}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([name.split(" ")[0] for name in columns])
    writer.writerows(rows)
    path.write_text(text.getvalue())
