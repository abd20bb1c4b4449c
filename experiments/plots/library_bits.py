"""The share of outputs predicted to the bit, by library path and shape."""
import style
from matplotlib.patches import Rectangle
from style import FAINT, INK

PATHS = {"tensor-0": "a scale a tensor, fast accumulation",
         "tensor-128": "a scale a tensor, promoted every 128",
         "row-0": "a scale a row, fast accumulation", "row-128": "a scale a row, promoted every 128",
         "block-128": "1x128 by 128x128 scales"}
KERNELS = {"cublaslt": "cuBLASLt", "binade": "binade"}


def cell(axis, column, row, part):
    """The predicted share, and how many of the library's algorithms have every bit."""
    algorithms = [part.where(algorithm=name) for name in part.values("algorithm")]
    whole = [a for a in algorithms if (a["share"] == 1).all()]
    others = [a for a in algorithms if not (a["share"] == 1).all()]
    if not algorithms:
        axis.annotate("no algorithm", (column, row), ha="center", va="center", fontsize=8,
                      color=FAINT)
        return
    best = 1 if whole else max(a["share"].min() for a in others)
    below = f"{len(whole)} of {len(algorithms)} algorithms" if others else \
        f"{len(algorithms)} algorithms" if len(algorithms) > 1 else ""
    if (part["split"] > 1).any():
        below += (", " if below else "") + "split K too"
    axis.add_patch(Rectangle((column - 0.47, row - 0.44), 0.94, 0.88, zorder=0,
                             color="#f6e2d3" if others else "#dbeaf4"))
    axis.annotate(f"{100 * best:.3g} %", (column, row), xytext=(0, 5 if below else 0), ha="center",
                  va="center", textcoords="offset points", fontsize=10, color=INK,
                  fontweight="bold")
    axis.annotate(below, (column, row), xytext=(0, -9), textcoords="offset points", ha="center",
                  va="center", fontsize=6.5, color=FAINT)


def draw(data):
    shapes = list(dict.fromkeys(f"{m:g} x {n:g} x {k:g}"
                                for m, n, k in zip(data["m"], data["n"], data["k"])))
    rows = [(kernel, path) for kernel in data.values("kernel") for path in data.values("path")]
    total = int(data["outputs"].sum())
    equal = int(data["equal"].sum())
    fig, axis = style.figure(
        "Which share of a library's FP8 outputs is predicted to the bit?",
        f"{equal:,} of {total:,} outputs by the profile of their path; shapes M x N x K, "
        f"{' and '.join(data.values('distribution'))} inputs in e4m3, scales that are no powers of "
        "two.", (1.65 * len(shapes) + 3.6, 0.55 * len(rows) + 1.9))
    for place, (kernel, path) in enumerate(rows):
        for column, shape in enumerate(shapes):
            m, n, k = (float(word) for word in shape.split(" x "))
            cell(axis, column, place, data.where(kernel=kernel, path=path, m=m, n=n, k=k))
    axis.set_xticks(range(len(shapes)), shapes, fontsize=9)
    axis.xaxis.tick_top()
    axis.set_yticks(range(len(rows)), [f"{KERNELS.get(kernel, kernel)}: {PATHS.get(path, path)}"
                                       for kernel, path in rows], fontsize=9)
    axis.set_xlim(-0.55, len(shapes) - 0.45)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.grid(False)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
