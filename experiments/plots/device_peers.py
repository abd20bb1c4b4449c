"""Casts and quantisers beside a copy and torch, and FP8 GEMMs over torch's, on a GPU."""
import numpy as np

import style
from style import COLORS, FAINT

LIBRARIES = {"binade": COLORS[0], "torch": COLORS[1], "torch.compile": COLORS[5]}
PANELS = {"cast": "casts", "quantise": "quantisers, to e4m3"}
FASTER, SLOWER = COLORS[0], COLORS[1]


def count(value):
    return f"{value:,.0f} differ" if value > 0 else ""


def remark(axis, edge, y, columns):
    """Text right of the bars, where neither these nor the line at 1 reach; above them for no y.

    `columns`: [(points from `edge` to the text's right end, text)]
    """
    for points, text in columns:
        axis.annotate(text, (edge, 1 if y is None else y),
                      xycoords=("data", "axes fraction" if y is None else "data"),
                      xytext=(points, 10 if y is None else 0), textcoords="offset points",
                      ha="right", va="center", fontsize=7.5, color=FAINT, annotation_clip=False)


def furthest(data):
    """The largest share of the copy's rate, of the fastest calls."""
    return max(1.0, (data["share_of_copy"] * data["time"] / data["time_fastest"]).max())


def draw_moves(axis, data, title, edge):
    """Share of the copy's rate, a bar each library."""
    names, libraries = data.values("what"), [n for n in LIBRARIES if n in data["library"]]
    share, height = data["share_of_copy"], 0.8 / len(libraries)
    remark(axis, edge, None, [(30, "share"), (64, "time"), (104, "speed-up")])
    for i, name in enumerate(data["what"]):
        library = data["library"][i]
        at = names.index(name) + (libraries.index(library) - (len(libraries) - 1) / 2) * height
        ends = share[i] * data["time"][i] / np.array([data["time_slowest"][i],
                                                      data["time_fastest"][i]])
        axis.barh(at, share[i], height * 0.88, color=LIBRARIES[library],
                  xerr=np.maximum(0, [[share[i] - ends[0]], [ends[1] - share[i]]]),
                  error_kw={"ecolor": FAINT, "elinewidth": 1, "capsize": 1.5})
        over = "" if library == "binade" else f"{data['binade_over'][i]:.2f}"
        remark(axis, edge, at, [(30, f"{share[i]:.2f}"), (64, f"{data['time'][i]:.0f} us"),
                                (104, over), (180, count(data["differs"][i]))])
    axis.axvline(1, color=FAINT, linewidth=1, linestyle="--")
    axis.set_yticks(range(len(names)), names, fontsize=8.5)
    axis.set_ylim(len(names) - 0.45, -0.55)
    axis.set_xlim(0, edge)
    axis.set_xticks(np.arange(0, 1.01, 0.25))
    axis.set_xlabel("share of the copy's rate", loc="left")
    axis.set_title(title)
    axis.grid(axis="y", visible=False)


def draw_gemms(axis, data):
    """The package's rate over torch's: bars that begin where both are as fast."""
    peers = data.where(library="torch")
    over, shapes = peers["binade_over"], peers.values("shape")
    low, high = min(0.85, over.min() - 0.02), max(1.15, over.max() + 0.02)
    remark(axis, high, None, [(30, "ratio"), (66, "binade"), (98, "torch")])
    # Each shape has a heading, and some air before it.
    places = [i + 1 + 1.3 * shapes.index(shape) for i, shape in enumerate(peers["shape"])]
    headings = [places[peers["shape"].tolist().index(shape)] - 1 for shape in shapes]
    for i, (at, shape, what) in enumerate(zip(places, peers["shape"], peers["what"])):
        ours = data.where(library="binade", shape=shape, what=what)["rate"][0]
        axis.barh(at, over[i] - 1, 0.8, left=1, color=FASTER if over[i] >= 1 else SLOWER)
        remark(axis, high, at, [(30, f"{over[i]:.2f}"), (66, f"{ours:.0f}"),
                                (98, f"{peers['rate'][i]:.0f}"),
                                (174, count(peers["differs"][i]))])
    axis.set_yticks([*headings, *places], [*(shape.replace("x", " x ") for shape in shapes),
                                           *peers["what"]], fontsize=8)
    for mark, label in zip(axis.yaxis.get_major_ticks(), axis.get_yticklabels()[:len(shapes)]):
        mark.tick1line.set_visible(False)
        label.set_fontweight("bold")
    axis.axvline(1, color=FAINT, linewidth=1)
    axis.set_ylim(max(places) + 0.6, -0.6)
    axis.set_xlim(low, high)
    axis.locator_params(axis="x", nbins=5)
    axis.set_xlabel("binade's rate over torch's", loc="left")
    axis.set_title("FP8 GEMMs, M x N x K; TFLOP/s")
    axis.grid(axis="y", visible=False)


def draw(data):
    moves = [name for name in PANELS if name in data["operation"]]
    gemms = data.where(operation="gemm")
    gemms = gemms if "torch" in gemms["library"] else None
    parts = {name: data.where(operation=name) for name in moves}
    parts = {name: part.pick(part["library"] != "copy") for name, part in parts.items()}
    rows = {name: len(part["what"]) for name, part in parts.items()}
    bars = max(sum(rows.values()), 0 if gemms is None else 0.65 * len(gemms["what"]))
    columns = (len(moves) > 0) + (gemms is not None)
    if columns == 0:
        raise SystemExit("nothing to draw: no casts, no quantisers and no product of torch's")
    subtitle = "Results whose bits are not binade's are counted where there are any."
    if gemms is not None:
        subtitle = ("A GEMM's bar points from 1 to the right where binade is faster; fast: sums "
                    "never promoted to FP32. ") + subtitle
    if moves:
        subtitle = ("Casts and quantisers: rate over that of torch's copy of as many bytes, with "
                    "the slowest and the fastest call; speed-up: how many times as fast binade is. "
                    ) + subtitle
    fig, axes = style.figure(
        "How fast are casts, quantisers and FP8 GEMMs beside torch's?", subtitle,
        (13.0 if columns == 2 else 10.5, 2.2 + 0.19 * max(bars, 12)), nrows=max(1, len(moves)),
        ncols=columns, squeeze=False, height_ratios=list(rows.values()) or [1])
    for axis, name in zip(axes[:, 0], moves):
        draw_moves(axis, parts[name], PANELS[name], max(map(furthest, parts.values())))
    if gemms is not None:
        grid = axes[0, -1].get_gridspec()
        for axis in axes[:, -1]:
            axis.remove()
        draw_gemms(fig.add_subplot(grid[:, -1]), gemms)
    if moves:
        style.legend_of_bars(axes[0, 0], LIBRARIES)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
