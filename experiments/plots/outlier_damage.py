"""What one outlier costs the other elements, by the block that shares a scale."""
import style

TITLES = {"tensor": "one scale a tensor", "1x128": "one scale per 1 × 128",
          "128x128": "one scale per 128 × 128", "mx": "a power of two per 1 × 32 (MX)", "row": "one scale a row",
          "column": "one scale a column"}


def draw(data):
    scalings, formats = data.values("scaling"), data.values("format")
    colors = style.format_colors(formats)
    tensor = style.short(data.values("distribution")[0])
    fig, axes = style.figure(
        "What does one outlier cost the elements that share its scale?",
        "Error of all other elements after quantisation, and the share of them that became zero, "
        f"when one element of the matrix ({tensor}) is enlarged.",
        (3.1 * len(scalings) + 0.6, 6.4), nrows=2, ncols=len(scalings), sharex=True, sharey="row",
        squeeze=False)
    for column, scaling in enumerate(scalings):
        error, zeros = axes[:, column]
        for name in formats:
            part = data.where(scaling=scaling, format=name)
            x = part["outlier_ratio"]
            error.plot(x, part["rel_rms"], color=colors[name], marker="o", markersize=3)
            zeros.plot(x, part["underflow"], color=colors[name], marker="o", markersize=3)
        error.set_title(TITLES.get(scaling, scaling))
        error.set_xscale("log")
        error.set_yscale("log")
        error.set_ylim(0.003, 1.6)
        error.set_yticks([0.01, 0.1, 1])
        style.percent(error.yaxis)
        zeros.set_ylim(-0.03, 1.05)
        style.percent(zeros.yaxis)
        zeros.set_xlabel("size of the outlier / σ" if tensor == "normal" else
                         "outlier / its own size")
        if column == len(scalings) - 1:
            style.label_ends(error, [(data["outlier_ratio"].max(),
                                      data.where(scaling=scaling, format=n)["rel_rms"][-1],
                                      n.upper(), colors[n]) for n in formats])
    axes[0, 0].set_ylabel("relative RMS error of the others")
    axes[1, 0].set_ylabel("share that became zero")
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
