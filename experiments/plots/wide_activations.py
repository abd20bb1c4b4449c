"""What more bits buy for activations, against what they take."""
import style

NAMES = {"normal": "N(0, 1)"}


def color_of(name):
    if name.startswith("logfmt"):
        return style.COLORS[2]
    if name == "bf16":
        return style.INK
    return {"e4m3": style.COLORS[0], "e5m2": style.COLORS[1], "e5m6": style.COLORS[3]}.get(
        name.removesuffix("-pow2"), style.COLORS[4])


def draw(data):
    inputs = data.values("inputs")
    fig, axes = style.figure(
        "What do more than eight bits buy for activations?",
        "Signal over noise against bits an element, the tile's own numbers included; tiles of "
        "1 × 128. Hollow: scales rounded up to powers of two.",
        (max(4.6 * len(inputs) + 1.2, 8.5), 5.0), ncols=len(inputs), sharey=True, squeeze=False)
    for axis, name in zip(axes[0], inputs):
        part = data.where(inputs=name)
        for element, bits, db in zip(part["format"].tolist(), part["bits"], part["sqnr_db"]):
            color, hollow = color_of(element), element.endswith("-pow2")
            axis.plot(bits, db, "o", color=color, markersize=7,
                      markerfacecolor="white" if hollow else color, markeredgewidth=1.6)
            right = not hollow and element != "logfmt10"
            shown = element.upper().replace("LOGFMT", "LogFMT-")
            axis.annotate("" if hollow else shown,
                          (bits, db), xytext=(8 if right else -8, 0), va="center",
                          ha="left" if right else "right", textcoords="offset points",
                          color=color, fontsize=9, fontweight="bold")
        axis.set_title(NAMES.get(name, style.short(name)))
        axis.set_xlabel("bits an element")
        axis.set_xlim(7.2, 17.6)
        axis.set_xticks(range(8, 17, 2))
    axes[0, 0].set_ylabel("signal / noise, dB")
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
