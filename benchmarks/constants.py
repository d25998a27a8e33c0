"""Bounds of the gradient's Lipschitz constant: how tight, and at what cost.

Products with A or A' are counted, at most ten, each with eight columns or more; their
seconds stand beside those of a product with one vector.
"""

import os
import statistics
from pathlib import Path

import numpy as np

from banach.estimate import spectrum
from banach.kinds.glm.bounds import gradient_lipschitz
from benchmarks import measure

PAGE = Path(__file__).parent / "CONSTANTS.md"
SIZES = [(50, 20), (400, 300), (1000, 2000), (2100, 2500), (5000, 3000)]


def run(quick: bool = False) -> measure.Report:
    rows, worst = [], 0.0
    for n, p in SIZES[:2] if quick else SIZES:
        for name, A in matrices(n, p, np.random.default_rng([n, p])):
            for kind in (np.float64, np.float32):
                row = one(name, A.astype(kind))
                worst = max(worst, row[3])
                rows.append(row)
    report = measure.Report(
        "constants",
        "Bounds of L",
        "bn.Lasso(A, y, lam).facts().L over ||A||^2 from all singular values. Seconds "
        "are medians of five calls beside those of one product A x.",
        ["matrix", "n x p", "dtype", "bound / true", "Frobenius / true", "products",
         "ms", "in products with one vector"],
        rows,
        [measure.Goal("the worst bound over the truth", worst, 2.0)],
        [f"OPENBLAS_NUM_THREADS={os.environ.get('OPENBLAS_NUM_THREADS', 'not set')}."],
    )  # fmt: skip
    if not quick:
        measure.keep(report, PAGE)
    return report


def matrices(n, p, rng):
    yield "Gaussian", rng.standard_normal((n, p))
    yield "uniform in [0, 1]", rng.random((n, p))
    some = rng.random((n, p)) < 0.02
    yield "sparse, 2 %", rng.standard_normal((n, p)) * some
    one = np.zeros((n, p))
    one[np.arange(n), rng.integers(0, p, n)] = 1
    yield "one-hot", one
    few = rng.standard_normal((n, 5)) @ rng.standard_normal((5, p))
    yield "correlated", few + 0.1 * rng.standard_normal((n, p))
    yield "rank one", np.outer(rng.standard_normal(n), rng.standard_normal(p))
    yield (
        "columns 1e-4 to 1e4",
        rng.standard_normal((n, p)) * np.geomspace(1e-4, 1e4, p),
    )


def one(name, A):
    n, p = A.shape
    B = A.astype(np.float64)
    G = B.T @ B if p <= n else B @ B.T
    true = float(np.linalg.eigvalsh(G)[-1])
    x = np.ones(p, A.dtype)
    seconds = measure.paired(
        {
            "bound": lambda: gradient_lipschitz(A, None, False, 1.0),
            "product": lambda: A @ x,
        },
        5,
    )
    L = float(gradient_lipschitz(A, None, False, 1.0))
    assert L >= true * (1 - 1e-12)
    used = None
    if min(n, p) > spectrum.SMALL:
        used = spectrum.of_matrix(B).products
    return [
        name,
        f"{n} x {p}",
        str(A.dtype),
        L / true,
        float(np.trace(G)) / true,
        used,
        1e3 * statistics.median(seconds["bound"]),
        measure.ratio(seconds, "bound", "product"),
    ]
