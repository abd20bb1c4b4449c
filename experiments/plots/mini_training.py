"""Loss of a small language model under each training recipe, relative to BF16's."""
import style
from style import COLORS, FAINT, INK

SHADES = [COLORS[0], COLORS[4], "#00385a"]  # one a seed


def lines(axis, data, column, shades, **look):
    for seed, shade in zip(data.values("seed"), shades * 9):
        part = data.where(seed=seed)
        axis.plot(part["step"], part[column], color=shade, **look)


def draw(data):
    training = data.where(split="training")
    recipes = [name for name in training.values("recipe") if name != "bf16"]
    drift = training.where(recipe="bf16-nudged")
    columns = 4
    rows = -(-(len(recipes) + 1) // columns)
    fig, axes = style.figure(
        "What do FP8 recipes cost the training of a small language model?",
        "First panel: training loss of every recipe and seed. Others: loss over that of BF16 with the "
        "same seed, less 1, a line a seed; grey: BF16 from a start that differs by 2⁻²⁰, which is "
        "what chaos alone makes of nothing. Linear within ± 0.05 %, logarithmic beyond.", (12.5, 3.0 * rows + 1.6), nrows=rows, ncols=columns,
        sharex=True, squeeze=False)
    flat = list(axes.flat)
    for recipe in training.values("recipe"):
        lines(flat[0], training.where(recipe=recipe), "loss", [INK], linewidth=0.7, alpha=0.6)
    flat[0].set_title("training loss, nats a byte")
    flat[0].set_yscale("log")
    flat[0].yaxis.set_major_formatter(lambda y, _: f"{y:g}")
    flat[0].yaxis.set_minor_formatter(lambda y, _: f"{y:g}")
    others = training.pick(training["recipe"] != "bf16")
    most = min(0.03, 1.2 * max(0.005, float(abs(others["relative_error"]).max())))
    for axis, recipe in zip(flat[1:], recipes):
        lines(axis, drift, "relative_error", ["#c9c9c9"], linewidth=1.0)
        if recipe != "bf16-nudged":
            lines(axis, training.where(recipe=recipe), "relative_error", SHADES, linewidth=1.4)
        axis.axhline(0, color=FAINT, linewidth=0.8)
        axis.set_title(recipe)
        axis.set_yscale("symlog", linthresh=5e-4)
        axis.set_ylim(-most, most)
        axis.set_yticks([-0.01, -0.003, -0.001, 0, 0.001, 0.003, 0.01])
        style.percent(axis.yaxis)
    for axis in flat[len(recipes) + 1:]:
        axis.set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("step")
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
