"""The rate of GEMMs emulated on CUDA cores, by instruction and promotion interval."""
import numpy as np

import style
from style import COLORS, FAINT

def draw_shape(axis, data, shape):
    part = data.where(shape=shape)
    names = part.values("instruction")
    intervals = part.values("interval")
    height = 0.8 / len(intervals)
    for place, interval in enumerate(intervals):
        rows = part.where(interval=interval)
        at = np.array([names.index(name) for name in rows["instruction"].tolist()])
        at = at + (place - (len(intervals) - 1) / 2) * height
        rate = rows["rate"] / 1e3
        spread = np.maximum(0, [rate - rows["rate_slowest"] / 1e3,
                                rows["rate_fastest"] / 1e3 - rate])
        axis.barh(at, rate, height * 0.9, xerr=spread, color=COLORS[place],
                  label="never promoted" if interval == 0 else f"promoted every {interval:g}",
                  error_kw={"ecolor": FAINT, "elinewidth": 1, "capsize": 2})
        for y, value, share in zip(at, rate, rows["share_of_limit"]):
            axis.annotate(f"{value:.2f}  ({100 * share:.0f} %)", (value, y),
                          xytext=(5, 0), textcoords="offset points", va="center", fontsize=7.5,
                          color=FAINT)
    paths = [part.where(instruction=name)["path"].tolist()[0] for name in names]
    axis.set_yticks(range(len(names)), [f"{n}\n{p}" for n, p in zip(names, paths)], fontsize=8)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_xlim(0, 1.2 * max(part["rate_fastest"]) / 1e3)
    axis.set_xlabel("T multiply-accumulates/s")
    axis.set_title(f"{shape} (M x N x K)")
    axis.grid(axis="y", visible=False)


def draw(data):
    shapes = data.values("shape")
    rows = len(data.values("instruction")) * len(data.values("interval"))
    fig, axes = style.figure(
        "How fast does a GPU emulate a GEMM bit for bit?",
        "Median run with the slowest and the fastest, N(0, 1) operands, no tensor core used; in "
        "brackets the share of the multiply-adds that the same lanes can do, of which a truncated "
        "product takes three.",
        (6.0 * len(shapes) + 1.8, 2.6 + 0.27 * rows), ncols=len(shapes), sharey=True, squeeze=False)
    for axis, shape in zip(axes[0], shapes):
        draw_shape(axis, data, shape)
    axes[0, -1].legend(frameon=False, fontsize=8.5, loc="lower right")
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
