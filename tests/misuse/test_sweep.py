"""Every public callable x every argument x values that it cannot mean: one Misuse.

Nothing is compiled: a value is refused before any work, so that a program that is
built fails the test as surely as a raw exception.
"""

import warnings

import pytest
import values
from table import NO_ARGUMENTS, ROWS, SKIP

import banach as bn
from banach import _TYPES
from banach.engine import compile_cache, judge

# What doors return, and what authors build on.
TYPES = " ".join(_TYPES.values()).split()


def cases():
    """(row, argument, value) of the whole table."""
    for name, (_, _, sorts) in ROWS.items():
        for argument, sort in sorts.items():
            for value in values.bad(sort):
                yield name, argument, value


@pytest.fixture
def idle(monkeypatch):
    """No program may be built or run."""

    def work(*args, **keywords):
        raise AssertionError("work began before the arguments were read")

    monkeypatch.setattr(compile_cache, "kernel_for", work)
    monkeypatch.setattr(judge.Judge, "__init__", work)
    warnings.simplefilter("ignore")


@pytest.mark.parametrize("name", list(ROWS))
def test_a_wrong_value_is_one_misuse(name, idle):
    make, right, sorts = ROWS[name]
    wrong = []
    for argument, sort in sorts.items():
        for value in values.bad(sort):
            what = f"{name}({argument}={values.shown(value)})"
            try:
                make(**right | {argument: value})
            except bn.Misuse as e:
                said = str(e)
                if len(said) < 20:
                    wrong.append(f"{what}: {said!r} names no cure")
            except BaseException as e:
                wrong.append(f"{what}: {type(e).__name__}: {str(e)[:90]}")
            else:
                wrong.append(f"{what}: taken")
    assert not wrong, "\n".join(wrong)


def test_the_table_is_whole_and_large():
    public = {*dir(bn), *dir(bn.terms), *dir(bn.parts), *TYPES}
    missing = public - ROWS.keys() - SKIP.keys() - set(NO_ARGUMENTS)
    assert not missing, f"no row in table.py for {sorted(missing)}"
    assert not SKIP.keys() - public
    assert sum(1 for _ in cases()) >= 500
