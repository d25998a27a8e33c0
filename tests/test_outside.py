"""A package outside adds a kind, its check and a method by entry points."""

import json
import subprocess
import sys

import pytest

PROBLEM = '''"""Least distance to a point, in the 2-norm."""

import jax.numpy as jnp
import numpy as np

import banach as bn
from banach.core.facts import CONSTRUCTION, DECLARED, Fact, Facts


@bn.kind(
    name="Nearest",
    oracles="value grad pull",
    checks="pull_left",
    prefers={"": "puller"},
    zoo="nearest",
)
class Nearest(bn.Smooth):
    """minimise 1/2 ||x - c||^2."""

    def __init__(self, c):
        c = np.asarray(c, float)
        super().__init__(
            lambda x, c: 0.5 * jnp.sum((x - c) ** 2), 0 * c, (c,), L=1.0, mu=1.0,
            reference=0 * c,
        )

    def pull(self, x):
        """c - x."""
        return self.args[0] - x
'''
CHECK = '''"""How far the point is from the nearest one."""

from typing import ClassVar

from banach.checks.stationarity import Stationarity


class PullLeft(Stationarity):
    """||x - c||, which is the norm of the gradient."""

    name: ClassVar[str] = "pull_left"
'''
ZOO = '''"""Ready problems."""

from banach.zoo.registry import Shelf

_shelf = Shelf("Nearest")
names, knows, load, _named = _shelf.names, _shelf.knows, _shelf.load, _shelf.named


@_named("nearest:corner", "the corner (1, 2, 3)")
def _corner():
    from outsider.nearest.problem import Nearest

    return Nearest([1.0, 2.0, 3.0])
'''
METHOD = '''"""A step of half of the pull."""

from typing import Any

import equinox as eqx

import banach as bn


class State(eqx.Module):
    """The iterate."""

    x: Any


@bn.method(
    name="puller", family="outsider", problem="Nearest", needs={"pull"},
    paper="hooke1678", cost={"pull": 1},
)
class Puller(bn.Method):
    """x+ = x + pull(x) / 2."""

    def init(self, problem, start, key):
        return State(start.x)

    def step(self, problem, state, key):
        return State(state.x + problem.pull(state.x) / 2)
'''
BIB = """@book{hooke1678,
  title = {Lectures de potentia restitutiva},
  author = {Hooke, Robert},
  year = 1678,
}
"""
POINTS = """[banach.kinds]
Nearest = outsider.nearest.problem:Nearest

[banach.methods]
puller = outsider.puller:Puller
"""
PROGRAM = """
import json, sys
import numpy as np
import banach as bn
from banach import zoo
problem = zoo.load("nearest:corner")
result = bn.solve(problem, tol=1e-9)
race = bn.race(problem, time_limit=20)
try:
    bn.solve(bn.Root(lambda x: x, np.ones(2)), "puller")
except bn.Misuse as error:
    refusal = str(error)
print(json.dumps({
    "x": list(result.x), "status": result.status, "method": result.label,
    "quantity": result.certificate.quantity, "dir": dir(bn), "refusal": refusal,
    "checks": [row["name"] for row in bn.checks(problem)],
    "methods": [row["name"] for row in bn.methods("Nearest")],
    "race": [run.label for run in race.runs],
    "listed": bn.methods(family="outsider")[0]["title"],
}))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder as pip leaves it: the package, and what it registers."""
    home = tmp_path_factory.mktemp("site")
    files = {
        "outsider/__init__.py": "",
        "outsider/nearest/__init__.py": "",
        "outsider/nearest/problem.py": PROBLEM,
        "outsider/nearest/check.py": CHECK,
        "outsider/nearest/zoo.py": ZOO,
        "outsider/puller.py": METHOD,
        "outsider/puller.bib": BIB,
        "outsider-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: outsider\n",
        "outsider-1.0.dist-info/entry_points.txt": POINTS,
    }
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return home


def ran(site, *words):
    path = [str(site), *filter(None, sys.path)]
    code = f"import sys; sys.path[:0] = {path!r}\n"
    return subprocess.run(
        [sys.executable, "-c", code + words[0], *words[1:]],
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip


def test_solve_race_and_lists_know_it(site):
    done = ran(site, PROGRAM)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["x"] == pytest.approx([1, 2, 3], abs=1e-7)
    assert (said["status"], said["method"]) == ("certified", "puller")
    assert {"Nearest", "PullLeft", "Puller"} <= set(said["dir"])
    assert "State the problem as bn.Nearest" in said["refusal"]
    assert {"pull_left", "stationarity"} <= set(said["checks"])
    assert "puller" in said["methods"]
    assert "puller" in said["race"] and "gradient_descent" in said["race"]
    assert said["listed"] == "Lectures de potentia restitutiva"


def test_a_saved_run_is_read_back_and_judged_again(site, tmp_path):
    file = str(tmp_path / "run.json")
    program = "import sys\nfrom banach.cli.app import run\nsys.exit(run(sys.argv[1:]))"
    done = ran(site, program, "solve", "nearest:corner", "--save", file)
    assert done.returncode == 0, done.stderr
    done = ran(site, program, "verify", file)
    assert done.returncode == 0 and "certified" in done.stdout, done.stderr


def test_a_card_that_cannot_be_read_is_left_out_with_a_warning(site, tmp_path):
    folder = tmp_path / "broken-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\n")
    points = "[banach.methods]\nlost = nowhere:Lost\nfista = outsider.puller:Puller\n"
    (folder / "entry_points.txt").write_text(points)
    code = f"sys.path.insert(0, {str(tmp_path)!r})\nimport banach as bn\n"
    done = ran(site, code + "print('Fista' in dir(bn), 'Puller' in dir(bn))")
    assert done.stdout.split() == ["True", "True"], done.stderr
    assert "lost = nowhere:Lost (banach.methods) is left out" in done.stderr
    assert "has no method 'fista'" in done.stderr
