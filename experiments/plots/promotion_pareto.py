"""Error against throughput of each promotion interval, both from the tensor cores."""
import style
from style import COLORS, FAINT

NAMES = {"normal": "N(0, 1)", "uniform01": "U[0, 1)", "abs_normal": "|N(0, 1)|",
         "uniform": "U[-1, 1)", "laplace": "Laplace", "student_t3": "Student t, 3"}


def interval_name(interval):
    return "never" if interval == 0 else f"{interval:g}"


def draw_shape(axis, data, shape, colors):
    part = data.where(shape=shape)
    names = part.values("distribution")
    for name in names:
        line = part.where(distribution=name)
        order = sorted(range(len(line["interval"])),
                       key=lambda i: line["interval"][i] or float("inf"))
        rate, error = line["rate"][order], line["max_over_mean"][order]
        axis.plot(rate, error, color=colors[name], marker="o", markersize=4,
                  label=NAMES.get(name, style.short(name)))
        axis.errorbar(rate, error, color=colors[name], fmt="none", elinewidth=1,
                      xerr=[rate - line["rate_slowest"][order], line["rate_fastest"][order] - rate])
    top = max(names, key=lambda name: part.where(distribution=name)["max_over_mean"].max())
    line = part.where(distribution=top)
    for interval, rate in zip(line["interval"], line["rate"]):
        error = part.where(interval=interval)["max_over_mean"].max()
        axis.annotate(interval_name(interval), (rate, error), xytext=(-5, 5), ha="right",
                      textcoords="offset points", fontsize=8.5, color=FAINT)
    axis.set_yscale("log")
    style.percent(axis.yaxis)
    axis.margins(x=0.08, y=0.12)
    axis.set_title(shape.replace("x", " x "))
    axis.set_xlabel("TFLOP/s")


def draw(data):
    shapes, distributions = data.values("shape"), data.values("distribution")
    colors = dict(zip(distributions, COLORS * 3))
    lengths = " or ".join(f"{k:g}" for k in data.values("k"))
    differ = int(data["differ"].sum())
    bits = "every one of them the model's bit for bit" if differ == 0 else \
        f"{differ} of them not the model's"
    fig, axes = style.figure(
        "What does a promotion interval cost, and what does it buy?",
        f"Largest error over the mean magnitude of the exact product, K = {lengths}, from the "
        f"tensor cores' outputs ({bits}), against the rate of the same kernel. Numbers: products "
        "between promotions; DeepSeek-V3 takes 128.",
        (max(4.6 * len(shapes) + 1.0, 9), 5.4), ncols=len(shapes), sharey=True, squeeze=False)
    for axis, shape in zip(axes[0], shapes):
        draw_shape(axis, data, shape, colors)
    axes[0, 0].set_ylabel("max |error| / mean |exact|")
    axes[0, 0].legend(frameon=False, fontsize=9, loc="upper left")
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
