"""The first answer and the next ones, beside the peer that people would take instead.

Every job runs in processes of its own, banach and its peer in turns. `first`: a
script that imports the library, states the problem and has the answer in NumPy, from
an empty cache; `cold`: the same without its imports and the start of JAX; `warm`: the
median of more calls in that process, each stating the problem anew. A peer has the
loosest tolerance of its own whose answer banach's check certifies at 1e-6. A full run
writes SPEED.md beside this file, and the table of the README (docs/readme.py).

    python -m benchmarks.speed JOB TOL    # one process, JSON on stdout
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from benchmarks import data, measure

HERE = Path(__file__).parent
TABLE, NUMBERS = HERE / "SPEED.md", HERE / "speed.json"
TOL, WARM = 1e-6, 15

# NIST, Misra1a: public data of dental research, monomolecular adsorption.
VOLUME = np.array([10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76,
                   55.05, 61.01, 66.40, 75.47, 81.78])  # fmt: skip
PRESSURE = np.array([77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8,
                     477.3, 536.8, 593.1, 689.1, 760.0])  # fmt: skip
MISRA_X0 = (500.0, 1e-4)
FITS = 1000


# Problems -----------------------------------------------------------------------------


def boundary_x0(n=100):
    """Its usual start."""
    t = np.arange(1, n + 1) / (n + 1)
    return t * (t - 1)


def raw_logistic():
    """breast_cancer as it comes, 569 x 30, columns from 1e-3 to 4e3.

    Read without importing scikit-learn, whose import is on its own clock.
    """
    home = Path(importlib.util.find_spec("sklearn").origin).parent
    table = np.genfromtxt(
        home / "datasets" / "data" / "breast_cancer.csv", delimiter=",", skip_header=1
    )
    return table[:, :-1], table[:, -1].astype(int)


def lasso():
    """500 x 2000, lam a tenth of the least that gives zero."""
    A, b = data.sparse_truth()
    return A, b, 0.1 * float(np.max(np.abs(A.T @ b)))


def decays():
    """A thousand noisy decays of 40 points (generated): times, and a row a fit."""
    rng = np.random.default_rng(7)
    t = np.linspace(0, 4, 40)
    size, rate = rng.uniform(1, 9, (FITS, 1)), rng.uniform(0.5, 2, (FITS, 1))
    return t, size * np.exp(-rate * t) + 0.05 * rng.standard_normal((FITS, 40))


# banach, stating and solving ----------------------------------------------------------


def our_curve(given):
    import banach as bn
    from benchmarks import functions

    p = bn.NonlinearLeastSquares(
        functions.misra, np.array(MISRA_X0), (PRESSURE, VOLUME), data=VOLUME
    )
    return p, lambda: bn.solve(p, tol=TOL)


def our_logistic(given):
    import banach as bn

    p = bn.LogisticRegression(*given, l2=1.0)
    return p, lambda: bn.solve(p, tol=TOL)


def our_lasso(given):
    import banach as bn

    p = bn.Lasso(*given)
    return p, lambda: bn.solve(p, tol=TOL)


def our_rosen(given):
    import banach as bn
    from benchmarks import functions

    p = bn.Smooth(functions.rosen, np.full(100, -1.0))
    return p, lambda: bn.solve(p, tol=TOL)


def our_roots(given):
    import banach as bn
    from benchmarks import functions

    p = bn.Root(functions.equations, boundary_x0())
    return p, lambda: bn.solve(p, tol=TOL)


def our_fits(given):
    import banach as bn
    from benchmarks import functions

    t, Y = given
    p = bn.NonlinearLeastSquares.stack(
        functions.decay,
        np.tile([5.0, 1.0], (FITS, 1)),
        (np.tile(t, (FITS, 1)), Y),
        data=Y,
    )
    return p, lambda: bn.solve_many(p, tol=TOL)


# Peers, answers as a function of their own tolerance ----------------------------------


def curve_fit(given, tol):
    from scipy.optimize import curve_fit as fit

    def model(t, a, b):
        return a * (1 - np.exp(-b * t))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit(model, PRESSURE, VOLUME, MISRA_X0, ftol=tol, xtol=tol)[0]


def many_curve_fits(given, tol):
    from scipy.optimize import curve_fit as fit

    t, Y = given

    def model(t, a, b):
        return a * np.exp(-b * t)

    return np.array([fit(model, t, y, (5.0, 1.0), ftol=tol, xtol=tol)[0] for y in Y])


def newton_cholesky(given, tol):
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = LogisticRegression(
            C=1.0, solver="newton-cholesky", tol=tol, max_iter=10_000
        ).fit(*given)
    return np.append(fit.coef_.ravel(), fit.intercept_)


def coordinate_descent(given, tol):
    from sklearn.linear_model import Lasso

    A, b, lam = given
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = Lasso(lam / len(A), fit_intercept=False, tol=tol, max_iter=100_000)
        return fit.fit(A, b).coef_


def bfgs(given, tol):
    """Optimistix in one jit, its fastest form."""
    import jax
    import jax.numpy as jnp
    import optimistix

    from benchmarks import functions

    with jax.enable_x64(True):
        run = _kept(
            "bfgs", tol,
            lambda: jax.jit(lambda x: optimistix.minimise(
                lambda x, args: functions.rosen(x),
                optimistix.BFGS(rtol=tol, atol=tol), x, max_steps=10_000, throw=False,
            ).value),
        )  # fmt: skip
        return np.asarray(run(jnp.full(100, -1.0)))


def newton(given, tol):
    """Optimistix's Newton, in one jit."""
    import jax
    import jax.numpy as jnp
    import optimistix

    from benchmarks import functions

    with jax.enable_x64(True):
        run = _kept(
            "newton", tol,
            lambda: jax.jit(lambda x: optimistix.root_find(
                lambda x, args: functions.equations(x),
                optimistix.Newton(rtol=tol, atol=tol), x, max_steps=1000, throw=False,
            ).value),
        )  # fmt: skip
        return np.asarray(run(jnp.asarray(boundary_x0())))


_PROGRAMS: dict = {}


def _kept(name, tol, make):
    """A program of this process, compiled once as a user would keep it."""
    if (name, tol) not in _PROGRAMS:
        _PROGRAMS[name, tol] = make()
    return _PROGRAMS[name, tol]


# What is measured: (words, reading the data, banach, the peer's name, the peer) -------
ROWS = {
    "curve": ("Fit of a curve, NIST Misra1a (14 points, 2 parameters)", None,
              our_curve, "SciPy curve_fit", curve_fit),
    "logistic": ("Logistic regression, raw units (569 x 30)", raw_logistic,
                 our_logistic, "scikit-learn newton-cholesky", newton_cholesky),
    "lasso": ("Lasso (500 x 2000)", lasso, our_lasso, "scikit-learn Lasso",
              coordinate_descent),
    "rosen": ("A function, Rosenbrock's (100 variables)", None, our_rosen,
              "Optimistix BFGS", bfgs),
    "roots": ("Equations, a boundary-value problem (100 unknowns)", None, our_roots,
              "Optimistix Newton", newton),
    "fits": (f"{FITS:,} fits of a decay at once (40 points each)", decays, our_fits,
             "SciPy curve_fit, a loop", many_curve_fits),
}  # fmt: skip


def job(name: str, tol: float | None) -> dict:
    """One process: banach's own where tol is None, else the peer's."""
    _, read, ours, _, peer = ROWS[name]
    given = None if read is None else read()
    began = time.perf_counter()
    if tol is None:
        import jax.numpy as jnp

        import banach as bn  # noqa: F401
        from benchmarks import functions

        np.asarray(jnp.zeros(1) + 1)

        def solve():
            done = ours(given)[1]()
            _read(done.x)
            return done
    else:
        if peer in (bfgs, newton):
            import jax.numpy as jnp
            import optimistix  # noqa: F401

            from benchmarks import functions  # noqa: F401

            np.asarray(jnp.zeros(1) + 1)
        elif peer in (newton_cholesky, coordinate_descent):
            import sklearn.linear_model  # noqa: F401
        else:
            import scipy.optimize  # noqa: F401

        def solve():
            return peer(given, tol)

    started = time.perf_counter() - began
    began, cpu = time.perf_counter(), time.process_time()
    answer = solve()
    cold = time.perf_counter() - began
    cpu = time.process_time() - cpu
    warm = statistics.median(measure.clock(solve) for _ in range(WARM))
    found = {"started": started, "cold": cold, "cpu": cpu, "warm": warm}
    if tol is None:
        certified = np.all(answer.certified)
        found |= {"certified": bool(certified)}
    return found


def _read(x) -> None:
    import jax

    for leaf in jax.tree.leaves(x):
        np.asarray(leaf)


def process(name: str, tol: float | None) -> dict:
    """`job` in a fresh process with empty caches."""
    with tempfile.TemporaryDirectory() as cache:
        env = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
        env |= {"XDG_CACHE_HOME": cache}
        env.pop("BANACH_CACHE", None)
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        asked = [sys.executable, "-m", "benchmarks.speed", name, json.dumps(tol)]
        done = subprocess.run(asked, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{asked} ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def own_tolerance(name: str) -> float:
    """The loosest tolerance of the peer's that banach's check certifies."""
    import banach as bn

    _, read, ours, _, peer = ROWS[name]
    given = None if read is None else read()
    problem, _ = ours(given)
    many = name == "fits"

    def good(x):
        if many:
            some = range(0, FITS, 50)
            return all(bn.verify(problem[i], x[i], tol=TOL).certified for i in some)
        return bn.verify(problem, x, tol=TOL).certified

    found = measure.loosest(lambda tol: peer(given, tol), good)
    if found is None:
        raise RuntimeError(f"the peer of {name} was never certified")
    return found


def run(quick: bool = False) -> measure.Report:
    """Every row: ratios are medians over rounds of alternating processes."""
    rounds = 1 if quick else 5
    rows, numbers = [], []
    for name, (words, _, _, peer, _) in ROWS.items():
        tol = own_tolerance(name)
        seen = {"banach": [], "peer": []}
        for i in range(rounds):
            for who in sorted(seen, reverse=i % 2 == 1):
                seen[who].append(process(name, None if who == "banach" else tol))
        if not all(v["certified"] for v in seen["banach"]):
            raise RuntimeError(f"banach's answer to {name} was not certified")
        for v in (*seen["banach"], *seen["peer"]):
            v["first"] = v["started"] + v["cold"]
        found = {"problem": words, "peer": peer, "tol": tol}
        for part in ("first", "cold", "warm"):
            ours = [v[part] for v in seen["banach"]]
            theirs = [v[part] for v in seen["peer"]]
            found[part] = {
                "banach": statistics.median(ours),
                "peer": statistics.median(theirs),
                "ratio": measure.ratio({"a": ours, "b": theirs}, "a", "b"),
            }
        numbers.append(found)
        rows.append([words, peer, tol, *(
            found[part][who] * (1e3 if part == "warm" and who != "ratio" else 1)
            for part in ("first", "cold", "warm") for who in ("banach", "peer", "ratio")
        )])  # fmt: skip
        print("  ", *map(measure.shown, rows[-1]), sep="  ", file=sys.stderr)
    report = measure.Report(
        "speed",
        "The first answer and the next ones",
        "first: imports, stating and solving in a fresh process with empty caches, s; "
        "cold: without the imports and the start of JAX, s; warm: the same call again, "
        f"the problem stated anew, ms. Medians and ratios (banach / peer) of {rounds} "
        f"alternating processes. Every answer is certified at {TOL:g} by banach's "
        "check; the peer at the loosest tolerance of its own that is.",
        ["problem", "peer", "its tol", "first s", "peer", "ratio", "cold s", "peer",
         "ratio", "warm ms", "peer", "ratio"],
        rows,
    )  # fmt: skip
    if not quick:
        measure.keep(report, TABLE)
        here = {"machine": measure.machine(), "tol": TOL, "rows": numbers}
        NUMBERS.write_text(json.dumps(here, indent=1) + "\n", encoding="utf-8")
    return report


if __name__ == "__main__":
    print(json.dumps(job(sys.argv[1], json.loads(sys.argv[2]))))
