"""What do FP8 recipes cost the training of a small language model?

Trains the byte-level transformer of data/train_tiny_lm.py (4.3 million parameters, the standard
library's source code) once for each recipe and seed: the same start, the same batches, the same
optimiser. Only the linear layers of the blocks differ: their three GEMMs run as the recipe's record
says, on the tensor cores where those have the order of operations and on the emulator where they do
not (scales of 1x128 on both sides, accumulators that do not exist).

    python mini_training.py --out out        # needs torch; on a Hopper GPU if there is one
    python plots/mini_training.py out/mini_training.csv

On a CPU the products have the same bits, but take long: make it smaller there, as in --device cpu
--width 128 --layers 2 --hidden 256 --sequence 128 --batch 4 --steps 50 --seeds 1.

Everything else is the same for all: embedding, norms, attention, softmax, loss, head and residual
stream under torch's autocast to BF16, FP32 master weights, gradients and Adam moments. Three runs
are there to compare with: fp32 (no rounding to BF16 at all), bf16, and bf16-nudged, which is bf16
from a start that differs by 2^-20 of each weight: how far it drifts from bf16 is what chaos alone
makes of nothing. In the first tens of steps that is nothing still, and recipes differ by what they
round; later chaos hides them.

What a run of this size cannot show: outliers that grow over hundreds of billions of tokens (the
divergence of 128x128 gradient blocks at 300 billion, SwiGLU's at 200 billion), sums longer than the
tokens of a batch, and differences below that drift.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import multiprocessing
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # repeatable sums
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).with_name("data"))]

import binade
import binade.cuda
from provenance import write_csv

try:
    import torch
    from torch import Tensor, nn
    from train_tiny_lm import ModelShape, TinyLm, evaluate, learning_rate, load_corpus, windows
except ImportError as error:
    sys.exit(f"mini_training: {error}; it needs torch")

WIDE = ("fp32", "bf16", "bf16-nudged")  # by torch alone
RECIPES = (*WIDE, "deepseek-v3", "te-delayed", "e4m3-tensor", "e4m3-tensor-fast", "e4m3-tensor-f9")
COLUMNS = {
    "recipe": "training recipe",
    "seed": "of the start and of the batches",
    "step": "the last of those that the row is the mean of",
    "split": "training, or held-out after the last step",
    "loss": "mean cross-entropy, nats a byte",
    "relative_error": "loss / loss of bf16 with the same seed - 1",
}
AVERAGED = 10  # steps a row
EARLY = 40  # steps in which rounding shows before chaos has made anything of a nudge


class Host:
    """binade.cuda's functions by those of the host: the same bits, without a device."""

    @staticmethod
    def tensor(array: Any) -> Tensor:
        """NumPy's floats as such, all else as codes."""
        known = array if array.dtype == "float32" else array.view(f"u{array.itemsize}")
        return torch.from_numpy(known.copy())

    @classmethod
    def cast(cls, x: Tensor, to: str, *, source: str | None = None) -> Tensor:
        values = x if source is None else cls.tensor(binade.decode(x, source).astype("float32"))
        return values if to == "fp32" else cls.tensor(binade.encode(values, to, overflow="saturate"))

    @classmethod
    def quantize(cls, x: Tensor, recipe: str, *, transposed: bool = False, **how: Any) -> Any:
        q = binade.quantize(x, recipe, **how)
        first = binade.cuda.Quantized(cls.tensor(q.codes), cls.tensor(q.scales), q.format.name)
        return (first, cls.quantize(x.t().contiguous(), recipe, **how)) if transposed else first

    @classmethod
    def gemm(cls, a: binade.cuda.Quantized, b: binade.cuda.Quantized, *, output: str,
             **how: Any) -> Tensor:
        d = cls.tensor(binade.gemm(a.codes, b.codes, format_a=a.format, format_b=b.format,
                                   scale_a=a.scales, scale_b=b.scales, output=output, **how))
        return d.view(torch.bfloat16) if output == "bf16" else d


def library_of(device: torch.device) -> Any:
    return binade.cuda if device.type == "cuda" else Host


class DelayedScales:
    """TransformerEngine's delayed scaling of many tensors at once, on their device: as
    binade::DelayedScaling, a row each."""

    def __init__(self, largest: list[float], device: torch.device, history: int = 1024) -> None:
        self.library = library_of(device)
        self.largest = torch.tensor(largest, device=device)
        self.history = torch.zeros(len(largest), history, device=device)
        self.inverse = torch.ones(len(largest), device=device)
        self.scale = torch.ones(len(largest), device=device)

    def quantize(self, row: int, x: Tensor, fmt: str) -> binade.cuda.Quantized:
        self.history[row, 0] = torch.maximum(self.history[row, 0], x.abs().amax().float())
        codes = self.library.cast(x.float() * self.inverse[row], fmt)
        return binade.cuda.Quantized(codes, self.scale[row].view(1, 1).clone(), fmt)

    def update(self) -> None:
        amax = self.history.amax(dim=1)
        usable = torch.isfinite(amax) & (amax > 0)
        fresh = torch.clamp(self.largest / amax, max=torch.finfo(torch.float32).max)
        self.inverse = torch.where(usable, fresh, self.inverse)
        self.scale = 1 / self.inverse
        self.history = self.history.roll(-1, dims=1)
        self.history[:, 0] = 0


def transposed(q: binade.cuda.Quantized) -> binade.cuda.Quantized:
    """Of a matrix with one scale."""
    return binade.cuda.Quantized(q.codes.t().contiguous(), q.scales, q.format)


def read_back(q: binade.cuda.Quantized) -> Tensor:
    """The values of a matrix with scales of 1x128, in BF16."""
    values = library_of(q.codes.device).cast(q.codes, "fp32", source=q.format)
    blocks = q.scales.repeat_interleave(128, dim=1)[:, : values.shape[1]]
    return (values * blocks).bfloat16()


class Arithmetic:
    """One linear layer's GEMMs under a recipe."""

    def __init__(self, recipe: Any, name: str, delayed: DelayedScales | None, first_row: int) -> None:
        self.recipe, self.delayed, self.first_row = recipe, delayed, first_row
        self.saved = recipe.saved_attention_output if name == "attn.o" else recipe.saved_input
        self.cards = {kind: recipe.instruction(getattr(recipe, kind)).to_json()
                      if recipe.fraction_bits else None for kind in ("forward", "dgrad", "wgrad")}

    def quantize(self, x: Tensor, rule: Any, row: int, both: bool = True) -> Any:
        """x and its transpose, each as a GEMM's rows x K; x alone unless `both`."""
        if rule.delayed:
            assert self.delayed is not None
            q = self.delayed.quantize(self.first_row + row, x, rule.format)
            return (q, transposed(q)) if both else q
        return library_of(x.device).quantize(x, rule.quantizer, granularity=rule.granularity,
                                             scale_type=rule.scale_type, to=rule.format,
                                             transposed=both)

    def gemm(self, kind: str, left: Any, right: Any) -> Tensor:
        rule = getattr(self.recipe, kind)
        return library_of(left.codes.device).gemm(
            left, right, profile=rule.profile, output=rule.output,
            promotion_interval=rule.promotion_interval, instruction=self.cards[kind])

    def keep(self, x: Tensor, q: Any) -> Any:
        """What waits of X for the weight gradient."""
        if self.saved.granularity == "tensor":
            return q
        if not self.saved.is_scaled:
            return x
        if str(self.saved) == str(self.recipe.forward.left):
            return q
        return self.quantize(x, self.saved, 0, both=False)

    def kept_transposed(self, kept: Any) -> binade.cuda.Quantized:
        """X^T for the weight gradient, from what waited."""
        if self.saved.granularity == "tensor":
            return transposed(kept)
        x = read_back(kept) if self.saved.is_scaled else kept
        return self.quantize(x.t().contiguous(), self.recipe.wgrad.right, 0, both=False)


class RecipeProduct(torch.autograd.Function):
    """Y = X W^T, dX = dY W and dW = dY^T X, each as the recipe says; X and dY in BF16."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, arithmetic: Arithmetic) -> Tensor:
        r = arithmetic.recipe
        q = arithmetic.quantize(x, r.forward.left, 0, both=False)
        w, w_transposed = arithmetic.quantize(weight.bfloat16(), r.forward.right, 1)
        ctx.arithmetic, ctx.w, ctx.kept = arithmetic, w_transposed, arithmetic.keep(x, q)
        return arithmetic.gemm("forward", q, w)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        arithmetic: Arithmetic = ctx.arithmetic
        dy, dy_transposed = arithmetic.quantize(grad.contiguous(), arithmetic.recipe.dgrad.left, 2)
        dx = arithmetic.gemm("dgrad", dy, ctx.w)
        return dx, arithmetic.gemm("wgrad", dy_transposed, arithmetic.kept_transposed(ctx.kept)), None


class RecipeLinear(nn.Module):
    """A linear layer without bias whose GEMMs follow a recipe."""

    def __init__(self, linear: nn.Linear, arithmetic: Arithmetic) -> None:
        super().__init__()
        self.weight, self.arithmetic = linear.weight, arithmetic

    def forward(self, x: Tensor) -> Tensor:
        flat = x.bfloat16().flatten(0, -2).contiguous()
        y: Tensor = RecipeProduct.apply(flat, self.weight, self.arithmetic)
        return y.view(*x.shape[:-1], -1)


def apply_recipe(model: TinyLm, recipe: Any, device: torch.device) -> DelayedScales | None:
    """Replaces the blocks' linear layers. Head and embedding stay."""
    places = [(layer, name) for layer in model.layers
              for name in ("attn.qkv", "attn.o", "mlp.gate_up", "mlp.down")]
    rules = (recipe.forward.left, recipe.forward.right, recipe.dgrad.left)
    delayed = None
    if any(rule.delayed for rule in rules):
        largest = [float(binade.Format(rule.format).max) for rule in rules]
        delayed = DelayedScales(largest * len(places), device)
    for place, (layer, name) in enumerate(places):
        part, _, last = name.partition(".")
        owner = layer.get_submodule(part)
        setattr(owner, last, RecipeLinear(getattr(owner, last),
                                          Arithmetic(recipe, name, delayed, 3 * place)))
    return delayed


def prepare(name: str, seed: int, shape: ModelShape,
            device: torch.device) -> tuple[TinyLm, DelayedScales | None]:
    torch.manual_seed(seed)
    model = TinyLm(shape)
    if name == "bf16-nudged":
        with torch.no_grad():
            for parameter in model.parameters():
                parameter *= 1 + 2.0**-20
    model = model.to(device)
    return model, None if name in WIDE else apply_recipe(model, binade.training.recipe(name), device)


def train(name: str, seed: int, shape: ModelShape, steps: int, batch: int,
          where: str) -> tuple[list[float], float, float]:
    """Losses of every step, the held-out loss, and seconds."""
    torch.backends.cuda.enable_flash_sdp(False)  # whose backward sums in no fixed order
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    torch.backends.cuda.enable_cudnn_sdp(False)
    device, corpus = torch.device(where), load_corpus()
    model, delayed = prepare(name, seed, shape, device)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    generator = torch.Generator().manual_seed(seed)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=name != "fp32")
    losses, start = [], time.monotonic()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, 1.5e-3)
        starts = torch.randint(len(corpus.train) - shape.sequence, (batch,), generator=generator)
        tokens = windows(corpus.train, starts, shape.sequence, device)
        with autocast:
            loss = model.loss(tokens)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if delayed:
            delayed.update()
        losses.append(loss.detach())
    values = torch.stack(losses).tolist()
    seconds = time.monotonic() - start
    with autocast:
        held_out = evaluate(model, corpus.validation, shape.sequence, device)
    return values, held_out, seconds


def table_of(runs: dict[tuple[str, int], tuple[list[float], float, float]]) -> list[list[Any]]:
    """Rows of the CSV."""
    def means(losses: list[float]) -> list[float]:
        return [statistics.fmean(losses[i : i + AVERAGED])
                for i in range(0, len(losses) - AVERAGED + 1, AVERAGED)]

    rows: list[list[Any]] = []
    for (name, seed), (losses, held_out, _) in runs.items():
        base = runs["bf16", seed]
        for place, (loss, other) in enumerate(zip(means(losses), means(base[0]))):
            rows.append([name, seed, (place + 1) * AVERAGED, "training", loss, loss / other - 1])
        rows.append([name, seed, len(losses), "held-out", held_out, held_out / base[1] - 1])
    return rows


def write(path: Path, rows: list[list[Any]], options: argparse.Namespace) -> None:
    corpus = load_corpus()
    write_csv(path, COLUMNS, rows, seed=options.seeds,
              command=f"python mini_training.py --steps {options.steps} --batch {options.batch}",
              device=binade.cuda.devices() if options.device == "cuda" else "the CPU",
              notes=[f"{shape_of(options)}; torch {torch.__version__}; corpus: {corpus.files} files "
                     f"of CPython {platform.python_version()}, sha256 {corpus.sha256}"])


def summary(rows: list[list[Any]], steps: int) -> str:
    """Mean and standard deviation over seeds: of the mean error over the first steps, of loss and
    error over the last tenth, and of the held-out text."""
    lines = [f"{'recipe':18} {f'error to step {EARLY}':>20} {'loss':>8} {'error, last tenth':>20} "
             f"{'held-out':>9} {'error':>20}"]
    for name in dict.fromkeys(row[0] for row in rows):
        own = [row for row in rows if row[0] == name and row[3] == "training"]
        held = [row for row in rows if row[0] == name and row[3] == "held-out"]
        last = max(row[2] for row in own)
        late_from = min(0.9 * steps, last - 1)  # a row at least

        def by_seed(column: int, first: float, end: float) -> list[float]:
            """Mean of a column over the rows of each seed with first < step <= end."""
            return [statistics.fmean(row[column] for row in own
                                     if row[1] == seed and first < row[2] <= end)
                    for seed in dict.fromkeys(row[1] for row in own)]

        def spread(values: list[float]) -> str:
            wide = statistics.stdev(values) if len(values) > 1 else float("nan")
            return f"{100 * statistics.fmean(values):+.3f} % +- {100 * wide:.3f}"

        lines.append(f"{name:18} {spread(by_seed(5, 0, EARLY)):>20} "
                     f"{statistics.fmean(by_seed(4, late_from, last)):8.4f} "
                     f"{spread(by_seed(5, late_from, last)):>20} "
                     f"{statistics.fmean(row[4] for row in held):9.4f} "
                     f"{spread([row[5] for row in held]):>20}")
    return "\n".join(lines)


def shape_of(options: argparse.Namespace) -> ModelShape:
    return ModelShape(layers=options.layers, width=options.width, heads=options.heads,
                      hidden=options.hidden, sequence=options.sequence)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recipes", default=",".join(RECIPES), help="bf16 must be among them")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=16, help="sequences a step")
    for name, default in vars(ModelShape()).items():
        if name != "vocabulary":
            parser.add_argument(f"--{name}", type=int, default=default, help="of the model")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu",
                        choices=("cuda", "cpu"))
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--jobs", type=int, default=4, help="runs at a time")
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()
    names, seeds = options.recipes.split(","), [int(seed) for seed in options.seeds.split(",")]
    sizes = [options.jobs, options.batch, *vars(shape_of(options)).values()]
    if "bf16" not in names or options.steps < AVERAGED or min(sizes) < 1:
        parser.error(f"expected bf16 among the recipes, at least {AVERAGED} steps, and sizes above 0")
    for name in set(names) - set(WIDE):
        try:
            binade.training.recipe(name)
        except ValueError as error:
            parser.error(str(error))
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit(f"mini_training: {binade.cuda.devices()}")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {options.out}: {error.strerror}")
    tasks = [(name, seed) for seed in seeds for name in names]
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(options.jobs, spawn) as pool:
        futures = {task: pool.submit(train, *task, shape_of(options), options.steps, options.batch,
                                     options.device) for task in tasks}
        runs: dict[tuple[str, int], tuple[list[float], float, float]] = {}
        for (name, seed), future in futures.items():
            runs[name, seed] = future.result()
            print(f"{name} seed {seed}: {runs[name, seed][0][-1]:.4f}, {runs[name, seed][2]:.1f} s",
                  flush=True)
            if name == names[-1]:  # what is finished is kept, seed by seed
                rows = table_of(runs)
                write(options.out / "mini_training.csv", rows, options)
                print(summary(rows, options.steps), flush=True)


if __name__ == "__main__":
    main()
