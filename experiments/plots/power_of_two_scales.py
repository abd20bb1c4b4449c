"""How often rules for power-of-two scales give another scale than the reference."""
import style
from style import COLORS


def draw(data):
    sets, rules = data.values("amax"), data.values("rule")
    fig, axes = style.figure(
        "Do published rules for power-of-two scales agree?",
        f"Share of block maxima whose scale differs from {data.values('reference')[0]}'s. A "
        "smaller scale saturates the block's largest elements; a larger one costs a bit of range.",
        (max(2.6 * len(sets) + 2.2, 8.5), 0.36 * len(rules) + 2.4), ncols=len(sets), sharey=True,
        squeeze=False)
    for axis, name in zip(axes[0], sets):
        part = data.where(amax=name)
        at = [rules.index(rule) for rule in part["rule"].tolist()]
        smaller, larger = (part[c] / part["compared"] for c in ("smaller", "larger"))
        axis.barh(at, smaller, height=0.6, color=COLORS[1], label="smaller")
        axis.barh(at, larger, height=0.6, color=COLORS[0], label="larger", left=smaller)
        for place, share, few in zip(at, part["differing"], part["smaller"] + part["larger"]):
            text = "none" if few == 0 else f"{100 * share:.1f} %" if share > 5e-4 else f"{few:.0f}"
            axis.annotate(text, (share, place), xytext=(5, 0), textcoords="offset points",
                          va="center", fontsize=9)
        title = {"bf16": "every BF16 number", "fp16": "every FP16 number"}.get(
            name, f"FP32 from {name} on")
        axis.set_title(f"{title}\n{part['compared'][0]:,.0f} compared")
        axis.set_xlim(0, 0.42)
        style.percent(axis.xaxis)
        axis.grid(axis="y", visible=False)
    axes[0, 0].set_yticks(range(len(rules)), rules)
    axes[0, 0].invert_yaxis()
    axes[0, -1].legend(frameon=False, loc="lower right", fontsize=8.5)
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
