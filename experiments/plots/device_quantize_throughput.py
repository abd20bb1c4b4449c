"""The rate of quantisers on a GPU over that of a copy which moves as many bytes."""
import style


def label_of(data, i):
    layout = " column-major" if data["scale_layout"][i] == "column-major" else ""
    both = " and transpose" if data["transposed"][i] == "yes" else ""
    return f"{data['granularity'][i]} {data['scale_type'][i]}{layout}{both}"


def draw(data):
    sources = data.values("source")
    names = list(dict.fromkeys(label_of(data, i) for i in range(len(data["rate"]))))
    bars = len(names) * len(data.values("recipe"))
    fig, axes = style.figure(
        "How fast is a matrix quantised on a GPU, beside a copy of as many bytes?",
        f"Median rate over that of the faster of a copying kernel and cudaMemcpy, moving as many "
        f"bytes in the same run. {data['rows'][0]:g} x {data['cols'][0]:g} N(0, 1) to "
        f"{data['element'][0]}; a whole tensor is read twice, and both count. Column-major: the "
        "scales of a column of blocks lie side by side.",
        (max(8, 5.2 * len(sources) + 1.4), max(4, 2.4 + 0.2 * bars)), ncols=len(sources),
        sharey=True, squeeze=False)
    for axis, source in zip(axes[0], sources):
        style.draw_shares_of_copy(axis, data.where(source=source), names, label_of, "recipe")
        axis.set_title(f"from {source}")
    axes[0, -1].legend(frameon=False, fontsize=8.5, loc="lower right", bbox_to_anchor=(1, 1),
                       ncols=2)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
