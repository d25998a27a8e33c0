"""Why believe an answer: the checks, by name. Importing this imports no check."""

import difflib
import importlib
import inspect
from typing import Any

# name -> (module below banach, class); the quantities are listed in CHECKS' docstrings.
CHECKS = {
    "ball_gap": ("checks.strong", "BallGap"),
    "contraction": ("checks.fixed_point", "Contraction"),
    "enclosure": ("checks.enclosure", "EnclosureCheck"),
    "energy_distance": ("kinds.elliptic.check", "EnergyDistance"),
    "energy_error": ("kinds.linear.check", "EnergyError"),
    "energy_gap": ("kinds.elliptic.check", "EnergyGap"),
    "fixed_point": ("checks.fixed_point", "FixedPointResidual"),
    "frank_wolfe": ("checks.frank_wolfe", "FrankWolfeGap"),
    "full_sum": ("kinds.finite_sum.check", "FullSum"),
    "gap": ("checks.gap", "Gap"),
    "gap_distance": ("checks.gap", "GapDistance"),
    "goal": ("checks.goal", "Goal"),
    "held_out": ("checks.statistical", "HeldOutRisk"),
    "hypergradient": ("kinds.bilevel.check", "Hypergradient"),
    "hypergradient_bound": ("kinds.bilevel.check", "HypergradientBound"),
    "inclusion": ("kinds.inclusion.check", "InclusionResidual"),
    "inclusion_distance": ("kinds.inclusion.check", "InclusionDistance"),
    "kkt": ("kinds.constrained.check", "KKT"),
    "linear_distance": ("kinds.linear.check", "LinearDistance"),
    "linear_residual": ("kinds.linear.check", "LinearResidual"),
    "mean": ("checks.statistical", "MeanCheck"),
    "projected_residual": ("kinds.smooth.projected_check", "ProjectedResidual"),
    "relu_gap": ("kinds.convex_relu.check", "ReluGap"),
    "residual": ("checks.residual", "Residual"),
    "robust_relu_gap": ("kinds.robust_convex_relu.check", "RobustReluGap"),
    "second_order": ("checks.second_order", "SecondOrder"),
    "stationarity": ("checks.stationarity", "Stationarity"),
    "step": ("checks.step", "ProxStep"),
    "strong_distance": ("checks.strong", "StrongDistance"),
    "strong_gap": ("checks.strong", "StrongGap"),
    "transport": ("kinds.transport.check", "TransportGap"),
    "transport_exact": ("kinds.transport.exact_check", "ExactTransportGap"),
    "variational_gap": ("kinds.inclusion.variational_check", "VariationalGap"),
}
_CLASSES = {cls: module for module, cls in CHECKS.values()}


def names() -> list[str]:
    """Names of all checks."""
    return sorted(CHECKS)


def by_name(name: str, **hyper: Any) -> Any:
    """Build the check of this name; hyperparameters are those of its class."""
    from banach.core.problem import Misuse

    if not isinstance(name, str) or name not in CHECKS:
        near = difflib.get_close_matches(str(name), CHECKS, n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise Misuse(
            f"no check named {name!r}; {hint}the checks are {', '.join(names())}"
        )
    module, title = CHECKS[name]
    cls = getattr(importlib.import_module(f"banach.{module}"), title)
    try:
        inspect.signature(cls).bind(**hyper)
    except TypeError as error:
        raise Misuse(
            f"the check {name!r} is bn.{title}{inspect.signature(cls)}: {error}; build "
            f"it with its arguments, e.g. check=bn.{title}(...)"
        ) from error
    return cls(**hyper)


def __getattr__(name: str) -> Any:
    if name in _CLASSES:
        return getattr(importlib.import_module(f"banach.{_CLASSES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_CLASSES, "by_name", "names"])
