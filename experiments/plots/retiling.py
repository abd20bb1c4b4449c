"""What a second quantisation along the other axis adds."""
import style
from style import COLORS, FAINT


def draw(data):
    inputs, types = data.values("inputs"), data.values("scale_type")
    fig, axes = style.figure(
        "What does it cost to turn 1 × 128 tiles into 128 × 1 tiles?",
        "Relative error after the first quantisation and after both. Scales that are powers of two "
        "shift exponents only: the second quantisation finds every number already on its grid.",
        (max(4.0 * len(inputs) + 1.4, 8.5), 4.4), ncols=len(inputs), sharey=True, squeeze=False)
    names = {"fp32": "FP32 scales", "pow2": "powers of two"}
    for axis, name in zip(axes[0], inputs):
        for place, kind in enumerate(types):
            row = data.where(inputs=name, scale_type=kind)
            for shift, column, color in ((-0.2, "first", FAINT), (0.2, "both", COLORS[0])):
                value = row[column][0]
                axis.bar(place + shift, value, width=0.36, color=color,
                         label={"first": "after 1 × 128", "both": "and 128 × 1"}[column]
                         if place == 0 else None)
                axis.annotate(f"{100 * value:.3f} %", (place + shift, value), xytext=(0, 4),
                              textcoords="offset points", ha="center", fontsize=8.5)
            axis.annotate(f"{100 * row['changed'][0]:.2g} % of the values changed", (place, 0),
                          xycoords=("data", "axes fraction"), xytext=(0, -28), fontsize=8.5,
                          textcoords="offset points", ha="center", color=FAINT)
        axis.set_xticks(range(len(types)), [names.get(kind, kind) for kind in types])
        axis.tick_params(axis="x", length=0)
        axis.set_xlabel(" ", labelpad=12)
        axis.set_title(style.short(name))
        axis.grid(axis="x", visible=False)
    axes[0, 0].set_ylim(0, 1.25 * data["both"].max())
    axes[0, 0].set_ylabel("relative RMS error")
    style.percent(axes[0, 0].yaxis)
    axes[0, -1].legend(frameon=False, fontsize=8.5, loc="upper right", ncols=2)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
