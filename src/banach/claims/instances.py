"""Problems that several claims are tried on, each family with one nobody has seen.

Each returns name -> problem; "fresh" is drawn from `course.fresh()`, which changes from
day to day and is recorded with the row.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from banach.claims.course import fresh
from banach.kinds.composite.problem import Composite
from banach.kinds.glm.losses import LogisticLoss, SquaredLoss
from banach.kinds.glm.models import LogisticRegression
from banach.kinds.glm.problem import GLM
from banach.kinds.smooth.problem import Smooth
from banach.terms.norms import L1
from banach.zoo import datasets

SIZE, LEVELS = 64, 3


def seeds() -> dict[str, int]:
    """Five of them, the last one fresh."""
    return {**{f"seed {s}": s for s in range(4)}, "fresh": fresh()}


def tables() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Real tables of two classes, standardised: rows and labels in {0, 1}."""
    wine, iris, digits = datasets.wine(), datasets.iris(), datasets.digits()
    cancer = datasets.breast_cancer()
    made = {
        "breast_cancer": (cancer.A, cancer.y),
        "digits": (digits.A, digits.y >= 5),
        "wine": (wine.A, wine.y == 1),
        "iris": (iris.A, iris.y == 1),
    }
    return {
        name: (datasets.standardised(A), np.asarray(y, np.int64))
        for name, (A, y) in made.items()
    }


def drawn_table(
    n: int = 300, p: int = 12, seed: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Correlated columns and noisy labels of two classes; None: the fresh seed."""
    rng = np.random.default_rng(fresh() if seed is None else seed)
    mix = rng.standard_normal((p, p)) / np.sqrt(p)
    A = rng.standard_normal((n, p)) @ (np.eye(p) + mix)
    y = A @ rng.standard_normal(p) + rng.logistic(size=n) > 0
    return datasets.standardised(A), y.astype(np.int64)


def logistic(l2: float = 1e-3) -> dict[str, Any]:
    """Mean logistic loss plus l2 / 2 ||x||^2 on four real tables and a drawn one."""

    def f(x, A, signs):
        loss = jnp.mean(jnp.logaddexp(0, -signs * (A @ x)))
        return loss + l2 / 2 * jnp.sum(x**2)

    found = {}
    for name, (A, y) in {**tables(), "fresh": drawn_table()}.items():
        L = np.linalg.norm(A, 2) ** 2 / (4 * len(y)) + l2
        args = (A, np.where(y, 1.0, -1.0))
        start = np.zeros(A.shape[1])
        found[name] = Smooth(f, start, args, L=L, mu=l2, convex=True)
    return found


def logistic_minimiser(A: Any, y: Any, l2: float) -> np.ndarray:
    """The least of mean logistic loss plus l2 / 2 ||x||^2, labels {0, 1}, by Newton."""
    signs, x = np.where(y > 0, 1.0, -1.0), np.zeros(A.shape[1])
    for _ in range(50):
        s = 1 / (1 + np.exp(signs * (A @ x)))
        g = l2 * x - A.T @ (signs * s) / len(y)
        H = l2 * np.eye(x.size) + (A.T * (s * (1 - s))) @ A / len(y)
        x = x - np.linalg.solve(H, g)
    return x


def sums(l2: float) -> dict[str, Any]:
    """The same as means of terms."""
    found = {}
    for name, (A, y) in {**tables(), "fresh": drawn_table()}.items():
        model = LogisticRegression(A, y, l2 * len(y), intercept=False)
        found[name] = model.as_finite_sum()
    return found


def glm_logistic(l2: float = 1.0) -> dict[str, GLM]:
    """The same tables as GLM: the sum of losses plus l2 / 2 ||x||^2."""
    from banach.terms.norms import L2

    every = {**tables(), "fresh": drawn_table()}
    return {name: GLM(A, y, LogisticLoss(), L2(l2)) for name, (A, y) in every.items()}


def drawn(make: Any, **options: Any) -> dict[str, Any]:
    """What `make(rng)` draws from four seeds and from a fresh one."""
    seeds = {**{f"seed {s}": s for s in range(4)}, "fresh": fresh()}
    return {k: make(np.random.default_rng(s), **options) for k, s in seeds.items()}


def lassos() -> dict[str, GLM]:
    """Lasso at a tenth of the least lam that gives zero: five targets and matrices."""
    rng = np.random.default_rng(fresh())
    diabetes, wine, digits = datasets.diabetes(), datasets.wine(), datasets.digits()
    cancer = datasets.breast_cancer()
    sparse = rng.standard_normal((120, 200))
    rows = {
        "diabetes": diabetes,
        "wine": (datasets.standardised(wine.A), wine.y),
        "digits": (digits.A / 16, digits.y),
        "breast_cancer": (datasets.standardised(cancer.A), cancer.y),
        "fresh": (sparse, sparse[:, :5] @ np.ones(5) + rng.standard_normal(120)),
    }
    found = {}
    for name, (A, y) in rows.items():
        y = y - np.mean(y)
        found[name] = GLM(A, y, SquaredLoss(), L1(0.1 * np.abs(A.T @ y).max()))
    return found


def bowl(seed: int, n: int, condition: float) -> Smooth:
    """A random strictly convex quadratic; its Hessian is the first of its args."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    H = (Q * np.logspace(-np.log10(condition), 0, n)) @ Q.T
    b, x0 = rng.standard_normal((2, n))
    H = (H + H.T) / 2
    return Smooth(_quadratic, x0, (H, b), L=1, mu=1 / condition, convex=True)


def bowls(n: int, condition: float) -> dict[str, Smooth]:
    """Five of them, the last one fresh."""
    return {name: bowl(seed, n, condition) for name, seed in seeds().items()}


def deblurring(count: int) -> dict[str, Composite]:
    """Tilings of handwritten digits, blurred and noisy, sparse in Haar wavelets.

    f(c) = ||blur(W' c) - b||^2 + 2e-5 ||c||_1 with the 9 x 9 Gaussian of standard
    deviation 4 and the noise of 1e-3 of Beck and Teboulle, on 64 x 64 pixels with
    periodic edges. L = 2 because blur and W have norm 1. The last one is fresh.
    """
    drawn = [*range(count - 1), fresh()] if count > 1 else [0]
    names = [f"image {s}" for s in drawn[:-1]] + ["fresh" if count > 1 else "image 0"]
    return dict(zip(names, map(_deblurring, drawn), strict=True))


def _deblurring(seed: int) -> Composite:
    rng = np.random.default_rng(seed)
    images = datasets.digits().A.reshape(-1, 8, 8) / 16
    images = images[rng.permutation(len(images))[:64]]
    image = images.reshape(8, 8, 8, 8).transpose(0, 2, 1, 3).reshape(SIZE, SIZE)
    reach = np.arange(-4, 5)
    bell = np.exp(-(reach**2) / (2 * 4.0**2))
    kernel = np.zeros((SIZE, SIZE))
    kernel[np.ix_(reach % SIZE, reach % SIZE)] = np.outer(bell, bell)
    response = np.fft.rfft2(kernel / kernel.sum())
    noise = 1e-3 * rng.standard_normal((SIZE, SIZE))
    seen = np.fft.irfft2(np.fft.rfft2(image) * response, (SIZE, SIZE)) + noise
    # Kept as real numbers: arguments of a problem are real arrays.
    parts = (response.real, response.imag, seen)
    smooth = Smooth(_blurred, np.zeros((SIZE, SIZE)), parts, L=2.0, convex=True)
    return Composite(smooth, L1(2e-5))


def _blurred(c, real, imaginary, seen):
    fourier = jnp.fft.rfft2(_unhaar(c)) * (real + 1j * imaginary)
    return jnp.sum((jnp.fft.irfft2(fourier, seen.shape) - seen) ** 2)


def _quadratic(x, H, b):
    return x @ H @ x / 2 - b @ x


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
