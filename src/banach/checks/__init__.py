"""Why believe an answer: the checks, by name. Importing this imports no check."""

import difflib
import importlib
import inspect
from typing import Any

# name -> (module, class); the quantities are listed in CHECKS' docstrings.
CHECKS = {
    "ball_gap": ("strong", "BallGap"),
    "contraction": ("fixed_point", "Contraction"),
    "enclosure": ("enclosure", "EnclosureCheck"),
    "energy_distance": ("elliptic", "EnergyDistance"),
    "energy_error": ("linear", "EnergyError"),
    "energy_gap": ("elliptic", "EnergyGap"),
    "fixed_point": ("fixed_point", "FixedPointResidual"),
    "frank_wolfe": ("frank_wolfe", "FrankWolfeGap"),
    "full_sum": ("finite_sum", "FullSum"),
    "gap": ("gap", "Gap"),
    "gap_distance": ("gap", "GapDistance"),
    "goal": ("goal", "Goal"),
    "held_out": ("statistical", "HeldOutRisk"),
    "hypergradient": ("hypergradient", "Hypergradient"),
    "hypergradient_bound": ("hypergradient", "HypergradientBound"),
    "inclusion": ("inclusion", "InclusionResidual"),
    "inclusion_distance": ("inclusion", "InclusionDistance"),
    "kkt": ("kkt", "KKT"),
    "linear_distance": ("linear", "LinearDistance"),
    "linear_residual": ("linear", "LinearResidual"),
    "mean": ("statistical", "MeanCheck"),
    "projected_residual": ("projected", "ProjectedResidual"),
    "relu_gap": ("relu", "ReluGap"),
    "residual": ("residual", "Residual"),
    "robust_relu_gap": ("robust_relu", "RobustReluGap"),
    "second_order": ("second_order", "SecondOrder"),
    "stationarity": ("stationarity", "Stationarity"),
    "step": ("step", "ProxStep"),
    "strong_distance": ("strong", "StrongDistance"),
    "strong_gap": ("strong", "StrongGap"),
    "transport": ("transport", "TransportGap"),
    "transport_exact": ("transport_exact", "ExactTransportGap"),
    "variational_gap": ("variational", "VariationalGap"),
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
    cls = getattr(importlib.import_module(f"{__name__}.{module}"), title)
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
        return getattr(importlib.import_module(f"{__name__}.{_CLASSES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_CLASSES, "by_name", "names"])
