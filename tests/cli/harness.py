"""What the tests of the command share: running it in a directory of its own, and what an error is."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BINADE = os.environ["BINADE"]

try:
    import numpy as np
except ImportError:
    print("skipped: no numpy here")
    sys.exit(77)


def write_inputs(folder, seed=1):
    """The files that the examples of --help speak of."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((256, 256)).astype(np.float32)
    np.save(folder / "x.npy", x)
    codes = rng.integers(0, 256, (2, 64, 128), dtype=np.uint8)
    codes[(codes & 0x7F) == 0x7F] = 0x38
    np.save(folder / "a.npy", codes[0])
    np.save(folder / "b.npy", codes[1])
    np.save(folder / "c.npy", rng.standard_normal(64).astype(np.float32))
    write_safetensors(folder / "model.safetensors", {"layer.weight": x, "layer.bias": x[0]})


def write_safetensors(path, tensors):
    """float32 tensors, without the package."""
    import json
    header, data = {}, b""
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(tensor.shape),
                        "data_offsets": [len(data), len(data) + tensor.nbytes]}
        data += tensor.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


class CommandTest(unittest.TestCase):
    """Each test has a directory with the inputs; paths are relative to it."""

    def setUp(self):
        self._temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self._temporary.cleanup)
        self.folder = pathlib.Path(self._temporary.name)
        write_inputs(self.folder)

    def run_binade(self, *words, **options):
        return subprocess.run([BINADE, *map(str, words)], cwd=self.folder, text=True,
                              stdin=subprocess.DEVNULL,
                              **{"capture_output": True, "timeout": 120, **options})

    def succeeds(self, *words):
        """Exit code 0, nothing on standard error; returns standard output."""
        done = self.run_binade(*words)
        self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        return done.stdout

    def content(self):
        return {path.relative_to(self.folder): path.read_bytes() if path.is_file() else None
                for path in self.folder.rglob("*")}

    def fails(self, code, needle, *words, **options):
        """This exit code, exactly one line `error: ...` that holds `needle`, and no file changed."""
        before = self.content()
        done = self.run_binade(*words, **options)
        with self.subTest(words=words):
            self.assertEqual(done.returncode, code, done.stderr)
            lines = done.stderr.splitlines()
            self.assertEqual(len(lines), 1, done.stderr)
            self.assertTrue(lines[0].startswith("error: "), lines[0])
            self.assertIn(needle, lines[0])
            self.assertEqual(self.content(), before, "files were left or changed")
        return done

    def save(self, name, array):
        np.save(self.folder / name, array)

    def load(self, name):
        return np.load(self.folder / name, allow_pickle=False)


def main():
    unittest.main(argv=[sys.argv[0]])
