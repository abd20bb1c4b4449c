"""Signal to noise of narrow formats, by the block that shares a scale and the data."""
import style

NAMES = {"normal": "N(0, 1)", "uniform": "U[-1, 1)", "laplace": "Laplace",
         "student_t3": "Student t, 3", "abs_normal": "|N(0, 1)|", "uniform01": "U[0, 1)"}
TITLES = {"tensor": "tensor", "1x128": "1 × 128", "mx-floor": "MX\ndown",
          "mx-ceil": "MX\nup", "nvfp4": "NVFP4"}


def draw(data):
    inputs, formats = data.values("distribution"), data.values("format")
    scalings = data.values("scaling")
    colors = style.format_colors(formats)
    fig, axes = style.figure(
        "Which narrow format keeps most of which data?",
        "Signal over quantisation noise; higher is better. A uniform grid, INT8, is ahead where "
        "tails are light, and pays for heavy ones; a floating-point format hardly notices either. "
        "MX scales, powers of two, are rounded down (OCP) or up.",
        (max(2.9 * len(inputs) + 1.4, 8.5), 5.6), ncols=len(inputs), sharey=True, squeeze=False)
    for axis, name in zip(axes[0], inputs):
        ends = []
        for order, element in enumerate(formats):
            part = data.where(distribution=name, format=element)
            if not len(part["format"]):
                continue
            at = [scalings.index(s) for s in part["scaling"].tolist()]
            axis.plot(at, part["sqnr_db"], color=colors[element], marker="o", markersize=9 - order,
                      linestyle=(0, (1, 2)), linewidth=1)
            ends.append((len(scalings) - 1, part["sqnr_db"][-1], element.upper(), colors[element]))
        axis.set_title(NAMES.get(name, style.short(name)))
        axis.set_xticks(range(len(scalings)), [TITLES.get(s, s) for s in scalings], fontsize=7.5)
        axis.set_xlim(-0.4, len(scalings) - 0.6)
    axes[0, 0].set_ylabel("signal / noise, dB")
    axes[0, 0].set_ylim(bottom=0)
    style.label_ends(axes[0, -1], ends)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
