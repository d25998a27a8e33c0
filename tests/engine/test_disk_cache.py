"""The store of executables: what is kept, what is never loaded, what is left behind."""

import itertools
import json
import os
import subprocess
import sys
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

import banach as bn
from banach.engine import disk_cache, tiers
from banach.engine.executors import FAST

A = np.random.default_rng(3).standard_normal((4, 4))
SHAPE = jax.ShapeDtypeStruct((4, 4), np.float64)
POINT = jax.ShapeDtypeStruct((4,), np.float64)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty store of this test's own, and none of JAX's."""
    monkeypatch.setenv("BANACH_CACHE", str(tmp_path / "kept"))
    monkeypatch.setattr(disk_cache, "_warned", set())
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    jax.config.update(names[0], None)
    compilation_cache.reset_cache()
    yield tmp_path / "kept"
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def spent():
    """(loaded, compiled, kept) since this was called."""
    before = dict(disk_cache.COUNTS)
    return lambda: tuple(disk_cache.COUNTS[k] - before[k] for k in before)


def lowered(function, *shapes, **options):
    return jax.jit(function, **options).lower(*shapes)


def solve(G, b):
    """A factorisation, a loop and elementary functions."""
    G = G @ G.T + jnp.eye(4)
    c = jnp.linalg.solve(
        G, jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(G), True), b)
    )
    return {"x": jax.lax.fori_loop(0, 9, lambda i, x: jnp.sin(x) + c, c), "G": G}


def bits(tree):
    return [np.asarray(v).tobytes() for v in jax.tree.leaves(tree)]


def test_a_loaded_program_has_the_bits_and_trees_of_the_compiled_one(place):
    counts = spent()
    made = disk_cache.compiled(lowered(solve, SHAPE, POINT), FAST)
    again = disk_cache.compiled(lowered(solve, SHAPE, POINT), FAST)
    assert counts() == (1, 1, 1)
    assert oct(os.stat(place).st_mode)[-3:] == "700"
    (file,) = place.iterdir()
    assert oct(file.stat().st_mode)[-3:] == "600"
    one, two = made(A, A[0]), again(A, A[0])
    assert jax.tree.structure(one) == jax.tree.structure(two)
    assert bits(one) == bits(two) != bits(made(A, A[1]))


def test_a_solve_of_loaded_programs_has_the_bits_of_a_solve_of_compiled_ones(place):
    results = []
    for _ in range(2):
        tiers.clear()
        counts = spent()
        results.append(bn.solve(bn.Ridge(A, A[0] + 1, 0.3), tier="fused"))
        results.append(counts())
    cold, first, warm, second = results
    assert first[0] == 0 and first[1] == first[2] > 0
    assert 0 < second[0] <= first[1] and second[1:] == (0, 0)
    assert cold.certified and cold.steps == warm.steps
    assert bits(cold.x) == bits(warm.x)
    assert float(cold.certificate.value) == float(warm.certificate.value)


def test_programs_whose_texts_agree_but_whose_calls_differ_are_two(place):
    """Arguments that are dropped, and weak types, are not in a program's text."""
    left = lowered(lambda a, b: a + 1, POINT, POINT)
    right = lowered(lambda a, b: b + 1, POINT, POINT)
    assert left.as_text() == right.as_text()
    for program in (left, right):
        disk_cache.compiled(program)
    counts = spent()
    assert float(disk_cache.compiled(left)(A[0], A[1])[2]) == A[0, 2] + 1
    assert float(disk_cache.compiled(right)(A[0], A[1])[2]) == A[1, 2] + 1
    assert counts() == (2, 0, 0)
    strong = lowered(lambda: np.float64(1.5))
    weak = lowered(lambda: 1.5)
    assert strong.as_text() == weak.as_text()
    single = np.float32(2)
    for program, dtype in [(strong, "float64"), (weak, "float32")] * 2:
        assert (disk_cache.compiled(program)() * single).dtype == dtype


def test_the_key_sees_every_constant_and_option_and_no_source_line(monkeypatch):
    large = np.arange(5000.0)
    other = large.copy()
    other[2500] = np.nextafter(other[2500], 0)
    line = jax.ShapeDtypeStruct((5000,), np.float64)
    keys = [
        disk_cache.key(lowered(lambda x, c=c: x * jnp.asarray(c), line), o)
        for c, o in [(large, None), (other, None), (large, {"xla_cpu_x": 1})]
    ]
    keys.append(disk_cache.key(lowered(lambda x: x * jnp.asarray(large), line), None))
    assert keys[0] == keys[3] and len(set(keys)) == 3 and None not in keys

    moved = []
    for blank, file in [(0, "one.py"), (70, "two.py")]:
        code, space = "\n" * blank + "def f(x):\n    return x * 2 + x\n", {}
        exec(compile(code, file, "exec"), space)
        moved.append(lowered(space["f"], POINT))
    assert moved[0].as_text(debug_info=True) != moved[1].as_text(debug_info=True)
    assert disk_cache.key(moved[0], None) == disk_cache.key(moved[1], None)

    given = lowered(lambda x: x * 2, POINT, donate_argnums=0)
    kept = lowered(lambda x: x * 2, POINT)
    assert disk_cache.key(given, None) != disk_cache.key(kept, None)
    before = disk_cache.key(kept, None)
    with jax.enable_x64(False):
        assert disk_cache.key(lowered(lambda x: x * 2, POINT), None) != before
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    assert disk_cache.key(kept, None) != before
    monkeypatch.undo()
    monkeypatch.setattr(disk_cache, "_machine", lambda device: "another processor")
    assert disk_cache.key(kept, None) != before


def called_back(x):
    return jax.pure_callback(lambda v: 2 * v, POINT, x)


def printed(x):
    jax.debug.print("{x}", x=x[0])
    return x


@pytest.mark.parametrize("function", [called_back, printed])
def test_what_calls_back_into_python_is_compiled_every_time(place, function):
    program = lowered(function, POINT)
    assert disk_cache.key(program, None) is None
    counts = spent()
    for factor in (1, 3):
        expected = factor * A[0] * (2 if function is called_back else 1)
        np.testing.assert_array_equal(
            disk_cache.compiled(program)(factor * A[0]), expected
        )
    assert counts() == (0, 2, 0) and not list(place.iterdir())


def test_what_jax_keeps_itself_is_not_kept_again(place):
    """What was loaded once cannot be written again: it would fail when it runs."""
    jax.config.update("jax_compilation_cache_dir", str(place.parent / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    compilation_cache.reset_cache()
    expected, seen = None, []
    # The first is compiled; JAX has the second; and the third, it has in memory.
    first, second = lambda *a: solve(*a), lambda *a: solve(*a)
    for function in (first, second, second):
        counts = spent()
        found = disk_cache.compiled(lowered(function, SHAPE, POINT))(A, A[0])
        expected = bits(found) if expected is None else expected
        assert bits(found) == expected
        seen.append(counts())
        for path in place.iterdir():
            path.unlink()
    assert seen == [(0, 1, 1), (0, 1, 0), (0, 1, 0)]


def test_a_call_into_an_unknown_library_is_not_kept():
    text = 'stablehlo.custom_call @"mine.solver"(%0) custom_call @lapack_dpotrf_ffi(%0)'
    names = [quoted or plain for quoted, plain in disk_cache._CALLED.findall(text)]
    assert names == ["mine.solver", "lapack_dpotrf_ffi"]
    assert [bool(disk_cache._STATELESS.fullmatch(n)) for n in names] == [
        False,
        True,
    ]
    for name in ("xla_ffi_python_cpu_callback", "xla_python_gpu_callback", "lapack"):
        assert not disk_cache._STATELESS.fullmatch(name)


def spoiled(data):
    """Files that are not what their name says, by name of the fault."""
    flipped = bytearray(data)
    flipped[-20] ^= 1
    return {
        "empty": b"", "half": data[: len(data) // 2], "a bit": bytes(flipped),
        "no pickle": disk_cache.MAGIC + bytes(32) + b"x" * 50,
        "more": data + b"x",
    }  # fmt: skip


def test_a_broken_or_foreign_file_is_a_miss_and_is_replaced(place):
    program = lowered(solve, SHAPE, POINT)
    disk_cache.compiled(program)
    (file,) = place.iterdir()
    good = file.read_bytes()
    disk_cache.compiled(lowered(lambda x: x + 5, POINT))
    (foreign,) = {*place.iterdir()} - {file}
    faults = spoiled(good) | {"of another program": foreign.read_bytes()}
    for fault, data in faults.items():
        file.write_bytes(data)
        counts = spent()
        assert np.isfinite(disk_cache.compiled(program)(A, A[0])["x"]).all(), fault
        assert counts() == (0, 1, 1), fault
        counts = spent()
        disk_cache.compiled(program)
        assert counts() == (1, 0, 0), fault
    file.unlink()
    file.mkdir()
    counts = spent()
    disk_cache.compiled(program)
    assert counts() == (0, 1, 0)
    assert sorted(place.iterdir()) == sorted([file, foreign])


def test_bytes_that_load_as_nothing_are_a_miss(place):
    """Whole by its digest, and still not what this version of JAX can load."""
    program = lowered(lambda x: x - 3, POINT)
    name = disk_cache.key(program, None)
    disk_cache.compiled(program)
    assert disk_cache._write(place, name, b"not an executable")
    counts = spent()
    np.testing.assert_array_equal(disk_cache.compiled(program)(A[0]), A[0] - 3)
    assert counts() == (0, 1, 1)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners are POSIX")
def test_a_folder_that_others_can_write_is_neither_read_nor_written(place, monkeypatch):
    program = lowered(lambda x: x * 7, POINT)
    disk_cache.compiled(program)
    (file,) = place.iterdir()
    for mode in (0o720, 0o702):
        place.chmod(mode)
        counts = spent()
        with pytest.warns(UserWarning, match="others can write.*BANACH_CACHE"):
            disk_cache._warned.clear()
            disk_cache.compiled(program)
        disk_cache.compiled(program)  # warnings are errors here: it is said once
        assert counts() == (0, 2, 0)
        assert disk_cache.state()[0] is False
    place.chmod(0o700)
    file.chmod(0o620)
    counts = spent()
    disk_cache.compiled(program)
    assert counts() == (0, 1, 1) and oct(file.stat().st_mode)[-3:] == "600"
    me = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    counts = spent()
    with pytest.warns(UserWarning, match="belongs to another user"):
        disk_cache._warned.clear()
        disk_cache.compiled(program)
    assert counts() == (0, 1, 0)


def test_where_nothing_can_be_kept_programs_still_run(place, monkeypatch):
    program = lowered(lambda x: x * 11, POINT)
    place.write_text("a file, no folder")
    assert disk_cache.state()[0] is False and "BANACH_CACHE" in disk_cache.state()[1]
    counts = spent()
    np.testing.assert_array_equal(disk_cache.compiled(program)(A[0]), 11 * A[0])
    monkeypatch.setenv("BANACH_CACHE", "off")
    disk_cache.compiled(program)
    assert counts() == (0, 2, 0) and disk_cache.state() == (
        True,
        "BANACH_CACHE=off",
    )
    assert place.read_text() == "a file, no folder"

    monkeypatch.setenv("BANACH_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.parent / "base"))
    kept, where = disk_cache.state()
    home = place.parent / "base" / "banach" / "executables"
    assert kept and where == f"{home} (0 programs, 0.0 MB)" and home.is_dir()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk_cache.os, "replace", full)
    counts = spent()
    disk_cache.compiled(program)
    assert counts() == (0, 1, 0) and not list(home.iterdir())
    assert disk_cache.state()[0] is False


@pytest.mark.parametrize("moment", ["fdopen", "replace"])
def test_an_interrupt_while_writing_leaves_no_half_file(place, monkeypatch, moment):
    program = lowered(lambda x: x * 13, POINT)

    class Stopped:
        def __init__(self, handle, mode):
            self.file = open(handle, mode, closefd=True)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def write(self, data):
            self.file.write(data[:100])
            raise KeyboardInterrupt

    def stopped(*args):
        raise KeyboardInterrupt

    fake = Stopped if moment == "fdopen" else stopped
    with monkeypatch.context() as patch:
        patch.setattr(disk_cache.os, moment, fake)
        with pytest.raises(KeyboardInterrupt):
            disk_cache.compiled(program)
    assert not list(place.iterdir())
    counts = spent()
    disk_cache.compiled(program)
    assert counts() == (0, 1, 1) and len(list(place.iterdir())) == 1


def test_readers_beside_writers_of_one_name_see_whole_files(place):
    disk_cache.state()
    name, contents = "ab" * 32, [bytes([i]) * 40_000 for i in range(3)]
    assert disk_cache._write(place, name, contents[0])
    until, seen, failed = time.monotonic() + 0.5, set(), []

    def write(data):
        while time.monotonic() < until:
            if not disk_cache._write(place, name, data):
                failed.append(data[:1])

    def read():
        while time.monotonic() < until:
            found = disk_cache._read(place / name, name)
            seen.add(found if found is None else found[:1])
            if found not in contents:
                failed.append(found)

    threads = [threading.Thread(target=write, args=(c,)) for c in contents]
    threads += [threading.Thread(target=read) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed and seen <= {b"\0", b"\1", b"\2"}
    assert [p.name for p in place.iterdir()] == [name]


def test_the_least_recently_used_go_and_nothing_else_is_touched(place, monkeypatch):
    programs_ = [lowered(lambda x, k=k: x + k, POINT) for k in range(4)]
    for program in programs_:
        disk_cache.compiled(program)
    names = [disk_cache.key(program, None) for program in programs_]
    for age, name in enumerate(names):
        os.utime(place / name, (time.time() - 1000 + age,) * 2)
    size = max((place / n).stat().st_size for n in names)
    disk_cache.compiled(programs_[0])  # used just now: the oldest are 1 and 2
    stranger, fresh = place / "notes.txt", place / f"{names[0]}.{'0' * 16}.tmp"
    dead = place / f"{names[1]}.{'1' * 16}.tmp"
    for path in (stranger, fresh, dead):
        path.write_bytes(b"x" * 3 * size)
    os.utime(dead, (time.time() - 2 * disk_cache.STALE,) * 2)
    disk_cache.prune(place, limit=2 * size)
    left = {p.name for p in place.iterdir()}
    assert left == {names[0], names[3], stranger.name, fresh.name}
    monkeypatch.setattr(disk_cache, "LIMIT", 2 * size)
    monkeypatch.setattr(disk_cache, "ROOM", 1)
    disk_cache.compiled(programs_[1])
    assert {names[1], names[0]} <= {p.name for p in place.iterdir()}
    assert not (place / names[3]).exists()


PROGRAM = """
import json, sys
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
import banach as bn
from banach.engine import disk_cache as store

before = dict(jax.config.values)
A = np.random.default_rng(3).standard_normal((6, 4))
with jax.enable_x64(True):
    result = bn.solve(bn.Ridge(A, A[:, 0] + 1, 0.3), tier="fused")
    said = [np.asarray(result.x).tobytes().hex(), float(result.certificate.value)]
    first = dict(store.COUNTS)
    second = jax.devices()[1]
    b = jax.device_put(A[:, 1], second)
    f = jax.jit(lambda v: v * v - 1)
    out = store.compiled(f.lower(b))(b)
    assert out.devices() == {second}, out.devices()
    said.append(np.asarray(out).tobytes().hex())
    cut = NamedSharding(Mesh(np.array(jax.devices()), "d"), PartitionSpec("d"))
    both = f.lower(jax.ShapeDtypeStruct((6,), np.float64, sharding=cut))
    assert store.key(both, None) is None
assert jax.config.values == before
print(json.dumps([said, result.status, store.COUNTS]))
"""


def test_two_processes_at_once_and_a_third_that_loads(place):
    flags = os.environ["XLA_FLAGS"] + " --xla_force_host_platform_device_count=2"
    env = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    env["XLA_FLAGS"] = flags

    def begin():
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM], env=env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def end(child):
        out, err = child.communicate(timeout=120)
        assert child.returncode == 0, err
        return json.loads(out)

    said = [end(child) for child in [begin(), begin()]]
    said.append(end(begin()))
    assert [s[1] for s in said] == ["certified"] * 3
    assert said[0][0] == said[1][0] == said[2][0]
    counts = [s[2] for s in said]
    made = counts[0]["compiled"] + counts[0]["loaded"]
    assert counts[2] == {"loaded": made, "compiled": 0, "kept": 0} and made >= 2
    assert len(list(place.iterdir())) == made
    for one, two in itertools.pairwise(said):
        assert one[0] == two[0]


def test_the_folder_is_made_with_those_above_it(tmp_path, monkeypatch):
    monkeypatch.setenv("BANACH_CACHE", str(tmp_path / "a" / "b" / "c" / "d"))
    place, why = disk_cache._found()
    assert place is not None and place.is_dir(), why
