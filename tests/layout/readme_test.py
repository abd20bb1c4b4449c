"""The README is true: its table is the tool's, its examples give what it says.

Usage: readme_test.py SOURCE BINADE [--update]. In ```console blocks a line that begins with `$ ` is
a command; the lines up to the next one are its output. A block is one shell, all share a temporary
folder, and no command may fail. --update writes what the tool says into the README instead.
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
    here = pathlib.Path(sys.executable).parent
    environment = dict(os.environ, PATH=f"{binade.parent}:{here}:{os.environ['PATH']}", NO_COLOR="1")
    (pathlib.Path(folder) / "experiments").symlink_to(source.resolve() / "experiments")

    def run(commands: list[str]) -> list[str]:
        """What each command of one shell says, in turn."""
        end = "-- end of a command --"
        script = "".join(f"{c}\nstatus=$?; echo '{end}'; test $status = 0 || exit 1\n" for c in commands)
        done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            sys.exit(f"an example of the README fails:\n{done.stdout}")
        return done.stdout.split(end + "\n")[:-1]

    def table(match: re.Match) -> str:
        return match.group(1) + run([f"binade {match.group(2)}"])[0] + match.group(3)

    def block(match: re.Match) -> str:
        commands = re.findall(r"^\$ ((?:.*\\\n)*.*)$", match.group(2), re.M)
        said = run(commands)
        return match.group(1) + "\n".join(f"$ {c}\n{s}" for c, s in zip(commands, said)) + match.group(3)

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
