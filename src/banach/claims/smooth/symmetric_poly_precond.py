"""Preconditioners that take out the largest eigenvalues without knowing them.

Doikov and Rodomanov (2023): B P_tau has the eigenvalues lambda_i sigma_tau(the others),
and a condition of order lambda_(tau+1) / lambda_n; with a degree of 1 to 4 gradient
methods on logistic regression need fewer steps. Reduced: five tables of at most 64
columns; B is the matrix of squares (1 / (4 n)) A'A + l2 I, as in the paper.
"""

from math import comb

import numpy as np

from banach.claims import instances, runs
from banach.claims.course import at_most, ours, proved, reported
from banach.methods.smooth.symmetric_poly_precond import SymmetricPolyPrecond

TAUS = 1, 2, 4


def squares(problem, l2=1e-3):
    """The curvature matrix of a logistic regression."""
    A = problem.args[0]
    return A.T @ A / (4 * len(A)) + l2 * np.eye(A.shape[1])


def spectra():
    """(table and tau, eigenvalues of B falling, eigenvalues of P_tau by method)."""
    for name, problem in instances.logistic().items():
        B = squares(problem)
        lam, V = np.linalg.eigh(B / np.trace(B))
        for tau in (t for t in TAUS if t < len(B)):
            method = SymmetricPolyPrecond(B, tau, False)
            P = np.array([method.direction(B, v) @ v for v in V.T])
            yield f"{name}, {tau}", lam[::-1], P[::-1], tau


@proved("Doikov and Rodomanov 2023, section 3 (eigenvalues of P_tau)", at_most(1e-8))
def eigenvalues():
    """Relative error of P_tau's against sigma_tau of the other eigenvalues."""
    found = {}
    for name, lam, P, tau in spectra():
        others = (np.poly(np.delete(lam, i))[tau] for i in range(lam.size))
        true = (-1) ** tau * np.array(list(others))
        found[name] = np.max(np.abs(P / true - 1))
    return found


@proved("Doikov and Rodomanov 2023, section 3 (factor derived here)", at_most(1))
def condition():
    """Of B P_tau, over (n - 1 over tau) lambda_(tau+1) / lambda_n."""
    found = {}
    for name, lam, P, tau in spectra():
        bound = comb(lam.size - 1, tau) * lam[tau] / lam[-1]
        found[name] = np.max(lam * P) / np.min(lam * P) / bound
    return found


def paid(tau, krylov, to):
    """Gradients to ||g|| <= 1e-6 ||g0||, over those of another (tau, krylov)."""
    found = {}
    for name, problem in instances.logistic().items():
        B, price = squares(problem), []
        for method in ((tau, krylov), to):
            run = SymmetricPolyPrecond(B, *method)
            end = runs.until(problem, run, runs.gradient_norm, 1e-6, 40_000)
            price.append(end.price("grad"))
        found[name] = price[0] / price[1]
    return found


@reported("Doikov and Rodomanov 2023, experiments", at_most(1))
def symmetric():
    """Gradients to ||g|| <= 1e-6 ||g0|| with P_2, over none."""
    return paid(2, False, (0, False))


@reported("Doikov and Rodomanov 2023, experiments", at_most(1))
def krylov():
    """The same of the best polynomial of degree 2, over P_2."""
    return paid(2, True, (2, False))


@ours("a user's question", at_most(0.2, "mean"))
def matvecs():
    """The same of the best polynomial of degree 4, over none; each pays five."""
    return paid(4, True, (0, False))
