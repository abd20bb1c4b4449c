"""What a wheel installs, works: the module, the command, the plots for both.

The install component of a wheel is laid out in an empty folder from the build at hand, which costs
no compilation. A wheel itself is built, without network, and installed into a fresh environment
where BINADE_WHEEL_TEST is set: the first time it compiles everything again, under build/wheel.
"""
import os
import pathlib
import subprocess
import sys

import pytest

SOURCE, BUILD = (pathlib.Path(os.environ[name]) for name in ("BINADE_SOURCE", "BINADE_BUILD"))
USE = """
import binade, pathlib, sys
assert pathlib.Path(binade.__file__).is_relative_to(sys.argv[1]), binade.__file__
assert binade.encode(1.3, "e4m3").item() == 1.25
assert pathlib.Path(binade.__file__).with_name("py.typed").exists()
assert pathlib.Path(binade.__file__).with_name("_core.pyi").exists()
assert {"cast_error", "promotion_interval"} <= set(binade.plot.names())
figure = binade.plot.cast_error(binade.experiments.cast_error(smoke=True))
assert figure.get_axes()
"""


def run(*words, **options):
    done = subprocess.run([str(word) for word in words], text=True, capture_output=True, check=False,
                          **options)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def clean_environment(**more):
    kept = {key: value for key, value in os.environ.items()
            if not key.startswith(("PYTHON", "BINADE", "VIRTUAL_ENV"))}
    return {**kept, "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1", **more}


def check_command(binary, folder, environment):
    assert "e4m3" in run(binary, "formats", env=environment, cwd=folder)
    run(binary, "run", "cast_error", "--smoke", "--plot", "--out", folder / "out", env=environment,
        cwd=folder)
    assert (folder / "out/cast_error.png").read_bytes().startswith(b"\x89PNG")


def test_the_component_of_a_wheel(tmp_path):
    stage = tmp_path / "stage"
    run("cmake", "--install", BUILD, "--component", "python", "--prefix", stage)
    names = {str(path.relative_to(stage)) for path in stage.rglob("*") if path.is_file()}
    scripts = {path.name for path in (SOURCE / "experiments/plots").glob("*.py")}
    for folder in ("binade/_plots", "share/binade/plots"):
        assert {name.rsplit("/", 1)[1] for name in names if name.startswith(folder + "/")} == scripts
    package = {path.name for path in (SOURCE / "src/python/binade").iterdir() if path.is_file()}
    assert {f"binade/{name}" for name in package} <= names
    strangers = {name for name in names if not name.startswith(("binade/", "share/binade/plots/"))}
    assert strangers == {"bin/binade"}, "nothing else belongs into site-packages"
    environment = clean_environment(PYTHONPATH=str(stage))
    run(sys.executable, "-c", USE, stage, env=environment, cwd=tmp_path)
    # The command looks for Python beside itself before anywhere else.
    python = stage / "bin/python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    check_command(stage / "bin/binade", tmp_path, environment)


@pytest.mark.skipif("BINADE_WHEEL_TEST" not in os.environ,
                    reason="compiles everything again: set BINADE_WHEEL_TEST=1")
@pytest.mark.parametrize("editable", [False, True])
def test_a_wheel(tmp_path, editable):
    """pip without network, build isolation or dependencies, into a fresh environment."""
    run(sys.executable, "-m", "venv", "--system-site-packages", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    # The fresh environment sees the packages of the one that runs the tests.
    outer = run(sys.executable, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    inner = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    (pathlib.Path(inner) / "outer.pth").write_text(outer + "\n")
    build = ["--no-build-isolation", "--no-deps", "--no-index"]
    if editable:
        run(python, "-m", "pip", "install", *build, "--editable", SOURCE, env=clean_environment())
        place = SOURCE
    else:
        run(python, "-m", "pip", "wheel", *build, "-w", tmp_path / "dist", SOURCE,
            env=clean_environment())
        wheels = list((tmp_path / "dist").iterdir())
        assert len(wheels) == 1 and wheels[0].name.startswith("binade-")
        run(python, "-m", "pip", "install", "--no-deps", "--no-index", wheels[0],
            env=clean_environment())
        place = tmp_path / "venv"
    run(python, "-c", USE, place, env=clean_environment(), cwd=tmp_path)
    check_command(tmp_path / "venv/bin/binade", tmp_path, clean_environment())
