"""A race with every verdict, made of formulas, for the report's tests."""

import math

METHODS = [
    # name, family, status, oracle calls per step, decay per step, steps, compile, sec
    ("lbfgs", "smooth", "certified", {"value": 1.3, "grad": 1.3}, 0.42, 24, 0.61, 3e-4),
    (
        "trust_region_newton",
        "smooth",
        "certified",
        {"value": 1, "grad": 1, "hess": 1},
        0.08,
        7,
        0.93,
        9e-4,
    ),
    ("root_newton", "smooth", "certified", {"grad": 1, "hess": 1}, 0.1, 8, 0.5, 8e-4),
    (
        "lazy_newton",
        "smooth",
        "certified",
        {"grad": 1, "hess": 0.2},
        0.3,
        15,
        0.8,
        4e-4,
    ),
    (
        "gradient_normalized_newton",
        "smooth",
        "certified",
        {"grad": 1, "hess": 1},
        0.14,
        9,
        0.55,
        8e-4,
    ),
    (
        "nonlinear_cg",
        "smooth",
        "certified",
        {"value": 2, "grad": 2},
        0.6,
        38,
        0.72,
        4e-4,
    ),
    (
        "accelerated_gradient",
        "smooth",
        "certified",
        {"grad": 1},
        0.955,
        420,
        0.31,
        1.2e-4,
    ),
    ("gradient_descent", "smooth", "budget", {"grad": 1}, 0.9993, 9000, 0.24, 1e-4),
    ("optax_adam", "bridge", "budget", {"grad": 1}, 0.9988, 8000, 0.42, 1.1e-4),
    (
        "proximal_gradient",
        "composite",
        "stalled",
        {"value": 1, "grad": 1, "prox": 1},
        0.985,
        700,
        0.38,
        1.4e-4,
    ),
    (
        "fista",
        "composite",
        "certified",
        {"grad": 1, "prox": 1},
        0.96,
        460,
        0.35,
        1.2e-4,
    ),
    ("scipy_cobyla", "bridge", "interrupted", {"value": 1}, 0.999, 3000, 0.0, 9e-4),
    ("heavy_ball", "smooth", "nonfinite", {"grad": 1}, 1.35, 160, 0.27, 1e-4),
    (
        "frank_wolfe",
        "constrained",
        "refuted",
        {"grad": 1, "lmo": 1},
        0.999,
        2500,
        0.29,
        2e-4,
    ),
]


def one_run(spec, tol=1e-6, start=0.4):
    """One run whose ratio falls as start * decay ** step, with a ripple."""
    name, family, status, cost, decay, steps, compiled, second = spec
    index = sorted({round(i * steps / 120) for i in range(121)})
    ratio = [
        min(start * decay**k * (1 + 0.3 * math.sin(k)) if k else start, 1e308)
        for k in index
    ]
    if status == "nonfinite":
        ratio[-3:] = [math.inf, math.nan, math.nan]
    last = ratio[-1]
    return {
        "method": name,
        "family": family,
        "title": f"The paper that introduced {name}",
        "status": status,
        "reason": {
            "certified": f"The certified ratio fell below {tol:g}.",
            "nonfinite": "grad returned NaN at step 158; the step size is too large.",
        }.get(status, f"Stopped at step {steps} with the ratio above {tol:g}."),
        "hint": "" if status == "certified" else "Allow more steps, or try lbfgs.",
        "certificate": {
            "quantity": "f(x) - f*",
            "value": last * 300,
            "slack": 1e-13,
            "scale": 300.0,
            "ratio": last,
            "grade": "bound",
            "rounding": "modelled",
            "assumes": ["convex: by construction"],
        },
        "tol": tol,
        "steps": steps,
        "calls": {kind: round(per * steps) + 1 for kind, per in cost.items()},
        "seconds": {"compile": compiled, "run": second * steps, "check": 4e-4},
        "trace": {
            "step": index,
            "seconds": [second * k for k in index],
            "ratio": ratio,
            "calls": {
                kind: [round(per * k) + 1 for k in index] for kind, per in cost.items()
            },
        },
    }


def race(**changes):
    """A race of fourteen methods on one problem, two methods refused."""
    return {
        "schema_version": 1,
        "command": "banach race logistic:breast_cancer --tol 1e-6",
        "machine": {
            "cpu": "A processor with a name",
            "cores": 2,
            "python": "3.11.2",
            "jax": "0.10.2",
            "banach": "0.1.0",
            "platform": "Linux",
            "dtype": "float64",
            "date": "2026-01-01",
        },
        "problem": {
            "name": "logistic:breast_cancer",
            "title": "L2-regularised logistic regression on breast_cancer",
            "kind": "GLM",
            "size": 31,
            "data": "569 x 30",
            "objective": "sum_i log(1 + exp(-y_i (a_i . w + b))) + (1/2) lam |w|^2",
            "facts": {
                "L": [1893.4417, "by construction"],
                "mu": [1.0, "by construction"],
                "convex": [True, "by construction"],
                "radius": [None, "unknown"],
            },
        },
        "check": "gap: f(x) - f* (bound)",
        "tol": 1e-6,
        "time_limit": 10.0,
        "patience": 100.0,
        "runs": [one_run(spec) for spec in METHODS],
        "refused": [
            {
                "method": "monotonic_frank_wolfe",
                "reason": "monotonic_frank_wolfe needs the oracle lmo, which GLM "
                "lacks. State the problem over a compact set, or: banach methods "
                "--problem smooth",
            },
            {
                "method": "admm",
                "reason": "admm needs the oracle operator, which GLM lacks. State the "
                "problem as Saddle.",
            },
        ],
        **changes,
    }


def several(spec=METHODS[8], factors=(0.5, 1.0, 1.5, 2.5, 4.0), certified=2):
    """A stochastic method over seeds: ratio and seconds are scaled copies of one."""
    run = one_run(spec)
    seeds = []
    for seed, factor in enumerate(factors):
        trace = run["trace"]
        seeds.append(
            {
                "seed": seed,
                "status": "certified" if seed < certified else "budget",
                "reason": "",
                "steps": run["steps"],
                "ratio": run["certificate"]["ratio"] * factor,
                "calls": run["calls"],
                "seconds": run["seconds"],
                "trace": trace | {"ratio": [r * factor for r in trace["ratio"]]},
            }
        )
    spread = {
        "runs": len(factors),
        "certified": certified,
        "seconds": [0.4, 0.52, 0.7],
        "ratio": [1e-6, 2e-6, 3e-6],
        "steps": [100.0, 120.0, 150.0],
    }
    return run | {"seeds": seeds, "spread": spread}
