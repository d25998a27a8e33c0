"""What makes a method apply that does not: words for refusals."""

_TWO_LEVELS = "State a problem of two levels as bn.Bilevel"
_PATTERNS = "State a program over activation patterns (bn.ConvexRelu)"
_SADDLE = "State the problem as bn.Inclusion(F, z0) or bn.saddle(phi, x0, y0)"
_CONSTRAINED = "State the problem as bn.Constrained(f, x0, eq=c)"
_SECOND = "State a problem with second derivatives (bn.Smooth or bn.GLM)"
_WORKERS = "Spread a sum over workers: bn.DistributedSum(finite_sum, workers)"

# By the oracle that a problem lacks.
ORACLE = {
    "prox": "State the problem as bn.Composite, or: banach methods --problem smooth",
    "lmo": "Use a compact set (bn.Simplex, bn.L1Ball, bn.Box) as the term",
    "project": "Use a set (bn.Box, bn.Simplex, ...) as the term",
    "hess": _SECOND,
    "hvp": _SECOND,
    "stochastic_grad": (
        "State the sum with its terms: bn.FiniteSum(f, x0, data), or "
        "glm.as_finite_sum(); of a whole function, optax:sgd"
    ),
    "local_grad": _WORKERS,
    "local_sample": _WORKERS,
    "coded_grad": _WORKERS,
    "constraints": _CONSTRAINED,
    "jacobian": _CONSTRAINED + ", or residuals as bn.least_squares(r, x0)",
    "component": "State F as a finite sum: bn.Inclusion(components, z0, data)",
    "operator": _SADDLE,
    "resolvent": _SADDLE,
    **dict.fromkeys(
        """upper_value upper_grad lower_grad lower_hvp cross sample_upper_grad
        sample_lower_grad sample_lower_hvp sample_cross""".split(),
        _TWO_LEVELS,
    ),
    **dict.fromkeys("split split_prox normal".split(), _PATTERNS),
}

# By the first essential oracle: what is ignored, and a method that respects it.
IGNORED = {
    "constraints": ("the constraints", ", e.g. adasketch_newton or scipy:SLSQP"),
    "prox": ("the term", ", e.g. proximal_gradient"),
}

# What to do where a fact is false.
OTHERWISE = {
    "positive_definite": "; otherwise bn.normal_equations(A, b) is a system that has it"
}
