"""What a run hands to the user: the verdict, its evidence and how it came about."""

import copy
import dataclasses
import hashlib
import pickle
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import PyTree

from banach.core.check import Certificate
from banach.core.point import Point
from banach.core.printing import certificate_json, number, plain_block
from banach.core.problem import Misuse, Problem


def elsewhere(name: str) -> str:
    """What says it here, of a word of SciPy, scikit-learn or JAXopt; else the word."""
    return _ELSEWHERE.get(name, name)


class NotCertified(RuntimeError):
    """Raised by `Result.require()`: the answer may not be believed as it stands.

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 4), np.zeros(2))
        >>> try:
        ...     bn.solve(bowl, "gradient_descent", max_steps=1).require()
        ... except bn.NotCertified as error:
        ...     print(str(error)[:6])
        ...
        budget
    """


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """Stands in a pickled Result for what only the first process could call.

    A user's function cannot be pickled: the problem (method, check) that holds one
    is left out, and `bn.verify(result, problem=...)` asks for it.
    """

    what: str
    name: str
    family: str = ""
    sends: tuple[tuple[str, int], ...] = ()
    constrained: bool = False

    @property
    def card(self) -> "LeftOut":
        """What remains of a method's card: name and family."""
        return self

    def label(self) -> str:
        """Name in tables."""
        return self.name

    def sent(self, problem: Any, steps: int) -> dict[str, int]:
        """Bytes sent in the run."""
        return dict(self.sends)

    def oracles(self) -> frozenset[str]:
        """Of a problem's oracles, the one that decides what is printed."""
        return frozenset({"constraints"} if self.constrained else ())


@dataclasses.dataclass(frozen=True)
class TraceView:
    """Rows of a run: step, seconds (interpolated inside a chunk), ratio, calls.

    `ratio` is (value + slack) / scale; of looks that did not pass and had no need of
    a slack (decision 0004) it is value / scale.
    """

    step: np.ndarray
    seconds: np.ndarray
    ratio: np.ndarray
    value: np.ndarray
    calls: dict[str, np.ndarray]
    measured: np.ndarray

    def __len__(self) -> int:
        return len(self.step)

    def __repr__(self) -> str:
        if not len(self):
            return "TraceView(no rows)"
        return (
            f"TraceView({len(self)} rows, steps {self.step[0]} to {self.step[-1]}, "
            f"ratio {self.ratio[0]:.3g} to {self.ratio[-1]:.3g}, least "
            f"{np.min(self.ratio):.3g})"
        )


FIELDS = (
    "problem method check point certificate status reason hint tol absolute steps "
    "best_step calls seconds trace manifest key_data settings carry timed_out source "
    "peer asked"
).split()
_FIELDS = frozenset(FIELDS)
_OF_MODELS = ("coef", "intercept")
# Words of SciPy, scikit-learn and JAXopt, and what says it here.
_ELSEWHERE = {
    "success": "certified",
    "converged": "certified",
    "message": "reason",
    "nit": "steps",
    "n_iter_": "steps",
    "nfev": "calls",
    "njev": "calls",
    "nhev": "calls",
    "fun": "problem.objective(result.x)",
    "value": "problem.objective(result.x)",
    "jac": "problem.grad(result.x)",
    "grad": "problem.grad(result.x)",
    "hess": "problem.hess(result.x)",
    "hess_inv": "problem.hess(result.x)",
    "error": "certificate",
    "optimality": "certificate",
    "params": "x",
    "state": "trace",
    "solution": "x",
    "score": "predict(new), to be compared with the targets",
    "coef_": "coef",
    "intercept_": "intercept",
    "classes_": "problem.labels()",
    "multipliers": "point.dual",
    **dict.fromkeys(
        "bse conf_int cov_params covariance pcov pvalues standard_errors stderr "
        "summary tvalues".split(),
        "bn.uncertainty(result)",
    ),
}
# What a deep copy makes anew; problem, method and check never change.
_ARRAYS = ("point", "trace", "calls", "seconds", "manifest", "key_data")
DEFAULTS = {
    "settings": None, "carry": None, "timed_out": False, "source": None, "peer": None,
    "asked": None,
}  # fmt: skip


class Answer:
    """What x says by the names of its problem's data; of a run, fresh or saved."""

    problem: Any
    x: Any

    @property
    def coef(self) -> Any:
        """The coefficients of a linear model by column: a mapping that prints a table.

        An array too (np.asarray), and a Series: pandas.Series(result.coef).
        """
        return self._named()[0]

    @property
    def intercept(self) -> Any:
        """The intercept of a linear model, 0 without one; of many classes by label."""
        return self._named()[1]

    def _named(self) -> tuple[Any, Any]:
        named = getattr(self.problem, "named", None)
        found = None if named is None else named(self.x)
        if found is None:
            raise AttributeError  # the words are in __getattr__
        return found

    def predict(self, new: Any, *, offset: Any = None) -> Any:
        """`problem.predict` at x: means of new rows, of a classifier their labels."""
        return self._whole().predict(self.x, new, **_given(offset))

    def predict_proba(self, new: Any, *, offset: Any = None) -> Any:
        """`problem.predict_proba` at x, a column a class as in `problem.labels()`."""
        return self._whole().predict_proba(self.x, new, **_given(offset))

    def _whole(self) -> Problem:
        if isinstance(self.problem, LeftOut):
            raise Misuse(
                f"this result came without its problem: the functions of a "
                f"{self.problem.name} cannot be pickled. State it again: "
                "problem.predict(result.x, new)"
            )
        return self.problem

    if not TYPE_CHECKING:  # a checker is to know that there is no other word

        def __getattr__(self, name: str) -> Any:
            return self._unheld(name)

    def _unheld(self, name: str) -> Any:
        """What stands under a name that is no field, or the words that say so."""
        if name in _OF_MODELS:
            held = self.__dict__.get("problem")
            if isinstance(held, LeftOut):
                raise AttributeError(
                    f"this result came without its problem, which names its {name}: "
                    f"state it again, problem.named(result.x)"
                )
            kind = getattr(held, "kind", "this problem")
            raise AttributeError(f"{kind} has no {name}: its answer is result.x")
        raise AttributeError(self._instead(name))

    def _instead(self, name: str) -> str:
        """The words for an attribute that is not there."""
        return f"{type(self).__name__!r} object has no attribute {name!r}"


class Result(Answer):
    """A finished (or interrupted) run.

    `x` is the very point that `certificate` speaks of. An uncertified run returns
    the best-certified point it met. `seconds` holds compile (tracing included),
    run and check, which for compiled methods is the checks' share of the run by
    declared oracle costs.

    Fields:
        problem, method, check: what ran.
        point: x, and multipliers where there are some.
        certificate: what the check says of it.
        status: "certified", "budget", "stalled", "nonfinite", "interrupted",
            "infeasible", "unbounded", "refuted" or "unverifiable".
        reason, hint: why it ended, and what to do, in words.
        tol, absolute: the tolerance asked, and whether in the quantity's unit.
        steps, best_step: of the method; after how many the point was met.
        calls: of each oracle, by name.
        seconds: by compile, run and check.
        trace: rows of the run.
        manifest: versions, devices and the schedule of executors.
        key_data: of the random streams.
        settings, carry: where a checkpoint goes on from, else None.
        timed_out: whether the time limit ended it.
        source: where a ready problem comes from, else None.
        peer: what a peer library last said of its own run, {"status": ...,
            "message": ...} in its words (None for native methods). It is shown, and
            believed by nobody.
        asked: what else the run was given, {"default": whether no method was named,
            "start": None for the problem's own, "max_steps", "time_limit", "rows",
            "tier", "resumed"}; None for a lane of `solve_many`.

    Args:
        later: fields as functions, each evaluated when it is first read, so that a
            solve of half a millisecond does not pay for words nobody reads.
        now: the other fields, by name.

    Example:
        >>> result = bn.solve(bn.Ridge(np.eye(2), np.ones(2), l2=1.0))
        >>> (
        ...     result.certified,
        ...     result.x.round(3),
        ...     result.require().steps == result.steps,
        ... )
        (True, array([0.5, 0.5]), True)
    """

    problem: Problem
    method: Any
    check: Any
    point: Point
    certificate: Certificate
    status: str
    reason: str
    hint: str
    tol: float
    absolute: bool
    steps: int
    best_step: int
    calls: dict[str, int]
    seconds: dict[str, float]
    trace: TraceView
    manifest: dict[str, Any]
    key_data: np.ndarray
    settings: Any
    carry: Any
    timed_out: bool
    source: dict[str, Any] | None
    peer: dict[str, str] | None
    asked: dict[str, Any] | None

    def __init__(
        self, *, later: Mapping[str, Callable[..., Any]] | None = None, **now: Any
    ):
        later = later or {}
        given = {k: v for k, v in DEFAULTS.items() if k not in later} | now
        missing = _FIELDS - given.keys() - later.keys()
        if missing or given.keys() - _FIELDS:
            unknown = sorted(given.keys() - _FIELDS)
            raise Misuse(
                f"a Result has the fields {', '.join(FIELDS)}; unknown: "
                f"{', '.join(unknown) or 'none'}; missing: "
                f"{', '.join(sorted(missing)) or 'none'}"
            )
        self.__dict__.update(given, _later=later)

    def _unheld(self, name: str) -> Any:
        later = self.__dict__.get("_later", {})
        if name not in later:
            return super()._unheld(name)
        value = self.__dict__[name] = later[name]()
        return value

    def _instead(self, name: str) -> str:
        if name in _ELSEWHERE:
            word = _ELSEWHERE[name]
            where = word if word.startswith("bn.") else f"result.{word}"
            return f"Result has no field {name!r}: here it is {where}"
        return f"Result has no field {name!r}; it has {FIELDS}"

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Result is evidence: {name} cannot be set")

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *FIELDS})

    def __getstate__(self) -> dict[str, Any]:
        """Plain data: every field, without what only this process can call."""
        return {k: _portable(k, getattr(self, k), self) for k in FIELDS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _later={})

    def __copy__(self) -> "Result":
        return self.replaced()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Result":
        own = {k: copy.deepcopy(getattr(self, k), memo) for k in _ARRAYS}
        return self.replaced(**own)

    def replaced(self, **changes: Any) -> "Result":
        """A copy with some fields changed (for the library's own doors)."""
        now = {k: self.__dict__[k] for k in FIELDS if k in self.__dict__} | changes
        later = {k: (lambda k=k: getattr(self, k)) for k in FIELDS if k not in now}
        return Result(later=later, **now)

    @property
    def x(self) -> PyTree:
        """The answer, as NumPy arrays of the structure of the start."""
        return self.point.x

    @property
    def certified(self) -> bool:
        """Whether the check passed at the asked tolerance."""
        return self.status == "certified"

    @property
    def label(self) -> str:
        """The method's name, with the peer's algorithm for bridges."""
        return self.method.label()

    @property
    def problem_id(self) -> str:
        """Hash of all data leaves and the program."""
        if isinstance(self.problem, LeftOut):
            return self.certificate.problem_id
        return problem_id(self.problem)

    @property
    def sent(self) -> dict[str, int]:
        """Bytes that workers and server sent, up and down; empty where nothing was."""
        return self.method.sent(self.problem, self.steps)

    def require(self) -> "Result":
        """This result if certified, else `NotCertified` with reason and cure."""
        if not self.certified:
            hint = f" {self.hint}" if self.hint else ""
            raise NotCertified(f"{self.status}: {self.reason}.{hint}")
        return self

    @property
    def dual_norm(self) -> float | None:
        """2-norm of the multipliers of the constraints that the check used, if any."""
        if self.point.dual is None or "constraints" not in self.problem.oracles():
            return None
        leaves = [np.ravel(v) for v in jax.tree.leaves(self.point.dual)]
        return number(np.linalg.norm(np.concatenate(leaves))) if leaves else None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as in races; saved runs hold more (schema_version 2)."""
        card = self.method.card
        return {
            "schema_version": 1,
            "method": self.label,
            "family": card.family,
            "status": self.status,
            "reason": self.reason,
            "hint": self.hint,
            "peer": self.peer,
            "certificate": certificate_json(self.certificate),
            "dual_norm": self.dual_norm,
            "tol": self.tol,
            "tol_is_absolute": self.absolute,
            "steps": self.steps,
            "best_step": self.best_step,
            "calls": self.calls,
            "sent": self.sent,
            "seconds": {k: float(v) for k, v in self.seconds.items()},
            "trace": {
                "step": self.trace.step.tolist(),
                "seconds": self.trace.seconds.tolist(),
                "ratio": [number(v) for v in self.trace.ratio],
                "value": [number(v) for v in self.trace.value],
                "calls": {k: v.tolist() for k, v in self.trace.calls.items()},
            },
            "manifest": self.manifest,
        }

    def plot(self, ax: Any = None, against: str = "step") -> Any:
        """Certified ratio, a matplotlib Figure; `against` as in `Race.plot`."""
        from banach.report.figures import plot_result

        return plot_result(self.to_dict(), self.tol, ax, against)

    def save(self, path: Any, *, checkpoint: bool = False) -> Any:
        """Write JSON (+ npz of large arrays); see `banach verify` and `resume=`."""
        from banach.core.save import save_result

        return save_result(self, path, checkpoint=checkpoint)

    def report(self, path: Any = None, *, data: bool = False) -> Any:
        """Write one file that lets somebody else see this run, or run it again.

        A JSON file, so that it can be read before it is sent: versions, device, the
        problem, the method with its settings, check, tolerance, seed, start, trace,
        certificate, what the peer said, and how to run it again. No name of a host,
        a user or a folder is in it.

        Args:
            path: a file name.json; None: banach-report-<8 digits>.json, here.
            data: whether the data of the problem, the start and the answer are in the
                file. Without them it says only shapes, dtypes, ranges, conditions and
                a hash; a built-in problem needs none. With them the file is a saved
                run as well: `banach verify` reads it, and `banach reproduce`
                (`bn.reproduce`) runs it again from nothing.

        Returns:
            Path: where it was written. Where a function of yours cannot be saved the
            file says so, and what to attach.
        """
        from banach.report.failure import write_report

        return write_report(self, path, data)

    def __str__(self) -> str:
        return plain_block(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from banach.report.cards import of_result

        return of_result(self)


def _portable(field: str, value: Any, result: Any) -> Any:
    """The value as plain data, or what stands for it where it cannot be pickled."""
    value = jax.device_get(value) if field == "carry" else value
    if field not in ("problem", "method", "check"):
        return value
    try:
        pickle.dumps(value)
    except (pickle.PicklingError, AttributeError, TypeError, NotImplementedError):
        return _stand_in(field, value, result)
    return value


def _stand_in(field: str, value: Any, result: Any) -> LeftOut:
    if field == "problem":
        return LeftOut(field, value.kind, constrained="constraints" in value.oracles())
    if field == "check":
        return LeftOut(field, value.name)
    sends = tuple(result.sent.items())
    return LeftOut(field, value.label(), value.card.family, sends)


def problem_id(problem: Problem) -> str:
    """sha256 of structure, program text and every data leaf (dtype, shape, bits)."""
    leaves, treedef = jax.tree.flatten(problem)
    return id_of(treedef, leaves)


def id_of(treedef: Any, leaves: Iterable[Any]) -> str:
    """`problem_id` of a flattened problem."""
    h = hashlib.sha256(str(treedef).encode())
    for leaf in leaves:
        _eat(h, leaf)
    return h.hexdigest()[:32]


def point_id(x: PyTree) -> str:
    """sha256 of the exact returned bits."""
    h = hashlib.sha256()
    for leaf in jax.tree.leaves(x):
        _eat(h, leaf)
    return h.hexdigest()[:32]


def _eat(h: Any, leaf: Any) -> None:
    a = np.ascontiguousarray(leaf)
    h.update(f"{a.dtype}{a.shape}".encode())
    h.update(a.view(np.uint8).data if a.size and a.ndim else a.tobytes())


def _given(offset: Any) -> dict[str, Any]:
    """An argument that linear models alone have."""
    return {} if offset is None else {"offset": offset}
