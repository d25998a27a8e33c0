"""Who races on what: every kind of problem has a field, and refusals name a cure."""

from types import SimpleNamespace

import pytest

from banach import zoo
from banach.core import compat
from banach.racing.race import Refused, _limit, entrants

NAMES = {row["kind"]: row["name"] for row in reversed(zoo.names())}


@pytest.mark.parametrize("name", [*NAMES.values(), "gated_relu:digits"])
def test_every_kind_has_a_field(name):
    with compat.double():
        field = entrants(zoo.load(name), None)
    out = [e for e in field if isinstance(e, Refused)]
    assert len(out) < len(field)
    assert all(e.method and len(e.cure) > 20 for e in out)


def ran(seconds, status="certified"):
    """What a race reads of a run to see how long the next one may take."""
    return SimpleNamespace(
        seconds={"run": seconds, "check": 0.0}, status=status,
        certified=status == "certified", certificate=SimpleNamespace(ratio=1.0),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "time_limit", "patience", "limit"),
    [
        ([0.1, 0.2], 10.0, 100.0, 10.0),  # nobody sets the pace yet
        ([0.3, 0.01, 0.02, 9.0], None, 100.0, 30.0),
        ([0.3, 0.01, 0.02, 9.0], 10.0, 100.0, 10.0),
        ([0.03, 0.01, 0.02, 9.0], 10.0, 100.0, 3.0),
        ([0.001] * 3, 10.0, 100.0, 1.0),
        ([0.001] * 3, 0.5, 100.0, 0.5),
        ([0.001] * 3, 10.0, None, 10.0),
    ],
)
def test_a_race_waits_a_hundred_times_the_third(seconds, time_limit, patience, limit):
    groups = [[ran(s)] for s in seconds] + [[ran(1e-9, "budget")]]
    assert _limit(time_limit, patience, groups) == pytest.approx(limit)


def test_what_the_kind_prefers_runs_first():
    with compat.double():
        field = entrants(zoo.load("lasso:diabetes"), None)
    first = "fista frank_wolfe nonconvex_accelerated_prox proximal_gradient".split()
    assert field[:5] == [*first, "working_set_newton"]
