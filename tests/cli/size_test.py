"""binade size: every topic and model, what-ifs, the CSV beside the table, and what is refused."""
import csv
import importlib.util
import json
import os
import sys

import harness

if sys.prefix != sys.base_prefix:
    os.environ["VIRTUAL_ENV"] = sys.prefix  # the command draws with the Python that judges it

TOPICS = ("memory", "training", "kv", "decode", "experts", "attention", "claims")
MODELS = ("deepseek-v3", "deepseek-v3.2", "llama-3.1-405b", "qwen-2.5-72b")
TINY = {"name": "Tiny", "source": "made up", "parameters": 1e6, "active_parameters": 1e6,
        "layers": 2, "hidden": 64,
        "attention": {"kind": "gqa", "heads": 4, "kv_heads": 2, "head_dim": 16}}


class Size(harness.CommandTest):
    def rows(self, topic, *flags):
        """The CSV's rows by its first column after the model."""
        self.succeeds("size", topic, "--out", "out", *flags)
        lines = [line for line in (self.folder / f"out/size_{topic}.csv").read_text().splitlines()
                 if not line.startswith("#")]
        rows = list(csv.DictReader(lines))
        label = list(rows[0])[1]
        return {row[label]: row for row in rows}

    def test_every_topic_of_every_model(self):
        for model in MODELS:
            for topic in TOPICS:
                needs = {("training", "qwen-2.5-72b"): ["--devices", "1024"],
                         ("training", "deepseek-v3.2"): ["--tokens", "945.8e9", "--devices", "2048"],
                         }.get((topic, model), [])
                if topic == "experts" and "deepseek" not in model:
                    needs = ["--destinations", "8", "--layers", "4"]
                with self.subTest(model=model, topic=topic):
                    text = self.succeeds("size", topic, "--model", model, *needs)
                    self.assertGreater(len(text.splitlines()), 4)
                    self.assertNotIn("nan", text.replace("attention", ""))

    def test_figures(self):
        memory = self.rows("memory")
        self.assertEqual(float(memory["deepseek-v3"]["total"]), 13 * 671e9)
        self.assertEqual(memory["bf16-mixed"]["devices"], "135")
        training = self.rows("training")
        self.assertAlmostEqual(float(training["BF16, 50 %"]["device_hours"]) / 1e6, 1.846, 3)
        self.assertAlmostEqual(float(training["as reported"]["of_fp8_peak"]), 0.173, 3)
        mistaken = self.rows("training", "--active", "671e9")
        self.assertAlmostEqual(float(mistaken["BF16, 50 %"]["device_hours"]) / 1e6, 33.47, 2)
        self.assertEqual(self.rows("kv")["flashmla"]["token_bytes"], "48068")
        published = self.rows("experts", "--hidden", "7000", "--layers", "61")["e4m3 / bf16"]
        self.assertAlmostEqual(float(published["exchange_time"]), 120.96e-6, 12)
        self.assertAlmostEqual(float(published["step_time"]), 14.757e-3, 6)
        attention = self.rows("attention", "--contexts", "34816")["34816"]
        self.assertEqual(attention["core"], attention["index"])

    def test_the_table_says_what_the_csv_says(self):
        text = self.succeeds("size", "memory")
        line = next(l for l in text.splitlines() if l.startswith("deepseek-v3 "))
        self.assertEqual(line.split(),
                         "deepseek-v3 1 0 4 4 4 13 8.72 TB 110 5.32 % 4.26 GB".split())
        self.assertIn("2.664 M", self.succeeds("size", "training"))
        self.assertIn("120.96 us", self.succeeds("size", "experts", "--hidden", "7000"))

    def test_what_ifs(self):
        yours = self.rows("memory", "--weights", "e4m3:fp32/1x128", "--first-moment", "none",
                          "--second-moment", "e4m3:fp32/128")["yours"]
        self.assertEqual(float(yours["bytes_each"]), 1 + 0.03125 + 4 + 4 + 1 + 0.03125)
        yours = self.rows("memory", "--base", "bf16-mixed", "--gradients", "fp32")["yours"]
        self.assertEqual(float(yours["bytes_each"]), 18)
        yours = self.rows("kv", "--content", "e2m1:e8m0/32", "--rope", "bf16", "--index-keys",
                          "e2m1:e8m0/32")["yours"]
        self.assertEqual(float(yours["entry_bytes"]), 256 + 16 + 128)
        self.assertEqual(float(yours["index_bytes"]), 64 + 4)
        yours = self.rows("experts", "--combine", "e5m6")["e4m3 / e5m6"]
        self.assertEqual(float(yours["of_bf16"]), 2.5 / 4)
        with_prediction = self.rows("kv", "--model", "deepseek-v3", "--layers", "62")["bf16"]
        self.assertAlmostEqual(float(with_prediction["total"]) / 2**30, 8.72, 2)

    def test_a_model_of_ones_own(self):
        (self.folder / "tiny.json").write_text(json.dumps(TINY))
        text = self.succeeds("size", "kv", "--model", "tiny.json", "--context", "10")
        self.assertIn("Tiny; made up", text)
        self.assertEqual(self.rows("kv", "--model", "tiny.json")["bf16"]["token_bytes"], "256")
        (self.folder / "wrong.json").write_text(json.dumps({**TINY, "layer": 3}))
        self.fails(1, "unknown field 'layer'", "size", "kv", "--model", "wrong.json")
        (self.folder / "torn.json").write_text("{")
        self.fails(1, "no JSON", "size", "kv", "--model", "torn.json")
        self.fails(1, "No such file", "size", "kv", "--model", "none.json")

    def test_wrong_usage(self):
        for needle, words in [
                ("expected one of memory", []),
                ("nearest: deepseek-v3", ["memory", "--model", "deepseek"]),
                ("'fp9'", ["memory", "--weights", "fp9"]),
                ("nearest: h", ["memory", "--device", "b200"]),
                ("reports no devices, expected --devices", ["training", "--model", "qwen-2.5-72b"]),
                ("has no experts", ["experts", "--model", "llama-3.1-405b"]),
                ("context is 0", ["kv", "--context", "0"]),
                ("utilisation is -1", ["training", "--utilisation", "-1"]),
                ("'--contexts'", ["kv", "--contexts", "3"]),
                ("no cache layout", ["decode", "--layout", "mha"])]:
            self.fails(2, needle, "size", *words)

    def test_it_draws(self):
        if importlib.util.find_spec("matplotlib") is None:
            self.skipTest("no matplotlib here")
        for topic in TOPICS:
            with self.subTest(topic=topic):
                out = self.succeeds("size", topic, "--out", "out", "--plot")
                for ending in ("csv", "png", "svg"):
                    self.assertIn(f"out/size_{topic}.{ending}", out)
                    self.assertGreater(
                        (self.folder / f"out/size_{topic}.{ending}").stat().st_size, 400)
        self.succeeds("plot", "out/size_kv.csv")


if __name__ == "__main__":
    harness.main()
