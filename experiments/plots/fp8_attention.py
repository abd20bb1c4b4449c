"""The error of attention on inputs with outliers, by how its operands are quantised."""
import style
from style import COLORS, FAINT

NAMES = {"fp16": "FP16", "tensor": "FP8, a scale a tensor", "block": "FP8, a scale a block",
         "incoherent": "FP8, rotated", "both": "FP8, rotated, a scale a block"}
PUBLISHED = {"fp16": 1.9e-4, "tensor": 2.4e-2, "block": 2.4e-2, "incoherent": 9.3e-3,
             "both": 9.1e-3}


def draw(data):
    methods, lengths = data.values("method"), data.values("length")
    widths = data.values("width")
    panels = [(length, width) for length in lengths for width in widths]
    fig, axes = style.figure(
        "Which remedy helps attention in FP8 against outliers?",
        "Root mean square error of the output; further left is better; median and range of the "
        "draws. One element in a thousand has ten times the deviation. Random signs and a Hadamard "
        "rotation of queries and keys spread it over the head; a scale for each block of keys "
        "hardly helps, for every block has an outlier.",
        (max(4.4 * len(panels) + 2.2, 9), 4.9), ncols=len(panels), sharey=True, sharex=True, squeeze=False)
    for axis, (length, width) in zip(axes[0], panels):
        part = data.where(length=length, width=width)
        for i, name in enumerate(part["method"].tolist()):
            at = methods.index(name)
            axis.plot([part["rmse_least"][i], part["rmse_most"][i]], [at, at], color=COLORS[0],
                      linewidth=5, alpha=0.25, solid_capstyle="butt")
            axis.plot(part["rmse"][i], at, marker="o", markersize=8, color=COLORS[0],
                      linestyle="none", label="binade" if i == 0 else None)
            axis.plot(PUBLISHED[name], at, marker="|", markersize=18, markeredgewidth=2,
                      color=COLORS[1], linestyle="none",
                      label="published" if i == 0 else None)
            axis.annotate(f"{part['rmse'][i]:#.2g}", (part["rmse"][i], at), xytext=(0, 10),
                          textcoords="offset points", ha="center", fontsize=8.5, color=COLORS[0])
        axis.set_xscale("log")
        style.powers(axis.xaxis)
        axis.set_yticks(range(len(methods)), [NAMES[m] for m in methods])
        axis.set_ylim(len(methods) - 0.5, -0.6)
        axis.margins(x=0.12)
        axis.set_xlabel("root mean square error")
        axis.set_title(f"{length:g} keys, heads of {width:g}")
    axes[0, -1].legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5),
                       labelcolor=FAINT, labelspacing=1.4)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
