"""Every experiment has a plot, which draws what the command writes, from random data and tensors."""
import importlib.util
import pathlib
import struct
import subprocess
import sys
import tempfile

BINADE, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
PLOTS = ROOT / "experiments" / "plots"
TENSORS = ROOT / "experiments/data/tiny_lm_layer.safetensors"
SKIPPED = 77

# Flags that make a run small.
SMALL = {
    "cast_error": ["--formats", "e4m3,fp16,e2m1", "--bins-per-binade", "8"],
    "outlier_damage": ["--rows", "64", "--cols", "128", "--ratios", "10,1e4"],
    "promotion_interval": ["--m", "4", "--n", "4", "--k", "96,4096", "--intervals", "0,4",
                           "--distributions", "normal,student_t3"],
}
SMALL |= {
    "format_sqnr": ["--rows", "32", "--cols", "128", "--distributions", "normal,uniform"],
    "embedding_vector": ["--vector", "0.5,1,-3"],
    "power_of_two_scales": ["--amax", "fp16,2^3", "--stride", "4096"],
    "quantiser_orders": ["--rows", "50"],
    "retiling": ["--size", "128"],
    "wide_activations": ["--rows", "16", "--cols", "256"],
    "scaling_drift": ["--elements", "500", "--steps", "2", "--warm-up", "3"],
    "lost_updates": ["--elements", "2000"],
    "optimizer_states": ["--elements", "512"],
    "long_context": ["--length", "128,512", "--rows", "2", "--channels", "4"],
    "word_splitting": ["--n", "8,32", "--words", "1,2", "--seeds", "2", "--rows", "3"],
    "accumulator_design": ["--k", "256", "--m", "4", "--n", "4", "--fraction-bits", "9,13,23"],
    "fp8_attention": ["--smoke"],
    "probability_formats": ["--smoke"],
    "sink_underflow": ["--smoke", "--scale", "1,256,448"],
    "kv_cache_layouts": ["--length", "64,256", "--rms", "1e-3,1", "--queries", "1"],
    "indexer_recall": ["--smoke"],
    "sparse_attention_cost": [],
    "decode_step": ["--smoke"],
    "gate_precision": ["--tokens", "64", "--hidden", "256"],
    "training_block": ["--smoke", "--layer", f"{TENSORS}:layers.2", "--recipes", "bf16,te-current"],
    "swiglu_outliers": ["--smoke", "--gains", "1,64"],
    "cast_throughput": ["--smoke"],
    "quantize_throughput": ["--smoke"],
    "emulation_throughput": ["--smoke"],
}
# Tables as a device would give them, for machines without one: two rows and the columns drawn.
ON_A_DEVICE = {
    "device_cast_throughput": """from,to,rules,elements,time,rate,share_of_copy
fp32,e4m3,saturate,1024,2.5,2000,0.9
bf16,e5m2,ieee,4096,3.5,2500,1.1
""",
    "device_quantize_throughput":
        """source,element,recipe,granularity,scale_type,scale_layout,transposed,rows,cols,time,rate,share_of_copy
fp32,e4m3,deepgemm,1x128,fp32,column-major,yes,128,256,2.5,2000,0.9
bf16,e4m3,deepseek-v3,tensor,ue8m0,row-major,no,128,256,3.5,2500,1.1
""",
}
# The tensors of a run with tensors, of the experiments that take any.
PAIRS = {
    "cast_error": ["layers.2.mlp.down.weight"],
    "outlier_damage": ["layers.2.attn.o.input"],
    "promotion_interval": ["layers.2.attn.o.input", "layers.2.attn.o.weight"],
    "format_sqnr": ["layers.2.mlp.down.input"],
    "quantiser_orders": ["layers.2.mlp.down.weight"],
    "retiling": ["layers.2.attn.o.input"],
    "wide_activations": ["layers.2.attn.o.input"],
    "lost_updates": ["layers.2.mlp.down.weight"],
    "accumulator_design": ["layers.2.attn.o.weight", "layers.2.attn.o.weight"],
}


def png_size(path):
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n"), f"{path} is no PNG"
    return struct.unpack(">II", data[16:24])


def check_pictures(folder, name, expected):
    width, height = png_size(folder / f"{name}.png")
    assert width >= 1200 and height >= 600, f"{name}.png is only {width} by {height}"
    svg = (folder / f"{name}.svg").read_text()
    for words in expected:
        assert words in svg, f"{name}.svg does not say '{words}'"


def run_and_plot(name, flags, expected, folder):
    subprocess.run([BINADE, "run", name, "--out", folder, *flags], check=True,
                   stdout=subprocess.DEVNULL)
    plot(name, folder / f"{name}.csv", expected, folder)


def plot(name, csv, expected, folder):
    subprocess.run([sys.executable, PLOTS / f"{name}.py", csv, "--out", folder], check=True)
    check_pictures(folder, name, [f"binade run {name}", *expected])


def main():
    if importlib.util.find_spec("matplotlib") is None:
        print("no matplotlib here: skipped")
        return SKIPPED
    listed = subprocess.run([BINADE, "list"], check=True, capture_output=True, text=True).stdout
    # None of these is an experiment of the command.
    others = ("style", "size", "mini_training", "cast_peers", "device_peers")
    names = [path.stem for path in sorted(PLOTS.glob("*.py")) if path.stem not in others]
    for name in names:
        assert name in listed.split(), f"{name}.py draws no experiment"
    with tempfile.TemporaryDirectory() as folder:
        for name, flags in SMALL.items():
            assert name in names, f"{name} has no plot"
            where = pathlib.Path(folder)
            run_and_plot(name, flags, [], where)
            if name not in PAIRS:
                continue
            addresses = [f"{TENSORS}:{tensor}" for tensor in PAIRS[name]]
            options = [word for pair in zip(["--tensor", "--tensor-b"], addresses) for word in pair]
            run_and_plot(name, [*flags, *options], [PAIRS[name][0]], where)
        for name, table in ON_A_DEVICE.items():
            csv = where / f"{name}.csv"
            csv.write_text(f"# command: binade run {name}\n{table}")
            plot(name, csv, [], where)
    print(f"{len(SMALL) + len(ON_A_DEVICE)} experiments drawn, from random data and from tensors")
    return 0


sys.exit(main())
