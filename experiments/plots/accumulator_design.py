"""Error against the bits of a hypothetical accumulator, beside the bound known beforehand."""
import style
from style import COLORS, FAINT, GRID

HOPPER = 22  # bits: sign, 8, 13
NAMES = {"normal": "N(0, 1)", "uniform01": "U[0, 1)"}


def draw(data):
    cases = [(d, f) for d in data.values("distribution") for f in data.values("format")]
    intervals, groups = data.values("interval_elements"), data.values("group")
    colors = dict(zip(intervals, [COLORS[1], COLORS[5], COLORS[0], *COLORS]))
    order = sorted(groups, reverse=True)
    lines = {g: style_ for g, style_ in zip(order, ["-", (0, (4, 2)), (0, (1, 1.5)), "-."] * 3)}
    fig, axes = style.figure(
        "What would a wider accumulator buy?",
        "Upper row: largest error over the mean magnitude of the result. Lower row: largest error "
        "over |A| |B|, and dotted the bound on it that is known beforehand, for steps of "
        f"{order[0]:g}. Grey band: Hopper's 22 bits for FP8. "
        + (f"Solid: {order[0]:g} products a step" + "".join(
            f"; broken: {g:g}" for g in order[1:2]) + "."),
        (3.3 * len(cases) + 1.8, 7.2), nrows=2, ncols=len(cases), sharex=True, sharey="row",
        squeeze=False)
    for column, (distribution, element) in enumerate(cases):
        ends = []
        for interval in intervals:
            for group in groups:
                part = data.where(distribution=distribution, format=element,
                                  interval_elements=interval, group=group)
                look = {"color": colors[interval], "linestyle": lines[group], "linewidth": 1.5}
                axes[0, column].plot(part["accumulator_bits"], part["max_over_mean"], **look)
                axes[1, column].plot(part["accumulator_bits"], part["backward"], **look)
                if group == order[0]:
                    axes[1, column].plot(part["accumulator_bits"], part["bound"], color=colors[interval],
                                         linestyle=(0, (1, 2)), linewidth=1.3)
                    ends.append((part["accumulator_bits"][-1], part["max_over_mean"][-1],
                                 "never" if interval == 0 else f"every {interval:g}",
                                 colors[interval]))
        for axis in axes[:, column]:
            axis.axvspan(HOPPER - 0.4, HOPPER + 0.4, color=GRID, zorder=0)
            axis.set_yscale("log")
            style.powers(axis.yaxis)
        axes[0, column].set_title(f"{NAMES.get(distribution, distribution)}, {element.upper()}")
        axes[1, column].set_xlabel("bits of the accumulator")
        if column == len(cases) - 1:
            style.label_ends(axes[0, column], ends)
    axes[0, 0].set_ylabel("max |error| / mean |exact|")
    axes[1, 0].set_ylabel("max |error| / |A| |B|")
    fig.text(0.99, 0.015, "labels: elements between promotions to FP32", ha="right", fontsize=8.5,
             color=FAINT)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
