"""The rate of emulated GEMMs, by profile, shape, instruction set and threads."""
import numpy as np

import style
from style import COLORS, FAINT

LIMIT = "eigen-sgemm"


def labels(data):
    return [name if name == LIMIT else f"{name} {form}"
            for name, form in zip(data["profile"].tolist(), data["format"].tolist())]


def draw_shape(axis, data, shape, profiles, runs, colors):
    height = 0.8 / len(runs)
    for place, (isa, threads) in enumerate(runs):
        part = data.where(shape=shape, isa=isa, threads=threads)
        at = [profiles.index(name) for name in labels(part)]
        at = np.array(at) + (place - (len(runs) - 1) / 2) * height
        rate = part["rate"]
        spread = np.maximum(0, [rate - part["rate_slowest"], part["rate_fastest"] - rate])
        axis.barh(at, rate, height * 0.9, xerr=spread, color=colors[place], label=isa + (
            ", 1 thread" if threads == 1 else f", {threads:g} threads"),
            error_kw={"ecolor": FAINT, "elinewidth": 1, "capsize": 2})
        for y, value, end in zip(at, rate, part["rate_fastest"]):
            axis.annotate(f"{value:.2g}" if value < 10 else f"{value:.0f}", (end, y),
                          xytext=(4, 0), textcoords="offset points", va="center", fontsize=7.5,
                          color=FAINT)
    axis.set_yticks(range(len(profiles)), profiles)
    axis.set_ylim(len(profiles) + 0.4, -0.6)  # room for the legend
    axis.set_xscale("log")
    axis.set_xlabel("G multiply-accumulates/s")
    axis.set_title(f"{shape} (M x N x K)")
    axis.grid(axis="y", visible=False)


def draw(data):
    shapes = data.values("shape")
    profiles = list(dict.fromkeys(labels(data)))
    runs = [(isa, threads) for isa in data.values("isa") for threads in data.values("threads")]
    fig, axes = style.figure(
        "How fast is a GEMM emulated bit for bit?",
        "Median of interleaved runs in wall time, with the slowest and the fastest; operands "
        "N(0, 1). The limit is Eigen's FP32 product, compiled for the same instruction set.",
        (4.6 * len(shapes) + 1.6, 2.6 + 0.24 * len(runs) * len(profiles)), ncols=len(shapes),
        sharey=True, squeeze=False)
    for axis, shape in zip(axes[0], shapes):
        draw_shape(axis, data, shape, profiles, runs, COLORS * 3)
    axes[0, -1].legend(frameon=False, fontsize=8.5, loc="lower right", ncols=2)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
