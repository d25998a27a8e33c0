"""Fits of real tables in their natural units, by the default call of a newcomer.

statsmodels and lifelines hold the tables: incomes, prices, payrolls, elections,
strikes, survival times. Every numeric column enters as it stands. A full run writes
TABLES.md beside this file.
"""

import gc
import importlib
import importlib.util
import sys
import time
from pathlib import Path

import jax
import numpy as np

import banach as bn
from banach.engine import compile_cache
from benchmarks import measure

ROWS, SECONDS = 3000, 30.0
TABLE = Path(__file__).parent / "TABLES.md"
STATSMODELS = (
    "engel longley star98 scotland fair ccard stackloss cpunish randhie committee "
    "statecrime copper anes96 modechoice spector strikes"
).split()
LIFELINES = (
    "load_rossi load_lung load_gbsg2 load_waltons load_larynx load_kidney_transplant "
    "load_leukemia"
).split()
MODELS = (
    "ridge ridge_weak lasso elastic_net logistic logistic_weak sparse_logistic huber "
    "huber_tight poisson nonnegative"
).split()


def run(quick: bool = False) -> measure.Report:
    absent = [p for p in ("statsmodels", "lifelines")
              if importlib.util.find_spec(p) is None]  # fmt: skip
    if absent:
        return _report([], [f"Not installed: pip install {' '.join(absent)}."])
    rows, answered, total = [], 0, 0
    for name, X, y in _tables()[: 3 if quick else None]:
        size = np.abs(X).max(axis=0)
        found = {m: _fit(m, X, y) for m in MODELS}
        good = [r for r, _ in found.values() if r.certified]
        answered, total = answered + len(good), total + len(found)
        slow = max(found, key=lambda m: found[m][0].steps)
        rows.append([
            name, f"{X.shape[0]} x {X.shape[1]}",
            f"{size.max() / size[size > 0].min():.1e}",
            f"{len(good)} of {len(found)}",
            ", ".join(f"{m}: {r.status}" for m, (r, _) in found.items()
                      if not r.certified) or "none",
            f"{slow}, {found[slow][0].steps}",
            f"{1e3 * max(r.seconds['run'] for r, _ in found.values()):.3g}",
        ])  # fmt: skip
        print("  ", *rows[-1], sep="  ", file=sys.stderr, flush=True)
        compile_cache.clear()
        jax.clear_caches()
        gc.collect()
    report = _report(rows, [f"- {answered} of {total} fits certified."])
    if not quick:
        measure.keep(report, TABLE)
    return report


def _tables():
    """(name, X, y) of each table, complete rows only."""
    import statsmodels.api as sm

    out = []
    for name in STATSMODELS:
        data = getattr(sm.datasets, name).load_pandas()
        y = np.asarray(data.endog, float)
        # Counts of successes and failures: the successes.
        y = y[:, 0] if y.ndim == 2 else y
        out.append((name, data.exog.select_dtypes("number").to_numpy(float), y))
    datasets = importlib.import_module("lifelines.datasets")
    for name in LIFELINES:
        frame = getattr(datasets, name)().select_dtypes("number")
        values = frame.to_numpy(float)
        out.append((name.removeprefix("load_"), values[:, 1:], values[:, 0]))
    whole = []
    for name, X, y in out:
        good = np.isfinite(X).all(axis=1) & np.isfinite(y)
        whole.append((name, X[good][:ROWS], y[good][:ROWS]))
    return whole


def _fit(model, X, y):
    high = y > np.median(y)
    labels = (high if high.any() else y >= np.median(y)).astype(int)
    lam = 0.02 * np.abs(X.T @ (y - y.mean())).max()
    problem = {
        "ridge": lambda: bn.Ridge(X, y, 1.0, intercept=True),
        "ridge_weak": lambda: bn.Ridge(X, y, 1e-6, intercept=True),
        "lasso": lambda: bn.Lasso(X, y, lam, intercept=True),
        "elastic_net": lambda: bn.ElasticNetRegression(
            X, y, lam / 2, 1.0, intercept=True
        ),
        "logistic": lambda: bn.LogisticRegression(X, labels, 1.0),
        "logistic_weak": lambda: bn.LogisticRegression(X, labels, 1e-3),
        "sparse_logistic": lambda: bn.SparseLogisticRegression(
            X, labels, 1.0, intercept=True
        ),
        "huber": lambda: bn.HuberRegression(
            X, y, delta=0.4 * np.std(y), l2=1e-4, intercept=True
        ),
        "huber_tight": lambda: bn.HuberRegression(
            X, y, delta=1.35, l2=1e-4, intercept=True
        ),
        "poisson": lambda: bn.PoissonRegression(X, np.maximum(y, 0), 1.0),
        "nonnegative": lambda: bn.NonnegativeLeastSquares(X, y),
    }[model]()
    began = time.perf_counter()
    return bn.solve(problem, time_limit=SECONDS), time.perf_counter() - began


def _report(rows, notes) -> measure.Report:
    return measure.Report(
        "tables",
        "Real tables in their natural units",
        f"Every numeric column as it stands, at most {ROWS} rows; `bn.solve(model)` "
        f"and nothing else, {SECONDS:g} s at most, tol 1e-6. Columns: the largest "
        "entry of the largest column over that of the smallest; fits certified, of "
        f"{len(MODELS)}; the others; the fit of most steps; the longest run, in ms.",
        ["table", "rows x columns", "apart", "certified", "not", "most steps", "ms"],
        rows,
        notes=notes,
    )
