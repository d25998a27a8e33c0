"""Doors: public functions whose arguments are matched before anything else happens."""

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx

from banach.core.misuse import Misuse

F = TypeVar("F", bound=Callable[..., Any])

# What other libraries call it, and what to write here.
CURES = {
    "C": "use l2=, which is sklearn's 1 / C",
    "alpha": "use lam=, l1= or l2=; the objective has no factor 1 / n, so that "
    "sklearn's alpha of a Lasso is lam / n, and of a Ridge l2",
    "fit_intercept": "use intercept=",
    "lambda_": "use lam=",
    "penalty": "choose the model by name, e.g. bn.SparseLogisticRegression for l1",
    "bounds": "state it as bn.Composite(f, bn.Box(lower, upper), x0) and solve that",
    "callback": "use progress=, which is called with a running Result",
    "constraints": "state it as bn.Constrained(f, x0, eq=..., ineq=...) and solve that",
    "disp": "drop it; print the result, or use progress=",
    "fprime": "drop it: JAX differentiates the function",
    "ftol": "use tol=, relative to the certificate's scale, or tol=bn.Absolute(t)",
    "gtol": "use tol=; gtol is check='stationarity' with tol=bn.Absolute(gtol)",
    "hess": "drop it: JAX differentiates the function",
    "hessp": "drop it: JAX differentiates the function",
    "jac": "drop it: JAX differentiates the function",
    "max_iter": "use max_steps=",
    "maxfev": "use max_steps= or time_limit=",
    "maxiter": "use max_steps=",
    "n_iter": "use max_steps=",
    "niter": "use max_steps=",
    "options": "give each option by its name, e.g. tol=1e-8, max_steps=1000",
    "random_state": "use seed=",
    "rtol": "use tol=, relative to the certificate's scale",
    "atol": "use tol=bn.Absolute(atol)",
    "solver": "use method=, e.g. method='lbfgs' or 'scipy:L-BFGS-B'",
    "tolerance": "use tol=, relative to the certificate's scale",
    "timeout": "use time_limit=, in seconds",
    "verbose": "drop it; print the result, or use progress=",
    "xtol": "use tol=, relative to the certificate's scale",
}


def door(
    function: F | None = None, *, options_of: Any = None, also: tuple[str, ...] = ()
) -> Any:
    """Turn a call that does not fit the signature into Misuse with the cure.

    `options_of` is the function whose keywords `function` passes on as **options;
    `also` names those that it passes on otherwise.
    """
    if function is None:
        return functools.partial(door, options_of=options_of, also=also)
    signature = inspect.signature(function)
    named = list(signature.parameters.values())
    listed = [p.name for p in named if p.kind is p.POSITIONAL_OR_KEYWORD]
    names = {
        p.name for p in named if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }
    names.update(also)
    if options_of is not None:
        passed = inspect.signature(options_of).parameters.values()
        names |= {p.name for p in passed if p.default is not p.empty}
    needed = {
        p.name for p in named if p.default is p.empty and p.kind is not p.VAR_KEYWORD
    }
    most = len(listed)

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        given = listed[: len(args)]
        if (
            len(args) > most
            or not keywords.keys() <= names
            or not keywords.keys().isdisjoint(given)
            or not needed <= keywords.keys() | set(given)
        ):
            raise Misuse(_said(function, signature, names, needed, args, keywords))
        return function(*args, **keywords)

    return call


class Made(type(eqx.Module)):  # type: ignore[misc]
    """The class of classes whose constructor is a door: terms, losses, checks, kinds.

    The call is made first, so that one that fits costs nothing more.
    """

    def __call__(cls, *args: Any, **keywords: Any) -> Any:
        """The instance; Misuse where the arguments do not fit the constructor."""
        try:
            return super().__call__(*args, **keywords)
        except TypeError as error:
            said = _unfit(cls, args, keywords)
            if said is None:
                raise
            raise Misuse(said) from error


def _unfit(cls: Any, args: tuple, keywords: dict) -> str | None:
    """Why a call does not fit the constructor of a class; None where it does."""
    signature = inspect.signature(cls)
    try:
        signature.bind(*args, **keywords)
    except TypeError:
        named = signature.parameters.values()
        names = {p.name for p in named}
        needed = {p.name for p in named if p.default is p.empty}
        return _said(cls, signature, names, needed, args, keywords, cures={})
    return None


def _said(
    function, signature, names, needed, args, keywords, cures: dict[str, str] = CURES
) -> str:
    what = function.__name__
    unknown = [k for k in keywords if k not in names]
    if unknown:
        said = [
            f"{what} has no argument {k!r}: {_cure(k, names, cures)}" for k in unknown
        ]
        return "; ".join(said)
    listed = [
        p.name
        for p in signature.parameters.values()
        if p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    if len(args) > len(listed):
        if not listed:
            return f"{what} takes no argument by place, got {len(args)}"
        return (
            f"{what} takes {len(listed)} arguments by place ({', '.join(listed)}), got "
            f"{len(args)}; give the others by name"
        )
    twice = [k for k in listed[: len(args)] if k in keywords]
    if twice:
        return f"{what} got {twice[0]!r} by place and by name; give it once"
    given = {*listed[: len(args)], *keywords}
    missing = [k for k in signature.parameters if k in needed and k not in given]
    shown = [*listed, *(f"{k}=" for k in missing if k not in listed)]
    more = ", ..." if len(shown) < len(signature.parameters) else ""
    return f"{what} needs {', '.join(missing)}: {what}({', '.join(shown)}{more})"


def _cure(name: str, names: set[str], cures: dict[str, str]) -> str:
    if name in cures:
        return cures[name]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}="
    return "it takes " + (", ".join(sorted(names)) or "none")
