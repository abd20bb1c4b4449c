"""What the plots share: reading an experiment's CSV, the palette, labels, and saving."""
import argparse
import csv
import pathlib
import textwrap

import matplotlib
import matplotlib.pyplot as plt
import numpy as np

# Okabe and Ito's palette without its yellow, which is too faint on white: told apart under the
# common forms of colour blindness.
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"]
# A format has one colour in every plot.
FORMAT_COLORS = {"e4m3": "#0072B2", "e5m2": "#D55E00", "int8": "#009E73", "mxint8": "#009E73",
                 "e2m1": "#CC79A7", "e3m2": "#4d4d4d", "e2m3": "#E69F00"}
INK, FAINT, GRID = "#1a1a1a", "#6b6b6b", "#e3e3e3"

STYLE = {
    "figure.facecolor": "white", "axes.facecolor": "white", "savefig.facecolor": "white",
    "font.family": "DejaVu Sans", "font.size": 10, "axes.labelsize": 10,
    "axes.titlesize": 10.5, "axes.titlelocation": "left", "axes.titleweight": "bold",
    "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.edgecolor": FAINT, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": GRID, "grid.linewidth": 0.8, "axes.axisbelow": True,
    "lines.linewidth": 1.8, "svg.fonttype": "none", "svg.hashsalt": "binade",
}


class Data:
    """The columns of a CSV by name, numbers as arrays, and what its comment lines say.

    The first comment is the provenance; of the others, those that explain columns are for readers
    of the CSV and the rest are notes for the plot as well.
    """

    def __init__(self, path):
        lines = pathlib.Path(path).read_text().splitlines()
        first = next(i for i, line in enumerate(lines) if not line.startswith("#"))
        comments = [line.lstrip("# ") for line in lines[:first]]
        self.small_print = "; ".join(line for line in comments if not line.startswith("column "))
        rows = list(csv.reader(lines[first:]))
        self.columns = {name: self._typed([row[i] for row in rows[1:]])
                        for i, name in enumerate(rows[0])}

    @classmethod
    def of(cls, columns, small_print):
        """Columns that are in memory already."""
        data = object.__new__(cls)
        data.small_print = small_print
        data.columns = {name: cls._typed(cells) for name, cells in columns.items()}
        return data

    @staticmethod
    def _typed(cells):
        try:
            return np.array([float(cell) for cell in cells])
        except ValueError:
            return np.array(cells)

    def __getitem__(self, name):
        return self.columns[name]

    def where(self, **conditions):
        """The rows whose columns have these values."""
        keep = np.ones(len(next(iter(self.columns.values()))), bool)
        for name, value in conditions.items():
            keep &= self[name] == value
        return self.pick(keep)

    def pick(self, keep):
        """The rows that a mask keeps."""
        part = object.__new__(Data)
        part.small_print = self.small_print
        part.columns = {name: values[keep] for name, values in self.columns.items()}
        return part

    def values(self, name):
        """The different values of a column, in the order of their first row."""
        return list(dict.fromkeys(self[name].tolist()))


def figure(question, subtitle, size, **subplots):
    """A figure under its question; returns it with its axes."""
    fig, axes = plt.subplots(figsize=size, layout="constrained", **subplots)
    wrapped = "\n".join(textwrap.wrap(subtitle, int(size[0] * 13.5)))
    height = size[1]
    fig.text(0.02, 1 - 0.16 / height, question, fontsize=14, fontweight="bold", va="top")
    fig.text(0.02, 1 - 0.50 / height, wrapped, fontsize=9.5, color=FAINT, va="top",
             linespacing=1.35)
    head = 0.80 + 0.19 * wrapped.count("\n")
    fig.get_layout_engine().set(rect=(0.01, 0.34 / height, 0.98, 1 - (head + 0.34) / height),
                                h_pad=0.08, w_pad=0.06)
    return fig, axes


def format_colors(formats):
    """Colours of these formats; those without one of their own take what is left."""
    rest = [color for color in COLORS * 3 if color not in map(FORMAT_COLORS.get, formats)]
    return {name: FORMAT_COLORS.get(name) or rest.pop(0) for name in formats}


def short(name):
    """A tensor's own name: what follows the file in FILE:NAME."""
    return name.rsplit("/", 1)[-1].rsplit(":", 1)[-1]


def percent(axis, digits=None):
    """Shares as per cent, with as few digits as they need."""
    def text(value, _):
        shown = f"{100 * value:.{digits}f}" if digits is not None else f"{100 * value:g}"
        return shown + " %"
    axis.set_major_formatter(matplotlib.ticker.FuncFormatter(text))
    axis.set_minor_formatter(matplotlib.ticker.NullFormatter())


def powers(axis, base=10):
    """Powers of ten or two as powers."""
    axis.set_major_formatter(matplotlib.ticker.LogFormatterMathtext(base=base))
    axis.set_minor_formatter(matplotlib.ticker.NullFormatter())


def label_ends(axis, labels, gap=11.5):
    """Direct labels right of the lines' ends: [(x, y, text, color)], pushed apart by `gap` points."""
    axis.figure.canvas.draw()
    scale = 72.0 / axis.figure.dpi
    placed = []
    for x, y, text, color in sorted(labels, key=lambda label: label[1]):
        at = axis.transData.transform((x, y))[1] * scale
        height = max(at, placed[-1] + gap) if placed else at
        placed.append(height)
        axis.annotate(text, (x, y), xytext=(7, height - at), textcoords="offset points",
                      color=color, va="center", fontsize=9.5, fontweight="bold",
                      annotation_clip=False)


def legend_of_bars(axis, colors):
    """The colour of each name, at the top of the figure: a bar of no length stands for it."""
    for name, color in colors.items():
        axis.barh(0, 0, color=color, label=name)
    axis.figure.legend(*axis.get_legend_handles_labels(), frameon=False, fontsize=9,
                       loc="upper right", ncols=len(colors))


def draw_shares(axis, data, names, label_of, isas):
    """Share of the limit of each named row, a bar an instruction set."""
    height = 0.8 / len(isas)
    for place, isa in enumerate(isas):
        part = data.where(isa=isa)
        at = np.array([names.index(label_of(part, i)) for i in range(len(part["rate"]))])
        at = at + (place - (len(isas) - 1) / 2) * height
        share = part["share_of_limit"]
        axis.barh(at, share, height * 0.9, color=COLORS[place], label=isa)
        for y, value, rate in zip(at, share, part["rate"]):
            axis.annotate(f"{value:.2f}  ({rate:.2g} G/s)", (value, y), xytext=(4, 0),
                          textcoords="offset points", va="center", fontsize=7, color=FAINT)
    axis.axvline(1, color=FAINT, lw=1)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_xlim(0, max(1.05, data["share_of_limit"].max()) * 1.3)
    axis.set_xlabel("share of the limit's rate")
    axis.grid(axis="y", visible=False)


def draw_shares_of_copy(axis, data, names, label_of, series):
    """Share of a copy's rate of each named row, a bar for each value of the column `series`."""
    values = data.values(series)
    height = 0.8 / len(values)
    for place, value in enumerate(values):
        part = data.where(**{series: value})
        at = np.array([names.index(label_of(part, i)) for i in range(len(part["rate"]))])
        at = at + (place - (len(values) - 1) / 2) * height
        axis.barh(at, part["share_of_copy"], height * 0.9, color=COLORS[place], label=value)
        for y, share, rate, time in zip(at, part["share_of_copy"], part["rate"], part["time"]):
            axis.annotate(f"{share:.2f}  ({rate / 1000:.2f} TB/s, {time:.0f} us)", (share, y),
                          xytext=(4, 0), textcoords="offset points", va="center", fontsize=7,
                          color=FAINT)
    axis.axvline(1, color=FAINT, lw=1)
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_xlim(0, max(1.05, data["share_of_copy"].max()) * 1.4)
    axis.set_xlabel("share of a copy's rate")
    axis.grid(axis="y", visible=False)


def sign(fig, data):
    """The provenance in small print."""
    width, height = fig.get_size_inches()
    small = textwrap.shorten(data.small_print, int(width * 60), placeholder=" ...")
    lines = textwrap.wrap(small, int(width * 20))
    fig.text(0.02, 0.08 / height, "\n".join(lines), fontsize=6.5, color=FAINT, va="bottom")
    left, bottom, across, up = fig.get_layout_engine().get()["rect"]
    more = 0.11 * (len(lines) - 1) / height
    fig.get_layout_engine().set(rect=(left, bottom + more, across, up - more))


def save(fig, source, out):
    """PNG and SVG under `out`, named like the CSV."""
    out.mkdir(parents=True, exist_ok=True)
    stem = out / pathlib.Path(source).stem
    fig.savefig(f"{stem}.png", dpi=160)
    fig.savefig(f"{stem}.svg", metadata={"Date": None})
    plt.close(fig)


def main(draw, description):
    """Every plot's command line: CSV [--out DIR]."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("csv", help="the CSV that the experiment wrote")
    parser.add_argument("--out", type=pathlib.Path, help="folder of the PNG and SVG (the CSV's)")
    args = parser.parse_args()
    matplotlib.use("Agg")
    plt.rcParams.update(STYLE)
    data = Data(args.csv)
    fig = draw(data)
    sign(fig, data)
    save(fig, args.csv, args.out or pathlib.Path(args.csv).parent)
