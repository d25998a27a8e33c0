"""Problems, and the same problems in other units: what both must agree on.

`EQUIVALENTS[name](s)` states a problem with one of its units multiplied by s, and says
what its answer is in the units of s = 1.
"""

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

EQUIVALENTS = {}


def equivalent(f):
    """Into the table, by the name of the function."""
    EQUIVALENTS[f.__name__] = f
    return f


def _glm(loss, term, y, *, intercept=False, columns=False, **data):
    """States a GLM with its first column, or all of them, multiplied by s.

    `term(u)` is the term in the units of columns multiplied by u.
    """

    def stated(s):
        u = np.full(P, s) if columns else np.array([s, 1.0, 1.0])
        problem = bn.GLM(A * u, y, loss, term(u), intercept=intercept, **data)
        unit = np.append(u, 1.0) if intercept else u
        return problem, lambda x: (x.T * unit).T

    return stated


_squares, _logistic = bn.LeastSquares(), bn.Logistic()
EQUIVALENTS |= {
    "ridge column": _glm(_squares, lambda u: bn.SquaredL2(0.5 * u**2), Y),
    "ridge columns": _glm(
        _squares, lambda u: bn.SquaredL2(0.5 * u**2), Y, intercept=True, columns=True
    ),
    "lasso column": _glm(_squares, lambda u: bn.L1(2.0 * u), Y),
    "elastic net column": _glm(
        _squares, lambda u: bn.ElasticNet(1.0 * u, 0.5 * u**2), Y
    ),
    "group lasso columns": _glm(
        _squares, lambda u: bn.GroupL2(3.0 * u[0], np.array([0, 0, 1])), Y,
        columns=True,
    ),
    "box column": _glm(_squares, lambda u: bn.Box(-0.7 / u, 0.7 / u), Y),
    "nonnegative column": _glm(_squares, lambda u: bn.Nonnegative(), Y),
    "nonnegative columns": _glm(
        _squares, lambda u: bn.Nonnegative(), Y, columns=True
    ),
    "simplex columns": _glm(
        _squares, lambda u: bn.Simplex(2.0 / u[0]), Y, columns=True
    ),
    "least squares column": _glm(_squares, lambda u: bn.Zero(), Y),
    "logistic column": _glm(_logistic, lambda u: bn.SquaredL2(0.1 * u**2), SIGN),
    "logistic unpenalised column": _glm(
        _logistic, lambda u: bn.Zero(), SIGN, intercept=True
    ),
    "sparse logistic column": _glm(_logistic, lambda u: bn.L1(0.7 * u), SIGN),
    "huber column": _glm(
        bn.Huber(0.8), lambda u: bn.SquaredL2(0.5 * u**2), Y, intercept=True
    ),
    "hinge column": _glm(
        bn.SquaredHinge(), lambda u: bn.SquaredL2(0.2 * u**2), SIGN
    ),
    "poisson column": _glm(
        bn.Poisson(), lambda u: bn.SquaredL2(0.2 * u**2), COUNTS, intercept=True
    ),
    "softmax columns": _glm(
        bn.Softmax(3), lambda u: bn.SquaredL2(0.2 * u[0] ** 2), CLASSES, columns=True
    ),
}  # fmt: skip


@equivalent
def lasso_targets(s):
    """Targets, and the weight of the norm."""
    return bn.GLM(A, Y * s, _squares, bn.L1(2.0 * s), intercept=True), lambda x: x / s


@equivalent
def huber_targets(s):
    """Targets and delta."""
    p = bn.GLM(A, Y * s, bn.Huber(0.8 * s), bn.SquaredL2(0.5), intercept=True)
    return p, lambda x: x / s


@equivalent
def nonnegative_targets(s):
    """Targets."""
    return bn.GLM(A, Y * s, _squares, bn.Nonnegative()), lambda x: x / s


@equivalent
def logistic_weights(s):
    """The unit of the objective: sample weights and penalty."""
    w = np.linspace(0.5, 1.5, N) * s
    p = bn.GLM(A, SIGN, _logistic, bn.SquaredL2(0.1 * s), sample_weight=w)
    return p, lambda x: x


T = np.linspace(0, 3, 12)
DATA = 2.5 * np.exp(-1.3 * T) + 0.4


def decay(p, t, y):
    """Three parameters of an exponential."""
    return jnp.sum((p[0] * jnp.exp(-p[1] * t) + p[2] - y) ** 2)


def decay_of(p, u, t, y, w):
    """The same with parameters in units u, and the objective in units w."""
    return w * decay(p / u, t, y)


@equivalent
def minimize_targets(s):
    """Data and the parameters of their unit."""
    u = np.array([s, 1.0, s])
    x0 = np.array([1.0, 1.0, 0.0]) * u
    p = bn.Smooth(decay, x0, (T, DATA * s))
    return p, lambda x: x / u


@equivalent
def minimize_value(s):
    """The objective."""
    p = bn.Smooth(decay_of, np.array([1.0, 1.0, 0.0]), (np.ones(3), T, DATA, s))
    return p, lambda x: x


@equivalent
def minimize_parameters(s):
    """All parameters."""
    u = np.full(3, s)
    p = bn.Smooth(decay_of, np.array([1.0, 1.0, 0.2]) * u, (u, T, DATA, 1.0))
    return p, lambda x: x / s


Q = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 2.0]])
B = np.array([1.0, -2.0, 3.0])


def bowl(x, Q, b):
    """x'Qx / 2 - b'x."""
    return x @ Q @ x / 2 - b @ x


@equivalent
def strongly_convex(s):
    """The unknown of a quadratic, with its constants."""
    p = bn.Smooth(
        bowl, np.ones(3) / s, (Q * s**2, B * s), convex=True, L=6.0 * s**2,
        mu=1.0 * s**2, reference=np.zeros(3),
    )  # fmt: skip
    return p, lambda x: x * s


@equivalent
def linear(s):
    """The right side of a system."""
    return bn.Linear(Q, B * s, positive_definite=True), lambda x: x / s


@equivalent
def linear_matrix(s):
    """The matrix of a system."""
    return bn.Linear(Q * s, B, positive_definite=True), lambda x: x * s


def contract(x, M, b):
    """An affine contraction."""
    return M @ x + b


@equivalent
def fixed_point(s):
    """The unknown of a map."""
    M = np.array([[0.3, 0.1, 0.0], [0.0, -0.4, 0.2], [0.1, 0.0, 0.2]])
    p = bn.FixedPoint(contract, np.ones(3) * s, (M, B * s))
    return p, lambda x: x / s


def twist(z, M, b):
    """A monotone affine operator."""
    return M @ z + b


M = np.array([[0.5, 1.0, 0.0], [-1.0, 0.5, 0.3], [0.0, -0.3, 0.4]])


@equivalent
def inclusion(s):
    """The unknown of an operator with its Lipschitz constant."""
    p = bn.Inclusion(lambda z, M=M: M @ z + B * s, np.ones(3) * s, monotone=True, L=2.0)
    return p, lambda z: z / s


@equivalent
def inclusion_operator(s):
    """The operator with its constants."""
    p = bn.Inclusion(lambda z: s * (M @ z + B), np.ones(3), monotone=True, L=2.0 * s)
    return p, lambda z: z


C = np.abs(np.arange(4)[:, None] - np.array([0.3, 1.2, 2.9])) ** 2
MASS = np.array([1.0, 2.0, 3.0, 2.0]), np.array([3.0, 4.0, 1.0])


@equivalent
def transport_masses(s):
    """Masses."""
    p = bn.Transport(C, MASS[0] * s, MASS[1] * s, 0.4)
    # The potentials move by a constant: the plan is what is compared.
    return p, lambda x: p.plan(x) / s


@equivalent
def transport_costs(s):
    """Costs."""
    p = bn.Transport(C * s, MASS[0], MASS[1], 0.4 * s)
    return p, lambda x: x[0] / s


def disc(x, r):
    """A disc of radius r."""
    return jnp.sum(x**2) - r**2


@equivalent
def constrained_unknown(s):
    """The unknown of a constrained problem."""
    p = bn.Constrained(
        lambda x: jnp.sum((x / s - np.array([2.0, 1.0, 0.5])) ** 2),
        np.array([0.5, 0.4, 0.3]) * s,
        ineq=lambda x: jnp.sum((x / s) ** 2) - 1.0,
        lower=-5.0 * s, upper=5.0 * s, reference=np.zeros(3),
    )  # fmt: skip
    return p, lambda x: x / s


@equivalent
def constrained_rows(s):
    """A row of the constraints."""
    p = bn.Constrained(
        lambda x: jnp.sum((x - np.array([2.0, 1.0, 0.5])) ** 2),
        np.array([0.5, 0.4, 0.3]),
        eq=lambda x: s * (jnp.sum(x) - 1.0), ineq=lambda x: jnp.sum(x**2) - 1.0,
        reference=np.zeros(3),
    )  # fmt: skip
    return p, lambda x: x


@equivalent
def bilevel_upper(s):
    """The unit of the upper objective."""
    p = bn.Bilevel(
        lambda x, y: s * ((x - 1.0) ** 2 + (y - 3.0) ** 2),
        lambda x, y: 0.5 * (y - 2.0 * x) ** 2, 0.0, 1.0, lower_mu=1.0, lower_L=1.0,
    )  # fmt: skip
    return p, lambda z: np.array(z)


@equivalent
def bilevel_lower(s):
    """The unit of the lower objective."""
    p = bn.Bilevel(
        lambda x, y: (x - 1.0) ** 2 + (y - 3.0) ** 2,
        lambda x, y: 0.5 * s * (y - 2.0 * x) ** 2, 0.0, 1.0, lower_mu=1.0 * s,
        lower_L=1.0 * s,
    )  # fmt: skip
    return p, lambda z: np.array(z)


@equivalent
def relu_targets(s):
    """Targets and penalty of a network; its weights carry the unit."""
    p = bn.ConvexRelu(A[:8, :2], Y[:8] * s, 0.3 * s)
    return p, lambda x: x / s


@equivalent
def elliptic_load(s):
    """The load of a linear elliptic problem."""
    p = bn.EllipticEnergy(np.ones((7, 7)) * s)
    return p, lambda u: u / s


def row_loss(x, datum):
    """A squared residual."""
    return (datum[0] @ x - datum[1]) ** 2 / 2


@equivalent
def finite_sum_targets(s):
    """Targets of a finite sum."""
    p = bn.FiniteSum(row_loss, np.zeros(3), (A, Y * s), l2=0.1)
    return p, lambda x: x / s
