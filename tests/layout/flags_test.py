"""Every file of the project is compiled with the flags that keep bits, and with none that break them."""
import json
import pathlib
import sys

BUILD = pathlib.Path(sys.argv[1])
NEEDED = ["-ffp-contract=off", "-fno-fast-math", "-fno-trapping-math", "-fno-math-errno"]
FORBIDDEN = ["-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-ffinite-math-only",
             "-fassociative-math", "-freciprocal-math", "-mdaz-ftz", "--use_fast_math",
             "-ffp-contract=fast", "-ffp-contract=on"]
NEEDED_CUDA = ["--fmad=false", "--ftz=false", "--prec-div=true", "--prec-sqrt=true"]
FOLDERS = {"formats", "emulation", "cuda", "experiments", "src"}

problems = []
checked = {folder: 0 for folder in FOLDERS}
commands = json.loads((BUILD / "compile_commands.json").read_text())
source = pathlib.Path(json.loads(json.dumps(str(pathlib.Path(__file__).resolve().parents[2]))))
for entry in commands:
    path = pathlib.Path(entry["file"])
    if not path.is_relative_to(source):
        continue
    folder = path.relative_to(source).parts[0]
    if folder not in FOLDERS:
        continue
    checked[folder] += 1
    words = entry["command"].split()
    needed = NEEDED_CUDA if path.suffix == ".cu" else NEEDED
    for flag in needed:
        last = [w for w in words if w.split("=")[0] == flag.split("=")[0]]
        if not last or last[-1] != flag:
            problems.append(f"{path}: {flag} is missing or overridden ({' '.join(last) or 'absent'})")
    problems += [f"{path}: {flag} breaks bits" for flag in FORBIDDEN if flag in words]

print("\n".join(problems) or f"flags hold in {checked}")
sys.exit(1 if problems or min(checked.values()) == 0 else 0)
