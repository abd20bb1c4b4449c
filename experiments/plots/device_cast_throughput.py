"""The rate of casts on a GPU over that of a copy which moves as many bytes."""
import style


def label_of(data, i):
    return f"{data['from'][i]} to {data['to'][i]}"


def draw(data):
    sizes = data.values("elements")
    names = list(dict.fromkeys(label_of(data, i) for i in range(len(data["rate"]))))
    bars = len(names) * len(data.values("rules"))
    fig, axes = style.figure(
        "How fast is a cast on a GPU, beside a copy of as many bytes?",
        "Median rate over that of the faster of a copying kernel and cudaMemcpy, moving as many "
        "bytes in the same run. Inputs take turns beyond the L2.",
        (max(8, 5.2 * len(sizes) + 1.4), max(4, 2.4 + 0.2 * bars)), ncols=len(sizes), sharey=True,
        squeeze=False)
    for axis, size in zip(axes[0], sizes):
        style.draw_shares_of_copy(axis, data.where(elements=size), names, label_of, "rules")
        axis.set_title(f"{size:,.0f} elements".replace(",", " "))
    axes[0, -1].legend(frameon=False, fontsize=8.5, loc="lower right", bbox_to_anchor=(1, 1),
                       ncols=2)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
