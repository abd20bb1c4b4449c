"""clang++ accepts every file without a warning (syntax and semantics only: no code is made)."""
import concurrent.futures
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

BUILD = pathlib.Path(sys.argv[1])
clang = shutil.which("clang++")
if clang is None:
    print("skipped: no clang++ here")
    sys.exit(77)

probe = subprocess.run([clang, "-fopenmp", "-fsyntax-only", "-xc++", "-include", "omp.h", "/dev/null"],
                       capture_output=True, check=False)
if probe.returncode:
    print("skipped: clang++ has no OpenMP here (Debian's libomp-dev)")
    sys.exit(77)

WITH_A_PATH = ("-o", "-MT", "-MF")  # outputs, of which a check of syntax has none


def check(entry: dict) -> str:
    words, kept, skip = shlex.split(entry["command"]), [], False
    for word in words[1:]:
        if skip:
            skip = False
        elif word in WITH_A_PATH:
            skip = True
        elif word not in ("-MD", "-c", "-Wno-restrict"):
            kept.append(word)
    done = subprocess.run([clang, "-fsyntax-only", *kept, "-Wno-unknown-pragmas"],
                          cwd=entry["directory"], capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


# Once a file: what is compiled for several instruction sets, for the widest.
entries = list({e["file"]: e for e in json.loads((BUILD / "compile_commands.json").read_text())
                if e["file"].endswith(".cpp") and "/tests/main.cpp" not in e["file"]
                and shlex.split(e["command"])[0].rsplit("/", 1)[-1] not in ("clang++", "nvcc")}.values())
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    errors = [text for text in pool.map(check, entries) if text]
print("\n".join(errors) or f"{len(entries)} files are clean under {clang}")
sys.exit(1 if errors else 0)
