"""Every check and every kind of problem: judged, or refused with a cure; no crash."""

import jax
import pytest

from banach import checks, zoo
from banach.core import compat

# Ready problems whose own kind has others, smaller or of other terms.
MORE = [
    "lasso:diabetes", "saddle:matrix_game", "gated_relu:digits", "fixed_point:kepler",
    "transport:digits", "linear:digits", "root:broyden_tridiagonal",
]  # fmt: skip
# One of each kind, the first of its card.
NAMES = [*{row["kind"]: row["name"] for row in reversed(zoo.names())}.values(), *MORE]
# Hyperparameters without a default.
GIVEN = {"goal": {"target": 0.5}}
# These judge samples of the caller's, not a problem.
SAMPLED = {"held_out", "mean"}


@pytest.mark.parametrize("name", NAMES)
def test_every_check_judges_or_refuses(name):
    problem = zoo.load(name)
    judging = []
    for kind in set(checks.names()) - SAMPLED:
        check = checks.by_name(kind, **GIVEN.get(kind, {}))
        no = check.refuses(problem)
        if no is not None:
            assert kind in no and len(no) > 20
            continue
        judging.append(kind)
        if check.host:
            continue
        with compat.double():
            start = jax.tree.map(jax.numpy.asarray, problem.start())
            look = lambda p, x, c=check: c(p, x, jax.random.key(0), 0)  # noqa: E731
            made, _ = jax.eval_shape(look, problem, start)
        assert made.parts
    assert problem.default_check() in judging
