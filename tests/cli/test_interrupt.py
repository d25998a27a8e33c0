"""Ctrl-C at any time, and files that cannot be written: what is said and left."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

PROBLEMS = """
import hashlib, shutil, sys
import jax.numpy as jnp
import numpy as np
import banach as bn

_c = np.array([1.0, 1e-2, 1e-4, 1e-6, 1e-8])

def _f(x, c):
    return 0.5 * jnp.sum(c * (x - 2) ** 2)

def easy():
    return bn.Smooth(_f, np.zeros(5), (_c + 1,), L=2.0, convex=True)

slow = bn.Smooth(_f, np.zeros(5), (_c,), L=1.0, convex=True, reference=np.zeros(5))

def deaf():
    # Minutes in one call of C, as a compiler spends them.
    print("deaf now", file=sys.stderr, flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2 * 10**9)

def gone():
    shutil.rmtree("soon")
    return easy()
"""
# A background job ignores SIGINT, and its children inherit that.
HEARS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
# As `python -m banach`, and says when it listens.
LISTENING = """
import sys
from banach.cli import interrupt
take = interrupt.start
def start():
    take()
    print("listening", file=sys.stderr, flush=True)
interrupt.start = start
from banach.__main__ import main
main()
"""
# Ctrl-C arrives while the answer is being saved.
SAVING = """
import os, signal, sys
from banach.core.result import Result
save = Result.save
def saved(self, *args, **keywords):
    os.kill(os.getpid(), signal.SIGINT)
    return save(self, *args, **keywords)
Result.save = saved
from banach.__main__ import main
main()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interrupt")
    (folder / "mine.py").write_text(PROBLEMS)
    return folder


def begin(home, code, *words):
    """A process that hears SIGINT, whatever this one does."""
    where = {"BANACH_CACHE": str(home / "cache"), "NO_COLOR": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", HEARS + code, *map(str, words)], cwd=home, text=True,
        env=os.environ | where, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def until(child, word):
    """Read stderr up to a line that holds the word."""
    for line in child.stderr:
        if word in line:
            return
    raise AssertionError(f"{word!r} was never said")


def stopped(child):
    """Send Ctrl-C: (exit code, stdout, the rest of stderr)."""
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    return child.returncode, out, err


@pytest.mark.parametrize("delay", [0.0, 0.15, 0.5])
def test_while_importing_it_is_one_line(home, delay):
    child = begin(home, LISTENING, "solve", "mine.py:slow", "--tol", "1e-11")
    until(child, "listening")
    time.sleep(delay)
    assert stopped(child) == (130, "", "banach: interrupted\n")


def test_inside_one_call_of_c_it_does_not_wait(home):
    child = begin(home, LISTENING, "solve", "mine.py:deaf")
    until(child, "deaf now")
    time.sleep(0.1)
    assert stopped(child) == (130, "", "banach: interrupted\n")


def test_a_race_keeps_what_was_finished(home):
    child = begin(
        home, LISTENING, "race", "mine.py:slow", "--method", "accelerated_gradient",
        "--method", "gradient_descent", "--tol", "1e-11", "--max-steps", 10**9,
        "--time-limit", 100, "--json", "--html", "r.html",
    )  # fmt: skip
    until(child, "certified")
    code, out, err = stopped(child)
    assert code == 130 and "Traceback" not in err
    first, *rest = json.loads(out)["runs"]
    assert first["method"] == "accelerated_gradient" and first["status"] == "certified"
    assert [r["status"] for r in rest] in ([], ["interrupted"])
    assert "accelerated_gradient" in (home / "r.html").read_text()


def test_an_answer_is_printed_and_saved_first(home):
    child = begin(
        home, SAVING, "solve", "mine.py:easy", "--save", "kept.json", "--json"
    )
    out, err = child.communicate(timeout=100)
    assert child.returncode == 130 and err.endswith("banach: interrupted\n")
    assert json.loads(out)["status"] == "certified"
    assert json.loads((home / "kept.json").read_text())["status"] == "certified"
    assert not list(home.glob("*.tmp")) + list(home.glob(".*.tmp"))


@pytest.mark.parametrize(
    "words",
    [
        ["solve", "mine.py:gone", "--save", "soon/x.json"],
        ["race", "mine.py:gone", "--method", "lbfgs", "--html", "soon/r.html"],
    ],
)
def test_a_folder_that_goes_away_costs_the_file_alone(home, words):
    (home / "soon").mkdir(exist_ok=True)
    child = begin(home, "from banach.__main__ import main; main()", *words)
    out, err = child.communicate(timeout=100)
    assert child.returncode == 0 and "certified" in out, err
    assert "soon/" in err and "Traceback" not in err
    assert "banach: not " in err and not (home / "soon").exists()
