"""The error of each operation of a transformer block under each training recipe."""
import numpy as np

import style
from style import COLORS, FAINT, INK

LOOKS = {"bf16": (INK, "o"), "deepseek-v3": (COLORS[0], "o"), "te-block": (COLORS[4], "o"),
         "te-delayed": (COLORS[1], "o"), "te-current": (COLORS[5], "|"),
         "e4m3-tensor": (COLORS[2], "o"), "e4m3-tensor-fast": (COLORS[2], "D"),
         "e4m3-tensor-f9": (COLORS[3], "D"), "e4m3-tensor-f23": (COLORS[3], "|")}


def draw(data):
    recipes = data.values("recipe")
    first = data.where(recipe=recipes[0])
    names = [f"{operation}  {gemm}".strip()
             for operation, gemm in zip(first["operation"], first["gemm"])]
    fig, axes = style.figure(
        "What does each training recipe cost one transformer block?",
        "Relative error of each operation's result, in the order of execution, against the exact "
        "result. Left: the operation alone, a GEMM on operands in BF16. Right: when all before it "
        "ran under the recipe too. Grey: no GEMM.", (11.5, 7.6), ncols=2, sharex=True, sharey=True)
    for recipe in recipes:
        part = data.where(recipe=recipe)
        color, marker = LOOKS.get(recipe, (FAINT, "o"))
        for axis, column in zip(axes, ("alone", "in_block")):
            axis.plot(part[column], np.arange(len(names)), marker, color=color, label=recipe,
                      markersize=9 if marker == "|" else 5, markeredgewidth=1.6, alpha=0.85)
    for axis, title in zip(axes, ("Each alone", "In the block")):
        axis.set_title(title)
        axis.set_xscale("log")
        axis.set_xlabel("relative error")
        style.percent(axis.xaxis)
        for place, gemm in enumerate(first["gemm"]):
            if gemm == "":
                axis.axhspan(place - 0.5, place + 0.5, color="#f4f4f4", zorder=0)
    lowest = np.nanmin(data["in_block"][data["in_block"] > 0])
    axes[0].set_xlim(left=lowest / 1.5)
    axes[0].set_yticks(range(len(names)), names, fontsize=9)
    axes[0].set_ylim(len(names) - 0.4, -0.6)
    fig.legend(*axes[1].get_legend_handles_labels(), loc="outside right center", frameon=False,
               fontsize=9)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
