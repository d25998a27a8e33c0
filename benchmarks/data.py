"""The data sets of the benchmarks."""

import numpy as np


def breast_cancer():
    """569 x 30, standardised, labels 0 and 1."""
    from sklearn.datasets import load_breast_cancer

    A, y = load_breast_cancer(return_X_y=True)
    return (A - A.mean(0)) / A.std(0), y


def conditioned(n: int = 20_000, p: int = 500, condition: float = 1e4, seed: int = 0):
    """Gaussian data whose column scales fall so that A'A has the given condition."""
    rng = np.random.default_rng(seed)
    scales = np.logspace(0, -np.log10(condition) / 2, p)
    A = rng.standard_normal((n, p)) * scales
    truth = rng.standard_normal(p)
    z = A @ truth
    y = (rng.random(n) < 1 / (1 + np.exp(-3 * z / z.std()))).astype(int)
    return A, y


def sparse_truth(n: int = 500, p: int = 2000, nonzero: int = 30, seed: int = 0):
    """Correlated columns (0.5^|i-j|), few nonzero coefficients, noise."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, p))
    for j in range(1, p):
        A[:, j] = 0.5 * A[:, j - 1] + np.sqrt(0.75) * A[:, j]
    truth = np.zeros(p)
    truth[rng.choice(p, nonzero, replace=False)] = rng.standard_normal(nonzero)
    return A, A @ truth + 0.5 * rng.standard_normal(n)


def autoregressive(n=1000, p=5000, rho=0.7, nonzero=50, seed=0):
    """Columns correlated as rho^|i-j|, few coefficients, three times the noise."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, p))
    for j in range(1, p):
        A[:, j] = rho * A[:, j - 1] + np.sqrt(1 - rho**2) * A[:, j]
    truth = np.zeros(p)
    truth[rng.choice(p, nonzero, replace=False)] = rng.standard_normal(nonzero)
    z = A @ truth
    return A, z + np.linalg.norm(z) / np.sqrt(n) / 3 * rng.standard_normal(n)


def sparse_regression(n=20_000, p=50_000, density=1e-3, seed=0):
    """A sparse Gaussian matrix by columns, 1 in 500 coefficients, some noise."""
    from scipy.sparse import random_array

    rng = np.random.default_rng(seed)
    A = random_array((n, p), density=density, rng=rng, data_sampler=rng.standard_normal)
    truth = np.zeros(p)
    chosen = rng.choice(p, p // 500, replace=False)
    truth[chosen] = rng.standard_normal(len(chosen))
    z = A.tocsc() @ truth
    noise = np.linalg.norm(z) / np.sqrt(n) / 3
    return A.tocsc(), z + noise * rng.standard_normal(n)
