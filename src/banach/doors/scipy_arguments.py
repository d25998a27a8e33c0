"""SciPy's words for a minimisation, as a problem of this library.

`bounds` and `constraints` make a Constrained. Derivatives of the caller's own are not
needed, since JAX takes those of the function: one that is given is compared with
JAX's at the start, so that a function and a derivative that differ are found out, and
is not used. Constraint functions, as the objective, are JAX functions.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from banach.core import compat, tree, validation
from banach.core.door import CURES
from banach.core.problem import Misuse, Problem
from banach.kinds import inputs

AGREE = 1e-5
"""Relative difference that a derivative of the caller's may have: differences pass."""


def problem(
    fun: Any,
    x0: PyTree,
    args: Any,
    jac: Any,
    hess: Any,
    hessp: Any,
    bounds: Any,
    constraints: Any,
) -> Problem:
    """The problem that scipy.optimize.minimize would be given by these arguments."""
    from banach.kinds.constrained.problem import Constrained
    from banach.kinds.smooth.problem import Smooth

    if isinstance(fun, Problem):
        raise Misuse(
            f"minimize takes a function, got a {fun.kind}; a problem is solved by "
            "bn.solve(problem, start=x0)"
        )
    asked = [v for v in (jac, hess, hessp, bounds) if v is not None and v is not False]
    if not asked and isinstance(constraints, tuple | None) and not constraints:
        return Smooth(fun, x0, args)
    x0, args = inputs.read(x0, args)
    value = partial(_value, fun) if jac is True else fun
    rows = _constraints(constraints, x0)
    lower, upper = (None, None) if bounds is None else _bounds(bounds, x0)
    stated: Problem
    if lower is None and not any(rows.values()):
        stated = Smooth(value, x0, args)
    else:
        stated = Constrained(value, x0, args, lower=lower, upper=upper, **_joined(rows))
    if jac is True:
        jac = partial(_gradient, fun)
    _compared(stated, args, jac=jac, hess=hess, hessp=hessp)
    return stated


def options(given: Any, named: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `solve`, those of SciPy's `options` among them."""
    if given is None:
        return named
    if not isinstance(given, dict):
        raise Misuse(f"options must be a dict, got {validation.shown(given)}")
    out = dict(named)
    for name, value in given.items():
        if name == "disp" and not value:
            continue
        if name != "maxiter":
            cure = CURES.get(name, CURES["options"])
            raise Misuse(f"minimize takes no option {name!r}: {cure}")
        if "max_steps" in named:
            raise Misuse("options['maxiter'] and max_steps= are one; give it once")
        out["max_steps"] = value
    return out


# Functions of functions are partials of these: what the caller wrote stays visible to
# the tracing, which need not trace again what has not changed.


def _value(fun: Callable, x: PyTree, *args: Any) -> Any:
    out = fun(x, *args)
    if not (isinstance(out, tuple | list) and len(out) == 2):
        raise Misuse(
            "with jac=True the function returns (value, gradient); it returned "
            f"{validation.shown(out)}: drop jac=, JAX differentiates the function"
        )
    return out[0]


def _gradient(fun: Callable, x: PyTree, *args: Any) -> Any:
    return fun(x, *args)[1]


def _rows(functions: tuple, x: PyTree, *args: Any) -> list:
    return [c(x) for c in functions]


def _equal(fun: Callable, own: tuple, x: PyTree) -> Any:
    return fun(x, *own)


def _negated(fun: Callable, own: tuple, x: PyTree) -> Any:
    return jax.tree.map(lambda v: -jnp.asarray(v), fun(x, *own))


def _flat(fun: Callable, x: PyTree) -> Any:
    return jnp.concatenate([jnp.ravel(v) for v in jax.tree.leaves(fun(x))])


def _product(A: np.ndarray, x: PyTree) -> Any:
    return jnp.asarray(A) @ tree.ravel(x)[0]


def _over(fun: Callable, at: np.ndarray, end: np.ndarray, x: PyTree) -> Any:
    return fun(x)[at] - jnp.asarray(end)


def _under(fun: Callable, at: np.ndarray, end: np.ndarray, x: PyTree) -> Any:
    return jnp.asarray(end) - fun(x)[at]


def _compared(stated: Any, args: Any, **own: Any) -> None:
    """Misuse where a derivative of the caller's is not that of the function."""
    own = {k: v for k, v in own.items() if v is not None and v is not False}
    if not own:
        return
    x = stated.x0
    with compat.double():
        flat, back = tree.ravel(x)
        along = np.cos(np.arange(flat.size) + 1.0)
        ours = {
            "jac": lambda: tree.ravel(stated.grad(x))[0],
            "hess": lambda: stated.hess(x),
            "hessp": lambda: tree.ravel(stated.hvp(x, back(jnp.asarray(along))))[0],
        }
        for name, given in own.items():
            if not callable(given):
                raise Misuse(
                    f"minimize's {name} must be a function, "
                    f"got {validation.shown(given)}:"
                    f" {CURES[name]}, exactly and not by differences"
                )
            at = (x, back(along)) if name == "hessp" else (x,)
            _agree(name, _evaluated(name, given, (*at, *args)), ours[name]())


def _evaluated(name: str, given: Callable, at: tuple) -> np.ndarray:
    try:
        parts = [np.ravel(np.asarray(v)) for v in jax.tree.leaves(given(*at))]
        return np.concatenate(parts).astype(float)
    except Exception as error:
        raise Misuse(
            f"minimize's {name} fails at x0 ({type(error).__name__}: {error}): "
            f"{CURES[name]}"
        ) from None


def _agree(name: str, theirs: np.ndarray, ours: Any) -> None:
    ours = np.ravel(np.asarray(ours, float))
    if theirs.shape != ours.shape:
        raise Misuse(
            f"minimize's {name} returns {theirs.size} numbers at x0, where {ours.size} "
            f"are needed: {CURES[name]}"
        )
    size = max(np.max(np.abs(ours), initial=0), np.max(np.abs(theirs), initial=0))
    off = np.abs(theirs - ours)
    # Not `off > limit`: a NaN on either side agrees with nothing.
    if not (off <= AGREE * max(size, 1e-3)).all():
        worst = int(np.argmax(np.nan_to_num(off, nan=np.inf)))
        raise Misuse(
            f"minimize's {name} is not the derivative of the function at x0: entry "
            f"{worst} is {theirs[worst]:.6g}, by JAX {ours[worst]:.6g}; mend one of "
            "them, or drop it, since JAX differentiates the function"
        )


def _bounds(bounds: Any, x0: PyTree) -> tuple[Any, Any]:
    """(lower, upper) like x0, from pairs (None: no bound) or SciPy's Bounds."""
    shape = np.shape(x0) if _one_array(x0) else None
    if shape is None:
        raise Misuse(
            "bounds go with an x0 that is one array; for a pytree state "
            "bn.Constrained(f, x0, lower=..., upper=...) with pytrees like x0"
        )
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        _infeasible_is_allowed(bounds, "bounds")
        lower, upper = (_fitted(v, shape, "bounds") for v in (bounds.lb, bounds.ub))
        return lower, upper
    n = int(np.prod(shape))
    pairs = list(bounds) if isinstance(bounds, Sequence | np.ndarray) else []
    # Two arrays are lower and upper bounds to JAXopt and to SciPy's least_squares, and
    # two pairs to its minimize: of two unknowns nobody can tell.
    sides = isinstance(bounds, tuple) and len(bounds) == 2
    sides = sides and all(isinstance(p, np.ndarray | jax.Array) for p in bounds)
    if len(pairs) != n or sides or any(np.shape(p) != (2,) for p in pairs):
        raise Misuse(
            f"bounds must be one pair (low, high) for each of the {n} entries of x0, "
            "None for no bound; of lower and upper bounds pass "
            f"scipy.optimize.Bounds(lower, upper); got {validation.shown(bounds)}"
        )
    ends = [[far if v is None else v for v, far in zip(p, (-np.inf, np.inf),
             strict=True)] for p in pairs]  # fmt: skip
    a = validation.array(ends, "bounds", infinite=True)
    return a[:, 0].reshape(shape), a[:, 1].reshape(shape)


def _fitted(side: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """One side of bounds in the shape of what it bounds; SciPy's are never 0-D."""
    a = validation.array(side, name, infinite=True)
    if a.size == 1:
        a = a.reshape(())
    try:
        return np.array(np.broadcast_to(a, shape))
    except ValueError:
        raise Misuse(
            f"{name} must have one number, or the shape {shape}; got shape {a.shape}"
        ) from None


def _one_array(x0: Any) -> bool:
    return jax.tree.structure(x0) == jax.tree.structure(0)


def _infeasible_is_allowed(given: Any, name: str) -> None:
    if np.any(getattr(given, "keep_feasible", False)):
        raise Misuse(
            f"{name} with keep_feasible=True: no method here promises that; drop it, "
            "the check judges the answer alone"
        )


def _constraints(given: Any, x0: PyTree) -> dict[str, list]:
    """Lists of equations, inequalities (<= 0) and linear equations (A, b)."""
    rows: dict[str, list] = {"eq": [], "ineq": [], "linear": []}
    single = isinstance(given, dict) or hasattr(given, "lb")
    if not (single or given is None or isinstance(given, Sequence)):
        raise _strange(given)
    for one in [given] if single else (given or ()):
        if isinstance(one, dict):
            _of_dict(one, rows, x0)
        elif hasattr(one, "lb") and hasattr(one, "A"):
            _of_matrix(one, rows)
        elif hasattr(one, "lb") and hasattr(one, "fun"):
            _of_function(one, rows, x0)
        else:
            raise _strange(one)
    return rows


def _strange(given: Any) -> Misuse:
    return Misuse(
        "constraints must be dicts {'type': 'eq' or 'ineq', 'fun': c}, LinearConstraint"
        f" or NonlinearConstraint of scipy.optimize, or a list of such, got "
        f"{validation.shown(given)}; or state bn.Constrained(f, x0, eq=..., ineq=...)"
    )


def _of_dict(one: dict, rows: dict[str, list], x0: PyTree) -> None:
    kind = str(one.get("type", "")).lower()
    extra = sorted(set(one) - {"type", "fun", "jac", "args"})
    if kind not in ("eq", "ineq") or not callable(one.get("fun")) or extra:
        raise _strange(one)
    fun, own = one["fun"], _own(one.get("args", ()))
    if callable(one.get("jac")):
        _same_rows(lambda x: fun(x, *own), one["jac"], own, x0)
    # SciPy's dicts ask for fun(x) >= 0.
    form = _equal if kind == "eq" else _negated
    rows[kind].append(partial(form, fun, own))


def _own(args: Any) -> tuple:
    """The further arguments of a constraint; SciPy hands them on one by one."""
    if isinstance(args, list | tuple) or getattr(args, "ndim", 0):
        return tuple(args)
    if isinstance(args, int | float | np.number | np.ndarray | jax.Array):
        return (args,)
    raise Misuse(
        f"the args of a constraint must be a tuple, got {validation.shown(args)}; "
        "write 'args': (data,), or leave them out"
    )


def _same_rows(fun: Callable, jac: Callable, own: tuple, x0: PyTree) -> None:
    """Misuse where a Jacobian of the caller's is not that of the constraint."""
    with compat.double():
        flat, back = tree.ravel(x0)
        try:
            ours = jax.jacfwd(lambda v: _flat(fun, back(v)))(flat)
        except Misuse:
            raise
        except Exception:
            return  # Constrained says it better, with the author's line.
        _agree("jac", _evaluated("jac", jac, (x0, *own)), ours)


def _sides(one: Any, m: int) -> tuple[np.ndarray, np.ndarray]:
    _infeasible_is_allowed(one, "constraints")
    low, high = (
        _fitted(v, (m,), f"constraints' {k}")
        for k, v in (("lb", one.lb), ("ub", one.ub))
    )  # fmt: skip
    if (low > high).any():
        raise Misuse("constraints with lb > ub hold nowhere; mend the bounds")
    return low, high


def _of_matrix(one: Any, rows: dict[str, list]) -> None:
    if validation.is_sparse(one.A):
        found = validation.entries(one.A, "constraints' A")
        A = np.zeros(found.shape)
        A[found.rows, found.columns] = found.values
    else:
        A = validation.array(np.atleast_2d(one.A), "constraints' A", ndim=2)
    low, high = _sides(one, A.shape[0])
    same = low == high
    if same.any():
        rows["linear"].append((A[same], low[same]))
    if not same.all():
        _between(partial(_product, A), low, high, rows)


def _of_function(one: Any, rows: dict[str, list], x0: PyTree) -> None:
    fun = partial(_flat, one.fun)
    with compat.double():
        try:
            m = jax.eval_shape(fun, x0).shape[0]
        except Misuse:
            raise
        except Exception:
            # The kind says it better, with the author's line.
            rows["ineq"].append(fun)
            return
    low, high = _sides(one, m)
    same = low == high
    if same.any():
        at = np.flatnonzero(same)
        rows["eq"].append(partial(_over, fun, at, low[at]))
    if not same.all():
        _between(fun, low, high, rows)


def _between(
    fun: Callable, low: np.ndarray, high: np.ndarray, rows: dict[str, list]
) -> None:
    """low <= fun(x) <= high for the rows where the two differ, as rows <= 0."""
    apart = low != high
    down = np.flatnonzero(apart & np.isfinite(low))
    up = np.flatnonzero(apart & np.isfinite(high))
    if down.size:
        rows["ineq"].append(partial(_under, fun, down, low[down]))
    if up.size:
        rows["ineq"].append(partial(_over, fun, up, high[up]))


def _joined(rows: dict[str, list]) -> dict[str, Any]:
    """The arguments of Constrained."""

    linear = None
    if rows["linear"]:
        A, b = zip(*rows["linear"], strict=True)
        linear = (np.concatenate(A), np.concatenate(b))
    both = {k: partial(_rows, tuple(rows[k])) for k in ("eq", "ineq") if rows[k]}
    return both | {"linear": linear}
