"""Agafonov et al. (2024): algorithm 1, constants derived; M doubled as documented."""

from types import SimpleNamespace

import jax
import numpy as np
import sum_case
from reference._case import Case
from reference._newton import logistic, steep
from reference.lazy_newton import cubic

TOLD = {"M": None, "sigma": 0.0, "delta": 0.0, "radius": 1.0}
CONVEX = {"convex": True}


def term_hessians(x):
    s = 1 / (1 + np.exp(sum_case.Y * (sum_case.A @ x)))
    outer = np.einsum("ni,nj->nij", sum_case.A, sum_case.A)
    return (s * (1 - s))[:, None, None] * outer + sum_case.L2 * np.eye(sum_case.D)


SUM = SimpleNamespace(
    grads=sum_case.term_gradients,
    hessians=term_hessians,
    grad=lambda x: sum_case.term_gradients(x).mean(axis=0),
    hess=lambda x: term_hessians(x).mean(axis=0),
)


def drawn(batch, hessian_batch, **values):
    """Terms of (g at v, g at x+, H at v) of each step."""

    def told(keys):
        def take(key, size):
            if size is None:
                return None
            return np.asarray(jax.random.randint(key, (size,), 0, sum_case.N))

        sizes = batch, batch, hessian_batch
        rows = [zip(jax.random.split(k, 3), sizes, strict=True) for k in keys[1:]]
        return values | {"terms": [[take(*pair) for pair in row] for row in rows]}

    return told


def sampled(told, /, **given):
    sizes = {k: given.get(k) for k in ("batch", "hessian_batch")}
    return Case(sum_case.problem(), SUM, given, drawn(**sizes, **told), 6)


CASES = [
    Case(*logistic(**CONVEX), told=TOLD),
    Case(*steep([3.0, -7.0], radius=2.0, **CONVEX), {"delta": 0.2}, {"radius": 2.0}, 9),
    Case(*steep([3.0, -7.0], **CONVEX), {"M": 1.5}, {"radius": 1.0}, 9),
    sampled({}, M=0.3, sigma=0.4, delta=0.1, radius=1.5, batch=9, hessian_batch=4),
    sampled({"radius": 1.0}, M=0.5, sigma=0.2, batch=7),
    sampled({"M": None}, sigma=0.0, delta=0.3, radius=1.0, hessian_batch=5),
]
EXEMPT = {"blind = ": "steps near the resolution of x, which end a run"}


def iterates(
    oracles, x0, steps, *, M=None, sigma=0.0, delta=0.0, radius, terms=None,
    batch=None, hessian_batch=None,
):  # fmt: skip
    given, x, out, t, k3 = M is not None, x0, [], 0, 0.0
    slope, M = np.zeros_like(x0), M or 0.0

    def grad(x, index):
        return oracles.grad(x) if index is None else oracles.grads(x)[index].mean(0)

    for here, there, second in terms or [(None,) * 3] * steps:
        A = np.prod([1 - 3 / (j + 3) for j in range(1, t + 1)])
        a = 3 / (t + 3)
        d = 2 * delta + sigma / radius * (t + 3) ** 1.5
        trial3 = max(k3, 8 / 3 * M * a**3 / A)
        weight = 2 * d * a**2 / A + sigma / radius * (t + 3) ** 2.5
        pull = np.linalg.norm(slope)
        rho = 0.0
        if pull > 0:
            rho = max(np.roots([trial3, weight, -pull]).real)
        y = x0 - rho * slope / max(pull, 1e-300)
        v = (1 - a) * x + a * y
        g = grad(v, here)
        H = oracles.hess(v) if second is None else oracles.hessians(v)[second].mean(0)
        if M == 0:
            scale = np.abs(np.linalg.eigvalsh(H)).mean()
            M = (0.01 * scale) ** 2 / np.linalg.norm(g)
        h, _ = cubic(H + d * np.eye(x.size), g, M)
        after = grad(v + h, there)
        size = np.linalg.norm(after)
        least = size**1.5 / np.sqrt(3 * M)
        if d > 0:
            least = min(least, size**2 / (4 * d))
        if given or -after @ h >= least:
            slope, x, t, k3 = slope + a / A * after, v + h, t + 1, trial3
        else:
            M *= 2
        out.append(x)
    return out
