"""Runs on disk: verified in a fresh process, resumed bit for bit, written whole."""

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from core_bed import bits

import banach as bn
from banach import zoo
from banach.core import atomic_files, save
from banach.core.problem import Misuse
from banach.core.result import problem_id
from banach.engine import restore, tiers
from banach.methods.smooth.gradient_descent import GradientDescent
from banach.methods.smooth.lbfgs import Lbfgs

HERE = Path(__file__).parent
FILE = HERE.parent / "saved_problem.py"
VALLEY, EASY, OTHER = (f"{FILE}:{name}" for name in ("valley", "easy", "other"))
FIXED = GradientDescent(1.0, search=False)


def rows(trace):
    return bits((trace.step, trace.ratio, trace.value, trace.calls))


def python(*args, **options):
    return subprocess.run(
        [sys.executable, *map(str, args)], capture_output=True, text=True, **options
    )


@pytest.fixture(scope="module")
def answer(tmp_path_factory):
    """A certified run, saved."""
    path = tmp_path_factory.mktemp("run") / "run.json"
    with bn.core.compat.double():
        bn.solve(EASY, Lbfgs(memory=5), tol=1e-9).save(path)
    return path


@pytest.fixture(scope="module")
def wide():
    """A certified run whose matrix goes into the npz."""
    A = np.sin(np.arange(9000.0)).reshape(100, 90)
    r = bn.solve(bn.Ridge(A, A @ np.cos(np.arange(90.0)), 2.0))
    assert r.certified
    return r


def edited(answer, folder, change, seal=False):
    """A copy of the saved run after change(document), its run_id made to fit or not."""
    saved = json.loads(answer.read_text())
    change(saved)
    if seal:
        save.seal(saved)
    path = folder / "edited.json"
    path.write_text(json.dumps(saved))
    return path


def test_round_trip(answer):
    loaded = bn.load(answer, trust=True)
    assert loaded.intact
    r = bn.solve(EASY, Lbfgs(memory=5), tol=1e-9)
    assert bits(loaded.x) == bits(r.x) and loaded.tol == 1e-9
    assert loaded.problem_id == r.problem_id
    assert loaded.point_id == r.certificate.point_id
    verdict = bn.verify(answer, trust=True)
    assert verdict.certified and verdict.status == "certified"
    assert verdict.point_matches and verdict.problem_matches
    assert float(verdict.certificate.value) == float(r.certificate.value)
    # An answer is a start.
    again = bn.solve(EASY, Lbfgs(memory=5), tol=1e-9, start=loaded)
    assert again.certified and again.steps == 0


def test_verify_in_a_fresh_process(answer):
    done = python("-m", "banach", "verify", answer, "--json", "--trust")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["status"] == "certified" and said["point_matches"] is True
    claimed = json.loads(answer.read_text())["certificate"]
    assert said["certificate"]["value"] == claimed["value"]


def test_a_polished_point_is_not_the_one_that_was_certified(answer, tmp_path):
    store = restore.Store(inline=True)

    def polish(saved):
        (x,) = (store.get(v) for v in saved["point"])
        saved["point"] = [store.put(np.nextafter(x, 2))]

    verdict = bn.verify(edited(answer, tmp_path, polish, seal=True), trust=True)
    # Still a good point, and not the one that the certificate speaks of.
    assert verdict.certificate.within(verdict.tol)
    assert verdict.point_matches is False and not verdict.certified
    assert verdict.status == "refuted" and "point is NOT" in str(verdict)
    assert verdict.run_matches is True


def test_a_forged_point_fails(answer, tmp_path):
    store = restore.Store(inline=True)

    def forge(saved):
        saved["point"] = [store.put(np.full(5, 0.9))]
        saved["certificate"]["point_id"] = bn.core.result.point_id(np.full(5, 0.9))

    verdict = bn.verify(edited(answer, tmp_path, forge, seal=True), trust=True)
    assert verdict.point_matches and not verdict.certified
    assert verdict.status == "budget"
    verdict = bn.verify(edited(answer, tmp_path, forge), trust=True)
    assert verdict.status == "refuted" and "file was EDITED" in str(verdict)


def test_a_forged_certificate_has_no_say(answer, tmp_path):
    def forge(saved):
        saved["certificate"] |= {"value": 0.0, "slack": 0.0, "ratio": 0.0}
        saved["status"] = "certified"
        saved["point"] = [save.Store(inline=True).put(np.zeros(5))]

    verdict = bn.verify(edited(answer, tmp_path, forge, seal=True), trust=True)
    assert not verdict.certified and float(verdict.certificate.ratio) > 0.5


def test_another_problem_is_seen(answer, tmp_path):
    verdict = bn.verify(answer, problem=OTHER)
    assert verdict.problem_matches is False and verdict.status == "refuted"
    assert "problem is NOT" in str(verdict)
    moved = edited(answer, tmp_path, lambda s: s["problem"].update(object="other"))
    assert bn.verify(moved, trust=True).problem_matches is False


def test_a_changed_problem_file_is_refused(tmp_path):
    copy = tmp_path / "mine.py"
    copy.write_text(FILE.read_text())
    path = tmp_path / "run.json"
    bn.solve(f"{copy}:easy", Lbfgs(memory=5)).save(path)
    assert bn.verify(path, trust=True).certified
    copy.write_text(FILE.read_text().replace("0.05]", "0.04]"))
    with pytest.raises(Misuse, match="has changed since the run was saved"):
        bn.verify(path, trust=True)
    copy.unlink()
    with pytest.raises(Misuse, match="which is gone; pass problem="):
        bn.verify(path, trust=True)
    assert bn.verify(path, problem=EASY).certified


def test_a_lambda_is_refused_with_the_cure(tmp_path):
    r = bn.minimize(lambda x: jnp.sum(x**2), np.ones(5), method=Lbfgs(memory=5))
    path = tmp_path / "run.json"
    with pytest.raises(Misuse, match=r"lives only in this process.*file\.py:object"):
        r.save(path)
    assert not path.exists() and not list(tmp_path.iterdir())


def test_names_are_checked_and_nothing_is_overwritten(answer, tmp_path):
    path = tmp_path / "kept.json"
    path.write_text("mine")
    r = bn.minimize(lambda x: jnp.sum(x**2), np.ones(5), method=Lbfgs(memory=5))
    with pytest.raises(Misuse):
        r.save(path)
    assert path.read_text() == "mine"
    with pytest.raises(Misuse, match=r"name it run\.json"):
        r.save(tmp_path / "run.txt")
    with pytest.raises(Misuse, match="not a banach run"):
        bn.load(path)
    path.write_text('{"certificate": 1, "schema_version": 99}')
    with pytest.raises(Misuse, match="schema_version 99"):
        bn.load(path)
    with pytest.raises(Misuse, match="no file"):
        bn.load(tmp_path / "absent.json")
    with pytest.raises(Misuse, match="an answer, not a checkpoint"):
        bn.solve(EASY, resume=answer)


def test_only_classes_of_banach_are_built_from_a_file():
    made = restore.decode(save.encode(FIXED, save.Store()), restore.Store())
    assert restore.same(made, FIXED)
    for name, said in {
        "subprocess:Popen": "not one of banach's",
        "banach.core.save:read": "not one of banach's",
        "banach.claims.figures:Path": "not one of banach's",
        "banach.kinds.nothing:Here": "does not have",
        "banach.kinds.glm.problem:Any": "no banach class",
        "banach.checks.scales:Scaled": "nothing can be built",
        "banach.terms.norms:Norm": "nothing can be built",
        "banach.kinds.glm.problem:GLM.__init__": "not one of banach's",
    }.items():
        with pytest.raises(Misuse, match=said):
            restore.decode({"class": name, "fields": {}}, restore.Store())


NAMES = (
    "softmax:iris elasticnet:diabetes grouplasso:diabetes huber:diabetes nnls:digits "
    "box:diabetes relu:plane robust_relu:plane transport:clouds linear:digits"
).split()


def back(value):
    """A value as a file would give it back."""
    store = save.Store()
    item = json.loads(json.dumps(save.encode(value, store)))
    return restore.decode(item, restore.Store(store.arrays), type(value))


@pytest.mark.parametrize("name", NAMES)
def test_problems_of_data_are_built_again(name):
    with bn.core.compat.double():
        problem = zoo.load(name)
        again = back(problem)
        assert problem_id(again) == problem_id(problem)
        # With NaN in its largest array it is no problem at all.
        leaves, structure = jax.tree.flatten(problem)
        real = [i for i, v in enumerate(leaves) if v.dtype == np.float64]
        i = max(real, key=lambda i: leaves[i].size)
        leaves[i] = np.array(leaves[i])
        leaves[i].flat[0] = np.nan
        with pytest.raises(Misuse):
            back(jax.tree.unflatten(structure, leaves))


def test_terms_are_built_again():
    rows = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, -1.0]])
    for term in (
        bn.AffineSet(rows, np.ones(2)), bn.Product((bn.Simplex(2.0), bn.L1(0.5))),
        bn.Box(np.array([-np.inf, 0.0]), np.ones(2)), bn.GroupL2(0.5, [0, 0, 1]),
        bn.FusedL1(0.2, 0.5),
    ):  # fmt: skip
        assert restore.same(back(term), term)
    bent = eqx.tree_at(lambda s: s.basis, bn.AffineSet(rows, np.ones(2)), rows.T)
    with pytest.raises(Misuse, match="orthonormal"):
        back(bent)
    with pytest.raises(Misuse, match="radius"):
        back(eqx.tree_at(lambda s: s.radius, bn.Simplex(2.0), np.array(-2.0)))
    # A constructor would have read the sides off: "bounded" is not what it says.
    box = bn.Box(np.zeros(2), np.ones(2))
    object.__setattr__(box, "bounded", False)
    with pytest.raises(Misuse, match="never holds bounded=False"):
        back(box)


def test_any_dtype_comes_back_bit_for_bit():
    store, reader = save.Store(inline=True), restore.Store()
    odd = [1e-310, -0.0, 0.1, np.inf, 3.0]
    kinds = ("<f8", ">f8", "<f4", ">f4", "<f2", "<i8", ">i4", "|u1", "|b1", "bfloat16")
    for kind in (*kinds, np.dtype(np.longdouble).str):
        dtype = np.dtype(kind)
        given = np.array(odd if dtype.kind in "fV" else [0, 1, 1, 0, 1]).astype(dtype)
        for a in (given, given.reshape(5, 1), given[:0], given[2], given[::-2]):
            got = reader.get(json.loads(json.dumps(store.put(a))))
            assert (got.dtype, got.shape) == (a.dtype, a.shape)
            # Ten bytes of an extended number count, the other six are padding.
            assert got.tobytes() == a.tobytes() or dtype.itemsize == 16
            assert np.array_equal(got, a)
    with pytest.raises(Misuse, match="dtype complex128"):
        store.put(np.ones(2) * 1j)


def test_large_arrays_go_beside_and_old_ones_go(tmp_path, wide):
    path, other = tmp_path / "x.json", tmp_path / "x.0123456789abcdef.npz"
    other.write_bytes(b"somebody else's")
    wide.save(path)
    first = {p.name for p in tmp_path.iterdir()} - {other.name}
    assert len(first) == 2
    back = bn.load(path)
    assert bits(back.problem) == bits(wide.problem) and bits(back.x) == bits(wide.x)
    assert bn.verify(path).certified
    # A copy keeps the arrays under their name.
    copy = tmp_path / "copy.json"
    copy.write_text(path.read_text())
    assert bn.verify(copy).certified
    copy.unlink()
    nudged = eqx.tree_at(lambda p: p.A, wide.problem, wide.problem.A + 1e-16)
    wide.replaced(problem=nudged).save(path)
    second = {p.name for p in tmp_path.iterdir()} - {other.name}
    assert len(second) == 2 and first & second == {"x.json"} and other.exists()
    (name,) = second - {"x.json"}
    beside = tmp_path / name
    whole = beside.read_bytes()
    with zipfile.ZipFile(beside, "a") as z:
        z.writestr("more.npy", whole[:200])
    with pytest.raises(Misuse, match="keep both files together"):
        bn.load(path)
    arrays = dict(np.load(io.BytesIO(whole)))
    for change, said in {
        "a flipped bit": (lambda a: {"a0": a["a0"] ^ 1}, "not the one that was saved"),
        "one more": (lambda a: a | {"a1": a["a0"][:8]}, "does not name"),
        "others": (lambda a: {"b": a["a0"][:8]}, "does not name"),
        "objects": (lambda a: {"a0": np.array([{}, 1])}, "keep both files together"),
        "numbers": (lambda a: {"a0": a["a0"].view(float)}, "keep both files together"),
    }.values():
        np.savez(beside, **change(arrays))
        with pytest.raises(Misuse, match=said):
            bn.load(path)
    np.savez_compressed(beside, **arrays)
    with pytest.raises(Misuse, match="more bytes than it has"):
        bn.load(path)
    beside.write_bytes(whole[:1000])
    with pytest.raises(Misuse, match="keep both files together"):
        bn.load(path)
    beside.unlink()
    with pytest.raises(Misuse, match="keep both files together"):
        bn.load(path)
    (tmp_path / "sub").mkdir()
    moved = edited(path, tmp_path / "sub", lambda s: s.update(npz="../" + s["npz"]))
    with pytest.raises(Misuse, match="no file beside it"):
        bn.load(moved)


def test_a_failed_write_leaves_the_old_run(tmp_path, wide, monkeypatch):
    path = tmp_path / "run.json"
    wide.save(path)
    old = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(*args, **options):
        raise OSError(28, "No space left on device")

    moved = eqx.tree_at(lambda p: p.A, wide.problem, wide.problem.A + 1)
    changed = wide.replaced(problem=moved)
    for what in ("replace", "fsync"):
        with monkeypatch.context() as m:
            m.setattr(atomic_files.os, what, full)
            with pytest.raises(Misuse, match="cannot be written: No space"):
                changed.save(path)
        assert old == {p.name: p.read_bytes() for p in tmp_path.iterdir()}


@pytest.mark.parametrize("half", [10, 217, 220])
def test_resume_is_exact(half, tmp_path):
    options = dict(tol=1e-12, rows=16)
    want = bn.solve(VALLEY, FIXED, max_steps=440, **options)
    path = tmp_path / "run.json"
    bn.solve(VALLEY, FIXED, max_steps=half, checkpoint=path, **options)
    got = bn.solve(VALLEY, resume=path, max_steps=440, tol=1e-12)
    assert got.steps == want.steps == 440 and got.calls == want.calls
    assert bits(got.x) == bits(want.x)
    assert bits(got.certificate) == bits(want.certificate)
    if half % 10 == 0:
        assert rows(got.trace) == rows(want.trace)
    assert got.seconds["run"] > 0


def test_a_resume_refuses_what_does_not_fit(tmp_path):
    path = tmp_path / "run.json"
    bn.solve(VALLEY, FIXED, max_steps=20, tol=1e-12, checkpoint=path)
    with pytest.raises(Misuse, match=r"another problem.*start=bn\.load"):
        bn.solve(EASY, resume=path)
    with pytest.raises(Misuse, match="made by gradient_descent, not lbfgs"):
        bn.solve(VALLEY, "lbfgs", resume=path)
    with pytest.raises(Misuse, match="drop start="):
        bn.solve(VALLEY, resume=path, start=np.zeros(5))
    with pytest.raises(Misuse, match="drop check="):
        bn.solve(VALLEY, resume=path, check="second_order")


def test_kill_nine_then_resume_gives_the_same_trace(tmp_path):
    path = tmp_path / "run.json"
    limit = 400_000_000
    child = subprocess.Popen(
        [sys.executable, str(FILE), str(path), str(limit)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )
    reached = [int(child.stdout.readline()) for _ in range(6)]
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()
    saved = json.loads(path.read_text())
    at = saved["steps"]
    assert reached[4] <= at < limit and saved["status"] == "running"
    goal = at + 5000
    options = dict(max_steps=goal, tol=1e-12)
    got = bn.solve(VALLEY, resume=path, **options)
    # As in a new process, where the child began.
    tiers.clear()
    want = bn.solve(VALLEY, FIXED, **options)
    assert got.steps == want.steps == goal
    assert bits(got.x) == bits(want.x) and rows(got.trace) == rows(want.trace)
