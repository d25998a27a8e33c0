"""What a message tells a user to call exists: commands, names of bn, checks, methods.

Read from the sources: every string that is no docstring, with {} for what is
filled in.
"""

import ast
import functools
import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import typer

import banach as bn
from banach import catalogue, checks, zoo
from banach.cli import app as cli
from banach.core import compat, hyperparameters
from banach.core.kind import MINIMISATION
from banach.core.method import Refusal
from banach.doors import defaults
from banach.doors.routes import Paths

SRC = Path(bn.__file__).parent
# "banach" followed by a verb of a sentence, not by a command.
PROSE = {
    "can",
    "does",
    "reads",
    "that",
    "would",
    "run",
    "class",
    "method",
    "modules",
    "writes",
}
# Attributes of the module under its usual name, in messages about other modules.
WORDS = re.compile(r"\bbn\.([A-Za-z_]\w*)")


def messages():
    """(place, text) of every string in the package that is no docstring."""
    for file in sorted(SRC.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        told = set()
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            first = body[0] if isinstance(body, list) and body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                told.add(first.value)
            if isinstance(node, ast.JoinedStr):
                told.update(node.values)
        for node in ast.walk(tree):
            where = f"{file.relative_to(SRC)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.JoinedStr):
                parts = [
                    v.value if isinstance(v, ast.Constant) else "{}"
                    for v in node.values
                ]
                yield where, "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                if node not in told:
                    yield where, node.value


MESSAGES = list(messages())


def commands():
    """Every command of the command line: "solve", "claims list"."""
    root = typer.main.get_command(cli.app)
    found = {}
    for name, command in root.commands.items():
        found[name] = command
        for inner, each in getattr(command, "commands", {}).items():
            found[f"{name} {inner}"] = each
    return found


def test_the_sources_are_read():
    assert len(MESSAGES) > 1000
    assert any("banach methods" in text for _, text in MESSAGES)


def test_every_command_that_is_named_exists():
    known, named = commands(), set()
    for where, text in MESSAGES:
        for word, after in re.findall(r"\bbanach ([a-z]+)((?: --?[a-z-]+)*)", text):
            if word in PROSE:
                continue
            assert word in known, f"{where} names 'banach {word}': {text}"
            options = {o for p in known[word].params for o in p.opts}
            for option in after.split():
                assert option in options, f"{where} names {option} of banach {word}"
            named.add(word)
    assert {"methods", "problems"} <= named


def test_every_name_of_bn_that_is_named_exists():
    named = set()
    for where, text in MESSAGES:
        for name in WORDS.findall(text):
            assert hasattr(bn, name), f"{where} names bn.{name}: {text}"
            named.add(name)
    assert {"Composite", "least_squares", "race"} <= named


def test_every_check_that_is_named_exists():
    named = set()
    for where, text in MESSAGES:
        for name in re.findall(r"check=['\"]([a-z_]+)['\"]", text):
            assert name in checks.names(), f"{where} names check={name!r}"
            named.add(name)
    assert {"fixed_point", "inclusion"} <= named


def test_every_default_method_exists():
    rows = [MINIMISATION, *(e["prefers"] for e in catalogue.kinds().values())]
    for names in (names for row in rows for names in row.values()):
        for name in names.split():
            assert catalogue.find(name.partition(":")[0])


def test_methods_named_instead_exist():
    """The first word of a hyperparameter's `instead`, and the examples of refusals."""
    asked = 0
    for name, entry in catalogue.load_index().items():
        if entry["host"]:
            continue
        for field in catalogue.load_method(name).__dataclass_fields__.values():
            if (
                isinstance(field.default, hyperparameters.FromFact)
                and field.default.instead
            ):
                first = re.match(r"[a-z_]+", field.default.instead).group()
                assert catalogue.find(first), f"{name}.{field.name} names {first}"
                asked += 1
    assert asked >= 2


def _f(x):
    return jnp.sum((x - 2) ** 2)


ONES = np.ones(3)
# Beside the first ready problem of each kind: what a kind's own methods may refuse.
STATED = {
    "bounds": lambda: bn.Constrained(_f, ONES, lower=0.0, upper=1.0),
    "inequalities": lambda: bn.Constrained(_f, ONES, ineq=lambda x: x - 1),
    "equations": lambda: bn.Constrained(_f, ONES, eq=lambda x: x[:1] - 1),
    "box": lambda: bn.Composite(_f, bn.Box(0.0, 1.0), ONES),
    "no L": lambda: bn.Composite(_f, bn.L1(0.1), ONES),
    "no constant": lambda: bn.Inclusion(lambda z: z**3, ONES),
    "many unknowns": lambda: bn.Smooth(_f, np.ones(3000)),
}
READY = {row["kind"]: row["name"] for row in reversed(zoo.names())}
PEERS = "scipy scipy:BFGS scipy:L-BFGS-B optax optax:adam optimistix sklearn".split()
NAMED = re.compile(r"(?<![\w.'\"])([a-z][a-z0-9_]*)(:[A-Za-z0-9-]+)?")


@pytest.mark.parametrize("case", [*STATED, *sorted(READY.values())])
def test_a_cure_names_no_method_that_refuses_the_problem(case):
    index = catalogue.load_index()
    own = [name for name, entry in index.items() if entry["family"] != "bridge"]
    with compat.double():
        problem = STATED[case]() if case in STATED else zoo.load(case)
        paths = Paths(problem, problem.facts())

        @functools.cache
        def refused(name):
            made = defaults.suggest(name, problem, paths.facts, paths=paths)
            return made.cure if isinstance(made, Refusal) else None

        told = 0
        for name in [*own, *PEERS]:
            for word, variant in NAMED.findall(refused(name) or ""):
                if word in index and word != name.partition(":")[0]:
                    other = refused(word + variant)
                    assert other is None, f"{name}: {refused(name)}; but {other}"
                    told += 1
    assert told or case not in ("bounds", "inequalities", "equations", "no L")


@pytest.mark.parametrize("kind", sorted({row["kind"] for row in zoo.names()}))
def test_the_listing_that_a_refusal_names_is_not_empty(kind, capsys):
    for spelled in (kind, kind.lower()):
        assert cli.run(["methods", "--problem", spelled]) == 0
        assert len(capsys.readouterr().out.splitlines()) >= 1
