"""The error of FP8 accumulation against the promotion interval."""
import style
from style import COLORS, FAINT, GRID

NAMES = {"normal": "N(0, 1)", "uniform01": "U[0, 1)", "abs_normal": "|N(0, 1)|",
         "uniform": "U[-1, 1)", "laplace": "Laplace", "student_t3": "Student t, 3"}


def draw_length(axis, data, length, colors, ticks):
    part = data.where(k=length)
    main = part["instruction"][0]
    ends = []
    for name in part.values("distribution"):
        line = part.where(distribution=name, instruction=main)
        model = line.where(unit="model")
        place = [ticks.index(interval) for interval in model["interval"].tolist()]
        axis.plot(place, model["max_over_mean"], color=colors[name], marker="o", markersize=4)
        device = line.where(unit="device")
        axis.plot([ticks.index(interval) for interval in device["interval"].tolist()],
                  device["max_over_mean"], linestyle="none", marker="o", markersize=8,
                  markerfacecolor="none", markeredgewidth=1.2, color=colors[name])
        ends.append((max(place), model["max_over_mean"][place.index(max(place))],
                     NAMES.get(name, style.short(name)), colors[name]))
        for other in part.values("instruction")[1:]:
            row = part.where(distribution=name, instruction=other)
            axis.plot([ticks.index(0)] * len(row["k"]), row["max_over_mean"], linestyle="none",
                      marker="x", markersize=7, markeredgewidth=2, color=colors[name])
    if 4 in ticks:
        axis.axvspan(ticks.index(4) - 0.22, ticks.index(4) + 0.22, color=GRID, alpha=0.6, zorder=0)
        axis.annotate("DeepSeek-V3", (ticks.index(4), 0), xycoords=("data", "axes fraction"),
                      xytext=(0, 5), textcoords="offset points", color=FAINT, fontsize=8.5,
                      ha="center")
    if length == 4096:
        axis.axhline(0.02, color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
        axis.annotate("published for never: nearly 2 %", (0, 0.02), xytext=(-4, 4),
                      textcoords="offset points", color=FAINT, fontsize=8.5)
    axis.set_yscale("log")
    style.percent(axis.yaxis)
    axis.set_xticks(range(len(ticks)), ["never" if t == 0 else f"{t:g}" for t in ticks])
    axis.set_title(f"K = {length:g}")
    axis.set_xlabel("wgmma (32 products each) between promotions")
    return ends


def draw(data):
    lengths, distributions = data.values("k"), data.values("distribution")
    others = data.values("instruction")[1:]
    ticks = sorted(data.values("interval"), key=lambda t: float("inf") if t == 0 else t)
    colors = dict(zip(distributions, COLORS * 3))
    published = (" The published number is the DeepSeek-V3 report's, for K\u00a0=\u00a04096."
                 if 4096 in lengths else "")
    crosses = f" Crosses: {', '.join(others)}, never promoted." if others else ""
    if "device" in data.values("unit"):
        differ = int(data["differ"].sum())
        crosses += (" Rings: the tensor cores themselves, "
                    + (f"{differ} outputs of which differ." if differ else "every bit the model's."))
    fig, axes = style.figure(
        "How often must FP8 partial sums be promoted to FP32?",
        "Largest error over the mean magnitude of the exact product of the same FP8 operands, "
        f"model {data.values('instruction')[0]}.{published}{crosses}",
        (max(4.0 * len(lengths) + 1.4, 9), 5.4), ncols=len(lengths), sharey=True, squeeze=False)
    for axis, length in zip(axes[0], lengths):
        ends = draw_length(axis, data, length, colors, ticks)
    axes[0, 0].set_ylabel("max |error| / mean |exact|")
    style.label_ends(axes[0, -1], ends)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
