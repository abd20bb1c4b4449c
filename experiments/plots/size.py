"""The bills of binade size, each topic drawn in its own way."""
import matplotlib
import numpy as np

import style
from style import COLORS, FAINT, INK

PARTS = {"weights": COLORS[0], "scales": COLORS[5], "gradients": COLORS[2],
         "master_weights": COLORS[4], "moments": COLORS[3]}


def amount(value):
    """Bytes, three digits."""
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= 0.9995 * size:
            return f"{value / size:.3g} {unit}"
    return f"{value:g} B"


def named_rows(axis, names):
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.tick_params(axis="y", length=0)


def bars(axis, data, label, parts, texts):
    """Horizontal bars, stacked from the columns in `parts` (name: colour), with a text at each."""
    names = data[label].tolist()
    left = np.zeros(len(names))
    for part, color in parts.items():
        if np.any(data[part] > 0):
            axis.barh(range(len(names)), data[part], left=left, color=color, height=0.68,
                      label=part.replace("_", " "), edgecolor="white", linewidth=0.6)
        left += data[part]
    for place, (end, text) in enumerate(zip(left, texts)):
        axis.annotate(text, (end, place), xytext=(5, 0), textcoords="offset points", va="center",
                      fontsize=9)
    named_rows(axis, names)
    axis.set_xlim(0, left.max() * 1.28)


def legend(axis, columns):
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False,
                handlelength=0.9, handleheight=0.9, columnspacing=1.4, borderaxespad=0.2)


def draw_memory(data, model):
    fig, axis = style.figure(
        f"What does the state of {model} weigh?",
        "Bytes for each parameter under each precision recipe; behind each bar the whole and how "
        "many devices hold it and nothing else.", (10, 0.36 * len(data["recipe"]) + 2.3))
    bars(axis, data, "recipe", PARTS,
         [f"{amount(total)}, {devices:g} device{'s' if devices > 1 else ''}"
          for total, devices in zip(data["total"], data["devices"])])
    axis.xaxis.set_major_locator(matplotlib.ticker.MultipleLocator(4))
    axis.set_xlabel("bytes a parameter")
    legend(axis, 5)
    return fig


def draw_training(data, model):
    fig, axis = style.figure(
        f"How long does it take to train {model}?",
        "Device hours at a share of the peak, and what was reported.",
        (10, 0.42 * len(data["case"]) + 1.9))
    hours = data["device_hours"]
    texts = [f"{h / 1e6:.3f} M hours, {t / 86400:.1f} days" for h, t in zip(hours, data["time"])]
    bars(axis, data, "case", {"device_hours": COLORS[0]}, texts)
    for place, name in enumerate(data["case"].tolist()):
        if name == "as reported":
            axis.patches[place].set_color(COLORS[1])
    axis.xaxis.set_major_formatter(lambda x, _: f"{x / 1e6:g} M")
    axis.set_xlabel("device hours")
    return fig


def draw_kv(data, model):
    fig, axis = style.figure(
        f"What does one token leave in {model}'s cache?",
        "Bytes in one layer, by layout; behind each bar all layers, and the whole context. Keys and "
        "values of every head, the last row of the CSV, are far off this scale.",
        (10, 0.42 * len(data["layout"]) + 2.1))
    shared = data.pick(data["layout"] != "all-heads")
    bars(axis, shared, "layout", {"entry_bytes": COLORS[0], "index_bytes": COLORS[1]},
         [f"{token:,.0f} B, {amount(total)}: {100 * share:.1f} % of BF16"
          for token, total, share in zip(shared["token_bytes"], shared["total"],
                                         shared["of_bf16"])])
    axis.set_xlim(0, axis.get_xlim()[1] * 1.1)
    axis.set_xlabel("bytes a token and layer")
    legend(axis, 2)
    return fig


def contexts(axis, data):
    axis.set_xscale("log", base=2)
    ticks = sorted(set(data["context"].tolist()))
    axis.set_xticks(ticks, [f"{t / 1024:g}K" if t < 2**20 else f"{t / 2**20:g}M" for t in ticks])
    axis.minorticks_off()
    axis.set_xlabel("context, tokens")


def draw_decode(data, model):
    kinds = data.values("attention")
    fig, axes = style.figure(
        f"What does {model} read to decode one token?",
        "Bytes read for one request with nothing shared: weights, cache entries, index keys. The "
        "time is a bound from below, by the memory's bandwidth alone.", (10, 4.6), ncols=2)
    colors = dict(zip(kinds, COLORS))
    for axis, column, title in ((axes[0], None, "Cache and index keys"), (axes[1], "time", "Time")):
        ends = []
        for kind in kinds:
            part = data.where(attention=kind)
            y = part["cache"] + part["index_keys"] if column is None else part[column] * 1e3
            axis.plot(part["context"], y, color=colors[kind], marker="o", markersize=4)
            ends.append((part["context"][-1], y[-1], kind, colors[kind]))
        axis.set_title(title)
        contexts(axis, data)
        if column is None:
            axis.set_yscale("log")
            axis.yaxis.set_major_formatter(lambda y, _: amount(y))
        else:
            axis.set_ylim(bottom=0)
            axis.set_ylabel("milliseconds a token")
        style.label_ends(axis, ends)
    return fig


def draw_experts(data, model):
    fig, axis = style.figure(
        f"What do {model}'s experts exchange?",
        "Bytes of one micro-batch in one layer, dispatch / combine; behind each bar its share of "
        "BF16 both ways and the tokens a second that it allows each request.",
        (10, 0.42 * len(data["case"]) + 2.1))
    bars(axis, data, "case", {"dispatch": COLORS[0], "combine": COLORS[1]},
         [f"{100 * share:.1f} %, {rate:.1f} tokens/s"
          for share, rate in zip(data["of_bf16"], data["steps_per_second"])])
    axis.xaxis.set_major_formatter(lambda x, _: amount(x) if x else "0")
    legend(axis, 2)
    return fig


def draw_attention(data, model):
    fig, axis = style.figure(
        f"What does sparse attention save {model}?",
        "Multiply-accumulates of one query in one layer. The index is cheap but reads every token: "
        "beyond the crossing it is most of the cost.", (9, 5.2))
    ends = []
    for name, color in zip(("dense", "sparse", "index", "core"), (COLORS[1], COLORS[0], FAINT,
                                                                  COLORS[2])):
        if np.all(np.isfinite(data[name])):
            axis.plot(data["context"], data[name], color=color, marker="o", markersize=4,
                      linestyle="-" if name in ("dense", "sparse") else (0, (4, 2)))
            ends.append((data["context"].max(), data[name][-1],
                         {"sparse": "sparse: core + index"}.get(name, name), color))
    axis.set_yscale("log")
    contexts(axis, data)
    axis.set_ylabel("multiply-accumulates")
    style.label_ends(axis, ends)
    return fig


def figure_text(value):
    return f"{value / 1e6:.3g} M" if value >= 1e6 else f"{value:.4g}"


def draw_claims(data, _):
    fig, axis = style.figure(
        "Which figures does one meet, and what is right?",
        "Each figure over the right one. Below it, the mistake that gives it.",
        (11, 0.62 * len(data["claim"]) + 1.9))
    for place, (claimed, correct) in enumerate(zip(data["claimed"], data["correct"])):
        ratio = claimed / correct
        side = 1 if ratio >= 1 else -1
        axis.plot([1, ratio], [place, place], color=FAINT, linewidth=1.2)
        axis.plot(ratio, place, "o", color=COLORS[1], markersize=7)
        axis.annotate(f"{ratio:.3g}×", (ratio, place), xytext=(8 * side, 0), va="center",
                      textcoords="offset points", fontsize=9, color=COLORS[1], fontweight="bold",
                      ha="left" if side > 0 else "right")
        axis.annotate(f"{figure_text(claimed)}; right: {figure_text(correct)}", (1, place),
                      xycoords=("axes fraction", "data"), xytext=(-2, 0), ha="right", va="center",
                      textcoords="offset points", fontsize=9, color=INK)
    axis.axvline(1, color=INK, linewidth=1)
    axis.set_xscale("log")
    ticks = [0.5, 1, 2, 5, 10, 20]
    axis.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axis.minorticks_off()
    axis.set_xlim(0.25, 300)
    axis.set_xlabel("claimed / right", loc="left")
    named_rows(axis, [f"{claim}\n" for claim in data["claim"].tolist()])
    for place, mistake in enumerate(data["mistake"].tolist()):
        axis.annotate(mistake, (0, place), xycoords=("axes fraction", "data"), xytext=(-7, -7),
                      textcoords="offset points", ha="right", va="center", fontsize=7.5,
                      color=FAINT, annotation_clip=False)
    return fig


def draw(data):
    """The second column tells the topic."""
    topics = {"recipe": draw_memory, "case": draw_training, "layout": draw_kv,
              "attention": draw_decode, "claim": draw_claims, "context": draw_attention}
    topic = draw_experts if "dispatch" in data.columns else topics[list(data.columns)[1]]
    return topic(data, str(data["model"][0]))


if __name__ == "__main__":
    style.main(draw, __doc__)
