"""What each command loads: nothing that it does not use."""

import json
import subprocess
import sys

import pytest

# Packages that only some commands use, and what no command of these does.
HEAVY = {"sklearn", "matplotlib", "jinja2", "pandas", "PIL", "scipy.optimize",
         "scipy.sparse", "scipy.linalg", "scipy.stats", "scipy.special",
         "scipy.interpolate", "optax", "lineax", "optimistix"}  # fmt: skip
MINE = """\
import numpy as np

import banach as bn

rng = np.random.default_rng(0)
lasso = bn.Lasso(rng.normal(size=(30, 4)), rng.normal(size=30), lam=1.0)
smooth = bn.Smooth(lambda x: (x**2).sum(), np.ones(3))
"""
PROGRAM = """\
import json, os, sys

real = os._exit


def end(code):
    with open("loaded.json", "w") as f:
        json.dump([code, sorted(sys.modules)], f)
    real(code)


os._exit = end
from banach.__main__ import main

main()
"""
COMMANDS = [
    "--help", "methods", "methods --problem glm", "problems", "checks",
    "explain fista", "explain Lasso", "cite fista", "solve --help", "doctor",
    "solve mine.py:lasso", "solve mine.py:smooth --json",
    "solve mine.py:lasso --save run.json", "solve lasso:diabetes",
    "solve logistic:breast_cancer",
]  # fmt: skip
# JAX is the tool of those that compute; words need none of it, nor of NumPy but to
# list problems, whose files are read.
WORDS = {"--help", "methods", "methods --problem glm", "checks", "problems",
         "cite fista", "solve --help"}  # fmt: skip


def loaded(folder, command, mine=MINE):
    """Every module that a command has loaded when it ends, and its exit code."""
    (folder / "mine.py").write_text(mine)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command.split()], cwd=folder,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    code, modules = json.loads((folder / "loaded.json").read_text())
    assert code == 0, done.stderr
    return set(modules)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_loads_nothing_heavy(tmp_path, command):
    modules = loaded(tmp_path, command)
    assert "banach" in modules
    # The default of sparse models factorises in LAPACK.
    solved = "lasso" in command or command == "doctor"
    used = {"scipy.linalg"} if solved else set()
    assert not (HEAVY - used) & modules
    if command in WORDS:
        assert not {"jax", "jaxlib", "equinox"} & modules
        assert "numpy" not in modules or command == "problems"


def test_what_is_used_is_seen(tmp_path):
    used = "import matplotlib, scipy.sparse\n" + MINE
    modules = loaded(tmp_path, "solve mine.py:lasso", used)
    assert {"matplotlib", "scipy.sparse"} <= HEAVY & modules
