"""The error at each station of a decoding step, by arithmetic."""
import style
from style import COLORS, FAINT

STATIONS = ["cache", "queries", "index scores", "attention", "experts", "output"]
CHOICES = {"selection": "tokens\nselected", "routing": "experts\nrouted to"}
LINES = {("fp8", "sparse"): (COLORS[1], "-", "FP8, sparse"),
         ("fp8", "dense"): (COLORS[1], (0, (3, 2)), "FP8, dense"),
         ("bf16", "sparse"): (COLORS[0], "-", "BF16, sparse"),
         ("bf16", "dense"): (COLORS[0], (0, (3, 2)), "BF16, dense"),
         ("fp64", "sparse"): (FAINT, "-", "sparseness alone, fp64")}


def draw(data):
    fig, (left, right) = style.figure(
        "What does one decoding step lose in FP8, station by station?",
        "A layer of random weights against the same step in fp64, dense against dense and sparse "
        "against sparse; grey: sparse against dense in fp64. Two FP8 layers blur the queries, and "
        "the spread of the scores multiplies that in the softmax.",
        (11.5, 5.2), ncols=2, width_ratios=[2.6, 1])
    width = 0.8 / len(LINES)
    for place, ((arithmetic, attention), (color, dashes, label)) in enumerate(LINES.items()):
        part = data.where(arithmetic=arithmetic, attention=attention)
        named = dict(zip(part["station"].tolist(), part["error"].tolist()))
        at = [i for i, name in enumerate(STATIONS) if named.get(name, 0) > 0]
        left.plot(at, [named[STATIONS[i]] for i in at], color=color, linestyle=dashes, marker="o",
                  markersize=5, label=label)
        for i, name in enumerate(CHOICES):
            if name not in named:
                continue
            x = i + (place - (len(LINES) - 1) / 2) * width
            solid = dashes == "-"
            right.bar(x, named[name], width * 0.85, edgecolor=color, linewidth=1.2,
                      color=color if solid else "white")
            right.annotate(f"{100 * named[name]:.2g} %" if named[name] else "0",
                           (x, named[name]), xytext=(0, 3), textcoords="offset points",
                           ha="center", fontsize=7.5, color=color)
    left.set_yscale("log")
    style.percent(left.yaxis)
    left.set_xticks(range(len(STATIONS)), STATIONS)
    left.set_ylabel("relative error")
    left.set_title("values; what is not drawn is exact")
    left.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(0.0, 0.3),
                labelcolor=FAINT)
    right.set_xticks(range(len(CHOICES)), CHOICES.values())
    right.grid(axis="x", visible=False)
    right.margins(y=0.1)
    style.percent(right.yaxis)
    right.set_ylabel("share missed")
    right.set_title("choices")
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
