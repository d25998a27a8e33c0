"""Ready problems stay what they are: people quote numbers measured on them."""

import json

import pytest
import ready_problems

CURE = "meant to change? python tests/ready_problems.py --write, and say so"


def test_ready_problems_are_what_they_were():
    was = json.loads(ready_problems.FILE.read_text(encoding="utf-8"))
    now = ready_problems.numbers()
    assert now.keys() == was.keys(), f"problems came or went; {CURE}"
    for name, values in now.items():
        assert values == [
            v if v is None else pytest.approx(v, rel=1e-6, abs=1e-9) for v in was[name]
        ], f"{name} is another problem; {CURE}"
