"""The share of weights that an update leaves as they were, and what is left of it on average."""
import style
from style import COLORS, INK


def draw(data):
    formats, roundings = data.values("format"), data.values("rounding")
    rates = data.values("learning_rate")
    fig, axes = style.figure(
        "How many weights does a small update leave as they were?",
        "Above, the share of the weights that do not change at all. Below, the mean change over the "
        "update: rounding to nearest loses what is smaller than half a unit in the last place, "
        "stochastic rounding keeps it on average.",
        (max(4.4 * len(rates) + 1.2, 8.5), 6.2), nrows=2, ncols=len(rates), sharex=True,
        sharey="row", squeeze=False)
    colors = dict(zip(roundings, COLORS))
    width = 0.8 / len(roundings)
    for column, rate in enumerate(rates):
        for place, rounding in enumerate(roundings):
            part = data.where(learning_rate=rate, rounding=rounding)
            at = [formats.index(f) + (place - (len(roundings) - 1) / 2) * width
                  for f in part["format"].tolist()]
            for axis, name in ((axes[0, column], "unchanged"), (axes[1, column], "mean_step")):
                axis.bar(at, part[name], width=0.92 * width, color=colors[rounding],
                         label=rounding.replace("_", " "))
                for x, y in zip(at, part[name]):
                    axis.annotate(f"{100 * y:.1f}" if name == "unchanged" else f"{y:.2f}", (x, y),
                                  xytext=(0, 3), textcoords="offset points", ha="center",
                                  fontsize=8)
        axes[0, column].set_title(f"update {rate:g}")
        axes[1, column].axhline(1, color=INK, linewidth=0.8)
        axes[1, column].set_xticks(range(len(formats)), [f.upper() for f in formats])
        for axis in axes[:, column]:
            axis.grid(axis="x", visible=False)
            axis.tick_params(axis="x", length=0)
    axes[0, 0].set_ylabel("share unchanged")
    axes[0, 0].set_ylim(0, 1.12)
    style.percent(axes[0, 0].yaxis)
    axes[1, 0].set_ylabel("mean change / update")
    axes[1, 0].set_ylim(0, 1.18)
    axes[0, 0].legend(frameon=False, fontsize=8.5, loc="upper left")
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
