"""The rate of FP8 GEMMs on tensor cores beside cuBLASLt's, by shape, scaling and promotion."""
import numpy as np

import style
from style import COLORS, FAINT

KERNELS = {"binade": COLORS[0], "cublaslt": COLORS[5]}


def path_of(data, i):
    interval = data["interval"][i]
    return f"{data['scaling'][i]}, " + (f"every {interval:g}" if interval else "never")


def label_of(data, i, many):
    """A bar's name: its kernel, and its tile where there are several."""
    return data["tile"][i].split(",")[0] if many and data["tile"][i] != "-" else ""


def draw_shape(axis, data, paths):
    m, n, k = (data[name][0] for name in ("m", "n", "k"))
    for place, path in enumerate(paths):
        rows = [i for i in range(len(data["rate"])) if path_of(data, i) == path]
        height = 0.8 / max(1, len(rows))
        many = sum(data["kernel"][i] == "binade" for i in rows) > 1
        for j, i in enumerate(rows):
            at, rate = place + (j - (len(rows) - 1) / 2) * height, data["rate"][i]
            spread = np.maximum(0, [[rate - data["rate_slowest"][i]],
                                    [data["rate_fastest"][i] - rate]])
            axis.barh(at, rate, height * 0.9, xerr=spread, color=KERNELS[data["kernel"][i]],
                      error_kw={"ecolor": FAINT, "elinewidth": 1, "capsize": 2})
            share = data["share_of_peer"][i]
            text = f"{rate:.0f}"
            if data["kernel"][i] == "binade" and np.isfinite(share):
                text += f"  ({share:.2f})"
            axis.annotate(f"{text} {label_of(data, i, many)}", (data["rate_fastest"][i], at),
                          xytext=(4, 0), textcoords="offset points", va="center", fontsize=7,
                          color=FAINT)
    axis.set_yticks(range(len(paths)), paths, fontsize=8.5)
    axis.set_ylim(len(paths) - 0.4, -0.6)
    axis.set_xlim(0, data["rate_fastest"].max() * 1.25)
    axis.set_xlabel("TFLOP/s")
    axis.set_title(f"{m:g} x {n:g} x {k:g}")
    axis.grid(axis="y", visible=False)


def draw(data):
    shapes = list(dict.fromkeys(zip(data["m"].tolist(), data["n"].tolist(), data["k"].tolist())))
    paths = list(dict.fromkeys(path_of(data, i) for i in range(len(data["rate"]))))
    columns = min(3, len(shapes))
    lines = -(-len(shapes) // columns)
    fig, axes = style.figure(
        "How fast are tensor cores with our rules, beside cuBLASLt?",
        "Median, slowest and fastest of interleaved runs; in brackets the median's share of "
        "cuBLASLt's with the same scaling and accumulation. M x N x K; scaling, and how often a "
        "chain is promoted to FP32.",
        (4.2 * columns + 1.4, (1.2 + 0.36 * len(paths)) * lines + 1.2), nrows=lines, ncols=columns,
        sharey=True, squeeze=False)
    for axis, (m, n, k) in zip(axes.flat, shapes):
        draw_shape(axis, data.where(m=m, n=n, k=k), paths)
    for axis in axes.flat[len(shapes):]:
        axis.set_visible(False)
    style.legend_of_bars(axes.flat[0], KERNELS)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
