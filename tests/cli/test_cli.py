"""The command line as a user meets it: exit codes, streams, JSON, what is written."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

PROBLEMS = """
import jax.numpy as jnp
import numpy as np
import banach as bn

_c = np.array([1.0, 1e-2, 1e-4, 1e-6, 1e-8])
def _f(x, c):
    return 0.5 * jnp.sum(c * (x - 1) ** 2)

easy = bn.Smooth(_f, np.zeros(5), (_c + 1,), L=2.0, convex=True, reference=np.zeros(5))
slow = bn.Smooth(_f, np.zeros(5), (_c,), L=1.0, convex=True, reference=np.zeros(5))
broken = bn.Smooth(lambda x: jnp.nan * jnp.sum(x), np.ones(5))
mistake = 3


class Slope(bn.Smooth):
    # Its data show that it has no minimum.

    def unsolvable(self):
        return "unbounded", "f(-t c) = -t ||c||^2 for every t"


slope = Slope(lambda x, c: jnp.vdot(c, x), np.zeros(5), (_c,))
"""
RUN = {"method", "status", "certificate", "tol", "steps", "calls", "seconds"}
CERTIFICATE = {"quantity", "value", "slack", "scale", "grade", "rounding", "assumes"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with problems, and a store of programs of its own."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "mine.py").write_text(PROBLEMS)
    return folder


def environment(home, **more):
    return {
        **os.environ,
        "BANACH_CACHE": str(home / "cache"),
        "NO_COLOR": "1",
        **more,
    }


def banach(home, *words, **more):
    """`banach WORDS` in the folder: (exit code, stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, "-m", "banach", *map(str, words)], capture_output=True,
        text=True, cwd=home, env=environment(home, **more), timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_a_proof_that_there_is_no_solution_is_four(home):
    code, out, err = banach(home, "solve", "mine.py:slope", "--json")
    said = json.loads(out)
    assert code == 4 and said["status"] == "unbounded" and said["steps"] == 0, err
    code, out, _ = banach(home, "solve", "mine.py:slope")
    assert code == 4 and "f(-t c) = -t ||c||^2" in out


def test_certified_is_zero_and_data_go_to_stdout(home):
    code, out, err = banach(home, "solve", "mine.py:easy", "--save", "run.json")
    assert code == 0, err
    assert out.startswith("certified: ") and "assumes" in out
    assert "saved: run.json" in err and "saved" not in out
    assert "\x1b" not in out + err
    # Its problem lives in Python code, which a file may not have executed.
    code, out, err = banach(home, "verify", "run.json")
    assert code == 2 and out == "" and "--trust" in err
    code, out, err = banach(home, "verify", "run.json", "--trust")
    assert code == 0 and out.startswith("certified: ")
    assert err.startswith("banach: executing ") and err.count("\n") == 1
    code, out, err = banach(home, "verify", "run.json", "--problem", "mine.py:easy")
    assert code == 0 and out.startswith("certified: ") and err == ""
    # A forged point is not the certified one.
    saved = json.loads((home / "run.json").read_text())
    saved["certificate"]["point_id"] = "0" * 32
    (home / "forged.json").write_text(json.dumps(saved))
    code, out, _ = banach(home, "verify", "forged.json", "--json", "--trust")
    said = json.loads(out)
    assert code == 3 and said["status"] == "refuted"
    assert said["point_matches"] is False and said["run_matches"] is False


def test_json_of_solve(home):
    code, out, err = banach(home, "solve", "mine.py:easy", "--json", "--seed", "3")
    assert code == 0 and err == "" and out.count("\n") == 1
    data = json.loads(out)
    assert data["schema_version"] == 2 and set(data) >= RUN
    assert set(data["certificate"]) >= CERTIFICATE
    assert set(data["seconds"]) == {"compile", "run", "check"}
    assert data["status"] == "certified" and data["manifest"]["seed"] == 3
    assert data["certificate"]["value"] <= 1e-6 * data["certificate"]["scale"]


def test_stopped_uncertified_is_three(home):
    code, out, _ = banach(
        home, "solve", "mine.py:slow", "--method", "gradient_descent",
        "--tol", "1e-11", "--max-steps", "30", "--json",
    )  # fmt: skip
    data = json.loads(out)
    assert code == 3 and data["status"] == "budget" and data["steps"] == 30
    assert "max_steps 30 reached" in data["reason"]


def test_nonfinite_is_five(home):
    code, out, _ = banach(home, "solve", "mine.py:broken", "--method", "lbfgs")
    assert code == 5 and "NOT CERTIFIED (nonfinite)" in out


def test_a_time_limit_is_124(home):
    began = time.perf_counter()
    code, out, _ = banach(
        home, "solve", "mine.py:slow", "--method", "gradient_descent", "--tol",
        "1e-11", "--time-limit", "1", "--max-steps", 10**9, "--json",
    )  # fmt: skip
    assert code == 124 and time.perf_counter() - began < 120
    data = json.loads(out)
    assert data["status"] == "budget" and "time limit 1 s" in data["reason"]


def test_ctrl_c_is_130_and_leaves_an_answer_and_a_checkpoint(home):
    command = [
        sys.executable, "-m", "banach", "solve", "mine.py:slow", "--method",
        "gradient_descent", "--tol", "1e-11", "--max-steps", str(10**9),
        "--checkpoint", "stopped.json", "--json",
    ]  # fmt: skip
    # On a terminal the run tells its steps: the first of them is when to stop it.
    master, slave = os.openpty()
    child = subprocess.Popen(
        command, cwd=home, env=environment(home), text=True,
        stdout=subprocess.PIPE, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    told = b""
    while b"step " not in told:
        told += os.read(master, 1000)
    child.send_signal(signal.SIGINT)
    drain = threading.Thread(target=_drain, args=(master,))
    drain.start()
    out, _ = child.communicate(timeout=120)
    drain.join()
    os.close(master)
    assert child.returncode == 130
    data = json.loads(out)
    assert data["status"] == "interrupted" and data["steps"] > 0
    assert data["certificate"]["ratio"] < 1
    # The checkpoint goes on from there.
    code, out, _ = banach(
        home, "solve", "mine.py:slow", "--resume", "stopped.json", "--tol", "1e-11",
        "--max-steps", data["steps"] + 100, "--json",
    )  # fmt: skip
    assert code == 3 and json.loads(out)["steps"] == data["steps"] + 100


def _drain(terminal):
    """Read what is written until the other side closes, which Linux calls an error."""
    try:
        while os.read(terminal, 1000):
            pass
    except OSError:
        return


USAGE = {
    "unknown command": ["frobnicate"],
    "unknown option": ["solve", "mine.py:easy", "--max-iter", "3"],
    "unknown problem": ["solve", "laso:diabetes"],
    "unknown method": ["solve", "mine.py:easy", "--method", "lbfsg"],
    "no such file": ["solve", "absent.py:easy"],
    "no such object": ["solve", "mine.py:absent"],
    "not a problem": ["solve", "mine.py:mistake"],
    "bad tolerance": ["solve", "mine.py:easy", "--tol", "0"],
    "bad save name": ["solve", "mine.py:easy", "--save", "kept.txt"],
    "resume of another": ["solve", "mine.py:slow", "--resume", "kept.json"],
    "not a run": ["verify", "kept.json"],
    "nothing to cite": ["cite", "nothing"],
}
SAYS = {
    "unknown option": "max-iter",
    "unknown problem": "Did you mean lasso:diabetes",
    "unknown method": "Did you mean lbfgs",
    "no such file": "no file absent.py",
    "no such object": "it offers",
    "not a problem": "not a problem",
    "bad tolerance": "tol must be positive",
    "bad save name": "name it kept.json",
    "resume of another": "not a banach run",
    "not a run": "not a banach run",
}


def test_usage_errors_are_two_name_the_cure_and_overwrite_nothing(home):
    """One process for all of them: each is `run(argv)` of the command line."""
    (home / "kept.json").write_text("mine")
    (home / "kept.txt").write_text("mine")
    code = """
import contextlib, io, json, sys
from banach.cli.app import run
seen = {}
for name, words in json.loads(sys.argv[1]).items():
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(words)
    seen[name] = [code, out.getvalue(), err.getvalue()]
print(json.dumps(seen))
"""
    before = {p: p.read_bytes() for p in home.glob("*.*")}
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(USAGE)], capture_output=True,
        text=True, cwd=home, env=environment(home), timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert set(seen) == set(USAGE)
    for name, (code, out, err) in seen.items():
        assert code == 2, (name, code, err)
        assert out == "" and "Traceback" not in err and err.strip(), name
        assert SAYS.get(name, "") in err, (name, err)
    assert {p: p.read_bytes() for p in home.glob("*.*")} == before


def test_a_problem_file_that_fails_to_import_is_two(home):
    (home / "bad.py").write_text("import nothing_of_this_name\n")
    code, out, err = banach(home, "solve", "bad.py:problem")
    assert code == 2 and out == "" and "failed to import" in err
    assert "Traceback" not in err


def test_methods_answers_without_jax(home):
    code = """
import sys
sys.argv = ["banach", "methods", "--json"]
from banach.cli.app import run
assert run(["methods", "--json"]) == 0
heavy = {"jax", "equinox", "numpy", "scipy", "matplotlib", "rich.table"}
assert not heavy & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=home
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    keys = {"name", "family", "problem", "needs", "assumes", "paper", "title", "status"}
    keys.add("summary")
    assert len(rows) >= 12 and all(set(r) == keys for r in rows)
    assert all(isinstance(r["needs"], list) and r["title"] for r in rows)
    done = subprocess.run(
        [sys.executable, "-c", "import banach, sys; assert 'jax' not in sys.modules"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_race_and_its_report(home):
    code, out, err = banach(
        home, "race", "mine.py:easy", "--method", "lbfgs", "--method", "sinkhorn",
        "--html", "out/race.html", "--json",
    )  # fmt: skip
    assert code == 0, err
    data = json.loads(out)
    assert data["schema_version"] == 1 and len(data["runs"]) == 1
    assert set(data["runs"][0]) >= RUN and data["refused"][0]["method"] == "sinkhorn"
    assert "bn.Transport" in data["refused"][0]["reason"]
    # Plain lines away from a terminal, all of them on stderr.
    assert re.search(r"lbfgs +certified", err) and "\x1b" not in err
    # Why a method that was asked for does not run.
    assert re.search(r"sinkhorn +not applicable: .*bn.Transport", err)
    page = (home / "out" / "race.html").read_text()
    assert "lbfgs" in page and "report: out/race.html" in err
    assert not re.search(r"""(src|href)=["']https?://""", page)


def test_a_race_in_plain_output_is_one_list(home):
    """Stderr and stdout together: what was found, then each method once."""
    code, out, err = banach(
        home, "race", "mine.py:easy", "--method", "lbfgs", "--method", "fista"
    )
    assert code == 0, err
    head, found, *rows = out.splitlines()
    assert head.startswith("mine.py:easy: ")
    assert " of 2 methods certified to 1e-6. Fastest with compilation: " in found
    assert "Use banach solve mine.py:easy --method " in found
    assert sorted(row.split()[0] for row in rows) == ["fista", "lbfgs"]
    assert err == "race: mine.py:easy\n"


def test_a_slow_race_says_how_far_it_is(monkeypatch, capsys):
    from banach.cli import live

    monkeypatch.setattr(live, "PAUSE", 0.0)
    run = SimpleNamespace(
        status="certified", seconds={"compile": 1.0, "run": 1.0}, steps=3,
        certificate=SimpleNamespace(ratio=1e-7),
    )  # fmt: skip
    with live.Board("p", listed=True) as board:
        board.update("fista", None)
        board.update("fista", run)
    told = capsys.readouterr()
    assert told.out == "" and told.err.splitlines()[1:] == [
        "  so far ended 0, certified 0; fista is running",
        "  so far ended 1, certified 1",
    ]


def test_a_report_is_run_again(home):
    program = (
        "import banach as bn; r = bn.solve('ridge:diabetes', 'gradient_descent', "
        "max_steps=3); r.report('report.json')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=home, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    code, out, err = banach(home, "reproduce", "report.json")
    assert code == 3 and out.startswith("NOT CERTIFIED (budget)")
    assert err == "reproduced: budget after 3 steps; as there\n"
    code, out, err = banach(
        home, "reproduce", "report.json", "--problem", "huber:diabetes"
    )
    assert "not the problem of report.json" in err
    code, out, err = banach(home, "reproduce", "none.json")
    assert code == 2 and out == "" and "no file none.json" in err


def test_listings(home):
    code, out, err = banach(home, "problems")
    assert code == 0 and err == ""
    names = out.split()
    assert "logistic:breast_cancer" in names and "lasso:diabetes" in names
    code, out, err = banach(home, "cite", "fista", "lbfgs")
    assert code == 0 and out.count("@") >= 2 and "title" in out
    code, out, err = banach(home, "explain", "fista")
    assert code == 0 and "needs     grad, prox" in out
    code, out, err = banach(home, "methods", "--problem", "lasso:diabetes")
    assert code == 0 and len(out.splitlines()) >= 10
    assert re.search(r"anderson +.*fixed point of forward-backward steps", out)
    code, out, err = banach(home, "explain", "lasso:diabetes")
    assert code == 0 and re.search(r"view +envelope \(Smooth\)\n", out)
    assert re.search(r"view +columns \(GLM\): columns scaled and centred", out)
    assert re.search(r"finite_sum \(FiniteSum\): missing, .*SquaredL2", out)


def test_no_word_prints_help_and_is_two(home):
    code, out, err = banach(home)
    assert code == 2
    assert all(word in out + err for word in ("race", "solve", "verify", "claims"))


def test_the_cache_is_where_it_was_put(home):
    # A race compiles; what is solved once and runs little is interpreted.
    assert banach(home, "race", "mine.py:easy", "--method", "lbfgs")[0] == 0
    files = list(Path(home / "cache").rglob("*"))
    assert any(f.is_file() for f in files)


def test_race_over_seeds(home):
    code, out, err = banach(
        home, "race", "finite_sum:logistic_breast_cancer", "--method", "sgd",
        "--seeds", 3, "--max-steps", 40, "--json",
    )  # fmt: skip
    assert code == 3, err
    run = json.loads(out)["runs"][0]
    assert [s["seed"] for s in run["seeds"]] == [0, 1, 2]
    assert run["spread"]["runs"] == 3 and run["spread"]["certified"] == 0
    code, out, err = banach(
        home, "race", "mine.py:easy", "--method", "lbfgs", "--seeds", 0
    )
    assert code == 2 and "an integer >= 1" in err
