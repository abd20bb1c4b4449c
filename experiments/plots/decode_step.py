"""The error at each station of a decoding step, by arithmetic."""
import style
from style import COLORS, FAINT

STATIONS = ["cache", "queries", "index scores", "selection", "attention", "routing", "experts",
            "output"]
TITLES = {"index scores": "index\nscores", "selection": "selection\n(missed)",
          "routing": "routing\n(missed)"}
LINES = {("fp8", "sparse"): (COLORS[1], "-", "FP8, sparse"),
         ("fp8", "dense"): (COLORS[1], (0, (3, 2)), "FP8, dense"),
         ("bf16", "sparse"): (COLORS[0], "-", "BF16, sparse"),
         ("bf16", "dense"): (COLORS[0], (0, (3, 2)), "BF16, dense"),
         ("fp64", "sparse"): (FAINT, "-", "sparseness alone")}


def draw(data):
    fig, axis = style.figure(
        "What does one decoding step lose in FP8, station by station?",
        "Relative error of a layer of random weights against the same step in fp64, which attends "
        "to the same kind of selection; grey: what selecting tokens costs in fp64. Two FP8 layers "
        "blur the queries, and the spread of the scores multiplies that in the softmax. What is "
        "not drawn is exact.",
        (10, 5.4))
    for (arithmetic, attention), (color, dashes, label) in LINES.items():
        part = data.where(arithmetic=arithmetic, attention=attention)
        named = dict(zip(part["station"].tolist(), part["error"].tolist()))
        at = [i for i, name in enumerate(STATIONS) if named.get(name, 0) > 0]
        axis.plot(at, [named[STATIONS[i]] for i in at], color=color, linestyle=dashes,
                  marker="o", markersize=5, label=label)
    axis.set_yscale("log")
    style.percent(axis.yaxis)
    axis.set_xticks(range(len(STATIONS)), [TITLES.get(name, name) for name in STATIONS])
    axis.set_xlim(-0.4, len(STATIONS) - 0.6)
    axis.set_ylabel("relative error, or share missed")
    axis.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5),
                labelcolor=FAINT)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
