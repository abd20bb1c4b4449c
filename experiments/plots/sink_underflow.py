"""Probabilities lost to an attention sink, and what they cost, by its strength."""
import style
from style import COLORS, FAINT

DASHES = {"forward": "-", "reverse": (0, (3, 2))}


def draw(data):
    scales, orders = data.values("scale"), data.values("order")
    colors = dict(zip(scales, [COLORS[1], COLORS[0], COLORS[2], *COLORS[3:]]))
    fig, (left, right) = style.figure(
        "Which probabilities does an attention sink push below FP8?",
        "A few keys that everything attends to set the maximum, and the probabilities of the others "
        "underflow when they are cast to E4M3. A larger scale moves the edge; from the last key to "
        "the first (dashed) only the sinks' own block is lost. Grey: the published formula, for "
        "forward order.",
        (11, 5.2), ncols=2)
    for scale in scales:
        forward = data.where(scale=scale, order=orders[0])
        left.plot(forward["strength"], forward["published"], color=FAINT, linewidth=4, alpha=0.3)
        for order in orders:
            part = data.where(scale=scale, order=order)
            left.plot(part["strength"], part["lost"], color=colors[scale],
                      linestyle=DASHES[order], marker="o", markersize=3.5)
            right.plot(part["strength"], part["mse"], color=colors[scale], linestyle=DASHES[order],
                       marker="o", markersize=3.5, label=f"scale {scale:g}, {order}")
    for axis in (left, right):
        axis.set_xlabel("mean score of the sinks, in standard deviations of the others")
    left.set_ylabel("probabilities lost, without the sinks")
    left.set_title("what becomes zero")
    style.percent(left.yaxis)
    right.set_yscale("log")
    style.powers(right.yaxis)
    right.set_ylabel("mean squared error of the output")
    right.set_title("what it costs")
    right.legend(frameon=False, fontsize=9, loc="lower right", labelcolor=FAINT)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
