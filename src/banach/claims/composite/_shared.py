"""What the claims of this family share: two real problems, and values step by step."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from banach.engine.loop import leaves_in
from banach.kinds.composite.problem import Composite
from banach.kinds.glm.losses import SquaredLoss
from banach.kinds.glm.problem import GLM
from banach.kinds.smooth.problem import Smooth
from banach.terms.norms import L1
from banach.zoo import datasets

SIZE = 64
LEVELS = 3


def deblurring() -> Composite:
    """Handwritten digits tiled to 64 x 64, blurred and noisy, sparse in Haar wavelets.

    f(c) = ||blur(W' c) - b||^2 + 2e-5 ||c||_1 with the 9 x 9 Gaussian of standard
    deviation 4 and the noise of standard deviation 1e-3 of Beck and Teboulle, on a
    smaller image with periodic edges. L = 2 because blur and W have norm 1.
    """
    images = datasets.digits().A.reshape(-1, 8, 8)[:64] / 16
    image = images.reshape(8, 8, 8, 8).transpose(0, 2, 1, 3).reshape(SIZE, SIZE)
    reach = np.arange(-4, 5)
    bell = np.exp(-(reach**2) / (2 * 4.0**2))
    kernel = np.zeros((SIZE, SIZE))
    kernel[np.ix_(reach % SIZE, reach % SIZE)] = np.outer(bell, bell)
    response = np.fft.rfft2(kernel / kernel.sum())
    noise = 1e-3 * np.random.default_rng(0).standard_normal((SIZE, SIZE))
    seen = np.fft.irfft2(np.fft.rfft2(image) * response, (SIZE, SIZE)) + noise
    # Kept as real numbers: arguments of a problem are real arrays.
    parts = (response.real, response.imag, seen)

    def f(c, real, imaginary, seen):
        fourier = jnp.fft.rfft2(_unhaar(c)) * (real + 1j * imaginary)
        return jnp.sum((jnp.fft.irfft2(fourier, seen.shape) - seen) ** 2)

    smooth = Smooth(f, np.zeros((SIZE, SIZE)), parts, L=2.0, convex=True)
    return Composite(smooth, L1(2e-5))


def lasso() -> GLM:
    """The diabetes data, lam a tenth of the least that gives x = 0."""
    A, y = datasets.diabetes()
    y = y - y.mean()
    return GLM(A, y, SquaredLoss(), L1(0.1 * np.abs(A.T @ y).max()))


def trajectory(problem: Any, method: Any, steps: int) -> tuple[np.ndarray, Any, Any]:
    """F after each step, the last x, and the last state."""
    start = problem.start()
    start = jax.tree.map(jnp.asarray, start)
    method = leaves_in(jnp.float64, method)

    def go(problem, method):
        def one(state, _):
            state = method.step(problem, state, jax.random.key(0))
            return state, problem.objective(method.point(state).x)

        first = method.init(problem, start, jax.random.key(0))
        return jax.lax.scan(one, first, None, length=steps)

    state, values = jax.jit(go)(problem, method)
    return np.asarray(values), np.asarray(method.point(state).x), state


def reference(problem: Any, steps: int) -> tuple[float, np.ndarray]:
    """The least F that restarted FISTA reaches, and where."""
    from banach.methods.composite.fista import Fista

    values, x, _ = trajectory(problem, Fista(problem.facts().L, True), steps)
    return float(values.min()), x


def radius(problem: Any, x: np.ndarray) -> float:
    """Distance from the start."""
    return float(np.linalg.norm(np.asarray(problem.start().x) - x))


def _unhaar(c):
    """Orthonormal Haar synthesis in two dimensions."""
    for level in reversed(range(LEVELS)):
        n = SIZE >> level
        h = n // 2
        a, b = c[:h, :h], c[:h, h:n]
        d, e = c[h:n, :h], c[h:n, h:n]
        quad = jnp.stack(
            [a + b + d + e, a - b + d - e, a + b - d - e, a - b - d + e]
        ).reshape(2, 2, h, h)
        block = quad.transpose(2, 0, 3, 1).reshape(n, n) / 2
        c = c.at[:n, :n].set(block)
    return c
