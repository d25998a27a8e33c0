"""Wrong words on the command line: exit 2, one line that helps, before any work."""

import itertools

import pytest

from banach.cli.app import run
from banach.engine import compile_cache, judge

SOLVE = ["solve", "ridge:diabetes"]
RACE = ["race", "ridge:diabetes", "--method", "lbfgs"]
VERIFY = ["verify", "absent.json"]
NUMBERS = ["x", "nan", "0", "-1", "inf", "", "1e-6j"]
COUNTS = ["x", "1.5", "-1", "nan", "", str(2**31)]
SEEDS = ["x", "1.5", "-1", str(2**64)]
FILES = ["/nonexistent-folder/x.json", ".", "x.txt", "", "a\0b.json", "/proc/x.json"]
PAGES = [".", "", "a\0b.html", "/proc/x.html", "/proc/version/x.html"]
WORDS = ["nosuch", "", "1"]
# (words before it, option or "" for an argument, values)
TABLE = [
    ([], "", ["frobnicate", "--frobnicate"]),
    (["solve"], "", ["laso:diabetes", "", "no.py:x", "no.py", "ridge:", "file.json"]),
    (SOLVE, "", ["--max-iter=3", "lbfgs", "--tol"]),
    (
        SOLVE,
        "--method",
        [*WORDS, "scipy:nosuch", "optax:nosuch", "lbfgs:x:y", "sinkhorn"],
    ),
    (SOLVE, "--tol", NUMBERS),
    (SOLVE, "--time-limit", NUMBERS),
    (SOLVE, "--max-steps", COUNTS),
    (SOLVE, "--seed", SEEDS),
    (SOLVE, "--check", [*WORDS, "energy_gap"]),
    (SOLVE, "--save", FILES),
    (SOLVE, "--checkpoint", FILES),
    (SOLVE, "--resume", ["absent.json", ".", "", "a\0b"]),
    (["race"], "", ["laso:diabetes", "", "no.py:x"]),
    (RACE, "--method", WORDS),
    (RACE, "--tol", NUMBERS),
    (RACE, "--time-limit", NUMBERS),
    (RACE, "--max-steps", COUNTS),
    (RACE, "--seed", SEEDS),
    (RACE, "--seeds", [*COUNTS, "0"]),
    (RACE, "--check", [*WORDS, "energy_gap"]),
    (RACE, "--html", PAGES),
    (["verify"], "", ["absent.json", ".", "", "a\0b", "/dev/null"]),
    (VERIFY, "--tol", ["x", ""]),
    (VERIFY, "--seed", ["x", "1.5"]),
    (["explain"], "", WORDS),
    (["cite"], "", WORDS),
    (["methods"], "--problem", WORDS),
    (["methods"], "--family", WORDS),
    (["claims"], "", ["frobnicate"]),
    (["claims", "run"], "", WORDS),
    (["claims", "run", "fista"], "--jobs", ["0", "x", "-1", "1.5"]),
    (["claims", "run", "fista"], "--figures", ["/proc/x", "/proc/version"]),
]
CASES = [
    [*before, *([option] if option else []), value]
    for before, option, values in TABLE
    for value in values
]


@pytest.fixture
def idle(monkeypatch, tmp_path):
    """No program may be built or run, and no file may appear."""

    def work(*args, **keywords):
        raise AssertionError("work began before the words were read")

    monkeypatch.setattr(compile_cache, "kernel_for", work)
    monkeypatch.setattr(judge.Judge, "__init__", work)
    monkeypatch.setattr("banach.cli.claiming._measure", work)
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", sorted({c[0] for c in CASES}))
def test_wrong_words_are_two_and_name_the_cure(command, idle, capsys):
    wrong = []
    for words in (c for c in CASES if c[0] == command):
        code = run(words)
        out, err = capsys.readouterr()
        if code != 2 or out or len(err.strip()) < 20 or "Traceback" in err:
            wrong.append(f"{words}: {code} {err.strip()[-200:]!r} {out[:60]!r}")
    assert not wrong, "\n".join(wrong)


def test_the_table_is_large():
    assert len(CASES) > 120
    assert len(set(map(tuple, CASES))) == len(CASES)
    assert len({c[0] for c in itertools.chain(CASES)}) >= 8
