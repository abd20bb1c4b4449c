"""No code made for one instruction set can be linked into another.

A file compiled once per instruction set (*.isa.cpp) may define, beside local symbols, only symbols
of the namespace named after its set. An inline function or a template instance outside it would be a
weak symbol that the objects share; the linker keeps one copy, and if that is the AVX-512 one, the
baseline crashes where there is no AVX-512.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys


def shared_symbols(nm_output, level):
    """The symbols that an object of this level defines for others and that do not carry its name."""
    found = []
    for line in nm_output.splitlines():
        parts = line.split()
        if len(parts) < 2:
            continue
        kind, name = parts[-2:]
        local = kind in "abdrtnN?" or kind == "U"
        # A length-prefixed part of a mangled name: 9x86_64_v3. DW.ref.* are pointers, not code.
        own = f"{len(level)}{level}" in name
        if not local and not own and not name.startswith("DW.ref."):
            found.append(f"{kind} {name}")
    return found


def check_the_checker():
    weak = "0000 W _ZSt3minIiERKT_S2_S2_\n     U _Znwm\n0010 T _ZN6binade6detail8baseline1fEv\n"
    assert shared_symbols(weak, "baseline") == ["W _ZSt3minIiERKT_S2_S2_"]
    assert len(shared_symbols(weak, "x86_64_v3")) == 2


build = pathlib.Path(sys.argv[1])
if shutil.which("nm") is None:
    print("no nm here")
    sys.exit(77)
check_the_checker()
problems, levels = [], {}
for entry in json.loads((build / "compile_commands.json").read_text()):
    level = re.search(r"-DBINADE_ISA=(\w+)", entry["command"])
    if not level or not entry["file"].endswith(".isa.cpp"):
        continue
    made = re.search(r" -o (\S+)", entry["command"]).group(1)
    obj = pathlib.Path(entry["directory"]) / made
    if not obj.exists():
        problems.append(f"{obj} has not been built")
        continue
    done = subprocess.run(["nm", str(obj)], capture_output=True, text=True, check=True)
    levels.setdefault(level.group(1), []).append(obj.name)
    problems += [f"{made}: {symbol}" for symbol in shared_symbols(done.stdout, level.group(1))]
print("\n".join(problems) or f"no shared symbols in {levels}")
sys.exit(1 if problems or not levels else 0)
