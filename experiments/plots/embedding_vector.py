"""Five numbers and what FP8 makes of them."""
import numpy as np

import style
from style import FAINT, INK

TITLES = {"unscaled": "unscaled", "amax": "scaled to amax", "ue8m0": "scaled by a power of two"}


def draw(data):
    formats, scalings = data.values("format"), data.values("scaling")
    colors = style.format_colors(formats)
    first = data.where(format=formats[0], scaling=scalings[0])
    count = len(first["index"])
    rows = len(formats) * len(scalings)
    fig, axes = style.figure(
        "What does FP8 make of five numbers?",
        "Relative error of each number, with the code that is stored and what it reads back as.",
        (max(1.75 * count + 2.4, 9), 0.72 * rows + 2.1))
    names = []
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    for line, (name, scaling) in enumerate((f, s) for f in formats for s in scalings):
        part = data.where(format=name, scaling=scaling)
        names.append(f"{name.upper()}, {TITLES.get(scaling, scaling)}\nscale {part['scale'][0]:.6g}")
        for i in range(count):
            error = part["rel_error"][i]
            axes.barh(line, 0.9 * np.clip(error / 0.08, -0.5, 0.5), left=i, height=0.26,
                      color=colors[name])
            axes.annotate(f"{part['read_back'][i]:.6g}", (i, line), xytext=(0, 13), va="center",
                          textcoords="offset points", ha="center", fontsize=9, color=INK,
                          bbox=paper)
            axes.annotate(f"{part['code'][i]}   {100 * error:+.2f} %", (i, line), xytext=(0, -13),
                          va="center", textcoords="offset points", ha="center", fontsize=8,
                          color=FAINT, bbox=paper)
    for i in range(count):
        axes.axvline(i, color=FAINT, linewidth=0.8, zorder=0)
    axes.set_xticks(range(count), [f"{v:.6g}" for v in first["value"]], fontweight="bold")
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_yticks(range(rows), names)
    axes.set_ylim(rows - 0.5, -0.55)
    axes.set_xlim(-0.55, count - 0.45)
    axes.grid(False)
    for side in axes.spines.values():
        side.set_visible(False)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
