"""Dense Newton systems: factors that never fail silently, local norms, curvature.

A Cholesky factor of a matrix that is not positive definite is NaN here, and a
trial built on it is then rejected by any acceptance test; `safe_factor` instead
adds the least shift that makes the factorisation exist.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from banach.core import tree
from banach.parts.cubic import cubic_step
from banach.parts.trust_region import Spectrum, exact, ratio, spectrum

Scalar = Float[Array, ""]
Vector = Float[Array, " n"]
Matrix = Float[Array, "n n"]


def factor(matrix: Matrix, shift: Scalar | float = 0.0) -> Matrix:
    """Lower Cholesky factor of matrix + shift I; NaN where it does not exist."""
    diagonal = jnp.diagonal(matrix) + jnp.asarray(shift, matrix.dtype)
    index = jnp.arange(matrix.shape[0])
    moved = matrix.at[index, index].set(diagonal)
    return jax.lax.linalg.cholesky(moved, symmetrize_input=False)


def safe_factor(matrix: Matrix, *, max_steps: int = 40) -> tuple[Matrix, Scalar]:
    """Cholesky factor of matrix + shift I, with the shift used.

    The shift is zero where the matrix is numerically positive definite; else it
    starts at rounding (n eps max |diagonal|) and grows tenfold until a factor
    exists. A matrix with NaN gives a NaN factor.
    """
    n = matrix.shape[0]
    eps = jnp.finfo(matrix.dtype).eps
    largest = jnp.max(jnp.abs(jnp.diagonal(matrix)))
    least = n * eps * jnp.where(largest > 0, largest, 1)

    def broken(state):
        lower, _, calls = state
        return ~jnp.all(jnp.isfinite(lower)) & (calls < max_steps)

    def body(state):
        _, shift, calls = state
        shift = jnp.maximum(10 * shift, least)
        return factor(matrix, shift), shift, calls + 1

    zero = jnp.zeros((), matrix.dtype)
    first = (factor(matrix), zero, jnp.zeros((), jnp.int32))
    lower, shift, _ = jax.lax.while_loop(broken, body, first)
    return lower, shift


def solve(lower: Matrix, b: Vector) -> Vector:
    """(L L')^-1 b."""
    half = jax.lax.linalg.triangular_solve(
        lower, b[:, None], left_side=True, lower=True
    )
    full = jax.lax.linalg.triangular_solve(
        lower, half, left_side=True, lower=True, transpose_a=True
    )
    return full[:, 0]


def dual_square(lower: Matrix, g: Vector) -> Scalar:
    """g' (L L')^-1 g: the squared dual norm of the metric L L', never negative."""
    half = jax.lax.linalg.triangular_solve(
        lower, g[:, None], left_side=True, lower=True
    )
    return jnp.sum(half**2)


def mean_curvature(matrix: Matrix) -> Scalar:
    """Mean absolute diagonal: the scale of the eigenvalues, from the data alone."""
    return jnp.mean(jnp.abs(jnp.diagonal(matrix)))


def trusted(
    matrix: Matrix, x: Vector, g: Vector, radius: Scalar
) -> tuple[Vector, Scalar, Bool[Array, ""]]:
    """Minimise g.p + p.Hp / 2 over a ball: (p, decrease, whether on the boundary).

    By a Cholesky factor while the Newton step lies inside, else by eigenvectors. An
    infinite radius binds only where the matrix is not definite; there it is the
    larger of ||x|| and ||g|| / ||H||, so that the units of x and f do not matter.
    """
    inner = -solve(factor(matrix), g)

    def interior():
        return inner, -jnp.vdot(g, inner) / 2, jnp.asarray(False)

    def boundary():
        whole = spectrum(matrix)
        top = jnp.max(jnp.abs(whole.values))
        natural = tree.norm(g) / jnp.where(top > 0, top, 1)
        natural = jnp.maximum(tree.norm(x), jnp.where(top > 0, natural, 0))
        natural = jnp.where(natural > 0, natural, 1)
        reach = jnp.where(jnp.isinf(radius), natural, radius)
        out = exact(whole, g, reach)
        return out.step, out.predicted, out.on_boundary

    # A matrix that is not definite has a factor, hence a step, of NaN.
    inside = tree.all_finite(inner) & (tree.norm(inner) <= radius)
    return jax.lax.cond(inside, interior, boundary)


def agreement(
    f: Scalar,
    f_trial: Scalar,
    g: Vector,
    g_trial: Vector,
    step: Vector,
    predicted: Scalar,
) -> Scalar:
    """Actual over predicted decrease, decided by gradients near the noise floor.

    `trust_region.ratio`, and where the predicted decrease is a thousand roundoffs
    of f or less, a trial that at least halves the gradient counts as full
    agreement: a value summed over many terms carries more than one roundoff.
    """
    rho = ratio(f, f_trial, g, g_trial, step, predicted)
    eps = jnp.finfo(f.dtype).eps
    level = jnp.maximum(jnp.abs(f), jnp.abs(f_trial))
    lost = predicted <= 1e3 * eps * level
    lost = lost & (jnp.abs(f - f_trial) <= 1e3 * eps * level)
    halved = tree.norm(g_trial) <= tree.norm(g) / 2
    return jnp.where(lost & halved, jnp.maximum(rho, 1), rho)


def idle(x: Vector, trial: Vector, g: Vector, g_trial: Vector) -> Bool[Array, ""]:
    """Whether a trial moves by two roundoffs at most and does not help.

    x is then as good as the dtype allows: what follows is a walk among neighbours.
    """
    eps = jnp.finfo(x.dtype).eps
    small = jnp.all(jnp.abs(trial - x) <= 2 * eps * jnp.abs(x))
    return small & ~(tree.norm(g_trial) < tree.norm(g))


class Proposal(eqx.Module):
    """A step, the decrease that its model promises, and factorisations spent."""

    step: Vector
    predicted: Scalar
    factorisations: Int[Array, ""]


class Cubic(eqx.Module):
    """argmin g.h + h.Hh / 2 + (M / 6) ||h||^3; one eigendecomposition a Hessian.

    `refresh` stores a new Hessian, `propose` gives the step for a gradient and M,
    and `learn` tells what became of it: the interface of all models here.
    """

    def blank(self, g: Vector) -> Spectrum:
        """What `refresh` returns, as zeros."""
        return Spectrum(jnp.zeros_like(g), jnp.zeros((g.size, g.size), g.dtype))

    def refresh(self, matrix: Matrix) -> Spectrum:
        """Eigenvalues and eigenvectors."""
        return spectrum(matrix)

    def scale(self, data: Spectrum) -> Scalar:
        """Mean absolute eigenvalue."""
        return jnp.mean(jnp.abs(data.values))

    def propose(
        self, data: Spectrum, g: Vector, weight: Scalar, fresh: Bool[Array, ""]
    ) -> tuple[Spectrum, Proposal]:
        """The global minimiser of the cubic model."""
        eps = jnp.finfo(g.dtype).eps
        least = (eps * self.scale(data)) ** 2 / positive(tree.norm(g))
        out = cubic_step(data, g, jnp.maximum(weight, least))
        return data, Proposal(out.step, out.predicted, fresh.astype(jnp.int32))

    def learn(self, data: Spectrum, step: Vector, change: Vector, accept) -> Spectrum:
        """Nothing."""
        return data


class Quadratic(eqx.Module):
    """h = -(H + sqrt(M ||g||) I)^-1 g; one Cholesky factorisation a step."""

    def blank(self, g: Vector) -> Matrix:
        """Zeros."""
        return jnp.zeros((g.size, g.size), g.dtype)

    def refresh(self, matrix: Matrix) -> Matrix:
        """The matrix itself."""
        return matrix

    def scale(self, data: Matrix) -> Scalar:
        """Mean absolute diagonal."""
        return mean_curvature(data)

    def propose(
        self, data: Matrix, g: Vector, weight: Scalar, fresh: Bool[Array, ""]
    ) -> tuple[Matrix, Proposal]:
        """The regularised Newton step; NaN where the matrix is not definite."""
        shift = jnp.sqrt(weight * tree.norm(g))
        h = -solve(factor(data, shift), g)
        predicted = (shift * jnp.vdot(h, h) - jnp.vdot(g, h)) / 2
        return data, Proposal(h, predicted, jnp.ones((), jnp.int32))

    def learn(self, data: Matrix, step: Vector, change: Vector, accept) -> Matrix:
        """Nothing."""
        return data


class SecantData(eqx.Module):
    """A Hessian, the present inverse, and whether that must be built anew."""

    matrix: Matrix
    inverse: Matrix
    build: Bool[Array, ""]


class Secant(eqx.Module):
    """h = -B g, where B starts as (H + sqrt(M ||g||) I)^-1 and learns by BFGS.

    Between Hessians every accepted step corrects B so that it maps the change of
    the gradient to the step: a product and a rank-two update instead of a
    factorisation, and superlinear where a fixed Hessian is linear.
    """

    def blank(self, g: Vector) -> SecantData:
        """Zeros."""
        empty = jnp.zeros((g.size, g.size), g.dtype)
        return SecantData(empty, empty, jnp.asarray(True))

    def refresh(self, matrix: Matrix) -> SecantData:
        """The matrix; its inverse is built by the next proposal."""
        return SecantData(matrix, jnp.zeros_like(matrix), jnp.asarray(True))

    def scale(self, data: SecantData) -> Scalar:
        """Mean absolute diagonal."""
        return mean_curvature(data.matrix)

    def propose(
        self, data: SecantData, g: Vector, weight: Scalar, fresh: Bool[Array, ""]
    ) -> tuple[SecantData, Proposal]:
        """The quasi-Newton step; NaN where the matrix is not definite."""
        shift = jnp.sqrt(weight * tree.norm(g))
        inverse = jax.lax.cond(
            data.build,
            lambda: _inverse(factor(data.matrix, shift)),
            lambda: data.inverse,
        )
        h = -jnp.matmul(inverse, g, precision=tree.PRECISION)
        spent = data.build.astype(jnp.int32)
        data = SecantData(data.matrix, inverse, jnp.asarray(False))
        return data, Proposal(h, -jnp.vdot(g, h) / 2, spent)

    def learn(
        self, data: SecantData, step: Vector, change: Vector, accept: Bool[Array, ""]
    ) -> SecantData:
        """Correct the inverse by an accepted step; rebuild it after a failure."""
        inverse = bfgs_update(data.inverse, step, change, accept)
        return SecantData(data.matrix, inverse, ~accept)


def bfgs_update(
    inverse: Matrix, s: Vector, y: Vector, accept: Bool[Array, ""] | bool = True
) -> Matrix:
    """The inverse BFGS update, B y = s after it; skipped unless s.y is positive.

    Source: Nocedal and Wright (2006), equation 6.17, expanded.
    """
    sy = jnp.vdot(s, y)
    eps = jnp.finfo(s.dtype).eps
    keep = accept & jnp.isfinite(sy) & (sy > eps * tree.norm(s) * tree.norm(y))
    rho = jnp.where(keep, 1 / jnp.where(keep, sy, 1), 0)
    s, y = jnp.where(keep, s, 0), jnp.where(keep, y, 0)
    moved = jnp.matmul(inverse, y, precision=tree.PRECISION)
    right = rho * (1 + rho * jnp.vdot(y, moved)) / 2 * s - rho * moved
    return inverse + s[:, None] * right[None, :] + right[:, None] * s[None, :]


def _inverse(lower: Matrix) -> Matrix:
    eye = jnp.eye(lower.shape[0], dtype=lower.dtype)
    half = jax.lax.linalg.triangular_solve(lower, eye, left_side=True, lower=True)
    return jnp.matmul(half.T, half, precision=tree.PRECISION)


def positive(value: Scalar) -> Scalar:
    """The value, or one where it is zero: a safe divisor."""
    return jnp.where(value > 0, value, 1)
