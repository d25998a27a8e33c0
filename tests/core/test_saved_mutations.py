"""Saved runs with every node damaged: one clear error, and nothing false certified.

Each document is damaged at every node, and twice over: as an editor would leave it,
and as a forger would, with the `run_id` computed anew.
"""

import copy
import hashlib
import json
import os

import numpy as np
import pytest
from core_bed import bits

import banach as bn
from banach.core import save
from banach.core.problem import Misuse
from banach.core.result import point_id, problem_id
from banach.engine import restore

rng = np.random.default_rng(11)
A = rng.standard_normal((9, 2))
Y = A @ np.array([1.5, -0.5]) + 0.1
COST = np.array([[0.0, 1.0, 2.0], [1.5, 0.5, 0.25]])
DELETE = object()
BAD = (
    None, True, 0, -1, 7, 2.5, -1e300, 2**70, "", "x", [], [[]], {}, "0" * 32,
    "../x.npz", "<f8", ">i4", "|O", "AAAA", "banach.core.save:read", [2**40, 2**40],
    [-1], {"array": {"dtype": "<f8", "shape": [2**31 - 1], "base64": ""}},
    {"float": "nan"}, {"float": "0x1p99999"}, {"tuple": [{"tuple": []}]}, DELETE,
)  # fmt: skip


@pytest.fixture(scope="module")
def lasso():
    return bn.Lasso(A, Y, lam=0.25)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, lasso):
    """Name -> (document, what verifies or resumes it)."""
    folder = tmp_path_factory.mktemp("runs")
    file = folder / "x.json"
    bn.solve(lasso, "fista", tol=1e-9, checkpoint=file)
    checkpoint = json.loads(file.read_text())
    answer = {k: v for k, v in checkpoint.items() if k != "checkpoint"}
    bn.solve(bn.Transport(COST, [0.25, 0.75], [0.5, 0.25, 0.25], 0.5)).save(file)
    return {
        "lasso": save.seal(answer),
        "transport": json.loads(file.read_text()),
        "checkpoint": checkpoint,
    }


def nodes(value, path=()):
    """Paths of all nodes below the top."""
    rows = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in rows:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from nodes(inner, (*path, key))


def damaged(document, path, bad):
    made = copy.deepcopy(document)
    at = made
    for key in path[:-1]:
        at = at[key]
    if bad is DELETE:
        del at[path[-1]]
    else:
        at[path[-1]] = copy.deepcopy(bad)
    return made


def mutations(document, seed, count):
    """`count` damaged copies, every node at least once."""
    draw = np.random.default_rng(seed)
    paths = [p for p in nodes(document) if p[0] not in ("trace", "manifest", "reason")]
    pairs = [(p, BAD[draw.integers(len(BAD))]) for p in paths]
    while len(pairs) < count:
        pairs.append((paths[draw.integers(len(paths))], BAD[draw.integers(len(BAD))]))
    for path, bad in pairs:
        yield path, bad, damaged(document, path, bad)


def judged(file):
    """The verdict on a file, or None where it is refused."""
    try:
        return bn.verify(file)
    except Misuse as e:
        assert str(e)
        return None


@pytest.mark.parametrize("name", ["lasso", "transport"])
def test_a_damaged_run_is_refused_or_refuted(runs, name, tmp_path):
    file = tmp_path / "run.json"
    refused = 0
    for path, bad, document in mutations(runs[name], 1, 400):
        file.write_text(json.dumps(document))
        verdict = judged(file)
        refused += verdict is None
        whole = save._plain(document) == save._plain(runs[name])
        if verdict is not None and not whole:
            assert verdict.status == "refuted", (path, bad)
    assert refused > 100


@pytest.mark.parametrize("name", ["lasso", "transport"])
def test_a_forged_run_certifies_only_what_is_true(runs, name, tmp_path, monkeypatch):
    """Forged ids fit; whatever is certified is what a look at the file's data says."""
    # The looks themselves are the checks' own affair: here they are counted.
    looked = []

    def look(problem, check, point, raw):
        looked.append((problem, check, point))
        return Stand(), point

    monkeypatch.setattr("banach.doors.verify.look", look)
    monkeypatch.setattr("banach.doors.verify.stamped", lambda cert, pid, x: cert)
    file = tmp_path / "run.json"
    for path, bad, document in mutations(runs[name], 2, 300):
        if path == ("run_id",):
            continue
        file.write_text(json.dumps(save.seal(document)))
        looked.clear()
        verdict = judged(file)
        if verdict is None:
            continue
        ((problem, check, point),) = looked
        # It is a problem that its constructor makes, and the ids are those of it.
        problem.validate()
        assert check.screens() is False or check.screen is None, (path, bad)
        if verdict.status == "certified":
            assert document["problem_id"] == problem_id(problem), (path, bad)
            assert document["certificate"]["point_id"] == point_id(point.x)
            assert verdict.tol == document["tol"] > 0


class Stand:
    """A certificate that would pass anything."""

    value = ratio = slack = scale = np.float64(1)
    grade = rounding = quantity = ""
    assumes = ()

    def within(self, tol):
        return True

    def absolute(self):
        return self


def test_a_damaged_checkpoint_is_refused(runs, lasso, tmp_path):
    file = tmp_path / "run.json"
    for _, _, document in mutations(runs["checkpoint"], 3, 400):
        file.write_text(json.dumps(document))
        if save._plain(document) != save._plain(runs["checkpoint"]):
            with pytest.raises(Misuse):
                bn.solve(lasso, resume=file, tol=1e-9)


def test_a_forged_checkpoint_is_looked_at_again(runs, lasso, tmp_path):
    """A verdict in the carry is no verdict: the point is judged at the asked tol."""
    file = tmp_path / "run.json"
    want = bn.solve(lasso, "fista", tol=1e-9)

    def forged(change):
        document = copy.deepcopy(runs["checkpoint"])
        change(document)
        file.write_text(json.dumps(save.seal(document)))
        return bn.solve(lasso, resume=file, tol=1e-9)

    again = forged(lambda d: None)
    assert again.certified and again.steps == want.steps
    assert bits(again.x) == bits(want.x)
    store = restore.Store(inline=True)

    def moved(document):
        carry = document["checkpoint"]["carry"]
        for i, item in enumerate(carry):
            a = store.get(item)
            if a.dtype == np.float64 and a.shape == (2,):
                carry[i] = store.put(a + 1.0)

    r = forged(moved)
    assert r.certified and np.allclose(r.x, want.x, atol=1e-3)
    assert float(r.certificate.ratio) <= 1e-9
    # A tighter tolerance is not met by an older verdict either.
    file.write_text(json.dumps(runs["checkpoint"]))
    tight = bn.solve(lasso, resume=file, tol=1e-13)
    assert tight.steps >= want.steps
    assert not tight.certified or float(tight.certificate.ratio) <= 1e-13
    for change in (
        lambda d: d["checkpoint"]["settings"].__setitem__(2, True),
        lambda d: d["checkpoint"]["carry"].pop(),
        lambda d: d["checkpoint"].update(method=d["check"]),
        lambda d: d.update(seconds=d["seconds"] | {"run": -3}),
    ):
        with pytest.raises(Misuse):
            forged(change)


EDITS = {
    "tol": lambda d: d.update(tol=1e3),
    "absolute": lambda d: d.update(tol_is_absolute=True),
    "grade": lambda d: d["certificate"].update(grade="enclosure"),
    "assumes": lambda d: d["certificate"].update(assumes=[]),
    "status": lambda d: d.update(status="budget"),
    "method": lambda d: d.update(method="newton"),
    "check": lambda d: d.update(check=save.encode(bn.Goal(1e6), save.Store())),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_certifies_nothing(runs, what, tmp_path):
    document = copy.deepcopy(runs["lasso"])
    EDITS[what](document)
    file = tmp_path / "run.json"
    file.write_text(json.dumps(document))
    verdict = bn.verify(file)
    assert verdict.run_matches is False and verdict.status == "refuted"
    assert not verdict.certified and not bn.load(file).intact


def test_ids_that_are_no_ids_are_refused(runs, tmp_path):
    file = tmp_path / "run.json"
    places = (("run_id",), ("problem_id",), ("certificate", "problem_id"),
              ("certificate", "point_id"))  # fmt: skip
    for path in places:
        for bad in (
            DELETE,
            "",
            None,
            3,
            ["0" * 32],
            "0" * 31,
            "G" * 32,
            "0" * 32 + "\n",
        ):
            document = damaged(runs["lasso"], path, bad)
            if path != ("run_id",):
                save.seal(document)
            file.write_text(json.dumps(document))
            with pytest.raises(Misuse, match=path[-1]):
                bn.verify(file)


def test_forged_data_are_read_as_a_constructor_would(runs, tmp_path):
    """Ids, run_id and all: an invalid problem is none."""
    file, store = tmp_path / "run.json", save.Store(inline=True)
    for field, value in {
        "A": np.array([[np.nan, 1.0]] * 9),
        "y": np.full(8, 1.0),
        "weight": -np.ones(9),
        "intercept": 1,
        "loss": bn.L1(0.25),
    }.items():
        document = copy.deepcopy(runs["lasso"])
        fields = document["problem"]["module"]["fields"]
        fields[field] = save.encode(value, store)
        file.write_text(json.dumps(save.seal(document)))
        with pytest.raises(Misuse):
            bn.verify(file)
    document = copy.deepcopy(runs["lasso"])
    term = document["problem"]["module"]["fields"]["term"]["fields"]
    term["lam"] = store.put(np.array(-0.25))
    file.write_text(json.dumps(save.seal(document)))
    with pytest.raises(Misuse, match="nonnegative"):
        bn.verify(file)
    # Another valid weight is another problem.
    term["lam"] = store.put(np.array(0.5))
    file.write_text(json.dumps(save.seal(document)))
    verdict = bn.verify(file)
    assert verdict.problem_matches is False and verdict.status == "refuted"


TEXTS = {
    "empty": "",
    "binary": b"\x00\xff\xfe\x80",
    "truncated": None,
    "a list": "[1, 2]",
    "a number": "3",
    "NaN": '{"certificate": {}, "schema_version": 2, "tol": NaN}',
    "infinity": '{"certificate": {}, "schema_version": 2, "tol": 1e999}',
    "a key twice": '{"certificate": {}, "certificate": {}, "schema_version": 2}',
    "deep": "[" * 100_000,
    "deep inside": '{"certificate": '
    + "[" * 900
    + "]" * 900
    + ', "schema_version": 2}',
    "digits": '{"certificate": {}, "schema_version": ' + "9" * 9999 + "}",
    "the old format": '{"certificate": {}, "schema_version": 1}',
    "a newer format": '{"certificate": {}, "schema_version": 3}',
    "a flag for a version": '{"certificate": {}, "schema_version": true}',
}


@pytest.mark.parametrize("what", TEXTS)
def test_a_file_that_is_no_run_is_one_error(runs, what, tmp_path, lasso):
    file = tmp_path / "run.json"
    text = TEXTS[what]
    if text is None:
        text = json.dumps(runs["lasso"])[:-40]
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    for door in (bn.verify, bn.load, lambda p: bn.solve(lasso, resume=p)):
        with pytest.raises(Misuse, match=r"run\.json"):
            door(file)


def test_what_is_no_file_is_one_error(tmp_path):
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)  # reading it would wait for ever, as /dev/zero would not end
    absent, below = tmp_path / "absent.json", tmp_path / "a" / "b.json"
    for path in (
        tmp_path,
        absent,
        below,
        pipe,
        "/dev/zero",
        3,
        None,
        "a\0b",
        "n" * 999,
    ):
        with pytest.raises(Misuse):
            bn.load(path)


def test_python_is_executed_only_if_trusted(runs, tmp_path, capfd):
    mark = tmp_path / "executed"
    code = tmp_path / "evil.py"
    code.write_text(f"open({str(mark)!r}, 'w').close()\nproblem = None\n")
    file = tmp_path / "run.json"
    named = {
        "file": str(code),
        "object": "problem",
        "sha256": hashlib.sha256(code.read_bytes()).hexdigest(),
    }
    for problem in (
        named, {"zoo": f"{code}:problem"}, {"zoo": str(code)}, {"zoo": 3}, {},
        named | {"zoo": "lasso:diabetes"}, {"file": str(code), "object": "problem"},
    ):  # fmt: skip
        document = copy.deepcopy(runs["lasso"]) | {"problem": problem}
        file.write_text(json.dumps(save.seal(document)))
        for door in (bn.load, bn.verify):
            with pytest.raises(Misuse):
                door(file)
            with pytest.raises(Misuse):
                door(file, trust="yes")
            if problem is not named:
                with pytest.raises(Misuse):
                    door(file, trust=True)
    assert not mark.exists() and capfd.readouterr().err == ""
    document["problem"] = named | {"sha256": "0" * 64}
    file.write_text(json.dumps(save.seal(document)))
    with pytest.raises(Misuse, match="has changed"):
        bn.load(file, trust=True)
    assert not mark.exists()
    document["problem"] = named
    file.write_text(json.dumps(save.seal(document)))
    with pytest.raises(Misuse, match="not a problem"):
        bn.load(file, trust=True)
    assert mark.exists() and f"executing {code}" in capfd.readouterr().err
