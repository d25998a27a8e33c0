"""Inclusions whose solutions are known, what is watched of them, and baselines.

A known solution is the problem's `reference`. One function serves all problems of a
family, so that they share compiled programs.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from banach.claims import runs
from banach.claims.instances import drawn
from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import real
from banach.core.method import Method
from banach.core.point import Point
from banach.kinds.inclusion.problem import Inclusion
from banach.terms.sets import Box, Nonnegative


def families(**makes: Any) -> dict[str, Any]:
    """What each of several draws, "name, seed" -> problem."""
    every = {name: drawn(make) for name, make in makes.items()}
    return {f"{n}, {k}": p for n, row in every.items() for k, p in row.items()}


def monotone() -> dict[str, Any]:
    """Cubics, games and inequalities over boxes, five each."""
    return families(cubic=cubic, bilinear=bilinear, boxed=boxed)


def affine(z, datum):
    """M z + q."""
    M, q = datum
    return jnp.matmul(M, z, precision="highest") + q


def bilinear(rng: Any, least: float = 0.05) -> Inclusion:
    """x' B y, 20 + 20 unknowns, singular values from 1 to `least`; its saddle is 0."""
    left, right = (np.linalg.qr(rng.standard_normal((20, 20)))[0] for _ in range(2))
    B, none = (left * np.geomspace(1, least, 20)) @ right, np.zeros((20, 20))
    M = np.block([[none, B], [-B.T, none]])
    data = (M[None], np.zeros((1, 40)))
    return Inclusion(
        affine, np.ones(40), data, monotone=True, L=1 + 1e-12, reference=np.zeros(40)
    )


def boxed(rng: Any, bend: float = 0.0) -> Inclusion:
    """An affine operator over [-1, 1]^20, about half of whose solution is at a side.

    Its symmetric part has rank 5, or is definite where `bend` > 0; then its
    cocoercivity is known.
    """
    half, turn = rng.standard_normal((2, 20, 20)) / 20**0.5
    M = half[:, :5] @ half[:, :5].T + turn - turn.T + bend * np.eye(20)
    # The part beyond a side is a normal of the box there.
    free = rng.uniform(-2, 2, 20)
    star = np.clip(free, -1, 1)
    data = (M[None], (star - free - M @ star)[None])
    known = {"L": (1 + 1e-12) * np.linalg.norm(M, 2)}
    if bend > 0:
        inverse = np.linalg.inv(M)
        least = np.linalg.eigvalsh(inverse + inverse.T)[0] / 2
        known["cocoercive"] = (1 - 1e-12) * least
    return Inclusion(
        affine, np.zeros(20), data, term=Box(-1.0, 1.0), monotone=True,
        reference=star, **known,
    )  # fmt: skip


def cubic(rng: Any) -> Inclusion:
    """z^3 + a rotation of speed 4, from about distance 20 of the solution.

    Monotone, and without a Lipschitz constant.
    """
    star, away = rng.standard_normal((2, 2))
    q = -(star**3) - 4 * np.array([star[1], -star[0]])
    start = star + 20 * away / np.linalg.norm(away)
    return Inclusion(_cubic, start, q[None], monotone=True, reference=star)


def _cubic(z, q):
    return z**3 + 4 * jnp.stack([z[1], -z[0]]) + q


def market(rng: Any, scenario: int = 1) -> Inclusion:
    """Malitsky's Nash-Cournot equilibrium of 1,000 firms, monotone by assumption.

    His two scenarios differ in the exponents of unit costs and of the demand.
    """
    low, high, gamma = ((0.5, 2.0, 1.1), (0.3, 4.0, 1.5))[scenario - 1]
    n = 1000
    costs = rng.uniform(1, 100, n), rng.uniform(0.5, 5, n), rng.uniform(low, high, n)
    data = (*(v[None] for v in costs), np.array([gamma]))
    return Inclusion(_marginal, np.ones(n), data, term=Nonnegative(), monotone=True)


def _marginal(q, firm):
    """Marginal cost less marginal revenue of every firm at the supplies q."""
    c, L, beta, gamma = firm
    total = jnp.sum(q)
    price = (5000 / total) ** (1 / gamma)
    return c + (L * q) ** (1 / beta) - price + q * price / (gamma * total)


def program(rng: Any, n: int = 100) -> Inclusion:
    """min x'Hx / 2 - h'x subject to A x = b of Ouyang and Xu, its rows scaled.

    A sum of n components, one an entry of x and of y.
    """
    A = (np.fliplr(np.eye(n)) - np.fliplr(np.eye(n, k=1))) / 4
    A *= rng.uniform(0.5, 1, (n, 1))
    H, b, h = 2 * A.T @ A, np.full(n, 0.25), np.zeros(n)
    h[-1] = 0.25
    whole = np.block([[H, -A.T], [A, np.zeros((n, n))]])
    star = np.linalg.solve(whole, np.concatenate([h, b])).reshape(2, n)
    data = (H, A, A.T.copy(), np.arange(n), np.tile(b, (n, 1)), np.tile(h, (n, 1)))
    return Inclusion(
        _program, np.full((2, n), 1 / n), data, monotone=True,
        L=(1 + 1e-12) * np.linalg.norm(whole, 2), reference=star,
    )  # fmt: skip


def _program(z, datum):
    """n times what the i-th entries contribute to (H x - A'y - h, A x - b)."""
    (bend, row, column, i, b, h), (x, y) = datum, z
    n = len(x)
    return jnp.stack([n * (bend * x[i] - row * y[i]) - h, n * column * x[i] - b])


def rotations(rng: Any) -> Inclusion:
    """z - T z, T a rotation in each of 40 planes, by angles from 1e-3 to 1.

    Cocoercive, not strongly monotone, and no gradient; the start is at distance 1.
    """
    angles = np.exp(rng.uniform(np.log(1e-3), 0, (1, 40)))
    z0 = np.full((2, 40), 80**-0.5)
    return Inclusion(
        _rotations, z0, angles, cocoercive=0.5, reference=np.zeros((2, 40))
    )


def _rotations(z, angles):
    c, s = jnp.cos(angles), jnp.sin(angles)
    x, y = z
    return jnp.stack([x - (c * x - s * y), y - (s * x + c * y)])


def residual(problem: Any, point: Point) -> Any:
    """||z - J_t(z - t F(z))|| / t with the problem's t; ||F(z)|| without a term."""
    r = tree.norm(problem.optimality(point).x)
    return r if problem.term is None else r / problem.residual_step()


def distances(problem: Any, method: Any, steps: int) -> tuple[Any, Any]:
    """||z - z*||^2 after each step, and ||z+ - z||^2."""
    z = runs.trace(problem, method, steps, z=runs.where)["z"]
    star, _ = tree.ravel(problem.reference)
    return np.sum((z - star) ** 2, axis=1), np.sum(np.diff(z, axis=0) ** 2, axis=1)


def fejer(problem: Any, method: Any, steps: int, share: float) -> float:
    """By how much a step of extragradient fails to come closer, over ||z0 - z*||^2.

    What is proved, ||z+ - z*||^2 <= ||z - z*||^2 - (1 - share^2) ||z - v||^2, gives
    (1 - share) / (1 + share) ||z+ - z||^2 as the least fall, since ||z+ - z|| is at
    most (1 + share) ||z - v||. The largest failure of all steps; nothing is negative.
    """
    far, moved = distances(problem, method, steps)
    fall = (1 - share) / (1 + share) * moved
    return float(np.max(np.diff(far) + fall) / far[0])


@method(
    problem="Inclusion",
    needs={"operator", "resolvent"},
    paper="a baseline",
    cost={"operator": 1, "resolvent": 1},
)
class ForwardBackward(Method):
    """z+ = J_s(z - s F(z)): averaged steps, or descent and ascent at once."""

    step_size: Any = real()

    def init(self, problem, start, key):
        return start.x

    def step(self, problem, z, key):
        s = jnp.asarray(self.step_size, tree.dtype(z))
        return problem.resolvent(tree.axpy(-s, problem.operator(z), z), s)

    def point(self, state):
        return Point(state)


@method(problem="Inclusion", needs={"operator", "resolvent"}, paper="a baseline")
class Tseng(Method):
    """Forward-backward-forward with the search of Malitsky's experiments.

    v = J_s(z - s F(z)),  z+ = P(v - s (F(v) - F(z))), P keeping z in the domain; s is
    1.5 times that before, and falls by 0.7 until s ||F(z) - F(v)|| <= 0.99 ||z - v||.
    """

    def init(self, problem, start, key):
        z = start.x
        near = z + 1e-9 * jax.random.normal(key, z.shape)
        rise = tree.norm(problem.operator(near) - problem.operator(z))
        return TsengState(z, tree.norm(near - z) / rise, jnp.asarray(2))

    def step(self, problem, state, key):
        z, F = state.z, problem.operator(state.z)

        def trial(loop):
            s, *_, k = loop
            s = jnp.where(k > 0, 0.7 * s, s)
            v = problem.resolvent(z - s * F, s)
            G = problem.operator(v)
            good = s * tree.norm(F - G) <= 0.99 * tree.norm(z - v)
            return s, v, G, good, k + 1

        first = (1.5 * state.s, z, F, jnp.asarray(False), jnp.asarray(0))
        s, v, G, _, k = jax.lax.while_loop(
            lambda loop: ~loop[3] & (loop[4] < 100), trial, first
        )
        after = problem.resolvent(v - s * (G - F), s)
        return TsengState(after, s, state.operators + k + 1)

    def calls(self, state):
        return {"operator": state.operators}


class TsengState(eqx.Module):
    """Iterate, the last step, evaluations so far."""

    z: Any
    s: Any
    operators: Any


@method(
    problem="Inclusion",
    needs={"operator", "resolvent"},
    paper="a baseline",
    cost={"operator": 2, "resolvent": 2},
)
class Anchored(Method):
    """Extragradient pulled to its start by 1 / (k + 2) (EAG of Yoon and Ryu 2021)."""

    step_size: Any = real()

    def init(self, problem, start, key):
        return start.x, start.x, jnp.zeros((), tree.dtype(start.x))

    def step(self, problem, state, key):
        z, anchor, k = state
        s = jnp.asarray(self.step_size, k.dtype)
        base = tree.lerp(1 / (k + 2), z, anchor)

        def move(v):
            return problem.resolvent(tree.axpy(-s, problem.operator(v), base), s)

        return move(move(z)), anchor, k + 1

    def point(self, state):
        return Point(state[0])
