"""Every public name says what it takes, gives and refuses, where it comes from, and by example.

The examples are run as they stand; they see the package's public names and NumPy.
"""
import doctest
import inspect
import os
import pathlib
import re

import binade
import numpy as np
import pytest

GLOBALS = {**{name: getattr(binade, name) for name in binade.__all__}, "np": np, "binade": binade}
SECTION = re.compile(r"^(Parameters|Attributes|Returns|Raises|Columns|Notes|Examples)\n-+\n", re.M)


def public():
    """Name and object of every public function, class, method and property."""
    for name in binade.__all__:
        thing = getattr(binade, name)
        if inspect.ismodule(thing):
            yield name, thing
            for inner in dir(thing):
                yield f"{name}.{inner}", getattr(thing, inner)
        else:
            yield name, thing
        if inspect.isclass(thing):
            for inner, member in vars(thing).items():
                if not inner.startswith("_") and (callable(member) or isinstance(member, property)):
                    yield f"{name}.{inner}", member


PUBLIC = dict(public())
CALLABLE = {name: thing for name, thing in PUBLIC.items()
            if callable(thing) and not isinstance(thing, property)}
METHODS = {name for name in CALLABLE if inspect.isclass(PUBLIC.get(name.split(".")[0]))
           and "." in name}


def sections(thing):
    parts = SECTION.split(inspect.getdoc(thing) or "")
    return parts[0], dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_walk_finds_the_package():
    assert {"encode", "Format.values", "experiments.cast_error", "plot.cast_error", "Report.case",
            "Format.max"} <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring(name):
    thing = PUBLIC[name]
    summary, found = sections(thing)
    assert summary.strip(), f"{name} has no docstring"
    if name not in CALLABLE:
        return
    assert ">>>" in found.get("Examples", ""), f"{name} has no example"
    if inspect.isclass(thing):
        assert "Attributes" in found or "Parameters" in found
    else:
        assert "Returns" in found
    if name in METHODS:
        return
    notes = found.get("Notes", "")
    assert re.search(r"Source: \S", notes), f"{name} names no source"
    if "array_like" in found.get("Parameters", ""):
        assert "Units: " in notes, f"{name} has arrays and names no units"


@pytest.mark.parametrize("name", CALLABLE)
def test_parameters(name):
    thing = CALLABLE[name]
    if inspect.isclass(thing) and "Parameters" not in sections(thing)[1]:
        return
    _, found = sections(thing)
    parameters = [p for p in inspect.signature(thing).parameters if p != "self"]
    if not parameters:
        return
    described = found.get("Parameters", "")
    heads = [line for line in described.splitlines() if line and not line.startswith(" ")]
    named = {word.strip(" *") for head in heads for word in head.split(" : ")[0].split(",")}
    assert named == {p.strip("*") for p in parameters}, f"{name}: described and real parameters"
    for head in heads:
        if "array_like" in head:
            assert "shape" in head, f"{name}: {head} has no shape"
    if name not in METHODS:
        assert "Raises" in found, f"{name} says nothing of errors"


@pytest.mark.parametrize("name", [*CALLABLE, "binade"])
def test_examples(name):
    experiment = name.split(".")[-1]
    if experiment in binade.experiments.names() and not binade._core.has_device():
        if binade._core.Experiment.find(experiment).needs_device:
            pytest.skip("no device here")
    thing = CALLABLE.get(name, binade)
    finder = doctest.DocTestFinder(recurse=False)
    runner = doctest.DocTestRunner(verbose=False)
    failures = []
    for test in finder.find(thing, name, module=False, globs=dict(GLOBALS)):
        runner.run(test, out=failures.append)
    assert runner.tries > 0 and runner.failures == 0, "".join(failures)


def test_the_readme():
    text = (pathlib.Path(os.environ["BINADE_SOURCE"]) / "README.md").read_text()
    blocks = re.findall(r"^```pycon\n(.*?)^```", text, re.M | re.S)
    assert blocks
    for number, block in enumerate(blocks):
        test = doctest.DocTestParser().get_doctest(block, {}, f"README block {number}", None, 0)
        failures = []
        runner = doctest.DocTestRunner(verbose=False)
        runner.run(test, out=failures.append)
        assert runner.tries > 0 and runner.failures == 0, "".join(failures)
