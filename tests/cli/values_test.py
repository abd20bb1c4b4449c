"""What `bits` and `formats` print, against numbers worked by hand and against ml_dtypes."""
import re

import harness

np = harness.np


def fields(text):
    """The lines `code 0x3a` and so on as a dict."""
    return {m[1]: m[2] for m in re.finditer(r"^(code|fields|class|value|ulp|error) +(.*)$", text,
                                            re.MULTILINE)}


class Values(harness.CommandTest):
    def bits(self, *words):
        return fields(self.succeeds("bits", *words))

    def code(self, *words):
        return self.bits(*words)["code"]

    def test_worked_by_hand(self):
        got = self.bits("1.3", "--format", "e4m3")
        self.assertEqual(got, {"code": "0x3a", "fields": "0 0111 010", "class": "normal",
                               "value": "1.25", "ulp": "2^-3 = 0.125",
                               "error": "-0.05   -0.4 ulp   -3.84615 %"})
        for value, format_, code in [
                ("500", "e4m3", "0x7e"), ("-500", "e4m3", "0xfe"), ("448", "e4m3", "0x7e"),
                ("464", "e4m3", "0x7e"), ("431.99999999999994", "e4m3", "0x7d"),
                ("432", "e4m3", "0x7e"), ("0.0009765625", "e4m3", "0x00"),
                ("0.00097656250000000000000000000001", "e4m3", "0x01"),
                ("0x1.8p-9", "e4m3", "0x02"), ("500", "e5m2", "0x60"), ("1.5e-5", "e5m2", "0x01"),
                ("-0", "e4m3", "0x80"), ("-0", "e4m3fnuz", "0x00"), ("2", "binary8p4se", "0x48"),
                ("0.1", "fp64", "0x3fb999999999999a"), ("0.1", "fp32", "0x3dcccccd"),
                ("1e-46", "fp32", "0x00000000"), ("1e5000", "e4m3", "0x7e"),
                ("1e-5000", "e4m3", "0x00"), ("inf", "e4m3", "0x7e"), ("-inf", "e5m2", "0xfb"),
                ("nan", "e4m3", "0x7f"), ("-nan", "e4m3", "0x7f"), ("1", "tf32", "0x1fc00"),
                ("-.5", "e5m2", "0xb8"), ("-0.5", "e5m2", "0xb8"), ("-0x1p-1", "e5m2", "0xb8")]:
            with self.subTest(value=value, format=format_):
                self.assertEqual(self.code(value, "--format", format_), code)

    def test_a_decimal_is_rounded_once(self):
        # 1.0625 is half-way between 1 and 1.125; a crumb that fp64 does not hold decides.
        crumb = "0" * 25 + "1"
        for rounding, half, above, below in [
                ("nearest_even", "0x38", "0x39", "0x38"), ("nearest_away", "0x39", "0x39", "0x38"),
                ("toward_zero", "0x38", "0x38", "0x38"), ("up", "0x39", "0x39", "0x39")]:
            words = ("--format", "e4m3", "--rounding", rounding)
            self.assertEqual(self.code("1.0625", *words), half)
            self.assertEqual(self.code("1.0625" + crumb, *words), above)
            self.assertEqual(self.code("1.0624" + "9" * 25, *words), below)
        self.assertEqual(self.code("1" + "." + crumb, "--format", "e4m3", "--rounding", "up"),
                         "0x39")
        self.assertEqual(self.code("1", "--format", "e4m3", "--rounding", "up"), "0x38")
        self.assertEqual(self.code("1e-5000", "--format", "fp32", "--rounding", "up"),
                         "0x00000001")

    def test_overflow_and_nan_rules(self):
        for words, code in [(("465", "--overflow", "special"), "0x7f"),
                            (("464", "--overflow", "special"), "0x7e"),
                            (("inf", "--overflow", "sat_propagate"), "0x7e"),
                            (("465", "--overflow", "sat_propagate"), "0x7e"),
                            (("480", "--overflow", "special", "--rounding", "toward_zero"), "0x7e"),
                            (("-nan", "--nan", "keep_sign"), "0xff")]:
            self.assertEqual(self.code(*words, "--format", "e4m3"), code, words)

    def test_stochastic_draws(self):
        # 1.1 lies 0.8 of the way from 1 to 1.125: floor(0.8 * 2^8) = 204, up where 204 + R >= 256.
        for draw, code in [(0, "0x38"), (51, "0x38"), (52, "0x39"), (255, "0x39")]:
            self.assertEqual(self.code("1.1", "--format", "e4m3", "--rounding", "stochastic_a",
                                       "--random-bits", "8", "--random", draw), code)

    def test_neighbours(self):
        def neighbours(*words):
            table = self.succeeds("bits", *words).split("neighbour", 1)[1]
            return {line.split()[0]: line.split()[1] for line in table.splitlines()[1:]}
        self.assertEqual(neighbours("0", "--format", "e4m3"),
                         {"above": "0x01", "here": "0x00", "below": "0x81"})
        self.assertEqual(neighbours("448", "--format", "e4m3"),
                         {"above": "none", "here": "0x7e", "below": "0x7d"})
        self.assertEqual(neighbours("57344", "--format", "e5m2"),
                         {"above": "0x7c", "here": "0x7b", "below": "0x7a"})
        self.assertEqual(neighbours("--code", "0x80", "--format", "e4m3"),
                         {"above": "0x01", "here": "0x80", "below": "0x81"})
        self.assertEqual(neighbours("--code", "0", "--format", "e8m0"),
                         {"above": "0x01", "here": "0x00", "below": "none"})

    def test_every_code_against_ml_dtypes(self):
        try:
            import ml_dtypes
        except ImportError:
            self.skipTest("no ml_dtypes here")
        for name, dtype in [("e4m3", ml_dtypes.float8_e4m3fn), ("e2m1", ml_dtypes.float4_e2m1fn),
                            ("e8m0", ml_dtypes.float8_e8m0fnu)]:
            codes = np.arange(256 if name != "e2m1" else 16, dtype=np.uint8)
            for code, value in zip(codes, codes.view(dtype).astype(np.float64)):
                got = self.bits("--code", hex(code), "--format", name)
                if np.isnan(value):
                    self.assertEqual((got["value"], got["class"]), ("nan", "NaN"))
                else:
                    self.assertEqual(np.float64(got["value"]).tobytes(), value.tobytes())

    def test_the_exact_decimal_is_exact(self):
        from fractions import Fraction
        for value, format_ in [("0.1", "fp64"), ("1e-45", "fp32"), ("5e-324", "fp64"),
                               ("1.7976931348623157e308", "fp64"), ("3.3e38", "bf16")]:
            text = self.succeeds("bits", value, "--format", format_)
            exact = Fraction(fields(text)["value"])
            significand, exponent = re.search(r"= (\d+) x 2\^(-?\d+)", text).groups()
            self.assertEqual(exact, int(significand) * Fraction(2) ** int(exponent))
        self.assertEqual(Fraction(self.bits("0.1", "--format", "fp64")["value"]), Fraction(0.1))

    def test_the_table_of_formats(self):
        rows = [[cell.strip() for cell in line.strip("|").split("|")]
                for line in self.succeeds("formats", "--markdown").splitlines()]
        self.assertEqual(rows[0], ["name", "bits", "S/E/M", "bias", "max finite", "min normal",
                                   "min subnormal", "unit roundoff", "Inf", "NaN", "source"])
        table = {row[0]: row for row in rows[2:]}
        self.assertEqual(table["e4m3"][1:10], ["8", "1/4/3", "7", "448", "2^-6", "2^-9", "2^-4",
                                               "-", "0x7f, 0xff"])
        self.assertEqual(table["e5m2"][4:10], ["57344", "2^-14", "2^-16", "2^-3", "0x7c, 0xfc",
                                               "6 codes"])
        self.assertEqual(table["e8m0"][4:10], ["2^127", "2^-127", "-", "2^-1", "-", "0xff"])
        try:
            import ml_dtypes
        except ImportError:
            self.skipTest("no ml_dtypes here")

        def number(text):
            return 2.0 ** int(text[2:]) if text.startswith("2^") else float(text)
        for ours, theirs in [("e4m3", "float8_e4m3fn"), ("e5m2", "float8_e5m2"),
                             ("e4m3fnuz", "float8_e4m3fnuz"), ("e5m2fnuz", "float8_e5m2fnuz"),
                             ("e3m4", "float8_e3m4"), ("e3m2", "float6_e3m2fn"),
                             ("e2m3", "float6_e2m3fn"), ("e2m1", "float4_e2m1fn"),
                             ("bf16", "bfloat16")]:
            info = ml_dtypes.finfo(getattr(ml_dtypes, theirs))
            with self.subTest(format=ours):
                self.assertAlmostEqual(number(table[ours][4]) / float(info.max), 1, delta=1e-8)
                self.assertEqual(number(table[ours][5]), float(info.smallest_normal))
                self.assertEqual(number(table[ours][6]), float(info.smallest_subnormal))


if __name__ == "__main__":
    harness.main()
