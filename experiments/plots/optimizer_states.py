"""The error of Adam's step by the formats of its moments."""
import matplotlib
import numpy as np

import style

NAMES = {"e4m3+exp": "E4M3,\nexpanded", "e5m2+exp": "E5M2,\nexpanded"}


def draw(data):
    first, second = data.values("first"), data.values("second")
    fig, axis = style.figure(
        "What does Adam's step lose when its moments are kept in FP8?",
        "Mean square error of m / (√v + ε) over its mean square, × 10⁻⁴; groups of 128, lognormal "
        "moments. Expansion raises magnitudes to a power so that a group fills the format's range.",
        (8.5, 6.0))
    grid = np.array([[data.where(first=m, second=v)["relative_mse"][0] for v in second]
                     for m in first]) * 1e4
    logs = np.log(np.maximum(grid, 1e-6))
    axis.imshow(logs, cmap=matplotlib.colormaps["Blues"], aspect="auto",
                vmin=logs.min() - 0.4, vmax=logs.max() + 0.6)
    for (i, j), value in np.ndenumerate(grid):
        dark = logs[i, j] > logs.min() + 0.62 * (logs.max() - logs.min() + 1)
        axis.text(j, i, f"{value:.2f}" if value < 1e4 else f"{value:.1e}", ha="center",
                  va="center", fontsize=12, color="white" if dark else style.INK)
    axis.set_xticks(range(len(second)), [NAMES.get(n, n.upper()) for n in second])
    axis.set_yticks(range(len(first)), [NAMES.get(n, n.upper()) for n in first])
    axis.set_xlabel("second moment, v")
    axis.set_ylabel("first moment, m")
    axis.grid(False)
    axis.tick_params(length=0)
    for side in axis.spines.values():
        side.set_visible(False)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
