"""The error of products of split elements, by accumulator and number of words."""
import style
from style import COLORS, FAINT

TITLES = {"hopper.wgmma.f32": "Hopper: 13 fraction bits", "fp32": "FP32, rounded to nearest",
          "blackwell.tcgen05.f32": "Blackwell: 25 fraction bits"}


def draw(data):
    accumulators, words = data.values("accumulator"), data.values("words")
    colors = dict(zip(words, COLORS * 3))
    fig, axes = style.figure(
        f"Do several {data.values('format')[0].upper()} words an element make a product as exact as "
        "FP32?",
        "Error over the norms of both matrices; elements ±10^U[−10, 10]; median over the draws, "
        "bands from the least to the largest. A narrow accumulator throws away what further words "
        "bring.",
        (3.9 * len(accumulators) + 1.4, 5.0), ncols=len(accumulators), sharey=True, squeeze=False)
    for axis, name in zip(axes[0], accumulators):
        ends = []
        for count in words:
            part = data.where(accumulator=name, words=count)
            axis.plot(part["n"], part["error"], color=colors[count], marker="o", markersize=4)
            axis.fill_between(part["n"], part["error_least"], part["error_most"],
                              color=colors[count], alpha=0.15, linewidth=0)
            ends.append((part["n"][-1], part["error"][-1],
                         f"{count:g} word{'s' if count > 1 else ''}", colors[count]))
        axis.axhline(2.0**-15, color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
        axis.annotate("$2^{-15}$", (0.02, 2.0**-15), xycoords=("axes fraction", "data"),
                      xytext=(0, 3), textcoords="offset points", color=FAINT, fontsize=9)
        axis.set_xscale("log")
        axis.set_yscale("log")
        style.powers(axis.yaxis)
        axis.set_title(TITLES.get(name, name))
        axis.set_xlabel("n, length of the dot products")
        if name == accumulators[-1]:
            style.label_ends(axis, ends)
    axes[0, 0].set_ylabel("error / (|A| |B|), infinity norms")
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
