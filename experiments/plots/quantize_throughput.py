"""The rate of quantisers over that of a loop which only reads and writes."""
import style


def label_of(data, i):
    return f"{data['recipe'][i]} {data['granularity'][i]} {data['scale_type'][i]}"


def draw(data):
    sources, isas = data.values("source"), data.values("isa")
    wanted = [name for name in data.values("recipe") if not name.startswith("limit")]
    parts = [data.where(recipe=name).columns for name in wanted]
    rows = style.Data.of({name: [cell for part in parts for cell in part[name].tolist()]
                          for name in data.columns}, data.small_print)
    names = list(dict.fromkeys(label_of(rows, i) for i in range(len(rows["rate"]))))
    fig, axes = style.figure(
        "How fast is a matrix quantised, beside a loop that only reads and writes?",
        f"Median rate of one thread over the limit's, {data['rows'][0]:g} x {data['cols'][0]:g} "
        "N(0, 1) to e4m3. The limit reads the source once and writes a byte an element.",
        (max(8, 5.2 * len(sources) + 1.4), max(4, 2.4 + 0.2 * len(names) * len(isas))),
        ncols=len(sources), sharey=True, squeeze=False)
    for axis, source in zip(axes[0], sources):
        style.draw_shares(axis, rows.where(source=source), names, label_of, isas)
        axis.set_title(f"from {source}")
    axes[0, -1].legend(frameon=False, fontsize=8.5, loc="lower right")
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
