"""Error against the bits of a hypothetical accumulator, beside the bound known beforehand."""
import style
from style import COLORS, GRID

HOPPER = 22  # bits: sign, 8, 13
NAMES = {"normal": "N(0, 1)", "uniform01": "U[0, 1)"}


def draw_case(upper, lower, data, colors, lines):
    """One distribution and format; returns the labels of the lines' ends."""
    ends, widest = [], max(lines)
    for interval, color in colors.items():
        for group, line in lines.items():
            for scaling in data.values("scaling"):
                part = data.where(interval_elements=interval, group=group, scaling=scaling)
                if not len(part["group"]):
                    continue
                bits, whole = part["accumulator_bits"], scaling == "tensor"
                look = {"color": color, "linewidth": 1.5,
                        **({"linestyle": line} if whole else
                           {"linestyle": "none", "marker": "x", "markersize": 5})}
                if not whole and group != widest:
                    continue
                upper.plot(bits, part["max_over_mean"], **look)
                lower.plot(bits, part["backward"], **look)
                if whole and group == widest:
                    lower.plot(bits, part["bound"], color=color, linestyle=(0, (1, 2)),
                               linewidth=1.3)
                    text = "never promoted" if interval == 0 else f"every {interval:g} products"
                    ends.append((bits[-1], part["max_over_mean"][-1], text, color))
    for axis in (upper, lower):
        axis.axvspan(HOPPER - 0.4, HOPPER + 0.4, color=GRID, zorder=0)
        axis.set_yscale("log")
        style.powers(axis.yaxis)
    return ends


def draw(data):
    cases = [(d, f) for d in data.values("distribution") for f in data.values("format")]
    groups = sorted(data.values("group"), reverse=True)
    colors = dict(zip(data.values("interval_elements"), [COLORS[1], COLORS[5], COLORS[0], *COLORS]))
    lines = dict(zip(groups, ["-", (0, (4, 2)), (0, (1, 1.5)), "-."] * 3))
    blocks = [s for s in data.values("scaling") if s != "tensor"]
    broken = "".join(f"; broken: {g:g}" for g in groups[1:2])
    crosses = f" Crosses: scales of {blocks[0]}, applied at each promotion." if blocks else ""
    fig, axes = style.figure(
        "What would a wider accumulator buy?",
        "Upper row: largest error over the mean magnitude of the result. Lower row: largest error "
        "over |A| |B|, and dotted the bound on it that is known beforehand, for steps of "
        f"{groups[0]:g}. Grey band: Hopper's 22 bits for FP8. Solid: {groups[0]:g} products a "
        f"step{broken}.{crosses}",
        (max(3.3 * len(cases) + 1.8, 8.5), 7.2), nrows=2, ncols=len(cases), sharex=True,
        sharey="row", squeeze=False)
    for column, (distribution, element) in enumerate(cases):
        ends = draw_case(axes[0, column], axes[1, column],
                         data.where(distribution=distribution, format=element), colors, lines)
        axes[0, column].set_title(
            f"{NAMES.get(distribution, style.short(distribution))}, {element.upper()}")
        axes[1, column].set_xlabel("bits of the accumulator")
    style.label_ends(axes[0, -1], ends)
    axes[0, 0].set_ylabel("max |error| / mean |exact|")
    axes[1, 0].set_ylabel("max |error| / |A| |B|")
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
