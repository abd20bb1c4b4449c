"""SwiGLU's outliers by the length and alignment of one channel's weights."""
import style
from style import COLORS, FAINT

NAMES = {"tensor": "one scale a tensor", "1x128": "1 × 128", "smooth": "smoothed",
         "smooth-128x128": "smoothed, 128 × 128"}
LOOKS = {"tensor": COLORS[1], "1x128": COLORS[0], "smooth": COLORS[2],
         "smooth-128x128": COLORS[3]}


def draw(data):
    alignments, ways = data.values("alignment"), data.values("scaling")
    fig, axes = style.figure(
        "How do aligned weights make outliers in SwiGLU, and what does smoothing save?",
        "One channel's gate and up rows are longer than the others', by the gain, and aligned. "
        "Left: its largest output. Middle: error of the other channels, which share its scale. "
        "Right: error of what they give the next product, weights quantised too. Middle and right: "
        f"cosine {alignments[-1]:g}.", (12, 5.2), ncols=3, sharex=True)
    ends = []
    for place, alignment in enumerate(alignments):
        part = data.where(alignment=alignment, scaling=ways[0])
        shade = COLORS[0] if place == len(alignments) - 1 else FAINT
        axes[0].plot(part["gain"], part["channel_amax"], color=shade, marker="o", markersize=3,
                     alpha=0.35 + 0.65 * (place + 1) / len(alignments))
    ends = [(data["gain"].max(), data.where(alignment=a)["channel_amax"][-1], f"cos {a:g}", c)
            for a, c in ((alignments[0], FAINT), (alignments[-1], COLORS[0]))]
    axes[0].set_title("largest output of the channel")
    axes[0].set_yscale("log")
    style.powers(axes[0].yaxis)
    style.label_ends(axes[0], ends)
    aligned = data.where(alignment=alignments[-1])
    for axis, column, title in ((axes[1], "others_rel_rms", "error of the other channels"),
                                (axes[2], "output_error", "error of what they give")):
        for way in ways:
            part = aligned.where(scaling=way)
            axis.plot(part["gain"], part[column], color=LOOKS[way], marker="o", markersize=4)
        axis.set_title(title)
        axis.set_yscale("log")
        style.percent(axis.yaxis)
        style.label_ends(axis, [(aligned["gain"].max(), aligned.where(scaling=way)[column][-1],
                                 NAMES[way], LOOKS[way]) for way in ways])
    for axis in axes:
        axis.set_xscale("log", base=2)
        axis.set_xlabel("gain of the channel's weights")
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
