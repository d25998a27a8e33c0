"""Plain numbers of a certificate say what the certificate says."""

import dataclasses
import itertools
import math

import jax
import numpy as np
import pytest

from banach.core.check import Certificate, Part
from banach.engine.host_certificate import Layout

ODD = [0.0, -0.0, 1.0, 0.3, 1e-9, -1e-9, 5e-324, 1e308, math.inf, -math.inf, math.nan]
TOLS = [1e-300, 1e-9, 0.3, 1.0, 7.0]


def certificates():
    """Parts of every kind of number, alone and several together."""
    numbers = np.random.default_rng(5)
    triples = list(itertools.product(ODD, ODD[:6] + ODD[-3:], ODD))
    numbers.shuffle(triples)
    for signed, grade, count in itertools.product(
        (False, True), ("bound", "statistical"), (1, 3)
    ):
        for i in range(0, 420, count):
            parts = tuple(
                Part(f"p{j}", *map(np.float64, triple))
                for j, triple in enumerate(triples[i : i + count])
            )
            target = np.float64(triples[i][0]) if signed else None
            if signed and not np.isfinite(target):
                continue
            yield Certificate(parts, "q", grade, signed=signed, target=target)


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


def test_every_rule_agrees_with_the_certificate():
    seen = dict.fromkeys(("within", "refuted", "blurred", "infinite"), 0)
    with np.errstate(all="ignore"):
        for said in certificates():
            leaves, treedef = jax.tree.flatten(said)
            numbers = Layout(treedef).numbers(leaves)
            assert same(numbers.ratio(), float(said.ratio))
            assert same(numbers.value(), float(said.value))
            assert same(numbers.value_ratio(), float(said.value_ratio()))
            assert numbers.refuted() == bool(said.refuted())
            assert numbers.nan() == any(np.isnan(p.value) for p in said.parts)
            for tol in TOLS:
                assert numbers.within(tol) == bool(said.within(tol)), (said, tol)
                assert numbers.blurred(tol) == bool(said.blurred(tol))
                seen["within"] += numbers.within(tol)
                seen["blurred"] += numbers.blurred(tol)
            seen["refuted"] += numbers.refuted()
            seen["infinite"] += math.isinf(numbers.ratio())
    # All of it happened, and none of it always.
    assert min(seen.values()) > 20


@pytest.mark.parametrize("nudge", [-1, 0, 1])
def test_the_border_of_the_tolerance_is_the_same(nudge):
    scale, slack = 3.7, 1e-12
    value = 1e-6 * scale - slack
    for _ in range(abs(nudge) * 4):
        value = math.nextafter(value, math.inf * nudge)
    part = Part("p", *map(np.float64, (value, slack, scale)))
    said = Certificate((part,), "q", "bound")
    for step in range(-6, 7):
        moved = dataclasses.replace(
            part, value=np.float64(value + step * math.ulp(value))
        )
        said = Certificate((moved,), "q", "bound")
        leaves, treedef = jax.tree.flatten(said)
        numbers = Layout(treedef).numbers(leaves)
        assert numbers.within(1e-6) == bool(said.within(1e-6))
