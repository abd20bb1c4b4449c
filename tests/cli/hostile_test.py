"""Everything that can go wrong: the exit code, one line that says what, and no file half-written."""
import json
import os
import pathlib
import resource
import struct
import subprocess

import harness

np = harness.np
WGMMA = ("--instruction", "hopper.wgmma.f32.e4m3.e4m3")
FORMATS = ("--format-a", "e4m3", "--format-b", "e4m3")
CAST = ("out.npy", "--to", "e4m3")
QUANTIZE = ("--recipe", "deepseek-v3", "--codes", "q.npy", "--scales", "s.npy")


def npy_header(text, major=1, length=None):
    text = text.encode()
    size = struct.pack("<H" if major == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes([major, 0]) + size + text


def safetensors(header, data=b"", length=None):
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


class WrongUsage(harness.CommandTest):
    def test_words_that_are_not_known(self):
        for needle, words in [
                ("expected one of formats", []), ("'casts' was not expected", ["casts"]),
                ("cast", ["casts"]), ("--to is required", ["cast", "x.npy", "out.npy"]),
                ("OUT is required", ["cast", "x.npy"]), ("'--too'", ["cast", "x.npy", "--too"]),
                ("unknown format 'e4m'", ["cast", "x.npy", "out.npy", "--to", "e4m"]),
                ("e4m3 or e5m2", ["bits", "1", "--format", "fp8"]),
                ("unknown rounding 'up_'", ["cast", "x.npy", *CAST, "--rounding", "up_"]),
                ("unknown overflow rule", ["cast", "x.npy", *CAST, "--overflow", "wrap"]),
                ("unknown NaN rule", ["cast", "x.npy", *CAST, "--nan", "zero"]),
                ("--random-bits", ["cast", "x.npy", *CAST, "--random-bits", "31"]),
                ("--seed", ["cast", "x.npy", *CAST, "--seed", "-1"]),
                ("'seven'", ["bits", "seven", "--format", "e4m3"]),
                ("no code of e4m3", ["bits", "--code", "0x100", "--format", "e4m3"]),
                ("no code of e4m3", ["bits", "--code", "0x", "--format", "e4m3"]),
                ("VALUE", ["bits", "--format", "e4m3"]),
                ("excludes", ["bits", "1", "--code", "1", "--format", "e4m3"]),
                ("more bits", ["bits", "1", "--format", "e4m3", "--random", "256"]),
                ("expected baseline", ["formats", "--isa", "avx512"]),
                ("--threads", ["formats", "--threads", "-1"]),
                ("--threads", ["formats", "--threads", "two"]),
                ("deepseek-v3", ["quantize", "x.npy", "--recipe", "deepseek", "--codes", "q.npy",
                                 "--scales", "s.npy"]),
                ("granularity '1by128'", ["quantize", "x.npy", *QUANTIZE, "--granularity",
                                          "1by128"]),
                ("unknown scale type", ["quantize", "x.npy", *QUANTIZE, "--scale-type", "fp8"]),
                ("has no e4m3 scales", ["quantize", "x.npy", *QUANTIZE, "--scale-type", "e4m3"]),
                ("have no codes", ["quantize", "x.npy", *QUANTIZE, "--scale-codes", "e.npy"]),
                ("hopper.wgmma", ["dot", "--instruction", "hopper.wgma", "a.npy", "b.npy", "c.npy",
                                  "d.npy"]),
                ("either --instruction", ["dot", "a.npy", "b.npy", "c.npy", "d.npy"]),
                ("deepgemm", ["gemm", "a.npy", "b.npy", "d.npy", "--profile", "deepgem", *FORMATS]),
                ("0 to 63", ["explain", *WGMMA, "a.npy", "b.npy", "c.npy", "--row", "64"]),
                ("'nothing'", ["run", "nothing"]), ("expected one of", ["run"]),
                ("'--sizes'", ["run", "cast_error", "--sizes", "3"]),
                ("parameter", ["run", "outlier_damage", "--smoke", "--rows", "many"]),
                ("expected one of", ["run", "outlier_damage", "--smoke", "--distribution", "flat"]),
                ("--markdown", ["list", "recipes", "--markdown"]),
                ("ocp-mx", ["inspect", "x.npy", "--recipe", "ocp"])]:
            self.fails(2, needle, *words)

    def test_an_output_that_is_an_input(self):
        (self.folder / "link.npy").symlink_to("x.npy")
        os.link(self.folder / "x.npy", self.folder / "hard.npy")
        for out in ("x.npy", "./x.npy", "link.npy", "hard.npy", self.folder / "x.npy"):
            self.fails(2, "is the input", "cast", "x.npy", out, "--to", "e4m3")
        self.fails(2, "is the input", "decode", "x.npy", "x.npy", "--from", "fp32")
        self.fails(2, "is the input", "dot", *WGMMA, "a.npy", "b.npy", "c.npy", "c.npy")
        self.fails(2, "is the input", "gemm", "a.npy", "b.npy", "b.npy", "--profile", "exact",
                   *FORMATS)
        self.fails(2, "is the input", "quantize", "model.safetensors:layer.weight", *QUANTIZE[:4],
                   "--scales", "model.safetensors")
        self.fails(2, "two outputs", "quantize", "x.npy", *QUANTIZE[:4], "--scales", "./q.npy")


class BadPlaces(harness.CommandTest):
    def test_inputs_that_are_no_files(self):
        (self.folder / "folder.npy").mkdir()
        for needle, path in [("No such file", "none.npy"), ("a directory", "folder.npy"),
                             ("No such file", "none.safetensors:a"), ("no regular file", "/dev/zero"),
                             ("no tensor 'none'", "model.safetensors:none"),
                             ("2 tensors", "model.safetensors"), ("FILE.npy", "c.txt")]:
            if path == "/dev/zero":
                (self.folder / "zero.npy").symlink_to(path)
                path = "zero.npy"
            if path == "c.txt":
                (self.folder / path).write_text("1 2 3")
            self.fails(1, needle, "cast", path, *CAST)
            self.fails(1, needle, "quantize", path, *QUANTIZE)
        self.fails(1, "No such file", "inspect", "none.safetensors")
        self.fails(1, "No such file", "plot", "none.csv")
        self.fails(1, "No such file", "dot", "--model", "none.json", "a.npy", "b.npy", "c.npy",
                   "d.npy")

    def test_outputs_that_cannot_be_written(self):
        (self.folder / "folder.npy").mkdir()
        (self.folder / "file").write_text("x")
        for needle, path in [("No such file", "none/out.npy"), ("a directory", "folder.npy"),
                             ("Not a directory", "file/out.npy"), ("cannot write ''", "")]:
            self.fails(1, needle, "cast", "x.npy", path, "--to", "e4m3")
        self.fails(1, "No such file", "quantize", "x.npy", *QUANTIZE[:4], "--scales", "none/s.npy")
        self.fails(1, "cannot make the directory", "run", "cast_error", "--smoke", "--out", "file")

    def test_permissions(self):
        """As somebody who is not root."""
        options = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}
        self.folder.chmod(0o777)
        try:
            probe = self.run_binade("--version", **options)
        except (PermissionError, subprocess.SubprocessError):
            self.skipTest("another user cannot run the command here")
        if probe.returncode != 0:
            self.skipTest("another user cannot run the command here")
        (self.folder / "x.npy").chmod(0o000)
        self.content = dict  # unreadable files cannot be compared, the entries below are
        before = sorted(os.listdir(self.folder))
        self.fails(1, "Permission denied", "cast", "x.npy", *CAST, **options)
        (self.folder / "x.npy").chmod(0o644)
        (self.folder / "out.npy").write_text("mine")
        (self.folder / "out.npy").chmod(0o444)
        self.fails(1, "Permission denied", "cast", "x.npy", *CAST, **options)
        self.assertEqual((self.folder / "out.npy").read_text(), "mine")
        (self.folder / "out.npy").unlink()
        self.folder.chmod(0o555)
        self.fails(1, "Permission denied", "cast", "x.npy", *CAST, **options)
        self.folder.chmod(0o777)
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    def test_a_full_disk(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
        (self.folder / "out.npy").write_text("the old one")
        self.fails(1, "File too large", "cast", "x.npy", *CAST, preexec_fn=limit)
        self.fails(1, "File too large", "quantize", "x.npy", *QUANTIZE, preexec_fn=limit)
        self.assertEqual((self.folder / "out.npy").read_text(), "the old one")
        (self.folder / "full.npy").symlink_to("/dev/full")
        self.fails(1, "No space left", "cast", "x.npy", "full.npy", "--to", "e4m3")
        self.assertTrue(pathlib.Path("/dev/full").is_char_device())
        with open("/dev/full", "w") as full:
            self.fails(1, "standard output", "formats", capture_output=False, stdout=full,
                       stderr=subprocess.PIPE)

    def test_a_small_file_system(self):
        where = self.folder / "small"
        where.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(where)]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
            self.skipTest("no tmpfs to be had here")
        try:
            self.fails(1, "No space left", "cast", "x.npy", "small/out.npy", "--to", "e4m3")
            self.fails(1, "No space left", "quantize", "x.npy", "--recipe", "deepseek-v3",
                       "--codes", "q.npy", "--scales", "small/s.npy", "--granularity", "1x4")
        finally:
            subprocess.run(["umount", str(where)], check=True)

    def test_a_reader_that_goes_away_is_no_error(self):
        read, write = os.pipe()
        os.close(read)
        done = self.run_binade("formats", capture_output=False, stdout=write,
                               stderr=subprocess.PIPE)
        os.close(write)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_name_with_a_line_break_stays_on_one_line(self):
        self.fails(1, "two lines", "cast", "two\nlines.npy", *CAST)


class BadFiles(harness.CommandTest):
    def refuse(self, name, data, needle):
        (self.folder / name).write_bytes(data)
        address = name if name.endswith(".npy") else name + ":a"
        self.fails(1, needle, "cast", address, *CAST)
        self.fails(1, needle, "inspect", name)

    def test_npy(self):
        good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n"
        huge = good.replace("(2,)", "(4611686018427387904, 4)")
        for data, needle in [
                (b"", "no .npy file"), (b"\x93NUMPY", "no .npy file"),
                (npy_header(good), "0 bytes of data, expected 8"),
                (npy_header(good) + b"1234567", "7 bytes of data, expected 8"),
                (npy_header(good) + b"123456789", "9 bytes of data, expected 8"),
                (npy_header(good, length=60000) + b"12345678", "says it has 60000 bytes"),
                (npy_header(good, 2, 2**32 - 1) + b"12345678", "says it has 4294967295 bytes"),
                (npy_header(huge) + b"12345678", "overflows"),
                (npy_header(good.replace("(2,)", "(1, -1)")), "no size_t"),
                (npy_header(good.replace("<f4", "|O")), "pickle"),
                (npy_header(good.replace("'<f4'", "[('a', '<f4')]")), "structured"),
                (npy_header(good.replace("<f4", "<c8")), "'<c8'"),
                (npy_header("{" * 3000), "header has"), (npy_header(good, 9), "version 9.0")]:
            self.refuse("bad.npy", data, needle)
        np.save(self.folder / "object.npy", np.array([{}, []], dtype=object), allow_pickle=True)
        self.fails(1, "pickle", "cast", "object.npy", *CAST)
        self.save("record.npy", np.zeros(3, dtype="f4,i4"))
        self.fails(1, "structured", "cast", "record.npy", *CAST)
        self.save("text.npy", np.array(["a", "b"]))
        self.fails(1, "<U1", "cast", "text.npy", *CAST)

    def test_safetensors(self):
        def one(**fields):
            return {"a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2], **fields}}
        two = one()
        for data, needle in [
                (b"1234", "4 bytes"), (safetensors("{}", length=2**63), "at most 100000000"),
                (safetensors("{}", length=100_000_001), "at most 100000000"),
                (safetensors("{}", length=3), "but 2 are left"), (safetensors("[]"), "'{'"),
                (safetensors("{\"a\""), "no JSON"), (safetensors(one(), b"1"), "end <= 1"),
                (safetensors(one(), b"123"), "cover 2 bytes"),
                (safetensors(one(shape=[3]), b"12"), "span 2 bytes, expected 3"),
                (safetensors(one(shape=[2**32, 2**32]), b"12"), "overflows"),
                (safetensors(one(shape=[-2]), b"12"), "holds -2"),
                (safetensors(one(dtype="F4"), b"12"), "F4"),
                (safetensors({**two, "b": {"dtype": "U8", "shape": [2], "data_offsets": [1, 3]}},
                             b"123"), "overlap"),
                (safetensors({**two, "b": {"dtype": "U8", "shape": [1], "data_offsets": [3, 4]}},
                             b"1234"), "hole"),
                (safetensors('{"a":' + json.dumps(one()["a"]) + ',"a":' + json.dumps(one()["a"]) +
                             "}", b"12"), "twice"),
                (safetensors("{" + '"a":' * 5 + "[" * 100000), "no JSON")]:
            self.refuse("bad.safetensors", data, needle)

    def test_gigantic_header_is_not_read(self):
        # Sparse: 200 MB that say they are a header.
        with open(self.folder / "big.safetensors", "wb") as file:
            file.write(struct.pack("<Q", 200_000_000) + b"{")
            file.truncate(200_000_008)
        done = self.run_binade("inspect", "big.safetensors")
        self.assertEqual(done.returncode, 1)
        self.assertIn("at most 100000000", done.stderr)

    def test_model_cards(self):
        words = ("a.npy", "b.npy", "c.npy", "d.npy")
        for text in ("", "{", "[]", "{\"name\": 5}", "null"):
            (self.folder / "card.json").write_text(text)
            self.fails(1, "card.json", "dot", "--model", "card.json", *words)

    def test_csv(self):
        for text in ("", "a,b\n1,2\n", "# binade 1; command: ls; seed: 1; isa: x; device: y\na\n1\n"):
            (self.folder / "t.csv").write_text(text)
            self.fails(1, "expected", "plot", "t.csv")


class BadArrays(harness.CommandTest):
    def test_empty(self):
        self.save("empty.npy", np.zeros((0, 4), np.float32))
        self.save("none.npy", np.zeros((4, 0), np.uint8))
        self.fails(1, "at least one element", "cast", "empty.npy", *CAST)
        self.fails(1, "at least one element", "quantize", "empty.npy", *QUANTIZE)
        self.fails(1, "at least one element", "dot", *WGMMA, "none.npy", "none.npy", "c.npy",
                   "d.npy")
        self.fails(1, "at least one element", "gemm", "none.npy", "none.npy", "d.npy", "--profile",
                   "exact", *FORMATS)

    def test_types(self):
        self.save("i.npy", np.arange(4))
        self.fails(1, "--from", "cast", "i.npy", *CAST)
        self.fails(1, "expected uint16 containers of bf16", "cast", "a.npy", *CAST, "--from",
                   "bf16")
        self.fails(1, "expected uint8", "decode", "x.npy", "v.npy", "--from", "e4m3")
        self.fails(1, "expected uint8", "dot", *WGMMA, "x.npy", "b.npy", "c.npy", "d.npy")
        self.fails(1, "expected uint32", "dot", *WGMMA, "a.npy", "b.npy", "b.npy", "d.npy")
        self.fails(1, "expected uint8", "gemm", "x.npy", "b.npy", "d.npy", "--profile", "exact",
                   *FORMATS)

    def test_ranks_and_shapes(self):
        a = self.load("a.npy")
        self.save("a1.npy", a[0])
        self.save("a3.npy", a[None])
        self.save("narrow.npy", a[:, :96])
        self.save("short.npy", a[:5])
        self.save("c5.npy", np.zeros(5, np.float32))
        self.save("c2.npy", np.zeros((64, 1), np.float32))
        for needle, words in [
                ("[rows, k]", ["a1.npy", "a1.npy", "c.npy"]),
                ("[rows, k]", ["a3.npy", "a3.npy", "c.npy"]),
                ("[64, 96]", ["a.npy", "narrow.npy", "c.npy"]),
                ("[5, 128]", ["a.npy", "short.npy", "c.npy"]),
                ("expected [64]", ["a.npy", "b.npy", "c5.npy"]),
                ("expected [64]", ["a.npy", "b.npy", "c2.npy"])]:
            self.fails(1, needle, "dot", *WGMMA, *words, "d.npy")
            self.fails(1, needle, "explain", *WGMMA, *words, "--row", "0")
        for needle, a_name, b_name in [("expected [N, 128]", "a.npy", "narrow.npy"),
                                       ("[rows, k]", "a1.npy", "b.npy"),
                                       ("[rows, k]", "a.npy", "a3.npy")]:
            self.fails(1, needle, "gemm", a_name, b_name, "d.npy", "--profile", "exact", *FORMATS)

    def test_scales(self):
        good = np.ones((64, 1), np.float32)
        self.save("good.npy", good)
        words = ("gemm", "a.npy", "b.npy", "d.npy", "--profile", "te-1dx1d", *FORMATS, "--scale-b",
                 "good.npy", "--scale-a")
        self.succeeds(*words, "good.npy")
        (self.folder / "d.npy").unlink()
        for needle, scales in [
                ("[64, 2]", np.ones((64, 2), np.float32)), ("[3, 1]", np.ones((3, 1), np.float32)),
                ("float64", good.astype(np.float64)), ("[64, 1, 1]", good[..., None]),
                ("nan", np.where(np.arange(64)[:, None] == 9, np.nan, good).astype(np.float32)),
                ("-1", np.where(np.arange(64)[:, None] == 9, -1, good).astype(np.float32))]:
            self.save("bad.npy", scales)
            self.fails(1, needle, *words, "bad.npy")

    def test_operands_that_no_instruction_takes(self):
        self.fails(1, "e3m4", "gemm", "a.npy", "b.npy", "d.npy", "--profile", "cublaslt",
                   "--format-a", "e3m4", "--format-b", "e4m3")
        self.fails(1, "48", "gemm", "a.npy", "b.npy", "d.npy", "--profile", "cublaslt", *FORMATS,
                   "--promotion-interval", "48")


if __name__ == "__main__":
    harness.main()
