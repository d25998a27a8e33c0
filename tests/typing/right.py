"""A user's program without an error: read by a type checker, never run.

Behind a line stands what `reveal_type` is to say there.
"""

from typing import reveal_type

import jax
import jax.numpy as jnp
import numpy as np

import banach as bn
from banach.terms import Simplex

A = np.eye(3)
b = [1.0, 2.0, 3.0]
device = jnp.eye(3)


def f(x: jax.Array) -> jax.Array:
    """Squares."""
    return jnp.sum(x**2)


def g(x: dict[str, jax.Array], shift: float) -> jax.Array:
    """Squares of a dict."""
    return jnp.sum((x["a"] - shift) ** 2)


# What a run returns.
result = bn.solve(bn.Lasso(A, b, lam=0.1), "fista", tol=1e-8)
reveal_type(result)  # banach.core.result.Result
reveal_type(result.certified)  # bool
reveal_type(result.status)  # str
reveal_type(result.steps)  # int
reveal_type(result.certificate)  # banach.core.check.Certificate
reveal_type(result.require())  # banach.core.result.Result
reveal_type(bn.minimize(f, np.zeros(3), max_steps=3))  # banach.core.result.Result
reveal_type(bn.race("lasso:diabetes").runs)  # list[banach.core.result.Result]
reveal_type(bn.verify(result).certified)  # bool
reveal_type(bn.verify("run.json", trust=True))  # banach.doors.verify.Verdict
reveal_type(bn.load("run.json"))  # banach.doors.verify.Saved
for running in bn.iterate("lasso:diabetes", time_limit=1.0):
    reveal_type(running)  # banach.core.result.Result
reveal_type(bn.uncertainty(result))  # banach.inference.uncertainty.Uncertainty
reveal_type(bn.methods("Smooth"))  # banach.doors.listings.Listing
reveal_type(bn.checks(result.problem))  # banach.doors.listings.Listing
reveal_type(bn.problems())  # banach.doors.listings.Listing

# Problems, of NumPy's and JAX's arrays, lists, functions and pytrees.
reveal_type(bn.Lasso(A, b, 0.1))  # banach.kinds.glm.problem.GLM
bn.Lasso(device, jnp.ones(3), lam=np.float64(0.1), intercept=True)
bn.Lasso([[1.0, 0.0], [0.0, 1.0]], [1, 2], lam=np.array([0.1, 0.2]), columns=["a", "b"])
bn.LogisticRegression(A, ["yes", "no", "yes"], sample_weight=[1, 1, 2])
bn.GroupLasso(A, b, 0.1, groups=[(0, 1), (2,)])
bn.GLM(A, b, bn.HuberLoss(1.0), bn.ElasticNet(0.1, 0.2))
reveal_type(bn.Smooth(f, np.zeros(3), L=2.0))  # banach.kinds.smooth.problem.Smooth
bn.Smooth(g, {"a": np.zeros(3)}, args=(1.0,), convex=True, mu=jnp.asarray(2.0))
bn.Composite(f, bn.L1(0.1), np.zeros(3), L=2)
bn.Constrained(f, np.zeros(3), eq=f, linear=(A, b), lower=0, upper=[1.0, 2.0, 3.0])
bn.Linear(A, b)
bn.Linear(lambda x: 2 * x, b, symmetric=True)
bn.Root(lambda x: x - 1, np.zeros(3), scale=1.0)
bn.FixedPoint(lambda x: x / 2, np.zeros(3), contraction=0.5)
bn.least_squares(lambda p: p["a"] - b[0], {"a": 0.0}, data=b)
bn.Transport(A, b, b, eps=0.1)
bn.FiniteSum(lambda x, d: f(x - d), np.zeros(3), A, l2=0.1)

# Many at once.
many = bn.LogisticRegression.stack(np.ones((4, 5, 3)), np.ones((4, 5)), l2=[0.1, 1.0])
reveal_type(many)  # banach.core.stacked.Stacked
reveal_type(many[0])  # banach.core.problem.Problem
reveal_type(many[1:])  # banach.core.stacked.Stacked
reveal_type(bn.solve_many(many)[0])  # banach.core.result.Result

# Methods, checks, terms and tolerances, by name, class and instance.
ridge = bn.Ridge(A, b)
bn.solve(ridge, bn.Fista)
bn.solve(ridge, bn.Fista(restart=False), tol=bn.Absolute(1e-3), check=bn.Gap())
bn.solve(ridge, bn.GradientDescent(step_size=0.1), check="gap", start=result)
bn.solve(ridge, bn.NewtonCg(radius=1.0), digits=6)
bn.solve(ridge, bn.Scipy("L-BFGS-B", {"maxcor": 20}))
bn.solve(ridge, bn.Searched(bn.BfgsDirection(), bn.Nonmonotone(5)))
bn.race(ridge, ["fista", bn.Lbfgs, bn.Lbfgs(memory=5)], seeds=3)
reveal_type(Simplex())  # banach.terms.sets.Simplex
reveal_type(bn.terms.L1(0.1))  # banach.terms.norms.L1
outcome = bn.run(bn.Smooth(f, device), bn.Lbfgs(memory=10), check=bn.Stationarity())
reveal_type(outcome)  # banach.engine.loop.Outcome
