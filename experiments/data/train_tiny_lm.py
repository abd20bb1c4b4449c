"""Train a tiny byte-level language model and keep one layer of it as real data.

A decoder-only transformer (RMSNorm, RoPE, SwiGLU, no biases) learns the .py files of the running
interpreter's standard library. After the last step one more training batch of 512 tokens goes
forward and backward through the trained weights, and for each of the four GEMMs of one middle
layer the script writes

    layers.<i>.<gemm>.weight       [out, in]
    layers.<i>.<gemm>.input        [tokens, in]    the left operand of the forward GEMM
    layers.<i>.<gemm>.output_grad  [tokens, out]   d(mean loss over these tokens) / d(GEMM output)

with <gemm> one of attn.qkv, attn.o, mlp.gate_up, mlp.down. These are the operands of all three
GEMMs of a training step:  Y = X W^T (forward), dX = dY W (input gradient), dW = dY^T X (weight
gradient). All arithmetic is FP32; a value is rounded to BF16 once, to nearest even, when it is
stored, and no gradient is rescaled.

    python train_tiny_lm.py               # on CUDA if there is one, else on the CPU
    python train_tiny_lm.py --minutes 18  # the number of steps follows from the speed measured

Needs torch, numpy and safetensors.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import math
import platform
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MAX_FILE_BYTES = 8_000_000

# Left out: what is not part of the library (site-packages), what differs from build to build
# (_sysconfigdata*, config-*), the tests, and the code pages of `encodings`, which are tables.
SKIPPED_FOLDERS = {"site-packages", "dist-packages", "test", "tests", "idle_test", "encodings"}
VALIDATION_EVERY = 20  # each 20th file, in sorted order, is held out


@dataclass(frozen=True)
class Corpus:
    train: Tensor  # uint8 [bytes], and so is validation
    validation: Tensor
    files: int
    sha256: str  # of all files in order, each followed by a zero byte


def is_corpus_file(relative: Path) -> bool:
    return not (SKIPPED_FOLDERS.intersection(relative.parts)
                or relative.as_posix().startswith(("config-", "_sysconfigdata")))


def load_corpus() -> Corpus:
    root = Path(sysconfig.get_path("stdlib"))
    paths = (path.relative_to(root) for path in root.rglob("*.py"))
    names = sorted(path.as_posix() for path in paths if is_corpus_file(path))
    if len(names) < VALIDATION_EVERY:
        raise SystemExit(f"{root} holds only {len(names)} usable .py files")
    digest, splits = hashlib.sha256(), (bytearray(), bytearray())  # splits: train, validation
    for index, name in enumerate(names):
        text = (root / name).read_bytes() + b"\0"
        digest.update(text)
        splits[index % VALIDATION_EVERY == VALIDATION_EVERY // 2].extend(text)
    train, validation = (torch.frombuffer(split, dtype=torch.uint8) for split in splits)
    return Corpus(train, validation, len(names), digest.hexdigest())


@dataclass(frozen=True)
class ModelShape:
    vocabulary: int = 256  # bytes
    layers: int = 4
    width: int = 256
    heads: int = 4
    hidden: int = 1024
    sequence: int = 256


def rotate(x: Tensor) -> Tensor:
    """RoPE of x [..., length, head_dim]: turns (x[i], x[i + head_dim / 2]) by their angle."""
    length, head_dim = x.shape[-2:]
    frequency = 10000.0 ** (-torch.arange(0, head_dim, 2, device=x.device).float() / head_dim)
    angle = torch.arange(length, device=x.device).float()[:, None] * frequency
    cos, sin = angle.cos(), angle.sin()
    low, high = x.chunk(2, dim=-1)
    return torch.cat((low * cos - high * sin, low * sin + high * cos), dim=-1)


class Attention(nn.Module):
    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.qkv = nn.Linear(shape.width, 3 * shape.width, bias=False)  # rows: all q, all k, all v
        self.o = nn.Linear(shape.width, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        split = self.qkv(x).view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)  # each [batch, heads, length, head_dim]
        y = F.scaled_dot_product_attention(rotate(q), rotate(k), v, is_causal=True)
        return self.o(y.transpose(1, 2).reshape(batch, length, width))


class SwiGlu(nn.Module):
    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.gate_up = nn.Linear(shape.width, 2 * shape.hidden, bias=False)  # rows: gate, then up
        self.down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)


class Block(nn.Module):
    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.attn_norm = nn.RMSNorm(shape.width, eps=1e-6)
        self.attn = Attention(shape)
        self.mlp_norm = nn.RMSNorm(shape.width, eps=1e-6)
        self.mlp = SwiGlu(shape)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.attn_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class TinyLm(nn.Module):
    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.embed = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, eps=1e-6)
        self.head = nn.Linear(shape.width, shape.vocabulary, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                # what writes into the residual stream starts smaller, by the number of writers
                writers = 2 * shape.layers if name.endswith(("attn.o.weight", "down.weight")) else 1
                nn.init.normal_(parameter, std=0.02 / math.sqrt(writers))

    def loss(self, tokens: Tensor) -> Tensor:
        """Mean cross-entropy in nats a byte; tokens [batch, length + 1]."""
        x = self.embed(tokens[:, :-1])
        for layer in self.layers:
            x = layer(x)
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1), tokens[:, 1:].flatten())


WARM_UP_STEPS = 100
TIMED_STEPS = 20  # with --minutes, the speed of these decides the number of steps


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Linear warm-up, then a cosine down to a tenth of the peak."""
    if step < WARM_UP_STEPS:
        return peak * (step + 1) / WARM_UP_STEPS
    progress = (step - WARM_UP_STEPS) / max(1, steps - WARM_UP_STEPS)
    return peak * (0.55 + 0.45 * math.cos(math.pi * min(1.0, progress)))


def windows(data: Tensor, starts: Tensor, length: int, device: torch.device) -> Tensor:
    rows = [data[start : start + length + 1] for start in starts.tolist()]
    return torch.stack(rows).to(device=device, dtype=torch.int64)


@torch.no_grad()
def evaluate(model: TinyLm, data: Tensor, length: int, device: torch.device) -> float:
    """Mean loss over 256 windows spread evenly over the data."""
    starts = torch.linspace(0, len(data) - length - 1, 256).long()
    losses = [model.loss(windows(data, part, length, device)) for part in starts.split(32)]
    return torch.stack(losses).mean().item()


def capture(model: TinyLm, index: int, tokens: Tensor) -> tuple[dict[str, Tensor], float]:
    """The model's last pass, forward and backward; one layer's GEMM operands and the loss."""
    kept: dict[str, Tensor] = {}

    def watch(name: str, linear: nn.Module) -> None:
        def on_forward(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            kept[f"{name}.input"] = inputs[0].detach().flatten(0, 1)
            output.register_hook(
                lambda grad: kept.update({f"{name}.output_grad": grad.detach().flatten(0, 1)}))

        kept[f"{name}.weight"] = linear.get_parameter("weight").detach()
        linear.register_forward_hook(on_forward)

    for gemm in ("attn.qkv", "attn.o", "mlp.gate_up", "mlp.down"):
        watch(f"layers.{index}.{gemm}", model.layers[index].get_submodule(gemm))
    loss = model.loss(tokens)
    loss.backward()
    return kept, loss.item()


def describe(path: Path) -> None:
    """Prints a Markdown table of the stored values; kurtosis is E[(x - mean)^4] / variance^2. The
    last columns: non-zero values of at most half the least subnormal (2^-10, 2^-17)."""
    from safetensors import safe_open
    print("| name | shape | amax | rms | kurtosis | least non-zero | zeros "
          "| to 0 in E4M3 | to 0 in E5M2 |\n|---|---|--:|--:|--:|--:|--:|--:|--:|")
    with safe_open(str(path), framework="pt") as file:
        for name in sorted(file.keys()):
            x = file.get_tensor(name).double()
            magnitude, centred = x.abs(), x - x.mean()
            nonzero = magnitude[magnitude > 0]
            kurtosis = centred.pow(4).mean() / centred.pow(2).mean().square()
            flushed = [(nonzero <= 2.0**e).sum().item() / x.numel() for e in (-10, -17)]
            print(f"| `{name}` | {list(x.shape)} | {magnitude.max():.4g} "
                  f"| {x.square().mean().sqrt():.4g} | {kurtosis:.4g} "
                  f"| 2^{math.log2(nonzero.min()):.1f} | {(magnitude == 0).sum().item()} "
                  f"| {flushed[0]:.2%} | {flushed[1]:.2%} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--minutes", type=float, help="choose the steps to fill this time instead")
    parser.add_argument("--batch", type=int, default=4, help="sequences a step")
    parser.add_argument("--peak-lr", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--layer", type=int, default=2, help="the layer to keep, from 0")
    parser.add_argument("--tokens", type=int, default=512, help="tokens of the captured batch")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    default_out = Path(__file__).with_name("tiny_lm_layer.safetensors")
    parser.add_argument("--out", type=Path, default=default_out)
    options = parser.parse_args()
    from safetensors.torch import save_file  # who only wants the model needs none

    shape, device = ModelShape(), torch.device(options.device)
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    corpus = load_corpus()
    model = TinyLm(shape).to(device)  # initialised on the CPU: the same start on every device
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(f"corpus: {corpus.files} files, {len(corpus.train)} training and "
          f"{len(corpus.validation)} validation bytes, sha256 {corpus.sha256}\n"
          f"model: {parameters} parameters on {device}", flush=True)
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in model.parameters() if p.dim() == 2], "weight_decay": 0.1},
         {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0.0}],
        lr=options.peak_lr, betas=(0.9, 0.95))

    def draw(count: int) -> Tensor:
        starts = torch.randint(len(corpus.train) - shape.sequence, (count,), generator=generator)
        return windows(corpus.train, starts, shape.sequence, device)

    steps, step, start = options.steps, 0, time.monotonic()
    while step < steps:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, options.peak_lr)
        loss = model.loss(draw(options.batch))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % TIMED_STEPS == 0:
            elapsed = time.monotonic() - start
            print(f"step {step}/{steps} loss {loss.item():.4f} {elapsed:.0f} s", flush=True)
            if step == TIMED_STEPS and options.minutes:
                steps = max(step, int(60 * options.minutes * step / elapsed))
    wall_seconds = time.monotonic() - start

    train_loss, validation_loss = (
        evaluate(model, data, shape.sequence, device) for data in (corpus.train, corpus.validation))
    if not math.isfinite(validation_loss):
        raise SystemExit("training diverged")
    for name, nats in (("training", train_loss), ("validation", validation_loss)):
        print(f"{name} loss: {nats:.4f} nats, {nats / math.log(2):.4f} bits a byte")
    kept, batch_loss = capture(model, options.layer, draw(options.tokens // shape.sequence))
    stored = {name: value.to(torch.bfloat16).cpu().contiguous() for name, value in kept.items()}
    save_file(stored, str(options.out), metadata={
        "script": Path(__file__).name, "date": datetime.date.today().isoformat(),
        "torch": torch.__version__, "python": platform.python_version(), "device": str(device),
        "cpu_threads": str(torch.get_num_threads()), "wall_seconds": f"{wall_seconds:.0f}",
        "seed": str(options.seed), "steps": str(steps), "batch": str(options.batch),
        "peak_lr": str(options.peak_lr), "model": str(shape), "parameters": str(parameters),
        "layer": str(options.layer), "tokens": str(options.tokens),
        "training_dtype": "float32", "stored_dtype": "bfloat16, rounded once to nearest even",
        "train_loss_nats": f"{train_loss:.6f}", "validation_loss_nats": f"{validation_loss:.6f}",
        "captured_batch_loss_nats": f"{batch_loss:.6f}",
        "corpus": f"CPython {platform.python_version()} standard library, .py files",
        "corpus_files": str(corpus.files), "corpus_train_bytes": str(len(corpus.train)),
        "corpus_validation_bytes": str(len(corpus.validation)), "corpus_sha256": corpus.sha256,
    })
    print(f"captured batch loss: {batch_loss:.4f} nats")
    describe(options.out)
    if (size := options.out.stat().st_size) > MAX_FILE_BYTES:
        raise SystemExit(f"{options.out.name} has {size} bytes, more than {MAX_FILE_BYTES}")


if __name__ == "__main__":
    main()
