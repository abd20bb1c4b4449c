"""Multiply-accumulates of sparse attention and of its indexer against the context."""
import style
from style import COLORS, FAINT


def length_text(n):
    return f"{n / 2**20:g}M" if n >= 2**20 else f"{n / 1024:g}K" if n >= 1024 else f"{n:g}"


def draw(data):
    lengths = data["length"]
    fig, axis = style.figure(
        "From which context on does the indexer cost more than the attention it saves?",
        "Multiply-accumulates of one decoded token in one layer, by the dimensions of "
        f"{data['model'][0]}. Attention over the selected tokens stops growing; the indexer "
        "looks at every token and never does, if with a constant "
        f"{data['dense_macs'][-1] / data['index_macs'][-1]:.0f} times smaller than dense "
        "attention's.",
        (9.5, 5.4))
    ends = []
    for name, text, color in [("dense_macs", "dense attention", COLORS[1]),
                              ("sparse_macs", "sparse, both", FAINT),
                              ("index_macs", "indexer", COLORS[0]),
                              ("core_macs", "selected tokens", COLORS[2])]:
        style_of = {"linestyle": (0, (4, 2))} if name == "sparse_macs" else {}
        axis.plot(lengths, data[name], color=color, **style_of)
        ends.append((lengths[-1], data[name][-1], text, color))
    meet = data["crossover"][0]
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    ticks = lengths if len(lengths) < 8 else lengths[1::2]
    axis.set_xticks(ticks, [length_text(n) for n in ticks])
    axis.minorticks_off()
    axis.set_xlabel("tokens of context")
    axis.set_ylabel("multiply-accumulates")
    if lengths[0] < meet < lengths[-1]:
        axis.axvline(meet, color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
        axis.annotate(f"equal at {meet:,.0f}".replace(",", "\u202f"), (meet, 0.02),
                      xycoords=("data", "axes fraction"), xytext=(6, 4),
                      textcoords="offset points", color=FAINT, fontsize=9)
    style.label_ends(axis, ends)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
