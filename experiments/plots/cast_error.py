"""The relative error of one cast against the number that is cast."""
import style
from style import FAINT

# Sets of inputs that hold every number of a range; anything else is a tensor.
GRIDS = {"bf16", "fp16", "fp32", "log_spaced"}


def draw_zoom(axis, data, formats, colors):
    """Three binades, where single codes can be seen."""
    for name in formats:
        part = data.where(format=name)
        # Formats of equal precision coincide here: the first stays visible as a broad band.
        first = name == formats[0]
        axis.plot(part["x_low"], part["mean_rel_error"], color=colors[name],
                  linewidth=5 if first else 1.3, alpha=0.4 if first else 1)
    axis.axhline(0, color=FAINT, linewidth=0.8)
    axis.set_xscale("log", base=2)
    axis.set_xlim(1, 8)
    axis.set_ylim(-0.35, 0.35)
    axis.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    style.percent(axis.yaxis)
    axis.set_title("Three binades, with the sign of the error")
    axis.set_ylabel("relative error")
    axis.set_xlabel("|x|")


def draw_counts(axis, part, low, high):
    """Where the elements of a tensor lie."""
    axis.fill_between(part["x_low"], part["count"], step="post", color=FAINT, alpha=0.35,
                      linewidth=0)
    axis.set_xscale("log", base=2)
    axis.set_xlim(2.0**low, 2.0**high)
    axis.set_ylim(bottom=0)
    axis.set_title("Where the elements are")
    axis.set_ylabel("elements in the slice")
    axis.set_xlabel("|x|")


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
    # A tensor's bins end where it does; those of the others have an open bin on either side.
    low, high = data["binade"].min(), data["binade"].max()
    low, high = (low + 1, high) if inputs in GRIDS else (low, high + 1)
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

    if inputs in GRIDS:
        draw_zoom(axes[-1], data, formats, colors)
    else:
        draw_counts(axes[-1], data.where(format=formats[0]), low, high)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
