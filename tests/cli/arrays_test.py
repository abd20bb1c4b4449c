"""cast, decode, quantize, dot, gemm, explain and inspect on arrays, against numpy and ml_dtypes."""
import json
import os
import resource

import harness

np = harness.np
WGMMA = "hopper.wgmma.f32.e4m3.e4m3"


def one(code, shape=(1, 32)):
    array = np.zeros(shape, np.uint8)
    array[:, 0] = code
    return array


class Arrays(harness.CommandTest):
    def ml_dtypes(self):
        try:
            import ml_dtypes
        except ImportError:
            self.skipTest("no ml_dtypes here")
        return ml_dtypes

    def test_cast_and_decode_against_ml_dtypes(self):
        ml = self.ml_dtypes()
        rng = np.random.default_rng(3)
        bits = rng.integers(0, 2**32, (50, 100), dtype=np.uint32)
        self.save("bits.npy", bits.view(np.float32))
        for name, dtype, width in [("e4m3", ml.float8_e4m3fn, np.uint8),
                                   ("e5m2", ml.float8_e5m2, np.uint8),
                                   ("bf16", ml.bfloat16, np.uint16),
                                   ("fp16", np.float16, np.uint16)]:
            self.succeeds("cast", "bits.npy", "codes.npy", "--to", name, "--overflow", "special",
                          "--nan", "keep_sign")
            got = self.load("codes.npy")
            with np.errstate(all="ignore"):
                want = bits.view(np.float32).astype(dtype)
            self.assertEqual((got.dtype, got.shape), (width, bits.shape))
            nan = np.isnan(want.astype(np.float32))  # numpy's fp16 keeps payloads, we do not
            np.testing.assert_array_equal(got[~nan], want.view(width)[~nan], name)
            self.assertTrue(np.isnan(got.view(dtype).astype(np.float32))[nan].all())
            np.testing.assert_array_equal(np.signbit(got.view(dtype).astype(np.float32))[nan],
                                          np.signbit(want.astype(np.float32))[nan])
            self.succeeds("decode", "codes.npy", "values.npy", "--from", name)
            values = self.load("values.npy")
            self.assertEqual(values.dtype, np.float32)
            np.testing.assert_array_equal(values, want.astype(np.float32))
            # Codes go on to another format by their name.
            self.succeeds("cast", "codes.npy", "wide.npy", "--from", name, "--to", "fp64",
                          "--overflow", "special")
            np.testing.assert_array_equal(self.load("wide.npy").view(np.float64),
                                          want.astype(np.float64))

    def test_decode_is_float64_where_the_format_needs_it(self):
        self.save("wide.npy", np.array([1.5, 1e300]).view(np.uint64))
        self.succeeds("decode", "wide.npy", "values.npy", "--from", "fp64")
        np.testing.assert_array_equal(self.load("values.npy"), [1.5, 1e300])

    def test_inputs_in_any_order_and_from_safetensors(self):
        x = self.load("x.npy")
        self.succeeds("cast", "x.npy", "plain.npy", "--to", "e5m2")
        plain = (self.folder / "plain.npy").read_bytes()
        self.save("other.npy", np.asfortranarray(x.astype(">f4")))
        for address in ("other.npy", "model.safetensors:layer.weight"):
            self.succeeds("cast", address, "codes.npy", "--to", "e5m2")
            self.assertEqual((self.folder / "codes.npy").read_bytes(), plain)

    def test_stochastic_casts_follow_the_seed(self):
        words = ("--to", "e4m3", "--rounding", "stochastic_a")
        for name, seed in [("a1", 1), ("a2", 1), ("a3", 2)]:
            self.succeeds("cast", "x.npy", f"{name}.npy", *words, "--seed", seed)
        np.testing.assert_array_equal(self.load("a1.npy"), self.load("a2.npy"))
        self.assertTrue((self.load("a1.npy") != self.load("a3.npy")).any())

    def test_quantize_reads_back_near(self):
        x = self.load("x.npy")
        for recipe, granularity, grid, scale_type in [
                ("deepseek-v3", "1x128", (256, 2), "fp32"), ("deepseek-v3", "tensor", (1, 1), "fp32"),
                ("deepgemm", "128x128", (2, 2), "ue8m0"), ("transformer-engine", "row", (256, 1),
                                                           "fp32"),
                ("deepseek-v3", "column", (1, 256), "fp32"), ("ocp-mx", "1x32", (256, 8), "ue8m0")]:
            self.succeeds("quantize", "x.npy", "--recipe", recipe, "--granularity", granularity,
                          "--scale-type", scale_type, "--codes", "q.npy", "--scales", "s.npy")
            self.succeeds("decode", "q.npy", "v.npy", "--from", "e4m3")
            q, s, v = self.load("q.npy"), self.load("s.npy"), self.load("v.npy")
            self.assertEqual((q.dtype, q.shape, s.dtype, s.shape),
                             (np.uint8, x.shape, np.float32, grid))
            if scale_type == "ue8m0":
                self.assertTrue((np.frexp(s)[0] == 0.5).all())
            s = np.kron(s, np.ones((256 // grid[0], 256 // grid[1]), np.float32))
            # Half a unit in the last place; the floor rule clips some of the largest besides.
            clipped = 0.02 if recipe == "ocp-mx" else 0
            error = np.abs(v * s - x) / np.maximum(np.abs(x), s * 2**-6)
            self.assertLessEqual(np.quantile(error, 1 - clipped), 1 / 16 * 1.0001)
            self.assertGreater(error.max(), 1 / 18)

    def test_quantize_bf16_patterns_and_scale_codes(self):
        x = self.load("x.npy")
        self.save("bf16.npy", (x.view(np.uint32) >> 16).astype(np.uint16))
        self.save("cut.npy", (x.view(np.uint32) & 0xFFFF0000).view(np.float32))
        common = ("--recipe", "nvidia-mx", "--scales", "s.npy", "--scale-codes", "e.npy")
        self.succeeds("quantize", "bf16.npy", "--from", "bf16", *common, "--codes", "q1.npy")
        self.succeeds("quantize", "cut.npy", *common, "--codes", "q2.npy")
        np.testing.assert_array_equal(self.load("q1.npy"), self.load("q2.npy"))
        np.testing.assert_array_equal(np.ldexp(1.0, self.load("e.npy").astype(int) - 127),
                                      self.load("s.npy"))

    def test_dot_follows_the_instruction(self):
        # 13 fraction bits below the largest exponent: of C = 1 + 2^-13 + 2^-14 the last bit goes.
        self.save("a.npy", one(0))
        self.save("b.npy", one(0))
        c = np.array([1 + 2**-13 + 2**-14], np.float32)
        self.save("c.npy", c)
        self.succeeds("dot", "--instruction", WGMMA, "a.npy", "b.npy", "c.npy", "d.npy")
        self.assertEqual(self.load("d.npy").tolist(), [1 + 2**-13])
        # Bit patterns in, bit patterns out; 2 * 3 + 1 with nothing to round.
        self.save("a.npy", one(0x40))
        self.save("b.npy", one(0x44))
        self.save("c.npy", np.array([1], np.float32).view(np.uint32))
        self.succeeds("dot", "--instruction", WGMMA, "a.npy", "b.npy", "c.npy", "d.npy")
        d = self.load("d.npy")
        self.assertEqual((d.dtype, d.view(np.float32).tolist()), (np.uint32, [7.0]))

    def test_dot_takes_tf32_as_fp32_words_and_fp16_accumulators(self):
        a = np.array([[1.5, 1 + 2**-20, 0, 0, 0, 0, 0, 0]], np.float32)  # the crumb is below tf32
        b = np.array([[2, 1, 0, 0, 0, 0, 0, 0]], np.float32)
        self.save("a.npy", a)
        self.save("b.npy", b.view(np.uint32))
        self.save("c.npy", np.zeros(1, np.float32))
        self.succeeds("dot", "--instruction", "hopper.wgmma.f32.tf32.tf32", "a.npy", "b.npy",
                      "c.npy", "d.npy")
        self.assertEqual(self.load("d.npy").tolist(), [4.0])
        self.save("a.npy", one(0x40))
        self.save("b.npy", one(0x44))
        self.save("c.npy", np.array([0.5], np.float16).view(np.uint16))
        self.succeeds("dot", "--instruction", "hopper.wgmma.f16.e4m3.e4m3", "a.npy", "b.npy",
                      "c.npy", "d.npy")
        self.assertEqual(self.load("d.npy").view(np.float16).tolist(), [6.5])

    def test_explain_shows_what_dot_gives(self):
        d = self.succeeds("dot", "--instruction", WGMMA, "a.npy", "b.npy", "c.npy", "d.npy")
        for row in (0, 63):
            text = self.succeeds("explain", "--instruction", WGMMA, "a.npy", "b.npy", "c.npy",
                                 "--row", row)
            code = self.load("d.npy").view(np.uint32)[row]
            self.assertIn(f"result     0x{code:08x}", text, d)
            self.assertEqual(text.count("\nstep "), 128 // 32)
        # C = 1 + 2^-13 + 2^-14: thirteen places stay, one bit is set off.
        self.save("a.npy", one(0))
        self.save("b.npy", one(0))
        self.save("c.npy", np.array([1 + 2**-13 + 2**-14], np.float32))
        text = self.succeeds("explain", "--instruction", WGMMA, "a.npy", "b.npy", "c.npy", "--row",
                             0)
        self.assertIn("+1.0000000000001  | 1\n", text)
        self.assertIn("exact sum  1.00018310546875 ", text)

    def test_gemm_of_small_integers_is_exact(self):
        rng = np.random.default_rng(5)
        a, b = rng.integers(-8, 9, (2, 24, 256)).astype(np.float32)
        self.save("fa.npy", a)
        self.save("fb.npy", b[:16])
        self.succeeds("cast", "fa.npy", "ca.npy", "--to", "e4m3")
        self.succeeds("cast", "fb.npy", "cb.npy", "--to", "e4m3")
        want = a @ b[:16].T
        formats = ("--format-a", "e4m3", "--format-b", "e4m3")
        for profile in ("cublaslt", "deepgemm", "exact", "fp32-sequential"):
            self.succeeds("gemm", "ca.npy", "cb.npy", "d.npy", "--profile", profile, *formats)
            got = self.load("d.npy")
            self.assertEqual((got.dtype, got.shape), (np.float32, (24, 16)))
            np.testing.assert_array_equal(got, want, profile)
        for output, dtype in [("f16", np.float16)]:
            self.succeeds("gemm", "ca.npy", "cb.npy", "d.npy", "--profile", "exact", *formats,
                          "--output", output)
            got = self.load("d.npy")
            self.assertEqual(got.dtype, np.uint16)
            np.testing.assert_array_equal(got.view(dtype), want.astype(dtype))

    def test_gemm_on_the_device_gives_the_same_bits_or_says_that_there_is_none(self):
        words = ("gemm", "a.npy", "b.npy", "d.npy", "--profile", "cublaslt", "--format-a", "e4m3",
                 "--format-b", "e4m3")
        self.succeeds(*words)
        here = self.load("d.npy").tobytes()
        (self.folder / "d.npy").unlink()
        done = self.run_binade(*words, "--device")
        if done.returncode == 0:
            self.assertEqual(self.load("d.npy").tobytes(), here)
        else:
            self.assertRegex(done.stderr, r"\Aerror: no CUDA device: .+\n\Z")
            self.assertFalse((self.folder / "d.npy").exists())
        if "no CUDA" not in done.stderr:
            refused = self.run_binade(*words[:4], "--profile", "exact", *words[6:], "--device")
            self.assertIn("has no matrix instruction", refused.stderr)

    def test_verify_asks_for_all_its_devices_before_it_begins(self):
        for devices in ("99", "0,99"):
            done = self.run_binade("verify", "--devices", devices, "--out", "verified")
            self.assertRegex(done.stderr, r"\Aerror: no (CUDA device: .+|device 99: there .+)\n\Z")
            self.assertFalse((self.folder / "verified").exists())

    def test_gemm_applies_scales(self):
        a, b = np.full((4, 256), 0x38, np.uint8), np.full((8, 256), 0x40, np.uint8)
        self.save("ca.npy", a)
        self.save("cb.npy", b)
        sa = np.ldexp(1.0, np.arange(8).reshape(4, 2)).astype(np.float32)
        sb = np.array([[0.5, 4]], np.float32)
        self.save("sa.npy", sa)
        self.save("sb.npy", sb)
        self.succeeds("gemm", "ca.npy", "cb.npy", "d.npy", "--profile", "deepgemm", "--format-a",
                      "e4m3", "--format-b", "e4m3", "--scale-a", "sa.npy", "--scale-b", "sb.npy",
                      "--output", "bf16")
        want = (256 * sa[:, :1] * 0.5 + 256 * sa[:, 1:] * 4) * np.ones((1, 8))
        got = (self.load("d.npy").astype(np.uint32) << 16).view(np.float32)
        np.testing.assert_array_equal(got, want)

    def test_a_model_card_takes_the_place_of_an_instruction(self):
        # The card is the named instruction with two fraction bits fewer.
        cards = self.succeeds("list", "--card", WGMMA)
        card = json.loads(cards)
        card["model"]["alignment_fraction_bits"] -= 2
        (self.folder / "card.json").write_text(json.dumps(card))
        self.save("a.npy", one(0))
        self.save("b.npy", one(0))
        self.save("c.npy", np.array([1 + 2**-11 + 2**-13], np.float32))
        words = ("a.npy", "b.npy", "c.npy", "d.npy")
        self.succeeds("dot", "--model", "card.json", *words)
        self.assertEqual(self.load("d.npy").tolist(), [1 + 2**-11])
        self.succeeds("dot", "--instruction", WGMMA, *words)
        self.assertEqual(self.load("d.npy").tolist(), [1 + 2**-11 + 2**-13])
        self.save("ca.npy", np.vstack([one(0x38)] * 2))
        self.succeeds("gemm", "ca.npy", "ca.npy", "g.npy", "--profile", "cublaslt", "--format-a",
                      "e4m3", "--format-b", "e4m3", "--model", "card.json")
        self.assertEqual(self.load("g.npy").tolist(), [[1, 1], [1, 1]])

    def test_inspect_in_panels_is_inspect_at_once(self):
        x = self.load("x.npy")
        x[200, 7] = 50  # a scale of the tensor and of a column has to be known before this panel
        self.save("x.npy", x)
        harness.write_safetensors(self.folder / "model.safetensors", {"layer.weight": x})
        special = x.copy()
        special[3, 5], special[90, 5], special[250, 6] = np.inf, np.nan, -np.inf
        self.save("special.npy", special)
        recipes = ("deepseek-v3:1x128,ocp-mx,deepseek-v3:tensor,nvfp4,deepgemm:column,"
                   "transformer-engine:tensor,tilekernels:row,nvfp4:16x16")
        for name in ("model.safetensors", "special.npy"):
            whole = self.succeeds("inspect", name, "--recipe", recipes)
            for panel in ("5000", "70000" if name[0] == "m" else "20000"):
                panels = self.succeeds("inspect", name, "--recipe", recipes, "--panel", panel)
                self.assertEqual(whole, panels)
        whole = self.succeeds("inspect", "model.safetensors", "--recipe", recipes)
        row = whole.splitlines()[1]
        self.assertIn(f"{np.abs(x).max():.5g}", whole)
        self.assertIn("[256, 256]", whole)
        share = 100 * np.mean((np.abs(x) <= 2**-10) & (x != 0))
        self.assertIn(f"{share:.3f}", whole, row)
        # SQNR from the codes and scales that quantize writes.
        self.succeeds("quantize", "x.npy", "--recipe", "deepseek-v3", "--granularity", "1x128",
                      "--codes", "q.npy", "--scales", "s.npy")
        self.succeeds("decode", "q.npy", "v.npy", "--from", "e4m3")
        back = self.load("v.npy") * np.repeat(self.load("s.npy"), 128, axis=1)
        noise = np.sum((back.astype(float) - x) ** 2)
        self.assertIn(f"{10 * np.log10(np.sum(x.astype(float) ** 2) / noise):.2f}", whole)

    def test_inspect_holds_a_panel_not_the_file(self):
        # Sparse: 256 MB of zeros. A child's peak memory is the largest of all children so far.
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (8192, 8192), }"
        header += b" " * (117 - len(header)) + b"\n"
        with open(self.folder / "large.npy", "wb") as file:
            file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
            file.truncate(128 + 4 * 8192 * 8192)
        # A sanitized build would otherwise keep what was freed.
        done = self.run_binade("inspect", "large.npy", "--recipe", "nvfp4", "--panel", "1000000",
                               env={**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.assertLess(peak_kib, 160 * 1024)


if __name__ == "__main__":
    harness.main()
