"""binade study: its figures against numpy and ml_dtypes, its files, its memory, what it refuses."""
import csv
import os
import re
import resource
import struct
import unittest

import harness

np = harness.np
try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None


class Inputs(harness.CommandTest):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(5)
        self.weights = {"a.weight": rng.standard_normal((200, 256)).astype(np.float32),
                        "b.weight": rng.standard_normal((64, 384)).astype(np.float32)}
        self.weights["b.weight"][:, 9] *= 3000
        self.inputs = {"a.input": rng.standard_normal((5, 8, 256)).astype(np.float32),
                       "b": rng.standard_normal((33, 384)).astype(np.float32)}
        harness.write_safetensors(self.folder / "m.safetensors",
                                  {**self.weights, "norm.weight": np.ones(256, np.float32)})
        harness.write_safetensors(self.folder / "x.safetensors", self.inputs)


class Study(Inputs):
    def rows(self, *words):
        self.succeeds("study", *words)
        lines = (self.folder / "out/study.csv").read_text().splitlines()
        self.assertRegex(lines[0], r"^# binade \S+; command: binade study .*; seed: .*; isa: ")
        table = csv.DictReader(line for line in lines if not line.startswith("#"))
        return {(row["layer"], row["recipe"]): row for row in table}

    @unittest.skipIf(ml_dtypes is None, "no ml_dtypes here")
    def test_figures(self):
        rows = self.rows("m.safetensors", "--activations", "x.safetensors")

        def quantised(x):
            scale = np.float32(np.abs(x).max()) / np.float32(448)
            return (x / scale).astype(ml_dtypes.float8_e4m3fn).astype(np.float64) * float(scale)

        for name, x in zip(self.weights, self.inputs.values()):
            w = self.weights[name]
            x = x.reshape(-1, w.shape[1])
            wq, xq = quantised(w), quantised(x)
            row = rows[name, "deepseek-v3 tensor"]
            db = 10 * np.log10((w.astype(float) ** 2).sum() / ((w - wq) ** 2).sum())
            self.assertAlmostEqual(float(row["weight_sqnr_db"]), db, 4)
            self.assertAlmostEqual(float(row["weight_underflow"]), ((wq == 0) & (w != 0)).mean(), 9)
            db = 10 * np.log10((x.astype(float) ** 2).sum() / ((x - xq) ** 2).sum())
            self.assertAlmostEqual(float(row["activation_sqnr_db"]), db, 4)
            exact = x.astype(float) @ w.astype(float).T
            error = np.linalg.norm(xq @ wq.T - exact) / np.linalg.norm(exact)
            self.assertAlmostEqual(float(row["output_error"]) / error, 1, 4)  # all rows are sampled
            self.assertAlmostEqual(float(row["sqnr_db"]), -20 * np.log10(error), 3)
        self.assertGreater(float(rows["b.weight", "deepseek-v3 tensor"]["weight_underflow"]), 0.01)
        self.assertEqual(rows["a.weight", "nvfp4 1x16"]["accumulate_error"], "")

    def test_one_row_a_recipe_ranked(self):
        rows = self.rows("m.safetensors")
        self.assertEqual(len(rows), 2 * 5)
        for layer in self.weights:
            mine = [row for (name, _), row in rows.items() if name == layer]
            self.assertEqual([row["rank"] for row in mine], list("12345"))
            dbs = [float(row["sqnr_db"]) for row in mine]
            self.assertEqual(dbs, sorted(dbs, reverse=True))
            taken = [row for row in mine if row["recommended"] == "1"]
            fit = [float(row["bits"]) for row in mine if float(row["sqnr_db"]) >= 25]
            self.assertEqual([float(row["bits"]) for row in taken], [min(fit)])
            self.assertEqual(mine[0]["output_error"], "")
        none = self.rows("m.safetensors", "--least-db", "90")
        self.assertEqual({row["recommended"] for row in none.values()}, {"0"})
        some = self.rows("m.safetensors", "--layers", "a.*", "--recipe", "ocp-mx,deepgemm:1x128")
        self.assertEqual(list(some), [("a.weight", "deepgemm 1x128"), ("a.weight", "ocp-mx 1x32")])

    def test_the_report_is_one_page_of_its_own(self):
        out = self.succeeds("study", "m.safetensors", "--activations", "x.safetensors")
        self.assertIn("a.weight  [200, 256]", out)
        self.assertIn("1 of 3 tensors are no layers", out)
        page = (self.folder / "out/study.html").read_text()
        self.assertTrue(page.startswith("<!DOCTYPE html>"))
        for needle in ("m.safetensors", ">b<", "nvfp4 1x16",
                       "2 layers"):
            self.assertIn(needle, page)
        self.assertIsNone(re.search(r"https?://|src=|<script|url\(|nan", page))
        harness.write_safetensors(self.folder / "<b>&.safetensors",
                                  {"<i>.weight": self.weights["a.weight"]})
        self.succeeds("study", "<b>&.safetensors", "--out", "odd")
        page = (self.folder / "odd/study.html").read_text()
        self.assertIn("&lt;b&gt;&amp;", page)
        self.assertNotRegex(page, "<b>|<i>")

    def test_panels_and_threads_do_not_show(self):
        whole = self.rows("m.safetensors", "--activations", "x.safetensors")
        for words in (["--panel", "9000"], ["--threads", "1"], ["--isa", "baseline"]):
            self.assertEqual(self.rows("m.safetensors", "--activations", "x.safetensors", *words),
                             whole)

    def test_a_matrix_alone(self):
        self.save("w.npy", self.weights["a.weight"])
        self.save("x.npy", self.inputs["a.input"])
        rows = self.rows("w.npy", "--activations", "x.npy")
        self.assertEqual({name for name, _ in rows}, {"w.npy"})
        self.save("f.npy", np.asfortranarray(self.weights["a.weight"]))
        fortran = self.rows("f.npy", "--activations", "x.npy")
        self.assertEqual([{**row, "layer": ""} for row in rows.values()],
                         [{**row, "layer": ""} for row in fortran.values()])

    def test_odd_layers(self):
        zeros, nan = np.zeros((8, 32), np.float32), np.full((8, 32), np.nan, np.float32)
        tiny = np.full((1, 1), 1e-45, np.float32)
        harness.write_safetensors(self.folder / "odd.safetensors",
                                  {"zeros": zeros, "nan": nan, "tiny": tiny})
        out = self.succeeds("study", "odd.safetensors")
        self.assertRegex(out, r"zeros +\[8, 32\] +zeros.*as it is")
        self.assertRegex(out, r"nan +\[8, 32\] .*as it is")

    def test_memory_is_bounded(self):
        """160 MB of weights, 8 MB of them at a time."""
        block = np.random.default_rng(1).standard_normal((1000, 1000)).astype("<f4").tobytes()
        with open(self.folder / "large.npy", "wb") as file:
            header = "{'descr': '<f4', 'fortran_order': False, 'shape': (40000, 1000), }\n"
            file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
            for _ in range(40):
                file.write(block)

        # A child's peak is the largest of all so far; a sanitized build would keep what was freed.
        done = self.run_binade("study", "large.npy", "--panel", "2000000", "--recipe",
                               "deepseek-v3:tensor,nvfp4",
                               env={**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, 140 * 1024)


class Refused(Inputs):
    def test_files(self):
        whole = (self.folder / "m.safetensors").read_bytes()
        (self.folder / "torn.safetensors").write_bytes(whole[:-7])
        self.fails(1, "torn.safetensors", "study", "torn.safetensors")
        (self.folder / "torn_x.safetensors").write_bytes(
            (self.folder / "x.safetensors").read_bytes()[:-7])
        self.fails(1, "torn_x.safetensors", "study", "m.safetensors", "--activations",
                   "torn_x.safetensors")
        self.fails(1, "No such file", "study", "none.safetensors")
        self.fails(1, "No such file", "study", "m.safetensors", "--activations", "none.safetensors")
        self.save("codes.npy", np.zeros((8, 8), np.uint8))
        self.fails(1, "no matrix", "study", "codes.npy")
        self.save("vector.npy", np.zeros(8, np.float32))
        self.fails(1, "no matrix", "study", "vector.npy")
        self.fails(1, "cannot make the directory", "study", "m.safetensors", "--out", "x.npy")

    def test_layers(self):
        self.fails(1, "norm.weight is [256] float32, expected a matrix", "study", "m.safetensors",
                   "--layers", "norm.weight")
        self.fails(1, "no tensor of 'm.safetensors' matches 'c.*'", "study", "m.safetensors",
                   "--layers", "a.weight,c.*")

    def test_activations(self):
        words = ("study", "m.safetensors", "--activations", "bad.safetensors")
        for needle, inputs in [
                ("layer b.weight has no activations in 'bad.safetensors', expected a tensor b.input",
                 {"a.input": self.inputs["a.input"]}),
                ("expected activations [tokens, 384]",
                 {**self.inputs, "b.input": np.zeros((4, 383), np.float32)}),
                ("b.input is [384] float32", {**self.inputs, "b.input": np.zeros(384, np.float32)}),
                ("b.input is [0, 384]", {**self.inputs, "b.input": np.zeros((0, 384), np.float32)})]:
            harness.write_safetensors(self.folder / "bad.safetensors", inputs)
            self.fails(1, needle, *words)

    def test_wrong_usage(self):
        for needle, words in [("FILE is required", []),
                              ("ocp-mx", ["m.safetensors", "--recipe", "ocp"]),
                              ("granularity", ["m.safetensors", "--recipe", "ocp-mx:0by1"]),
                              ("named twice", ["m.safetensors", "--recipe", "ocp-mx,ocp-mx:1x32"]),
                              ("--least-db", ["m.safetensors", "--least-db", "much"]),
                              ("--panel", ["m.safetensors", "--panel", "0"]),
                              ("'--activation'", ["m.safetensors", "--activation", "x"])]:
            self.fails(2, needle, "study", *words)
        (self.folder / "out").mkdir()
        (self.folder / "out/study.html").symlink_to("../m.safetensors")
        self.fails(2, "is the input", "study", "m.safetensors")

    def test_a_full_disk(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
        self.fails(1, "File too large", "study", "m.safetensors", preexec_fn=limit)


if __name__ == "__main__":
    harness.main()
