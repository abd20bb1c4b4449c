"""Files of numpy and of the safetensors package, through our reader and writer and back."""
import itertools
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    print("skipped: no numpy here")
    sys.exit(77)

COPY = sys.argv[1]
checked = 0


def copy(*paths):
    """One process for all: source, target, source, target ..."""
    subprocess.run([COPY, *map(str, paths)], check=True)


def check_npy(folder):
    """Every dtype, order, byte order, rank and version: the bits numpy wrote come back."""
    global checked
    rng = np.random.default_rng(1)
    kinds = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]
    shapes = [(), (1,), (7,), (3, 5), (2, 3, 4), (0,), (4, 0, 2), (1, 1, 1, 1, 2)]
    cases, paths = [], []
    for kind, shape, fortran, endian, version in itertools.product(
            kinds, shapes, (False, True), "<>", ((1, 0), (2, 0), (3, 0))):
        dtype = np.dtype(endian + kind)
        raw = rng.integers(0, 2 if kind == "?" else 256, (*shape, dtype.itemsize), dtype=np.uint8)
        array = np.asarray(raw.view(dtype).reshape(shape), order="F" if fortran else "C")
        source, target = (folder / f"{way}{len(cases)}.npy" for way in ("in", "out"))
        with open(source, "wb") as file:
            np.lib.format.write_array(file, array, version=version, allow_pickle=False)
        cases.append((array, target))
        paths += [source, target]
    copy(*paths)
    for array, target in cases:
        back = np.load(target, allow_pickle=False)
        wanted = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"))
        assert back.dtype == wanted.dtype and back.shape == array.shape, target
        assert back.tobytes() == wanted.tobytes(), target
        checked += 1


def check_safetensors(folder):
    """Every dtype of the package goes through us unchanged; the package accepts our file."""
    global checked
    try:
        import ml_dtypes
        from safetensors import safe_open
        from safetensors.numpy import load_file, save_file
    except ImportError as missing:
        print(f"safetensors not compared: {missing}")
        return
    rng = np.random.default_rng(2)
    named = ["float64", "float32", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16",
             "uint32", "uint64", "bool"]
    dtypes = [np.dtype(name) for name in named] + [np.dtype(ml_dtypes.bfloat16)]
    tensors = {}
    for dtype, shape in itertools.product(dtypes, [(), (5,), (3, 4), (0, 2)]):
        size = int(np.prod(shape)) * dtype.itemsize
        raw = rng.integers(0, 2 if dtype.kind == "b" else 256, size, dtype=np.uint8)
        tensors[f"{dtype.name}/{shape}"] = raw.view(dtype).reshape(shape)
    save_file(tensors, folder / "in.safetensors", metadata={"a": "b"})
    copy(folder / "in.safetensors", folder / "out.safetensors")
    back = load_file(folder / "out.safetensors")
    assert set(back) == set(tensors)
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.dtype and back[name].shape == tensor.shape, name
        assert back[name].tobytes() == tensor.tobytes(), name
        checked += 1
    with safe_open(folder / "out.safetensors", "numpy") as file:
        assert file.metadata() == {"copied": "yes"}


with tempfile.TemporaryDirectory() as name:
    check_npy(pathlib.Path(name))
    check_safetensors(pathlib.Path(name))
print(f"{checked} arrays came back bit for bit")
sys.exit(0 if checked else 1)
