"""Ready problems stay what they are: people quote numbers measured on them."""

import json

import pytest
import ready_problems

CURE = "meant to change? python tests/ready_problems.py --write, and say so"


def test_ready_problems_are_what_they_were():
    was = json.loads(ready_problems.FILE.read_text(encoding="utf-8"))
    now = ready_problems.numbers()
    assert now.keys() == was.keys(), f"problems came or went; {CURE}"
    for name, (*values, cost) in now.items():
        *before, paid = was[name]
        near = [v and pytest.approx(v, rel=1e-6, abs=1e-9) for v in before]
        assert values == near, f"{name} is another problem; {CURE}"
        assert cost == paid, f"a look at {name} costs something else; {CURE}"
