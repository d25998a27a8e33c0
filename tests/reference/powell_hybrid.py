"""MINPACK's hybrj: two nested loops, B in the units of x."""

import numpy as np
from reference._case import Case, system
from reference._dogleg import leg
from reference._roots import weighted

CASES = [
    Case(*system("mild"), told={"factor": 100.0}),
    Case(*system("far"), given={"factor": 0.1}, steps=20),
    Case(*system("mild"), given={"factor": 0.02}, steps=13),
    # Ratios near 0.1, 0.5 and 0.9.
    Case(*system("valley", [0.0, -0.2]), given={"factor": 0.3}, steps=8),
    Case(*system("far", [-0.8, 0.4]), given={"factor": 0.3}, steps=8),
    Case(*system("far", [-3.4, -1.0]), given={"factor": 0.1}, steps=10),
]
EXEMPT = {
    "fell >= 1e-3": "says when to give up, which moves no iterate",
    "fell >= 0.1": "says when to give up, which moves no iterate",
    "real(100.0)": "a first radius beyond the first step; a case feels 0.1 and 0.02",
    "(after / size) ** 2, -1.0": "a failure, however bad",
    "ratio >= 1e-4": "no trial of a case gains so little",
}


def iterates(oracles, x, steps, *, factor):
    (F, J), out, accepted = weighted(oracles, x), [], False
    C = np.linalg.norm(J(x), axis=0)
    delta = factor * np.linalg.norm(C * x)
    while len(out) < steps:
        B, successes, failures = J(x), 0, 0
        C = np.maximum(C, np.linalg.norm(B, axis=0))
        while failures < 2 and len(out) < steps:
            f, z = F(x), leg(B / C, F(x), delta)
            p, length = z / C, np.linalg.norm(z)
            if not accepted:
                delta = min(delta, length)
            new, model = F(x + p), f + B @ p
            actual = 1 - (new @ new) / (f @ f) if new @ new < f @ f else -1.0
            promised = 1 - (model @ model) / (f @ f)
            ratio = actual / promised if promised > 0 else 0.0
            if ratio < 0.1:
                successes, failures, delta = 0, failures + 1, delta / 2
            else:
                successes, failures = successes + 1, 0
                if ratio >= 0.5 or successes > 1:
                    delta = max(delta, 2 * length)
                if abs(ratio - 1) <= 0.1:
                    delta = 2 * length
            B = B + np.outer(new - model, C * z) / length**2
            if ratio >= 1e-4:
                x, accepted = x + p, True
            out.append(x)
    return out
