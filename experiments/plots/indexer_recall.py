"""The share of the right tokens that a narrow indexer misses."""
import style
from style import COLORS, FAINT

NAMES = {"fp8-fp32": "FP8, FP32 scales", "fp8-ue8m0": "FP8, power-of-two scales",
         "mxfp4": "MXFP4", "bf16-scores": "exact, scores in BF16"}


def draw(data):
    schemes, settings = data.values("scheme"), data.values("outliers")
    rotations = data.values("rotation")
    colors = {"none": COLORS[1], "hadamard": COLORS[0]}
    marks = {"none": "o", "hadamard": "D"}
    fig, axes = style.figure(
        "Does a narrow indexer still select the right tokens?",
        f"Share of the {data['top_k'][0]:g} best of {data['length'][0]:g} random keys that are "
        "missed; further left is better. Where some channels are large, the Hadamard rotation "
        "spreads them over the row, so that their rounding errors average out. Published: scores "
        "in BF16 keep 99.7 %.",
        (max(4.6 * len(settings) + 1.6, 9), 4.6), ncols=len(settings), sharey=True, sharex=True,
        squeeze=False)
    for axis, outliers in zip(axes[0], settings):
        for rotation in rotations:
            part = data.where(outliers=outliers, rotation=rotation)
            at = [schemes.index(s) for s in part["scheme"].tolist()]
            missed = 1 - part["recall"]
            axis.plot(missed, at, linestyle="none", marker=marks[rotation], markersize=9,
                      color=colors[rotation], alpha=0.9, zorder=3,
                      label="rotated" if rotation == "hadamard" else "not rotated")
            for x, y in zip(missed, at):
                axis.annotate(f"{100 * x:.2g} %", (x, y), color=colors[rotation], fontsize=8.5,
                              xytext=(0, 9 if rotation == "none" else -16),
                              textcoords="offset points", ha="center")
        axis.set_xscale("log")
        axis.set_yticks(range(len(schemes)), [NAMES[s] for s in schemes])
        axis.set_ylim(len(schemes) - 0.5, -0.5)
        style.percent(axis.xaxis)
        axis.margins(x=0.15)
        axis.set_xlabel("best keys missed")
        axis.set_title("all channels alike" if outliers == 0
                       else f"{outliers:g} channels of queries and keys larger")
    axes[0, -1].legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5),
                       labelcolor=FAINT)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
