"""The share of tokens that a narrower gate sends to other experts."""
import style
from style import COLORS, FAINT

NAMES = {"fp32": "FP32 sums", "bf16-logits": "logits in BF16", "fp8-tokens": "tokens in FP8",
         "fp8-both": "tokens and weights in FP8"}


def draw(data):
    names = data["precision"].tolist()
    fig, axis = style.figure(
        "How narrow may the gate of a mixture of experts be?",
        "Share of tokens whose set of experts changes against a gate in fp64. Beside it, the "
        "experts of a token that are others, mean. DeepSeek-V3 keeps tokens, weights and scores "
        "of its gate out of FP8.",
        (9, 3.9))
    axis.barh(range(len(names)), data["changed_tokens"], 0.55, color=COLORS[0])
    for i, share in enumerate(data["changed_tokens"]):
        moved = data["changed_experts"][i]
        axis.annotate(f"{100 * share:.2g} %" if share else "none", (share, i), xytext=(6, 0),
                      textcoords="offset points", va="center", fontweight="bold")
        if share:
            axis.annotate(f"{moved:.2g} experts a token", (share, i), xytext=(52, 0),
                          textcoords="offset points", va="center", color=FAINT, fontsize=9)
    axis.set_yticks(range(len(names)), [NAMES[name] for name in names])
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlim(0, max(0.01, data["changed_tokens"].max()) * 1.5)
    axis.grid(axis="y", visible=False)
    style.percent(axis.xaxis)
    axis.set_xlabel(f"of {data['tokens'][0]:g} tokens, sent to other experts")
    return fig


if __name__ == "__main__":
    style.main(draw, __doc__)
