"""The README is true: its table is the tool's, its examples give what it says.

Usage: readme_test.py SOURCE BINADE [--update]. In ```console blocks a line that begins with `$ ` is
run in one temporary folder; the lines up to the next command are its output. --update writes what
the tool says into the README instead.
"""
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

source, binade = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
readme = source / "README.md"
text = readme.read_text()
TABLE = re.compile(r"(<!-- begin: binade (.*?) -->\n).*?(<!-- end -->)", re.S)
BLOCK = re.compile(r"(```console\n)(.*?)(```)", re.S)

with tempfile.TemporaryDirectory() as folder:
    environment = dict(os.environ, PATH=f"{binade.parent}:{os.environ['PATH']}", NO_COLOR="1")
    (pathlib.Path(folder) / "experiments").symlink_to(source.resolve() / "experiments")

    def run(command: str) -> str:
        done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.stdout

    def table(match: re.Match) -> str:
        return match.group(1) + run(f"binade {match.group(2)}") + match.group(3)

    def block(match: re.Match) -> str:
        commands = re.findall(r"^\$ ((?:.*\\\n)*.*)$", match.group(2), re.M)
        return match.group(1) + "\n".join(f"$ {c}\n{run(c)}" for c in commands) + match.group(3)

    fresh = BLOCK.sub(block, TABLE.sub(table, text))

if not TABLE.search(text) or not BLOCK.search(text):
    sys.exit("the README has lost its table or its examples")
if fresh == text:
    print("the README says what the tool says")
elif "--update" in sys.argv:
    readme.write_text(fresh)
else:
    sys.exit("".join(difflib.unified_diff(text.splitlines(True), fresh.splitlines(True),
                                          "README.md", "what the tool says")))
