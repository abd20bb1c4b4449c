"""experiments/EXPERIMENTS.md is what the registry says.

Usage: experiments_document_test.py SOURCE BINADE [--update]
"""
import difflib
import pathlib
import subprocess
import sys

kept = pathlib.Path(sys.argv[1]) / "experiments/EXPERIMENTS.md"
fresh = subprocess.run([sys.argv[2], "list", "experiments", "--markdown"], check=True,
                       capture_output=True, text=True).stdout
if "--update" in sys.argv:
    kept.write_text(fresh)
if kept.read_text() != fresh:
    sys.exit("".join(difflib.unified_diff(kept.read_text().splitlines(True), fresh.splitlines(True),
                                          str(kept), "what the registry says")))
print(f"{fresh.count('## ')} experiments are described as the registry has them")
