"""Who races on what: every kind of problem has a field, and refusals name a cure."""

import pytest

from banach import zoo
from banach.core import compat
from banach.racing.race import Refused, entrants

NAMES = {row["kind"]: row["name"] for row in reversed(zoo.names())}


@pytest.mark.parametrize("name", [*NAMES.values(), "gated_relu:digits"])
def test_every_kind_has_a_field(name):
    with compat.double():
        field = entrants(zoo.load(name), None)
    out = [e for e in field if isinstance(e, Refused)]
    assert len(out) < len(field)
    assert all(e.method and len(e.cure) > 20 for e in out)
