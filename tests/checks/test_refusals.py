"""Every check and every kind of problem: judged, or refused with a cure; no crash."""

import jax
import pytest

from banach import checks, zoo
from banach.core import compat

# One small problem of each kind, by its name in the zoo.
NAMES = [
    "lasso:diabetes",
    "logistic:breast_cancer",
    "rosenbrock",
    "finite_sum:logistic_breast_cancer",
    "distributed:breast_cancer",
    "training:digits",
    "saddle:quadratic",
    "saddle:matrix_game",
    "constrained:hs71",
    "bilevel:ridge",
    "relu:plane",
    "gated_relu:digits",
    "robust_relu:plane",
    "fixed_point:kepler",
    "fixed_point:graph",
    "pde:nonlinear_poisson",
    "transport:digits",
    "linear:digits",
    "root:broyden_tridiagonal",
]
# Hyperparameters without a default.
GIVEN = {"goal": {"target": 0.5}}
# These judge samples of the caller's, not a problem.
SAMPLED = {"held_out", "mean"}


def test_the_problems_are_of_every_kind():
    there = {row["kind"] for row in zoo.names()}
    assert {zoo.load(name).kind for name in NAMES} >= there


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
