"""The error of latents and of attention under each layout of the key-value cache."""
import numpy as np

import style
from style import COLORS

NAMES = {"bf16": "BF16", "e4m3": "E4M3, no scale", "flashmla": "FlashMLA V3.2",
         "flashmla-v4": "FlashMLA V4"}
MARKERS = {"bf16": "o", "e4m3": "s", "flashmla": "o", "flashmla-v4": "x"}


def draw(data):
    layouts, sizes = data.values("layout"), sorted(data.values("rms"))
    colors = {name: COLORS[i] for i, name in enumerate(["bf16", "e4m3", "flashmla", "flashmla-v4"])}
    lengths = sorted(data.values("length"))
    unit = min(sizes, key=lambda rms: abs(np.log(rms)))
    fig, (left, right) = style.figure(
        "What does attention lose to an FP8 key-value cache?",
        "Left: error of the latents as they are read back, by their size. A scale for each tile "
        "follows them down to the clamp at 2\u207b\u00b9\u00b3; without one, small latents "
        "underflow and large ones saturate, and the rotary part is rounded too "
        f"({100 * data['rope_changed'].max():.0f} % of it; elsewhere no bit changes). Right: error "
        f"of attention's output over these entries, latents of size {unit:g}: rounding errors "
        "average out over the context.",
        (10.5, 5.4), ncols=2)
    for name in layouts:
        part = data.where(layout=name, length=lengths[-1])
        shown = part["latent_rel_rms"] > 0  # BF16 entries are read as they were written
        if shown.any():
            left.plot(part["rms"][shown], part["latent_rel_rms"][shown], color=colors[name],
                      marker=MARKERS[name], markersize=5,
                      linestyle="--" if name == "flashmla-v4" else "-")
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_xlabel("root mean square of the latents")
    left.set_ylabel("relative error of the latents")
    left.set_title("one entry")
    style.percent(left.yaxis)
    ends = []
    for name in layouts:
        part = data.where(layout=name, rms=unit)
        right.plot(part["length"], part["output_fro_rel"], color=colors[name],
                   marker=MARKERS[name], markersize=5,
                   linestyle="--" if name == "flashmla-v4" else "-")
        ends.append((part["length"][-1], part["output_fro_rel"][-1],
                     f"{NAMES[name]}, {part['entry_bytes'][0]:g} B", colors[name]))
    right.set_xscale("log", base=2)
    right.set_yscale("log")
    right.set_xticks(lengths, [f"{n / 1024:g}K" if n >= 1024 else f"{n:g}" for n in lengths])
    right.minorticks_off()
    right.set_xlabel("tokens of context")
    right.set_ylabel("relative error of the output")
    right.set_title("attention over the cache")
    style.percent(right.yaxis)
    style.label_ends(right, ends)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
