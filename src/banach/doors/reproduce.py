"""A run again, from the file that `Result.report` wrote."""

import warnings
from functools import partial
from typing import Any

import jax

from banach import zoo
from banach.core import compat, validation
from banach.core.annotations import Path, ProblemLike
from banach.core.check import Absolute, Check
from banach.core.door import door
from banach.core.method import HostMethod, Method
from banach.core.point import Point
from banach.core.problem import Misuse
from banach.core.result import Result, problem_id
from banach.doors import solve as solving
from banach.doors.verify import stated
from banach.engine import restore
from banach.engine.loop import TIERS
from banach.engine.plan import seconds


@door
def reproduce(
    path: Path,
    *,
    problem: "ProblemLike | None" = None,
    start: Any = None,
    time_limit: float | None = None,
) -> Result:
    """Run again what a report describes: the same method, check, start and seed.

    Args:
        path: a file that `Result.report` wrote.
        problem: what to run it on, where the file came without its data; a problem of
            another hash is told by a warning, and run.
        start: as in `solve`, where the run had one that the file came without; a
            warning tells where it is missing.
        time_limit: seconds, in place of those of the first run. A run that a clock
            ended ends elsewhere on another machine.

    Returns:
        Result: to be compared with the file, `status` and `steps` first. The same
        bits are promised on the same versions and device alone.

    Raises:
        Misuse: no report, one without data and no problem= given, or one whose method
            could not be written; the file says what to ask its author for.

    Example:
        >>> import tempfile
        >>> run = bn.solve("lasso:diabetes", "fista", max_steps=3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     again = bn.reproduce(run.report(f"{folder}/report.json"))
        >>> again.status, again.steps == run.steps, bool((again.x == run.x).all())
        ('budget', True, True)
    """
    seconds(time_limit, "time_limit")
    if problem is not None:
        problem, _ = stated(problem)
    saved, store = restore.read_report(path)
    said = saved["report"]
    asked = said["asked"]
    with compat.double(), restore.clear(path):
        if problem is None:
            if "problem" not in saved:
                raise Misuse(
                    f"{path} came without the data of its problem: pass problem= "
                    "(--problem on the command line); it names what to ask its author "
                    f"for: {'; '.join(said['attach'])}"
                )
            named = partial(zoo.from_source, trust=False)
            problem, _ = stated(restore.problem_of(saved, store, named))
        if problem_id(problem) != saved["problem_id"]:
            warnings.warn(
                f"this is not the problem of {path}: data or function differ",
                stacklevel=3,
            )
        method = _method(saved, asked, store, path)
        check = None
        if asked["check"] is not None:
            check = restore.decode(asked["check"], store, Check)
        if start is None and asked["given_start"] and asked["start"] is None:
            warnings.warn(
                f"the run of {path} had a start that the file came without: this one "
                "begins at the problem's own; pass start=",
                stacklevel=3,
            )
        if start is None and asked["start"] is not None:
            x, dual = restore.decode(asked["start"], store, list)
            start = Point(x, dual)
    tol: Any = saved["tol"]
    limits = {k: asked[k] for k in ("max_steps", "rows", "tier") if k in asked}
    if limits.get("tier") is None and not asked["default"]:
        limits["tier"] = _executor(saved)
    return solving.solve(
        problem, method, check=check, start=start,
        tol=Absolute(tol) if saved["tol_is_absolute"] else tol,
        seed=validation.seed(asked["seed"]),
        time_limit=asked.get("time_limit") if time_limit is None else time_limit,
        **limits,
    )  # fmt: skip


def _executor(saved: dict[str, Any]) -> str | None:
    """What ran all of it, so that the bits are the same; None where several did.

    A process that has compiled the program would go on with it, and round otherwise.
    """
    schedule = (saved.get("manifest") or {}).get("schedule") or {}
    legs = schedule.get("legs") or []
    alike = len(legs) == 1 and jax.default_backend() == "cpu"
    return legs[0][0] if alike and legs[0][0] in TIERS else None


def _method(saved: dict[str, Any], asked: dict[str, Any], store: Any, path: Any) -> Any:
    """The method with its settings; None where it was the problem's default."""
    if asked["default"]:
        return None
    if asked["method"] is None:
        raise Misuse(
            f"the method {saved['method']} of {path} could not be written, or held "
            f"arrays; it names what to ask for: {'; '.join(saved['report']['attach'])}"
        )
    method = restore.decode(asked["method"], store)
    if not isinstance(method, Method | HostMethod):
        raise Misuse(f"{path} holds a {type(method).__name__} in the place of a method")
    return method
