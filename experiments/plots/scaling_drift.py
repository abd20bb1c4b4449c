"""Delayed scales under growth and after a shrink."""
import numpy as np

import style
from style import COLORS


def draw(data):
    recipes = data.values("recipe")
    colors = dict(zip(recipes, COLORS * 3))
    fig, axes = style.figure(
        "What does a delayed scale cost when the tensor grows or shrinks?",
        "Growth: the scale of the past clips what is larger now. A sudden shrink: it flushes what "
        "is smaller to zero, until the old maximum has left the history. Current scaling follows. "
        "Recipes with equal results lie on each other; broader lines are drawn first.",
        (11, 6.4), nrows=2, ncols=2, sharex="col", sharey="row")
    scenarios = [s for s in ("growth", "shrink") if s in data.values("scenario")]
    for column, scenario in enumerate(scenarios):
        ends = []
        for place, name in enumerate(recipes):
            part = data.where(scenario=scenario, recipe=name)
            x = part["rate"] if scenario == "growth" else -np.log2(part["rate"])
            width = 5.5 - 0.8 * place
            look = {"color": colors[name], "marker": "o", "markersize": max(3, width),
                    "linewidth": max(1.2, width), "alpha": 0.75}
            axes[0, column].plot(x, part["rel_rms"], **look, label=name)
            axes[1, column].plot(x, part["clipped" if scenario == "growth" else "underflow"], **look)
            ends.append(part["rel_rms"][-1])
        axes[1, column].set_xlabel("growth of each step" if scenario == "growth" else
                                   "binades of the shrink, seen in its first step")
        axes[1, column].set_title("share clipped" if scenario == "growth" else "share that became zero")
        axes[0, column].set_title("error under growth" if scenario == "growth" else
                                  "error after a shrink")
    for column in range(len(scenarios)):
        axes[0, column].set_yscale("log")
        axes[0, column].set_yticks([0.02, 0.05, 0.1, 0.2, 0.5, 1])
        style.percent(axes[0, column].yaxis)
        axes[1, column].set_yscale("symlog", linthresh=1e-6)
        axes[1, column].set_ylim(0, 2)
        axes[1, column].set_yticks([0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1])
        style.percent(axes[1, column].yaxis)
    axes[0, 0].set_ylabel("relative RMS error")
    axes[0, 0].legend(frameon=False, fontsize=8, loc="upper left")
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
