"""binade diagnose: what it says of right and wrong outputs, and of inputs that it cannot look at."""
import json

import harness

np = harness.np
FORMATS = ("--format-a", "e4m3", "--format-b", "e4m3")


class Diagnose(harness.CommandTest):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(5)
        for name, rows in (("a", 32), ("b", 48)):
            codes = rng.integers(0, 256, (rows, 256), dtype=np.uint8)
            self.save(f"{name}.npy", (codes & 0x87) | (codes % 4 + 5 << 3).astype(np.uint8))
        self.save("sa.npy", rng.random((32, 2)).astype(np.float32) + 0.5)
        self.save("sb.npy", rng.random((1, 2)).astype(np.float32) + 0.5)
        self.scales = ("--scale-a", "sa.npy", "--scale-b", "sb.npy")

    def gemm(self, profile, *words):
        self.succeeds("gemm", "a.npy", "b.npy", "d.npy", "--profile", profile, *FORMATS, *words)

    def diagnose(self, *words):
        return self.succeeds("diagnose", "a.npy", "b.npy", "d.npy", *FORMATS, *words)

    def test_the_profile_is_named(self):
        self.gemm("deepgemm", *self.scales)
        out = self.diagnose(*self.scales)
        self.assertIn("every bit of 32 x 48 outputs over K = 256", out)
        self.assertIn("deepgemm: hopper.wgmma.f32.e4m3.e4m3, promoted every 128, "
                      "s = fma(fl(sa * sb), chain, s)\n", out)
        self.gemm("deepgemm", *self.scales, "--output", "bf16")
        self.assertIn("deepgemm", self.diagnose(*self.scales, "--output", "bf16"))
        self.gemm("cublaslt-fast")
        self.assertIn("cublaslt-fast", self.diagnose())
        self.assertEqual(self.diagnose("--threads", "1"), self.diagnose("--threads", "2"))

    def test_json_is_the_whole_record(self):
        self.gemm("deepgemm", *self.scales)
        found = json.loads(self.diagnose(*self.scales, "--json"))
        self.assertIn("deepgemm", found["exact"][0]["profiles"])
        self.assertEqual(found["mismatches"], 0)
        d = self.load("d.npy")
        d[3, 7] = np.nan
        d[4, 8] = -d[4, 8]
        self.save("d.npy", d)
        found = json.loads(self.diagnose(*self.scales, "--json", "--mismatches", "1"))
        self.assertEqual(found["exact"], [])
        self.assertEqual(found["mismatches"], 2)
        self.assertEqual(found["not_finite"], 1)
        self.assertEqual([(m["row"], m["col"]) for m in found["first"]], [(3, 7)])
        self.assertEqual(found["first"][0]["found"], "0x7fc00000")
        self.assertEqual(np.array(found["map"]).shape, (16, 48))

    def test_a_wrong_output_is_drawn(self):
        self.gemm("cublaslt")
        d = self.load("d.npy")
        d[16:, 40:] *= 2
        self.save("d.npy", d)
        out = self.diagnose()
        self.assertIn("closest: cublaslt", out)
        self.assertIn("all mismatches lie in rows 16 to 31", out)
        self.assertIn("all mismatches lie in columns 40 to 47", out)
        self.assertIn("2 times what was expected", out)
        self.assertIn("." * 40 + "#" * 8, out)

    def test_a_model_card(self):
        card = {"name": "mine", "a": "e4m3", "b": "e4m3", "c": "fp32", "k": 32, "verified": False,
                "source": "here", "model": {
                    "step_k": 8, "order": "consecutive", "alignment_fraction_bits": 11,
                    "alignment": "truncate", "min_exponent": None, "zeros_join_maximum": False,
                    "normalize_products": False, "multiplier_emin": None, "addend": "aligned",
                    "result": "fp32", "result_rounding": "toward_zero"}}
        (self.folder / "card.json").write_text(json.dumps(card))
        self.gemm("cublaslt", "--model", "card.json")
        self.assertIn("mine, promoted every 128", self.diagnose("--model", "card.json"))
        self.assertIn("none of", self.diagnose())

    def test_hostile(self):
        self.gemm("cublaslt")
        words = ("diagnose", "a.npy", "b.npy")
        self.fails(2, "D is required", *words, *FORMATS)
        self.fails(2, "--format-b is required", *words, "d.npy", "--format-a", "e4m3")
        self.fails(2, "unknown format", *words, "d.npy", *FORMATS, "--output", "bf17")
        self.fails(1, "No such file", *words, "none.npy", *FORMATS)
        self.fails(1, "expected [32, 48]", "diagnose", "a.npy", "b.npy", "a.npy", *FORMATS,
                   "--output", "e4m3")
        self.fails(1, "expected float32, or bit patterns", *words, "a.npy", *FORMATS)
        self.fails(1, "expected uint16", *words, "d.npy", *FORMATS, "--output", "bf16")
        self.save("wide.npy", self.load("d.npy").astype(np.float64))
        self.fails(1, "fp64", *words, "wide.npy", *FORMATS)
        self.fails(1, "expected uint8", "diagnose", "d.npy", "b.npy", "d.npy", *FORMATS)
        self.save("narrow.npy", self.load("b.npy")[:, :5])
        self.fails(1, "expected [N, 256]", "diagnose", "a.npy", "narrow.npy", "d.npy", *FORMATS)
        self.fails(1, "e8m0", *words, "d.npy", "--format-a", "e8m0", "--format-b", "e4m3")
        self.fails(1, "none of tensor", *words, "d.npy", *FORMATS, "--scale-a", "d.npy")
        (self.folder / "card.json").write_text("{}")
        self.fails(1, "card.json", *words, "d.npy", *FORMATS, "--model", "card.json")

    def test_extremes(self):
        for name in ("a", "b"):
            self.save(f"{name}.npy", np.full((1, 1), 0x38, np.uint8))
        for value in (1.0, 2.0, np.nan, np.inf, 0.0):
            self.save("d.npy", np.full((1, 1), value, np.float32))
            out = self.diagnose()
            self.assertEqual(out.startswith("every bit"), value == 1.0, out)
        for name in ("a", "b"):
            self.save(f"{name}.npy", np.full((3, 40), 0x7F, np.uint8))
        self.gemm("cublaslt")
        self.assertIn("every bit", self.diagnose())
        self.save("d.npy", np.zeros((3, 3), np.float32))
        self.assertIn("NaN, Inf", self.diagnose())


if __name__ == "__main__":
    harness.main()
