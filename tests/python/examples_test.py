"""Every example program runs, and says what it says it says."""
import pathlib
import subprocess
import sys

import pytest

EXAMPLES = sorted((pathlib.Path(__file__).parent / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path):
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = [line.removeprefix("# ") for line in
                path.read_text().partition("# Prints:\n")[2].splitlines()]
    assert expected and done.stdout.splitlines() == expected
