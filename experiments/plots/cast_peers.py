"""The rate of casts beside those of other libraries, by operation and format."""
import numpy as np

import style
from style import COLORS, FAINT

LIBRARIES = {"binade": COLORS[0], "ml_dtypes": COLORS[1], "numpy": COLORS[2], "gfloat": COLORS[5]}


def draw(data):
    copy = float(data.where(operation="copy")["rate"][0])
    operations = ("encode", "decode")
    fig, axes = style.figure(
        "How fast is a cast beside those of other libraries?",
        "Elements a second on one thread, median with the slowest and the fastest run; in brackets "
        "how many times faster binade is. The line is numpy's copy of the fp32 array.",
        (12.0, 5.4), ncols=2, sharey=True, squeeze=False)
    for axis, operation in zip(axes[0], operations):
        part = data.where(operation=operation)
        names = part.values("format")
        for place, name in enumerate(names):
            rows = part.where(format=name)
            count = len(rows["rate"])
            for j in range(count):
                at, rate = place + (j - (count - 1) / 2) * 0.27, rows["rate"][j]
                spread = np.maximum(0, [[rate - rows["rate_slowest"][j]],
                                        [rows["rate_fastest"][j] - rate]])
                axis.barh(at, rate, 0.24, xerr=spread, color=LIBRARIES[rows["library"][j]],
                          error_kw={"ecolor": FAINT, "elinewidth": 1, "capsize": 2})
                over = rows["binade_over"][j]
                text = f"{rate:.3g}" + ("" if rows["library"][j] == "binade" else f"  ({over:.3g})")
                axis.annotate(text, (rows["rate_fastest"][j], at), xytext=(5, 0),
                              textcoords="offset points", va="center", fontsize=8, color=FAINT)
        axis.axvline(copy, color=FAINT, linewidth=1, linestyle="--")
        axis.set_xscale("log")
        axis.set_xlim(right=copy * 12)
        axis.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.4, -0.6)
        axis.set_xlabel("G elements/s")
        axis.set_title(operation)
        axis.grid(axis="y", visible=False)
    style.legend_of_bars(axes[0, 1], LIBRARIES)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
