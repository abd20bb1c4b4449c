"""The share of codes in which quantisers of one definition differ."""
import matplotlib
import numpy as np

import style


def draw(data):
    types = data.values("scale_type")
    names = list(dict.fromkeys(data["first"].tolist() + data["second"].tolist()))
    fig, axes = style.figure(
        "Do quantisers of one definition give the same codes?",
        "Share of E4M3 codes that differ, of the same BF16 numbers scaled 1 × 128 to amax / 448, "
        f"inputs: {style.short(data.values('inputs')[0])}. They differ in what is divided, "
        "multiplied and rounded first.",
        (4.6 * len(types) + 1.4, 4.9), ncols=len(types), sharey=True, squeeze=False)
    top = max(1e-6, data["codes_differing"].max())
    blues = matplotlib.colormaps["Blues"]
    for axis, kind in zip(axes[0], types):
        shares = np.full((len(names), len(names)), np.nan)
        part = data.where(scale_type=kind)
        for first, second, share in zip(part["first"].tolist(), part["second"].tolist(),
                                        part["codes_differing"]):
            i, j = names.index(first), names.index(second)
            shares[i, j] = shares[j, i] = share
        axis.imshow(shares, cmap=blues, vmin=0, vmax=1.25 * top, aspect="auto")
        for i, j in np.ndindex(shares.shape):
            if i != j:
                share = shares[i, j]
                axis.text(j, i, "0" if share == 0 else f"{100 * share:.3f} %", ha="center",
                          va="center", fontsize=8, color="white" if share > 0.7 * top > 0 and
                          share > 0 else style.INK)
        axis.set_title("power-of-two scales" if kind == "pow2" else "FP32 scales")
        axis.set_xticks(range(len(names)), names, rotation=35, ha="right", fontsize=8.5)
        axis.grid(False)
        axis.tick_params(length=0)
        for side in axis.spines.values():
            side.set_visible(False)
    axes[0, 0].set_yticks(range(len(names)), names, fontsize=8.5)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
