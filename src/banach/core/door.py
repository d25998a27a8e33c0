"""Doors: public functions whose arguments are matched before anything else happens."""

import dataclasses
import difflib
import functools
import inspect
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform, overload

import equinox as eqx
import jax

from banach.core import compat
from banach.core.misuse import Misuse

if TYPE_CHECKING:
    # By its own name, or a checker does not know it.
    from equinox._module._module import _ModuleMeta as _Meta

    from banach.core.validated_fields import count, hyper, number, switch
else:
    _Meta = type(eqx.Module)
    count = hyper = number = switch = eqx.field  # they stand above this module

F = TypeVar("F", bound=Callable[..., Any])

# What other libraries call it, and what to write here.
_EXACT = "drop it: JAX differentiates the function"
_PRINT = "drop it; print the result, or use progress="
_TOL = "use tol=, relative to the certificate's scale"
_OWN = "drop it: it is an option of another library's algorithm"
CURES = {
    "C": "use l2=, which is sklearn's 1 / C",
    "alpha": "use lam=, l1= or l2=; the objective has no factor 1 / n, so that "
    "sklearn's alpha of a Lasso is lam / n, and of a Ridge l2",
    "atol": "use tol=bn.Absolute(atol)",
    "bounds": "state bn.Constrained(f, x0, lower=..., upper=...) and solve that, of "
    "residuals with f = bn.least_squares(residual, x0).value and reference=x0, so that "
    "its units are no matter; bn.minimize(f, x0, bounds=...) takes SciPy's",
    "callback": "use progress=, which is called with a running Result",
    "class_weight": "use sample_weight=, one number a row",
    "constraints": "state bn.Constrained(f, x0, eq=..., ineq=...) and solve that; "
    "bn.minimize(f, x0, constraints=...) takes SciPy's",
    "diff_step": _EXACT,
    "disp": _PRINT,
    "epsilon": _EXACT,
    "eps": _EXACT,
    "f_scale": "scale the residual in your function",
    "fit_intercept": "use intercept=",
    "fprime": _EXACT,
    "ftol": "use tol=, relative to the certificate's scale, or tol=bn.Absolute(t)",
    "full_output": "drop it: the Result holds everything",
    "gtol": "use tol=; gtol is check='stationarity' with tol=bn.Absolute(gtol)",
    "has_aux": "return the value alone",
    "hess": _EXACT,
    "hessp": _EXACT,
    "implicit_diff": "drop it: bn.sensitivity(result, cotangent) differentiates it",
    "init_params": "use x0=, or start= of bn.solve",
    "jac": _EXACT,
    "jac_sparsity": _EXACT,
    "jit": "drop it: runs are compiled where that pays",
    "l1_ratio": "state bn.ElasticNetRegression(A, b, l1, l2), with l1 = n alpha "
    "l1_ratio and l2 = n alpha (1 - l1_ratio)",
    "lambda_": "use lam=",
    "learning_rate": "give it to the method, method=bn.Optax('adam', "
    "learning_rate=0.01)",
    "loss": "write the loss into the function, and minimise that: bn.minimize(f, x0)",
    "maxcor": "give it to the method, method=bn.Scipy('L-BFGS-B', {'maxcor': 20})",
    "max_iter": "use max_steps=",
    "max_nfev": "use max_steps= or time_limit=",
    "maxfev": "use max_steps= or time_limit=",
    "maxfun": "use max_steps= or time_limit=",
    "maxiter": "use max_steps=",
    "multi_class": "state bn.SoftmaxRegression for several classes",
    "n_iter": "use max_steps=",
    "n_jobs": "drop it",
    "niter": "use max_steps=",
    "nonneg": "state bn.NonnegativeLeastSquares(A, b)",
    "options": "give each option by its name, e.g. tol=1e-8, max_steps=1000; those of "
    "SciPy's own algorithm as method=bn.Scipy('L-BFGS-B', {'maxcor': 20})",
    "penalty": "choose the model by name, e.g. bn.SparseLogisticRegression for l1",
    "positive": "state bn.NonnegativeLeastSquares(A, b)",
    "random_state": "use seed=",
    "rtol": _TOL,
    "solver": "use method=, e.g. method='lbfgs' or 'scipy:L-BFGS-B'",
    "stepsize": "give it to the method, method=bn.GradientDescent(step_size=0.1)",
    "timeout": "use time_limit=, in seconds",
    "tolerance": _TOL,
    "tr_solver": _OWN,
    "value_and_grad": "return the value alone: JAX differentiates the function",
    "verbose": _PRINT,
    "warm_start": "use start=, e.g. start=earlier_result",
    "x_scale": "scale x in your function, or choose a method that scales by itself",
    "x0": "use start=; a problem has its own x0",
    "xtol": _TOL,
}
# What a kind's or a term's constructor is asked for, though it takes no run.
STATED = (
    "alpha atol bounds callback constraints disp fprime ftol gtol hess hessp jac "
    "l1_ratio maxfev maxiter max_iter options random_state rtol solver verbose xtol"
).split()
# What JAXopt's and optax's solvers are given, and what it is given to here.
_PROBLEM = "a method holds no problem: bn.minimize(f, x0, method=...)"
_LIMIT = (
    "limits are those of the run: bn.solve(problem, method, max_steps=..., tol=...)"
)
RUN = {
    **dict.fromkeys("fun f objective value_and_grad prox args".split(), _PROBLEM),
    **dict.fromkeys("maxiter max_iter max_steps tol atol rtol".split(), _LIMIT),
}
# What bn.solve takes: said where a door that only states a problem is asked for it.
_SOLVED = (
    "method start tol check max_steps time_limit seed rows progress checkpoint resume"
).split()


@overload
def door(function: F) -> F: ...


@overload
def door(
    *,
    options_of: Any = None,
    also: tuple[str, ...] = (),
    cures: dict[str, str] | None = None,
    host: bool = False,
) -> Callable[[F], F]: ...


def door(
    function: Any = None,
    *,
    options_of: Any = None,
    also: tuple[str, ...] = (),
    cures: dict[str, str] | None = None,
    host: bool = False,
) -> Any:
    """Turn a call that does not fit the signature into Misuse with the cure.

    `options_of` is the function whose keywords `function` passes on as **options;
    `also` names those that it passes on otherwise; `cures` are its own words for what
    other libraries call its arguments. `host`: it works on values, so that inside jit,
    vmap and grad it says what does not.
    """
    if function is None:
        return functools.partial(
            door, options_of=options_of, also=also, cures=cures, host=host
        )
    words = CURES | (cures or {})
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
            said = _said(function, signature, names, needed, args, keywords, words)
            raise Misuse(said)
        if not host:
            return function(*args, **keywords)
        try:
            return function(*args, **keywords)
        except (Misuse, jax.errors.JAXTypeError) as error:
            traced = compat.any_tracer((args, keywords))
            if traced or (compat.tracing() and not isinstance(error, Misuse)):
                raise Misuse(f"bn.{function.__name__} {_INSIDE}") from error
            raise

    return call


_INSIDE = (
    "works on values, and what jit, vmap and grad trace has none yet; inside them use "
    "bn.run(problem, method, check=...), which is pure, and which grad differentiates "
    "by the implicit function theorem. Outside, bn.solve_many solves many problems at "
    "once, and bn.sensitivity(result, cotangent) differentiates an answer"
)


@dataclass_transform(
    field_specifiers=(dataclasses.field, eqx.field, hyper, number, count, switch)
)
class Made(_Meta):
    """The class of classes whose constructor is a door: terms, losses, checks, kinds.

    The call is made first, so that one that fits costs nothing more.
    """

    # A type checker is to read the constructor of the class.
    if not TYPE_CHECKING:

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
        own = {name: CURES[name] for name in STATED}
        return _said(cls, signature, names, needed, args, keywords, own)
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
        return _asked_of_solve(cures[name], names)
    if name in _SOLVED and cures:
        return f"give it to bn.solve: bn.solve(problem, {name}=...)"
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}="
    return "it takes " + (", ".join(sorted(names)) or "none")


def _asked_of_solve(cure: str, names: set[str]) -> str:
    """A cure whose argument this door lacks too names the door that has it."""
    own = re.match(r"use (\w+)=", cure)
    if own is None or own[1] in names or own[1] not in _SOLVED:
        return cure
    return f"{cure}; it is an argument of bn.solve"
