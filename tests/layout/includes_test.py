"""Who may use whom: formats <- emulation <- experiments <- src; cuda uses formats and emulation.

Reads every #include of the tree and reports each that points the wrong way, files of more than 600
lines, and C++ files outside the folders that the project has.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])
LAYERS = {
    "formats": {"formats"},
    "emulation": {"formats", "emulation"},
    "cuda": {"formats", "emulation", "cuda"},
    "experiments": {"formats", "emulation", "cuda", "experiments"},
    "src": {"formats", "emulation", "cuda", "experiments"},
}
TREES = {folder: [ROOT / folder, ROOT / "include/binade" / folder] for folder in LAYERS}
CODE = {".cpp", ".hpp", ".cu", ".cuh", ".py"}
LONGEST = 600

problems = []
seen = 0
for folder, trees in TREES.items():
    for tree in trees:
        for path in sorted(tree.rglob("*")) if tree.exists() else []:
            if path.suffix not in CODE:
                continue
            seen += 1
            for number, line in enumerate(path.read_text().splitlines(), 1):
                found = re.match(r'\s*#\s*include\s*[<"]binade/(\w+)/', line)
                if found and found.group(1) not in LAYERS[folder]:
                    problems.append(f"{path}:{number}: {folder} must not use {found.group(1)}")
                quoted = re.match(r'\s*#\s*include\s*"((?:\.\./)[^"]*)"', line)
                if quoted:
                    problems.append(f"{path}:{number}: include by folder, not by {quoted.group(1)}")
for path in sorted(ROOT.rglob("*")):
    relative = path.relative_to(ROOT)
    if relative.parts[0] in {"build", ".venv", ".git", "out"} or path.suffix not in CODE:
        continue
    lines = len(path.read_text().splitlines())
    if lines > LONGEST:
        problems.append(f"{path}: {lines} lines; what is hiding in it? (at most {LONGEST})")

print("\n".join(problems) or f"{seen} files: every include points the right way")
sys.exit(1 if problems or seen < 10 else 0)
