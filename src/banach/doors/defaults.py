"""Defaults: which method and which check, from the structure of the problem.

The evidence for each choice is in docs/decisions/0003-default-methods.md.
"""

from functools import partial
from typing import Any

from banach import catalogue
from banach.checks import by_name
from banach.core.check import Check
from banach.core.facts import Facts
from banach.core.kind import preferred
from banach.core.method import Refusal, applicable, decided, of_problem, open_fields
from banach.core.problem import Misuse, Problem, demands
from banach.core.view import Viewed
from banach.doors.routes import Paths, meet


def preferences(problem: Problem, facts: Facts) -> list[str]:
    """Names of default methods, best first; the first that applies begins."""
    return preferred(problem.card, problem, facts)


def default_method(
    problem: Problem, facts: Facts | None = None, host: bool = True
) -> Any:
    """The default method for this problem, built by its `suggest`.

    `host`: also one that runs in NumPy, where no jit, vmap and tier= can have it.
    """
    facts = problem.facts() if facts is None else facts
    tried, paths = [], Paths(problem, facts)
    for name in preferences(problem, facts):
        if not host and card_of(name.partition(":")[0])["host"]:
            continue
        built = suggest(name, problem, facts, paths=paths)
        if not isinstance(built, Refusal):
            return built
        tried.append(f"{name}: {built.cure}")
    raise Misuse(
        f"no default method applies to this {problem.kind}. " + "; ".join(tried)
    )


def after(method: Any, problem: Problem) -> list[str]:
    """The names of the defaults that come after one."""
    names = preferences(problem, problem.facts())
    here = names.index(method.label()) if method.label() in names else len(names)
    return names[here + 1 :]


def first_choice(problem: Problem) -> Any:
    """The best default of the kind, whether or not it applies; it will take no step."""
    facts = problem.facts()
    name = preferences(problem, facts)[0]
    return catalogue.load_method(name).suggest(problem, facts)


def card_of(name: str) -> dict[str, Any]:
    """The catalogue's entry of a method; Misuse with the nearest names without one."""
    try:
        return catalogue.find(name)
    except catalogue.UnknownMethod as e:
        raise Misuse(str(e)) from None


def suggest(
    name: str,
    problem: Problem,
    facts: Facts,
    *,
    risky: bool = True,
    paths: Paths | None = None,
) -> Any:
    """Build a method by name ('lbfgs', 'optax:adam'), or a Refusal.

    The method meets the problem itself, or else the first of its views that it takes;
    `risky`: also those that are made only where somebody names the method. `paths`
    are those of the problem, where many methods ask for them.
    """
    base, _, variant = name.partition(":")
    entry = card_of(base)
    if variant and entry["host"]:
        # A host bridge restates problems for its peer, algorithm by algorithm.
        return catalogue.load_method(base).variant(variant, problem, facts)
    if entry["family"] == "bridge":
        no = applicable(
            frozenset(entry["needs"]), frozenset(entry["assumes"]), problem, facts, base
        )
        if no is not None:
            return no
    cls = catalogue.load_method(base)
    build = cls.suggest
    if variant:
        build = lambda p, f: cls.variant(variant, p, f)  # noqa: E731
    return meet(cls, paths or Paths(problem, facts), build, risky)


def method_for(
    method: Any, problem: Problem, facts: Facts | None = None, host: bool = True
) -> Any:
    """A method instance from an instance, a class, a name or None.

    Nothing is open in it: what the caller left open is decided here. `host`: see
    `default_method`.
    """
    if method is None:
        return default_method(problem, facts, host)
    facts = problem.facts() if facts is None else facts
    if isinstance(method, str):
        built = suggest(method, problem, facts)
    elif isinstance(method, type):
        card = getattr(method, "card", None)
        if card is None:
            raise Misuse(f"{method.__name__} is not a banach method (it has no card)")
        if isinstance(card, property):
            # A wrapper by itself: it says what it wraps.
            raise Misuse(method.suggest(problem, facts).cure)
        built = meet(method, Paths(problem, facts), method.suggest, True)
    elif isinstance(method, Viewed):
        method.suited(problem)
        built = method
    else:
        card = getattr(method, "card", None)
        if card is None and getattr(method, "_fields", None) == ("init", "update"):
            raise Misuse(
                "an optax transformation is passed as what makes it, so that it can be "
                "made again: bn.FromOptax(optax.adam, learning_rate=1e-2), or of a "
                "chain bn.FromOptax(lambda: optax.chain(...))"
            )
        if card is None:
            raise Misuse(
                f"method must be a name, a Method or a Method class, got "
                f"{type(method).__name__}; see banach methods"
            )
        no = applicable(card.needs, card.assumes, problem, facts, card.name)
        given = not open_fields(method) or of_problem(method)
        # What a host peer cannot take, its bridge refuses by itself.
        peer = card.host and card.family == "bridge"
        if peer or (no is None and given):
            # Numbers that somebody gave are those of the problem as it stands.
            built = decided(method, problem, facts)
        else:
            paths = Paths(problem, facts)
            built = meet(method, paths, partial(decided, method), True)
    if isinstance(built, Refusal):
        raise Misuse(built.cure)
    return built


def check_for(check: Any, problem: Problem) -> Check:
    """A check instance from an instance, a name or None (the kind's default)."""
    if check is None:
        check = problem.default_check()
    if isinstance(check, str):
        check = by_name(check)
    if not isinstance(check, Check):
        raise Misuse(
            f"check must be a name or a Check, got {type(check).__name__}; e.g. "
            "check='stationarity'"
        )
    demands(check)
    no = check.refuses(problem)
    if no is not None:
        raise Misuse(no)
    return check
