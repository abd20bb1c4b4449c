"""Each public header compiles alone, under g++, clang++ and nvcc, whichever are here."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1])
INCLUDE = ROOT / "include"
headers = sorted(p.relative_to(INCLUDE).as_posix() for p in INCLUDE.rglob("*.hpp"))
compilers = {
    "g++": ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-x", "c++"],
    "clang++": ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-x", "c++"],
}
problems = []
with tempfile.TemporaryDirectory() as folder:
    for name, flags in compilers.items():
        if shutil.which(name) is None:
            print(f"no {name} here")
            continue
        for header in headers:
            one = pathlib.Path(folder) / "one.cpp"
            one.write_text(f'#include "{header}"\n#include "{header}"\n')
            done = subprocess.run([name, *flags, f"-I{INCLUDE}", str(one)], capture_output=True,
                                  text=True, check=False)
            if done.returncode:
                problems.append(f"{name}: {header}\n{done.stderr}")
    if shutil.which("nvcc") is None:
        print("no nvcc here")
    else:
        # nvcc starts slowly: one file that includes all, in an order none of them asked for.
        every = pathlib.Path(folder) / "every.cu"
        every.write_text("".join(f'#include "{h}"\n' for h in reversed(headers)))
        done = subprocess.run(["nvcc", "-std=c++20", f"-I{INCLUDE}", "-arch=sm_90", "-ptx", "-o",
                               str(every) + ".ptx", str(every)], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            problems.append(f"nvcc\n{done.stderr}")
print("\n".join(problems) or f"{len(headers)} headers compile alone")
sys.exit(1 if problems or not headers else 0)
