"""Problems, and the same problems in other units: both must agree on every verdict.

`EQUIVALENTS[name](s)` states a problem with one of its units multiplied by s, together
with every number of that unit, and says what one of its points is in the units of s = 1
(`back`) and the other way round (`into`). Numbers are data everywhere, so that all s of
a name share their programs.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

import banach as bn

_rng = np.random.default_rng(31)
N, P = 24, 3
A = _rng.normal(size=(N, P)) + np.array([0.5, 0.0, -0.3])
Y = A @ [1.0, -2.0, 0.5] + 0.3 * _rng.normal(size=N) + 0.7
SIGN = np.where(A @ [1.0, -1.0, 0.5] + 0.8 * _rng.normal(size=N) > 0, 1, -1)
COUNTS = _rng.poisson(np.exp(0.4 * A[:, 0] - 0.2 * A[:, 1]))
CLASSES = np.arange(N) % 3
SQUARES, LOGISTIC = bn.SquaredLoss(), bn.LogisticLoss()


class Stated(NamedTuple):
    """A problem, and its unknown in the units of s = 1 and back."""

    problem: Any
    back: Callable[[Any], Any]
    into: Callable[[Any], Any]


EQUIVALENTS: dict[str, Callable[[float], Stated]] = {}
# Without a reference the quantity is absolute: larger units are another tolerance.
ABSOLUTE = set()


def equivalent(f):
    """Into the table."""
    EQUIVALENTS[f.__name__] = f
    return f


def absolute(f):
    """Into the table, for units that grow smaller."""
    ABSOLUTE.add(f.__name__)
    return equivalent(f)


def by(problem, unit):
    """An unknown that is one array in these units."""
    return Stated(
        problem, lambda x: np.asarray(x) / unit, lambda y: np.asarray(y) * unit
    )


def same(problem):
    """An unknown that carries no unit."""
    return by(problem, 1.0)


# ---- generalised linear models ---------------------------------------------------


def glm(name, loss, term, y, *, intercept=False, columns=False):
    """One column, or all of them, multiplied by s; `term(u)` in the units of u."""

    def stated(s, dtype=np.float64):
        u = np.full(P, s) if columns else np.array([s, 1.0, 1.0])
        targets = y.astype(dtype) if y.dtype.kind == "f" else y
        problem = bn.GLM(
            (A * u).astype(dtype), targets, loss, term(u), intercept=intercept
        )
        unit = 1 / (np.append(u, 1.0) if intercept else u)
        return by(problem, unit[:, None] if loss.text.startswith("log sum") else unit)

    EQUIVALENTS[name] = stated


def l2(weight):
    """An l2 penalty in the units of its columns."""
    return lambda u: bn.SquaredL2(weight * u**2)


glm("ridge", SQUARES, l2(0.5), Y)
glm("ridge_all", SQUARES, l2(0.5), Y, intercept=True, columns=True)
glm("least_squares", SQUARES, lambda u: bn.Zero(), Y)
glm("lasso", SQUARES, lambda u: bn.L1(2.0 * u), Y)
glm("elastic_net", SQUARES, lambda u: bn.ElasticNet(1.0 * u, 0.5 * u**2), Y)
glm("group_all", SQUARES, lambda u: bn.GroupL2(3.0 * u[0], np.array([0, 0, 1])), Y,
    columns=True)  # fmt: skip
glm("fused_all", SQUARES, lambda u: bn.FusedL1(2.0 * u[0], 1.0 * u[0]), Y,
    columns=True)  # fmt: skip
glm("box", SQUARES, lambda u: bn.Box(-0.7 / u, 0.7 / u), Y)
glm("box_free", SQUARES, lambda u: bn.Box(-0.7 / u, 0.7 / u), Y, intercept=True)
glm("nonnegative", SQUARES, lambda u: bn.Nonnegative(), Y)
glm("nonnegative_all", SQUARES, lambda u: bn.Nonnegative(), Y, columns=True)
glm("simplex_all", SQUARES, lambda u: bn.Simplex(2.0 / u[0]), Y, columns=True)
glm("logistic", LOGISTIC, l2(0.1), SIGN)
glm("logistic_plain", LOGISTIC, lambda u: bn.Zero(), SIGN, intercept=True)
glm("logistic_l1", LOGISTIC, lambda u: bn.L1(0.7 * u), SIGN)
glm("huber", bn.HuberLoss(0.8), l2(0.5), Y, intercept=True)
glm("hinge", bn.SquaredHingeLoss(), l2(0.2), SIGN)
glm("poisson", bn.PoissonLoss(), l2(0.2), COUNTS, intercept=True)


@equivalent
def softmax_all(s):
    """All columns of a softmax regression."""
    p = bn.GLM(A * s, CLASSES, bn.SoftmaxLoss(3), bn.SquaredL2(0.2 * s**2))
    return by(p, 1 / s)


@equivalent
def lasso_targets(s):
    """Targets, and the weight of the norm."""
    return by(bn.GLM(A, Y * s, SQUARES, bn.L1(2.0 * s), intercept=True), s)


@equivalent
def huber_targets(s):
    """Targets and delta."""
    loss = bn.HuberLoss(0.8 * s)
    return by(bn.GLM(A, Y * s, loss, bn.SquaredL2(0.5), intercept=True), s)


@equivalent
def nonnegative_targets(s):
    """Targets."""
    return by(bn.GLM(A, Y * s, SQUARES, bn.Nonnegative()), s)


@equivalent
def logistic_weights(s):
    """The unit of the objective: sample weights and penalty."""
    w = np.linspace(0.5, 1.5, N) * s
    return same(bn.GLM(A, SIGN, LOGISTIC, bn.SquaredL2(0.1 * s), sample_weight=w))


# ---- functions -------------------------------------------------------------------

T = np.linspace(0, 3, 12)
DATA = 2.5 * np.exp(-1.3 * T) + 0.4


def decay(p, u, t, y, w):
    """Three parameters of an exponential in units u, the objective in units w."""
    p = p / u
    return w * jnp.sum((p[0] * jnp.exp(-p[1] * t) + p[2] - y) ** 2)


def curve(s, u, reference=None):
    """The fit with parameters in units u and the objective in units of s."""
    x0 = np.array([1.0, 1.0, 0.2]) * u
    at = None if reference is None else x0
    args = (u, T, DATA, np.asarray(s))
    return by(bn.Smooth(decay, x0, args, reference=at), u)


@equivalent
def smooth_value(s):
    """The objective."""
    return curve(s, np.ones(3), reference=True)


@equivalent
def smooth_parameters(s):
    """All parameters."""
    return curve(1.0, np.full(3, s), reference=True)


@absolute
def minimize_value(s):
    """The objective, without a reference."""
    return curve(s, np.ones(3))


Q = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 2.0]])
B = np.array([1.0, -2.0, 3.0])


def bowl(x, Q, b):
    """x'Qx / 2 - b'x."""
    return x @ Q @ x / 2 - b @ x


@equivalent
def strongly_convex(s):
    """The unknown of a quadratic, with its constants."""
    p = bn.Smooth(
        bowl, np.ones(3) * s, (Q / s**2, B / s), convex=True, L=6.0 / s**2,
        mu=1.0 / s**2, radius=9.0 * s, reference=np.zeros(3),
    )  # fmt: skip
    return by(p, s)


def row_loss(x, datum):
    """A squared residual."""
    return (datum[0] @ x - datum[1]) ** 2 / 2


@absolute
def finite_sum_targets(s):
    """Targets of a finite sum."""
    return by(bn.FiniteSum(row_loss, np.zeros(3), (A, Y * s), l2=0.1), s)


# ---- systems, maps, operators ----------------------------------------------------


@equivalent
def linear_side(s):
    """The right side of a system."""
    return by(bn.Linear(Q, B * s, positive_definite=True), s)


@equivalent
def linear_matrix(s):
    """The matrix of a system."""
    return by(bn.Linear(Q * s, B, positive_definite=True), 1 / s)


def affine(z, M, b):
    """M z + b."""
    return M @ z + b


SHRINK = np.array([[0.3, 0.1, 0.0], [0.0, -0.4, 0.2], [0.1, 0.0, 0.2]])
TWIST = np.array([[0.5, 1.0, 0.0], [-1.0, 0.5, 0.3], [0.0, -0.3, 0.4]])


def meeting(x, u, k):
    """Where a circle meets a cubic, the second row in units of k."""
    x = x / u
    return jnp.stack([x[0] ** 2 + x[1] ** 2 - 4, k * (x[1] - x[0] ** 3 + 1)])


@equivalent
def root_unknown(s):
    """The unknown of a system."""
    u = np.full(2, s)
    x0 = np.array([1.0, 1.5]) * u
    return by(bn.Root(meeting, x0, (u, np.asarray(1.0)), reference=x0), s)


@equivalent
def root_row(s):
    """A row of a system."""
    x0 = np.array([1.0, 1.5])
    return same(bn.Root(meeting, x0, (np.ones(2), np.asarray(s)), reference=x0))


@equivalent
def fixed_point(s):
    """The unknown of a map."""
    p = bn.FixedPoint(affine, np.ones(3) * s, (SHRINK, B * s), reference=np.zeros(3))
    return by(p, s)


@absolute
def fixed_point_plain(s):
    """The same without a reference."""
    return by(bn.FixedPoint(affine, np.ones(3) * s, (SHRINK, B * s)), s)


@equivalent
def inclusion(s):
    """The unknown of a monotone operator."""
    b = B * s
    p = bn.Inclusion(
        lambda z: TWIST @ z + b, np.ones(3) * s, monotone=True, L=2.0,
        reference=np.zeros(3),
    )  # fmt: skip
    return by(p, s)


@equivalent
def inclusion_operator(s):
    """The operator with its constant."""
    M, b = TWIST * s, B * s
    p = bn.Inclusion(
        lambda z: M @ z + b, np.ones(3), monotone=True, L=2.0 * s,
        reference=np.zeros(3),
    )  # fmt: skip
    return same(p)


def membrane(q):
    """The energy of a slope of square q."""
    return q / 2


@equivalent
def elliptic_load(s):
    """The load of a membrane."""
    p = bn.EllipticEnergy(membrane, np.ones((5, 5)) * s, lower=1.0, upper=1.0)
    return by(p, s)


# ---- transport -------------------------------------------------------------------

COST = np.abs(np.arange(4)[:, None] - np.array([0.3, 1.2, 2.9])) ** 2
MASS = np.array([1.0, 2.0, 3.0, 2.0]) / 8, np.array([3.0, 4.0, 1.0]) / 8
EPS = 0.4


@equivalent
def transport_masses(s):
    """Masses; all sums f_i + g_j move by a constant."""
    move = EPS * np.log(s)
    p = bn.Transport(COST, MASS[0] * s, MASS[1] * s, EPS)

    def into(y):
        y = y.reshape(4, 3) - move
        return y.mean(1) - y.mean() / 2, y.mean(0) - y.mean() / 2

    return Stated(p, lambda x: (x[0][:, None] + x[1] + move).ravel(), into)


@equivalent
def transport_costs(s):
    """Costs."""
    p = bn.Transport(COST * s, *MASS, EPS * s)
    return Stated(
        p,
        lambda x: np.concatenate(x) / s,
        lambda y: tuple(np.split(np.asarray(y) * s, [4])),
    )


# ---- constraints and levels ------------------------------------------------------

CENTRE = np.array([2.0, 1.0, 0.5])


def distance(x, u, w, k):
    """w |x / u - (2, 1, 0.5)|^2."""
    del k
    return w * jnp.sum((x / u - CENTRE) ** 2)


def ball(x, u, w, k):
    """k (|x / u|^2 - 1)."""
    del w
    return k * (jnp.sum((x / u) ** 2) - 1)


def plane(x, u, w, k):
    """k (sum x / u - 1)."""
    del w
    return k * (jnp.sum(x / u) - 1)


def constrained(u, w, k):
    """In a ball, on a plane and in a box."""
    u = np.full(3, u)
    p = bn.Constrained(
        distance, np.array([0.5, 0.4, 0.3]) * u, (u, np.asarray(w), np.asarray(k)),
        eq=plane, ineq=ball, lower=0.0 * u, upper=0.8 * u,
        reference=0.1 * u,
    )  # fmt: skip
    return by(p, u)


@equivalent
def constrained_unknown(s):
    """The unknown."""
    return constrained(s, 1.0, 1.0)


@equivalent
def constrained_value(s):
    """The objective."""
    return constrained(1.0, s, 1.0)


@equivalent
def constrained_rows(s):
    """The rows."""
    return constrained(1.0, 1.0, s)


def upper(x, y, s, k):
    """The upper objective in units of s."""
    del k
    return s * ((x - 1.0) ** 2 + (y - 3.0) ** 2)


def lower(x, y, s, k):
    """The lower objective in units of k."""
    del s
    return 0.5 * k * (y - 2.0 * x) ** 2


def levels(s, k):
    """min (x - 1)^2 + (2 x - 3)^2: x = 1.4, y = 2.8."""
    p = bn.Bilevel(
        upper, lower, 0.0, 1.0, (np.asarray(s), np.asarray(k)), lower_mu=1.0 * k,
        lower_L=1.0 * k,
    )  # fmt: skip
    return Stated(p, np.array, lambda y: (np.asarray(y[0]), np.asarray(y[1])))


@absolute
def bilevel_upper(s):
    """The upper objective."""
    return levels(s, 1.0)


@absolute
def bilevel_lower(s):
    """The lower objective."""
    return levels(1.0, s)


@equivalent
def relu_targets(s):
    """Targets and penalty of a network; its weights carry the unit."""
    return by(bn.ConvexRelu(A[:8, :2], Y[:8] * s, 0.3 * s), s)
