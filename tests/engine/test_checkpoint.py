"""A run's file: tried before, one writer, and never in the way of the answer."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time

import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core import atomic_files, save
from banach.core.problem import Misuse

rng = np.random.default_rng(5)
A = rng.standard_normal((8, 3))
Y = A @ np.array([1.0, -2.0, 0.5])
HOLDER = """
import sys, time
from pathlib import Path
from banach.core import atomic_files
lock = atomic_files.Lock(Path(sys.argv[1])).take()
print("held", flush=True)
time.sleep(1000)
"""
WRITER = """
import sys
import numpy as np
from pathlib import Path
from banach.core import atomic_files
path, mark = Path(sys.argv[1]), sys.argv[2]
for i in range(60):
    text = '{"npz": "x.%s.npz", "who": "%s"}' % (mark * 16, mark)
    with atomic_files.Lock(path):
        atomic_files.write(
            path, text, (mark * 16, lambda f: f.write(mark.encode() * 9))
        )
"""


@pytest.fixture(scope="module")
def ridge():
    return bn.Ridge(A, Y, 0.3)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def python(code, *args):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)], stdout=subprocess.PIPE, text=True
    )


def no_work(monkeypatch):
    def work(*args, **options):
        raise AssertionError("work before the path was tried")

    monkeypatch.setattr("banach.doors.solve.iterate", work)


def test_a_checkpoint_leaves_one_file(ridge, tmp_path):
    path = tmp_path / "run.json"
    r = bn.solve(ridge, checkpoint=path)
    assert r.certified and names(tmp_path) == ["run.json"]
    assert bn.verify(path).certified
    # A link is written through.
    link = tmp_path / "link.json"
    link.symlink_to(path)
    bn.solve(ridge, tol=1e-9, checkpoint=link)
    assert link.is_symlink() and bn.load(path).tol == 1e-9


def test_paths_are_tried_before_the_run(ridge, tmp_path, monkeypatch):
    no_work(monkeypatch)
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "file").write_text("mine")
    gone = tmp_path / "gone.json"
    gone.symlink_to(tmp_path / "nowhere" / "x.json")
    bad = {
        tmp_path / "absent" / "x.json": "does not exist",
        tmp_path / "folder.json": "is a folder",
        tmp_path / "file" / "x.json": "does not exist",
        tmp_path / "x.txt": "name it x.json",
        tmp_path / "x": "name it x.json",
        gone: "does not exist",
        tmp_path / ("n" * 251 + ".json"): "cannot be written",
        "": "no path",
        3: "got int",
        True: "got bool",
        b"x.json": "got bytes",
        "a\0b.json": "no path",
    }
    before = names(tmp_path)
    for path, said in bad.items():
        with pytest.raises(Misuse, match=said):
            bn.solve(ridge, checkpoint=path)
    assert names(tmp_path) == before

    def read_only(self, **options):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as m:
        m.setattr(atomic_files.Path, "touch", read_only)
        with pytest.raises(Misuse, match="cannot be written: Permission denied"):
            bn.solve(ridge, checkpoint=tmp_path / "x.json")
    assert names(tmp_path) == before


def test_what_cannot_be_saved_is_found_before_the_run(tmp_path, monkeypatch):
    no_work(monkeypatch)
    P = bn.Smooth(lambda x: jnp.sum((x - 1) ** 2), np.zeros(3))
    with pytest.raises(Misuse, match=r"cannot be saved.*file\.py:object"):
        bn.solve(P, checkpoint=tmp_path / "x.json")
    assert not names(tmp_path)


def test_a_write_that_fails_later_takes_nothing_away(ridge, tmp_path, monkeypatch):
    want = bn.solve(ridge)
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "run.json"

    def full(*args):
        raise OSError(28, "No space left on device")

    for what in ("replace", "fsync"):
        with monkeypatch.context() as m:
            m.setattr(atomic_files.os, what, full)
            with pytest.warns(UserWarning, match=r"No space.*returned unsaved"):
                r = bn.solve(ridge, checkpoint=path)
        assert r.certified and np.array_equal(r.x, want.x) and not names(folder)

    def removed(result):
        if folder.exists():
            for p in folder.iterdir():
                p.unlink()
            folder.rmdir()

    with pytest.warns(UserWarning, match="no checkpoint was written"):
        r = bn.solve(ridge, checkpoint=path, progress=removed)
    assert r.certified and not folder.exists()
    # Asked for directly, it is one error, and the result is still there.
    with pytest.raises(Misuse, match="does not exist"):
        r.save(path)
    assert r.certified


def test_two_runs_of_one_file_in_one_process(ridge, tmp_path):
    path = tmp_path / "run.json"
    refused = []

    def inner(result):
        if not refused:
            with pytest.raises(Misuse, match="another run of this process") as e:
                bn.solve(ridge, checkpoint=path)
            refused.append(str(e.value))

    assert bn.solve(ridge, checkpoint=path, progress=inner).certified
    assert refused and bn.verify(path).certified and names(tmp_path) == ["run.json"]


def test_a_file_that_another_process_writes_is_refused(ridge, tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    child = python(HOLDER, path)
    assert child.stdout.readline() == "held\n"
    monkeypatch.setattr(atomic_files, "PATIENCE", 0.1)
    r = bn.solve(ridge)
    with pytest.raises(Misuse, match=rf"written by process {child.pid}"):
        bn.solve(ridge, checkpoint=path)
    with pytest.raises(Misuse, match=rf"written by process {child.pid}"):
        r.save(path)
    assert names(tmp_path) == [".run.json.lock"]
    # Killed, it owns nothing more; what it left is taken over and goes.
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    (tmp_path / ".run.json.0123456789abcdef.tmp").write_text("half")
    (tmp_path / ".run.json.mine.tmp").write_text("mine")
    assert bn.solve(ridge, checkpoint=path).certified
    assert names(tmp_path) == [".run.json.mine.tmp", "run.json"]


def test_processes_that_save_to_one_file_lose_nothing(tmp_path):
    path = tmp_path / "x.json"
    writers = [python(WRITER, path, mark) for mark in "ab"]
    seen = set()
    while any(w.poll() is None for w in writers):
        if path.exists():
            seen.add(json.loads(path.read_text())["who"])
        time.sleep(0.005)
    for w in writers:
        assert w.wait() == 0
        w.stdout.close()
    last = json.loads(path.read_text())
    assert seen <= {"a", "b"} and names(tmp_path) == [last["npz"], "x.json"]
    assert (tmp_path / last["npz"]).read_text() == last["who"] * 9


def test_a_lock_waits_and_survives_a_removed_file(tmp_path):
    path = tmp_path / "x.json"
    first = atomic_files.Lock(path).take()
    taken = []
    waiter = threading.Thread(
        target=lambda: taken.append(atomic_files.Lock(path).take())
    )
    waiter.start()
    time.sleep(0.1)
    assert not taken
    first.give()
    waiter.join()
    assert taken[0].held is not None
    # Somebody removes the lock's file: the next writer makes its own.
    (tmp_path / ".x.json.lock").unlink()
    second = atomic_files.Lock(path).take()
    taken[0].give()
    assert names(tmp_path) == [".x.json.lock"]
    with pytest.raises(Misuse, match="being written"):
        atomic_files.Lock(path).take(patience=0)
    second.give()
    assert names(tmp_path) == []


def test_a_file_system_without_locks_warns(tmp_path, monkeypatch):
    def none(handle, flags):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.warns(UserWarning, match="has no locks"):
        lock = atomic_files.Lock(tmp_path / "x.json").take()
    lock.give()
    assert os.listdir(tmp_path) == [".x.json.lock"]


def test_a_resumed_run_is_the_run_that_was_asked_for(ridge, tmp_path):
    path = tmp_path / "run.json"
    bn.solve(ridge, "gradient_descent", tol=1e-9, max_steps=2, checkpoint=path)
    other = bn.GradientDescent(1e-3, search=False)
    with pytest.raises(Misuse, match="other hyperparameters"):
        bn.solve(ridge, other, tol=1e-9, resume=path)
    with pytest.raises(Misuse, match="tolerance was relative"):
        bn.solve(ridge, tol=bn.Absolute(1e-9), resume=path)
    document = json.loads(path.read_text())
    document["steps"] = 3
    path.write_text(json.dumps(document))
    with pytest.raises(Misuse, match="edited after it was saved"):
        bn.solve(ridge, tol=1e-9, resume=path)
    path.write_text(json.dumps(save.seal(document)))
    assert bn.solve(ridge, tol=1e-9, max_steps=3, resume=path).steps == 3


@pytest.mark.parametrize(
    ("tol", "ended"),
    [
        (1e-6, "certified"),
        (1e-16, "unverifiable"),  # below 4 u
        (bn.Absolute(1e-32), "unverifiable stalled"),  # hidden by rounding
    ],
)
def test_a_run_that_ended_by_itself_is_over(ridge, tmp_path, tol, ended):
    path = tmp_path / "run.json"
    first = bn.solve(ridge, "lbfgs", tol=tol, checkpoint=path)
    assert first.status in ended.split()
    again = bn.solve(ridge, tol=tol, max_steps=first.steps + 500, resume=path)
    assert (again.status, again.steps) == (first.status, first.steps)
    np.testing.assert_array_equal(again.x, first.x)
    assert again.reason == first.reason and again.hint == first.hint
    # At a tolerance that the point passes no further step is needed either.
    least = 2 * float(first.certificate.value + first.certificate.slack)
    loose = bn.Absolute(least) if first.absolute else 2 * float(first.certificate.ratio)
    passed = bn.solve(ridge, tol=loose, max_steps=first.steps + 500, resume=path)
    assert passed.certified and passed.steps == first.steps
