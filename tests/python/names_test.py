"""Python, the command and C++ have the same names and the same defaults."""
import inspect
import os
import re
import subprocess

import binade
import pytest
from binade import _core

#: Options whose Python name differs: `from` is a keyword; a model card goes where names go.
RENAMED = {"from": "source", "model": "instruction"}
#: What only files need, what only arrays have, what is a module in Python (binade.cuda), and what
#: every command takes before its own options.
OUTPUTS = {"codes", "scales", "scale_codes", "row", "out", "plot", "help",
           "json", "sweep", "device"}
GLOBAL = {"threads"}
OPERANDS = {"x", "a", "b", "c", "d", "codes"}


def command(*words):
    return subprocess.run([os.environ["BINADE"], *words], capture_output=True, text=True,
                          check=True).stdout


def options(*words):
    """Each option of a command with the default that its help shows; None where it shows none,
    "required" where there must be one."""
    found = {}
    for line in command(*words, "--help").splitlines():
        match = re.match(r"  (?:-\w,)?--([\w-]+)(?: [A-Z][\w.]*(?::\w+(?: in \[.*?\])?)?)?(?:=(\S+))?(?: (REQUIRED))?",
                         line)
        if match:
            name = match[1].replace("-", "_")
            found[name] = "required" if match[3] else match[2]
    return found


def signature(function):
    """Each parameter with its default as the command would show it."""
    shown = {}
    for name, p in inspect.signature(function).parameters.items():
        required = p.default is inspect.Parameter.empty
        shown[name] = "required" if required else None if p.default is None else str(p.default)
    return shown


def test_the_help_is_read():
    assert options("cast")["rounding"] == "nearest_even"
    assert options("quantize")["recipe"] == "required"
    assert options("gemm")["promotion_interval"] is None


@pytest.mark.parametrize("name, function", [
    ("cast", binade.encode), ("decode", binade.decode), ("quantize", binade.quantize),
    ("dot", binade.dot), ("explain", binade.explain), ("gemm", binade.gemm),
    ("diagnose", binade.diagnose)])
def test_commands_and_functions(name, function):
    theirs = {RENAMED.get(option, option): default for option, default in options(name).items()
              if option not in OUTPUTS}
    ours = {parameter: default for parameter, default in signature(function).items()
            if parameter not in OPERANDS and parameter not in GLOBAL}
    assert set(theirs) == set(ours)
    for option, default in theirs.items():
        mine = ours[option]
        if option in ("to", "output") and default not in (None, "required"):
            assert binade.Format(default) == binade.Format(mine)
        elif option == "source" or option == "instruction" or option.startswith("format_"):
            continue  # arrays bring their format; the command needs one of two options
        else:
            assert mine == default, option


def test_cast_rules_are_those_of_cpp():
    rules = {name: str(default) for name, default in _core.cast_defaults()}
    for function in (binade.encode, binade.round_to):
        assert {name: signature(function)[name] for name in rules} == rules
    assert {name: options("cast")[name] for name in rules} == rules
    for names in (_core.rounding_names(), _core.overflow_names(), _core.nan_rule_names()):
        for name in names:
            assert f"``{name}``" in binade.encode.__doc__
            assert name in command("cast", "--help")


def listed(what):
    lines = command("list", what).splitlines()[1:]
    return [line.split()[0] for line in lines]


@pytest.mark.parametrize("what, names", [
    ("recipes", binade.recipes), ("profiles", binade.profiles),
    ("instructions", binade.instructions), ("experiments", binade.experiments.names)])
def test_registries(what, names):
    assert listed(what) == names()


def test_formats():
    rows = command("formats", "--markdown").splitlines()[2:]
    table = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert [row[0] for row in table] == [f.name for f in binade.formats()]
    for row, f in zip(table, binade.formats(), strict=True):
        assert row[1:4] == [str(f.bits), f"{int(f.is_signed)}/{f.exponent_bits}/{f.mantissa_bits}",
                            str(f.bias)]
        assert row[-1] == f.source


@pytest.mark.parametrize("recipe", binade.recipes())
def test_recipes(recipe):
    record = binade.recipe(recipe)
    assert f"{record.default_granularity}; {record.source}" in command("list", "recipes")


@pytest.mark.parametrize("profile", binade.profiles())
def test_profiles(profile):
    record = binade.profile(profile)
    assert record.source in command("list", "profiles")


def test_model_cards():
    for name in binade.instructions():
        record = binade.instruction(name)
        assert command("list", "--card", name).strip() == record.to_json().strip()
        assert binade.instruction(record.to_json()).name == name


@pytest.mark.parametrize("name", binade.experiments.names())
def test_experiments(name):
    record = _core.Experiment.find(name)
    theirs = options("run", name)
    ours = signature(getattr(binade.experiments, name))
    for parameter in record.parameters:
        assert theirs.pop(parameter.name) == parameter.default_value
        assert ours.pop(parameter.name) == parameter.default_value
    assert set(theirs) - OUTPUTS == set(ours) - {"threads", "progress"}
    text = command("run", name, "--help")
    assert record.question in text and record.source in text


def test_probe():
    """The command reads files and libraries where Python takes functions; what is left is alike."""
    theirs, ours = options("probe"), signature(binade.probe)
    recorded = signature(binade.probe_recorded)
    for name in ("k_multiple", "max_k", "seed", "rows"):
        assert theirs[name] == ours[name] == recorded.get(name, ours[name])
    for name in ("a", "b", "c", "d", "format_a", "format_b", "format_c"):
        assert name in theirs and name in recorded


def test_study():
    """The command's flags; its files are Python's arguments, and its report the command's own."""
    theirs, ours = options("study"), signature(binade.study)
    assert set(theirs) - OUTPUTS == set(ours) - {"weights"} - GLOBAL
    assert all(theirs[name] == ours[name] for name in ("to", "least_db", "panel", "seed"))
    for name in _core.default_treatments():
        assert name in theirs["recipe"]


def test_sizing():
    help_text = command("size", "memory", "--help")
    assert all(name in help_text for name in binade.size.models())
    lines = command("size", "memory", "--model", "deepseek-v3").splitlines()
    rows = [line.split() for line in lines[1:lines.index("")]]
    assert [row[0] for row in rows] == binade.size.state_recipes()
    for row in rows:
        bill = binade.size.state_bill("deepseek-v3", row[0])
        parts = ("weights", "scales", "gradients", "master_weights", "moments", "bytes_each")
        assert row[1:7] == [f"{bill[part]:.6g}" for part in parts]
