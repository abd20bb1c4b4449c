"""The rate of casts over that of a loop which only reads and writes, by format and operation."""
import style


def label_of(data, i):
    rounding = data["rounding"][i]
    name = f"{data['operation'][i]} {data['format'][i]}"
    return name if rounding in ("-", "nearest_even") else f"{name} {rounding}"


def draw(data):
    sizes, isas = data.values("elements"), data.values("isa")
    kept = data.where(operation="encode").columns, data.where(operation="decode").columns
    kept += (data.where(operation="round_to").columns,)
    rows = style.Data.of({name: [cell for part in kept for cell in part[name].tolist()]
                          for name in data.columns}, data.small_print)
    names = list(dict.fromkeys(label_of(rows, i) for i in range(len(rows["rate"]))))
    fig, axes = style.figure(
        "How fast is a cast, beside a loop that only reads and writes?",
        "Median rate of one thread over the limit's: a loop over words of the same widths, compiled "
        "for the same instruction set. fp32 to codes and back.",
        (max(8, 5.2 * len(sizes) + 1.4), 2.2 + 0.17 * len(names) * len(isas)), ncols=len(sizes),
        sharey=True, squeeze=False)
    for axis, size in zip(axes[0], sizes):
        style.draw_shares(axis, rows.where(elements=size), names, label_of, isas)
        axis.set_title(f"{size:,.0f} elements".replace(",", " "))
    axes[0, -1].legend(frameon=False, fontsize=8.5, loc="lower right")
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
