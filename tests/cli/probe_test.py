"""binade probe: a library, recorded rows and emulated instructions; cards that work; hostile inputs."""
import json
import shutil
import subprocess

import harness

np = harness.np
FORMATS = ("--format-a", "e4m3", "--format-b", "e4m3")
BF16 = ("--format-a", "bf16", "--format-b", "bf16")
WGMMA = "hopper.wgmma.f32.e4m3.e4m3"
COMPILER = shutil.which("c++") or shutil.which("g++")

LIBRARY = r"""
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
static float value(const void* codes, int64_t i) {
  const uint32_t word = uint32_t(static_cast<const uint16_t*>(codes)[i]) << 16;
  float x;
  std::memcpy(&x, &word, 4);
  return x;
}
#define DOT(name) extern "C" void name(const void* a, const void* b, const void* c, void* d, \
                                       int64_t rows, int64_t k)
DOT(sequential) {
  for (int64_t r = 0; r < rows; ++r) {
    float s = static_cast<const float*>(c)[r];
    for (int64_t i = 0; i < k; ++i) s = s + value(a, r * k + i) * value(b, r * k + i);
    static_cast<float*>(d)[r] = s;
  }
}
extern "C" void gemm(const void* a, const void* b, const void* c, void* d, int64_t m, int64_t n,
                     int64_t k) {
  for (int64_t i = 0; i < m * n; ++i) {
    float s = 0;
    for (int64_t j = 0; j < k; ++j) s = s + value(a, i / n * k + j) * value(b, i % n * k + j);
    static_cast<float*>(d)[i] = s + static_cast<const float*>(c)[i];
  }
}
DOT(nan_always) { (void)a, (void)b, (void)c, (void)k;
  for (int64_t r = 0; r < rows; ++r) static_cast<float*>(d)[r] = NAN; }
DOT(zero_always) { (void)a, (void)b, (void)c, (void)k; std::memset(d, 0, 4 * rows); }
DOT(throws) { (void)a, (void)b, (void)c, (void)d, (void)rows, (void)k;
  throw std::runtime_error("on purpose"); }
DOT(throws_a_number) { (void)a, (void)b, (void)c, (void)d, (void)rows, (void)k; throw 5; }
DOT(noise) {
  static uint32_t state = 1;
  (void)a, (void)b, (void)c, (void)k;
  for (int64_t r = 0; r < rows; ++r) {
    state = state * 1664525u + 1013904223u;
    static_cast<float*>(d)[r] = float(state >> 8);
  }
}
"""


class Instructions(harness.CommandTest):
    def test_the_card_is_the_instruction(self):
        out = self.succeeds("probe", "--instruction", WGMMA, "--card", "card.json", "--rows", "64")
        self.assertIn("every bit of", out)
        self.assertIn(f"known as {WGMMA}", out)
        for words in (r"step_k +32 +yes", r"alignment_fraction_bits +13 +yes",
                      r"result_rounding +toward_zero +yes", r"min_exponent +none +no",
                      r"T_rnd_dir .*toward zero", r"T_1_bit .* no"):
            self.assertRegex(out, words)
        card = json.loads((self.folder / "card.json").read_text())
        self.assertIn(json.dumps(card, indent=2), out)
        # --model takes it everywhere.
        words = ("a.npy", "b.npy", "c.npy")
        self.succeeds("dot", "--instruction", WGMMA, *words, "d1.npy")
        self.succeeds("dot", "--model", "card.json", *words, "d2.npy")
        self.assertEqual(self.load("d1.npy").tobytes(), self.load("d2.npy").tobytes())
        self.succeeds("explain", "--model", "card.json", *words, "--row", "0")
        gemm = ("gemm", "a.npy", "b.npy", "d.npy", "--profile", "cublaslt", *FORMATS)
        self.succeeds(*gemm, "--model", "card.json")
        self.succeeds("diagnose", "a.npy", "b.npy", "d.npy", *FORMATS, "--model", "card.json")
        again = self.succeeds("probe", "--model", "card.json", "--rows", "64")
        self.assertIn(f"known as {WGMMA}", again)

    def test_json_is_the_whole_record(self):
        found = json.loads(self.succeeds("probe", "--instruction", "hopper.mma.f32.e4m3.e4m3",
                                         "--json", "--rows", "64"))
        self.assertTrue(found["exact"])
        self.assertEqual(found["card"]["model"]["order"], "interleaved_pairs")
        self.assertTrue(any("FP16" in note for note in found["notes"]), found["notes"])
        names = [p["name"] for p in found["parameters"]]
        self.assertIn("multiplier_emin", names)

    def test_no_c_and_short_rows(self):
        out = self.succeeds("probe", "--instruction", WGMMA, "--no-c", "--k-multiple", "32", "--max-k", "32",
                            "--rows", "64")
        self.assertIn("every bit of", out)
        self.assertRegex(out, r"addend +\w+ +no")


class Recorded(harness.CommandTest):
    def rows(self, instruction, rows=200, k=96):
        rng = np.random.default_rng(3)
        for name in ("a", "b"):
            codes = rng.integers(0, 256, (rows, k), dtype=np.uint8)
            self.save(f"{name}.npy", (codes & 0x87) | (codes % 6 + 4 << 3).astype(np.uint8))
        self.save("c.npy", rng.standard_normal(rows).astype(np.float32) * 64)
        self.succeeds("dot", "--instruction", instruction, "a.npy", "b.npy", "c.npy", "d.npy")

    def probe(self, *words):
        return self.succeeds("probe", "--a", "a.npy", "--b", "b.npy", "--d", "d.npy", *FORMATS,
                             *words)

    def test_rows(self):
        self.rows("ada.mma.f32.e4m3.e4m3")
        out = self.probe("--c", "c.npy")
        self.assertIn("every bit of 50 rows", out)
        self.assertRegex(out, r"known as .*ada\.mma\.f32\.e4m3\.e4m3")
        found = json.loads(self.probe("--c", "c.npy", "--json"))
        self.assertEqual(found["card"]["model"]["alignment_fraction_bits"], 13)
        # One wrong output: no card.
        d = self.load("d.npy")
        d[3] = -d[3]
        self.save("d.npy", d)
        self.assertIn("no card of this model", self.probe("--c", "c.npy"))

    def test_a_gemm(self):
        self.rows(WGMMA, rows=40)
        self.succeeds("gemm", "a.npy", "b.npy", "d.npy", "--profile", "cublaslt-fast", *FORMATS)
        self.assertRegex(self.probe(), rf"known as .*{WGMMA}")
        self.assertEqual(self.probe("--seed", "5"), self.probe("--seed", "5"))

    def test_hostile(self):
        self.rows(WGMMA)
        words = ("probe", "--a", "a.npy", "--b", "b.npy", "--d")
        self.fails(1, "No such file", *words, "none.npy", *FORMATS)
        self.fails(1, "expected uint16", *words, "d.npy", *BF16)
        self.save("d2.npy", np.zeros((3, 3), np.float32))
        self.fails(1, "[200, 200] of a GEMM or [200]", *words, "d2.npy", *FORMATS)
        self.fails(1, "as D has", *words, "d.npy", *FORMATS, "--c", "d2.npy")
        self.save("narrow.npy", self.load("b.npy")[:, :7])
        self.fails(1, "expected [rows, 96]", "probe", "--a", "a.npy", "--b", "narrow.npy", "--d",
                   "d.npy", *FORMATS)
        self.fails(1, "expected uint8", "probe", "--a", "d.npy", "--b", "b.npy", "--d", "d.npy",
                   *FORMATS)
        self.fails(1, "e8m0", *words, "d.npy", "--format-a", "e8m0", "--format-b", "e4m3")
        self.save("half.npy", np.zeros(200, np.uint16))
        self.fails(1, "bf16", *words, "half.npy", *FORMATS, "--format-c", "bf16")
        self.fails(2, "is the input", *words, "d.npy", *FORMATS, "--card", "d.npy")


class Usage(harness.CommandTest):
    def test_wrong_usage(self):
        for needle, words in [
                ("one thing to probe", []), ("on the --device", []),
                ("name one", ["--device", "--library", "x.so", "--symbol", "f", *FORMATS]),
                ("one thing to probe", ["--instruction", WGMMA, "--library", "x.so"]),
                ("--symbol", ["--library", "x.so", *FORMATS]),
                ("--a, --b and --d", ["--a", "a.npy", *FORMATS]),
                ("--format-a", ["--library", "x.so", "--symbol", "f"]),
                ("its own formats", ["--instruction", WGMMA, *FORMATS]),
                ("below --k-multiple", ["--instruction", WGMMA, "--k-multiple", "64", "--max-k", "32"]),
                ("--k-multiple", ["--instruction", WGMMA, "--k-multiple", "0"]),
                ("hopper.wgmma", ["--instruction", "hopper.wgma"])]:
            self.fails(2, needle, "probe", *words)
        self.fails(1, "cannot load", "probe", "--library", "none.so", "--symbol", "f", *FORMATS)
        self.fails(1, "cannot load", "probe", "--library", "a.npy", "--symbol", "f", *FORMATS)
        self.fails(1, "cannot load", "probe", "--library", ".", "--symbol", "f", *FORMATS)
        self.fails(1, "at least 4 products", "probe", "--instruction", WGMMA, "--max-k", "3")


@harness.unittest.skipIf(COMPILER is None, "no C++ compiler here")
class Libraries(harness.CommandTest):
    def setUp(self):
        super().setUp()
        (self.folder / "lib.cpp").write_text(LIBRARY)
        subprocess.run([COMPILER, "-O1", "-ffp-contract=off", "-shared", "-fPIC", "-o", "lib.so",
                        "lib.cpp"], cwd=self.folder, check=True)

    def words(self, symbol):
        return ("probe", "--library", "lib.so", "--symbol", symbol, *BF16, "--rows", "64", "--max-k",
                "256")

    def test_a_loop_is_a_sequential_sum(self):
        for symbol, more in (("sequential", ()), ("gemm", ("--gemm", "--side", "4"))):
            out = self.succeeds(*self.words(symbol), *more)
            self.assertIn("every value of", out)
            self.assertIn("one product a step: a sequential sum", out)
            self.assertRegex(out, r"result_rounding +nearest_even +yes")
            self.assertRegex(out, r"result_mantissa_bits +23 +yes")
        self.assertIn("C is added to the finished sum", out)

    def test_what_is_no_sum(self):
        for symbol, words in (("nan_always", "every answer is 0x7fc00000"),
                              ("zero_always", "every answer is 0x00000000"),
                              ("noise", "others when they are asked again")):
            out = self.succeeds(*self.words(symbol))
            self.assertIn("no card of this model", out)
            self.assertIn(words, out)

    def test_what_goes_wrong(self):
        self.fails(1, "'throws' threw: on purpose", *self.words("throws"))
        self.fails(1, "no exception", *self.words("throws_a_number"))
        self.fails(1, "has no symbol 'nothing'", *self.words("nothing"))


if __name__ == "__main__":
    harness.main()
