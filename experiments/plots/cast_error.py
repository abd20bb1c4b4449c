"""The relative error of one cast against the number that is cast."""
import style
from style import FAINT


def draw(data):
    formats = data.values("format")
    inputs = style.short(data.values("inputs")[0])
    fig, axes = style.figure(
        "How far does one cast move a number, and where on the axis?",
        f"Largest relative error in each slice of a binade, unscaled saturating cast, inputs: "
        f"{inputs}. Each format is a ruler: flat over its normal numbers, lost below its "
        "subnormals, clipped above its largest number.",
        (10, 2.0 + 1.25 * len(formats) + 2.4), nrows=len(formats) + 1,
        gridspec_kw={"height_ratios": [1.25] * len(formats) + [2.2]})
    colors = style.format_colors(formats)
    inner = data["binade"]
    low, high = inner.min() + 1, inner.max()
    for axis, name in zip(axes, formats):
        part = data.where(format=name)
        axis.fill_between(part["x_low"], part["max_rel_error"], color=colors[name], alpha=0.25,
                          linewidth=0)
        axis.plot(part["x_low"], part["max_rel_error"], color=colors[name], linewidth=0.7)
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xlim(2.0**low, 2.0**high)
        axis.set_ylim(0.005, 1.3)
        axis.set_yticks([0.01, 0.1, 1])
        style.percent(axis.yaxis)
        axis.text(1.01, 0.5, name.upper(), color=colors[name], fontweight="bold", va="center",
                  transform=axis.transAxes, fontsize=11)
        axis.tick_params(labelbottom=axis is axes[len(formats) - 1])
    axes[0].set_title("Largest relative error")
    axes[len(formats) - 1].set_xlabel("|x|")

    zoom = axes[-1]
    for name in formats:
        part = data.where(format=name)
        # Formats of equal precision coincide here: the first stays visible as a broad band.
        zoom.plot(part["x_low"], part["mean_rel_error"], color=colors[name],
                  linewidth=5 if name == formats[0] else 1.3,
                  alpha=0.4 if name == formats[0] else 1)
    zoom.axhline(0, color=FAINT, linewidth=0.8)
    zoom.set_xscale("log", base=2)
    zoom.set_xlim(1, 8)
    zoom.set_ylim(-0.35, 0.35)
    zoom.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    style.percent(zoom.yaxis)
    zoom.set_title("Three binades, with the sign of the error")
    zoom.set_ylabel("relative error")
    zoom.set_xlabel("|x|")
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
