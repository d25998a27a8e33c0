"""The base of every method, and when a method applies."""

import abc
import dataclasses
import difflib
import inspect
import re
from collections.abc import Generator, Iterable, Mapping, Set
from contextvars import ContextVar
from typing import Any, ClassVar, NamedTuple, get_origin

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from banach import catalogue
from banach.core import hyperparameters, kind, validation
from banach.core.card import Card
from banach.core.door import RUN
from banach.core.facts import Facts
from banach.core.point import Point
from banach.core.problem import Misuse, Problem


class Refusal(NamedTuple):
    """Why a method does not apply, and what would make it apply.

    Args:
        missing: the fact or the oracle.
        cure: what to do.

    Example:
        >>> flat = bn.Smooth(lambda x: jnp.sum(x**2), np.ones(2))
        >>> said = bn.AcceleratedGradient.suggest(flat, flat.facts())
        >>> isinstance(said, bn.Refusal) and said.missing
        'L'
    """

    missing: str
    cure: str

    def __str__(self):
        return f"missing {self.missing}: {self.cure}"


class Method(eqx.Module):
    """Iterates. Hyperparameters are leaves (a new value never recompiles) unless
    they fix a shape (then a static field). It holds no tolerance, clock or file.

    A method of one's own gives `init` and `step`; everything else has a default. Its
    fields are declared in the words of `banach.core.hyperparameters`.

    Arguments of the constructor are the fields, by position or by name. Those that
    are left out have their default; a field without one, or with a declaration such
    as `fact("L")`, is decided where the method meets its problem. A method made
    without any argument is what `suggest` makes.

    Args:
        values, named: the fields, by place or by name.

    Example:
        >>> bn.Lbfgs(memory=5).memory, isinstance(bn.Lbfgs(), bn.Method)
        (5, True)
    """

    card: ClassVar[Card]
    # Oracle calls of an ordinary step where card.cost is None; paces the checks only.
    typical: ClassVar[Mapping[str, float] | None] = None
    # Whether an entry of the point that is not finite stays so, step after step: then
    # a long run need not look for one at every step.
    absorbing: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        if "__init__" not in cls.__dict__:
            cls.__init__ = _with_signature(cls)  # type: ignore[method-assign]

    def __init__(self, *values: Any, **named: Any):
        cls = type(self)
        given = _arguments(cls, values, named)
        fields = dataclasses.fields(cls)
        blank = not given and any(_default(f) is hyperparameters.OPEN for f in fields)
        for f in fields:
            if f.name in given:
                value = hyperparameters.read(f, given[f.name], cls.__name__)
            else:
                value = hyperparameters.OPEN if blank else _default(f)
            setattr(self, f.name, value)

    @classmethod
    def suggest(
        cls, problem: Problem, facts: Facts, **given: Any
    ) -> "Method | Refusal":
        """Build an instance for this problem, or say what is missing.

        By default every field has its default or the value that its declaration
        makes of a fact. A method may take some of its fields by name: then it is
        told what the caller has decided, and decides the rest to go with it.
        """
        made = {}
        for f in dataclasses.fields(cls):
            if f.name in given:
                continue
            if isinstance(f.default, hyperparameters.FromFact):
                value = f.default.value(facts)
                if value is None:
                    other = re.findall(r"\A[a-z_0-9]+", f.default.instead)
                    open_ = bool(taking(other, problem, facts))
                    return Refusal(f.default.name, f.default.cure(cls.card.name, open_))
                made[f.name] = value
            elif _default(f) is not hyperparameters.OPEN:
                made[f.name] = _default(f)
            else:
                raise NotImplementedError(
                    f"{cls.__name__}.{f.name} has no default, so that suggest has to "
                    "be written; see docs/adding-a-method.md"
                )
        return cls(**made, **given)

    @classmethod
    def variants(cls, problem: Problem, facts: Facts) -> tuple[str, ...]:
        """What a race runs as "name:variant" instead of what `suggest` builds."""
        return ()

    @classmethod
    def variant(cls, name: str, problem: Problem, facts: Facts) -> "Method | Refusal":
        """Build the variant of this name, or say what is missing."""
        base = cls.card.name
        raise Misuse(f"{base} has no variants; got '{base}:{name}', use {base!r}")

    @abc.abstractmethod
    def init(self, problem: Problem, start: Point, key: Array) -> PyTree:
        """The state before the first step."""

    @abc.abstractmethod
    def step(self, problem: Problem, state: PyTree, key: Array) -> PyTree:
        """One iteration; same structure, shapes and dtypes."""

    def point(self, state: PyTree) -> Point:
        """What would be handed to the user now: the first field of the state."""
        return Point(getattr(state, dataclasses.fields(state)[0].name))

    def stuck(self, state: PyTree) -> Bool[Array, ""]:
        """Whether no further step can change the point; ends a run as stalled.

        The field `stuck` of the state; never where it has none.
        """
        return jnp.asarray(getattr(state, "stuck", False))

    def calls(self, state: PyTree) -> dict[str, Any]:
        """Oracle calls so far, for cards with cost=None."""
        raise NotImplementedError(f"{self.card.name}: cost=None needs calls(state)")

    def in_lanes(self) -> "Method":
        """What `suggest` made, as it is best run for many problems side by side.

        There a branch is free only where no lane takes it, so that an expensive part
        that single runs save by keeping an old one may be better made anew.
        """
        return self

    def sent(self, problem: Problem, steps: int) -> dict[str, int]:
        """Bytes sent in a run of so many steps, by direction; empty: nothing is."""
        return {}

    def draws(self) -> bool:
        """Whether another seed is another run."""
        return self.card.random

    def label(self) -> str:
        """Name in tables; bridges add the peer's algorithm."""
        return self.card.name

    def bare(self) -> "Method":
        """The method itself, where it sees its problem through a view."""
        return self

    def seen_as(self) -> str:
        """How it sees its problem, in words; empty: as it is."""
        return ""

    def said(self, state: PyTree) -> dict[str, str] | None:
        """What a peer says of itself at a state: its own status and message."""
        return None


class HostMethod(eqx.Module):
    """A method that runs on the host (a peer, or NumPy); it cannot be resumed.

    Example:
        >>> isinstance(bn.Scipy("BFGS"), bn.HostMethod)
        True
    """

    card: ClassVar[Card]

    @classmethod
    @abc.abstractmethod
    def suggest(cls, problem: Problem, facts: Facts) -> "HostMethod | Refusal":
        """Build an instance for this problem, or say what is missing."""

    @classmethod
    def variants(cls, problem: Problem, facts: Facts) -> tuple[str, ...]:
        """What a race runs as "name:variant" instead of what `suggest` builds."""
        return ()

    @classmethod
    def variant(cls, name: str, problem: Problem, facts: Facts) -> Any:
        """Build the variant of this name, or say what is missing."""
        base = cls.card.name
        raise Misuse(f"{base} has no variants; got '{base}:{name}', use {base!r}")

    @abc.abstractmethod
    def stream(
        self, problem: Problem, start: Point, key: Array
    ) -> Generator[Any, None, Any]:
        """Yield (Point, calls so far) after each of the peer's iterations.

        A third entry is what the peer says of itself so far, {"status": ..,
        "message": ..} in its own words; what is returned is its last word. A fourth is
        a guess of f(x) - f*: while it is far above what is asked, nobody looks.
        """

    def sent(self, problem: Problem, steps: int) -> dict[str, int]:
        """Nothing: a peer runs on one host."""
        return {}

    def draws(self) -> bool:
        """Whether another seed is another run."""
        return self.card.random

    @abc.abstractmethod
    def label(self) -> str:
        """Name in tables, with the peer's algorithm."""

    def seen_as(self) -> str:
        """A peer is handed the problem as it is."""
        return ""


def open_fields(method: Any) -> tuple[str, ...]:
    """Names of the fields that nobody has decided yet, those of a method inside too."""
    found = []
    for f in dataclasses.fields(method):
        value = getattr(method, f.name)
        if isinstance(value, hyperparameters.Open):
            found.append(f.name)
        elif isinstance(value, Method):
            found += [f"{f.name}.{name}" for name in open_fields(value)]
    return tuple(found)


def of_problem(method: Any) -> tuple[str, ...]:
    """Names of fields that a problem decides by itself and that the caller gave."""
    found = []
    for f in dataclasses.fields(method):
        value = getattr(method, f.name)
        if isinstance(value, Method):
            found += [f"{f.name}.{name}" for name in of_problem(value)]
        elif _default(f) is hyperparameters.OPEN:
            found += [f.name] * (not isinstance(value, hyperparameters.Open))
    return tuple(found)


def decided(method: Any, problem: Problem, facts: Facts) -> Any:
    """The method with every field decided for this problem, or a Refusal."""
    if not open_fields(method):
        return method
    cls = type(method)
    held = {f.name: getattr(method, f.name) for f in dataclasses.fields(method)}
    for name, value in held.items():
        if isinstance(value, Method):
            held[name] = decided(value, problem, facts)
            if isinstance(held[name], Refusal):
                return held[name]
    if not any(isinstance(v, hyperparameters.Open) for v in held.values()):
        return cls(**held)
    given = {k: v for k, v in held.items() if not isinstance(v, hyperparameters.Open)}
    takes = inspect.signature(cls.suggest).parameters.values()
    every = any(p.kind is p.VAR_KEYWORD for p in takes)
    names = {p.name for p in takes}
    told = {k: v for k, v in given.items() if every or k in names}
    made = cls.suggest(problem, facts, **told)
    if isinstance(made, Refusal) or not given:
        return made
    return cls(**{k: given.get(k, getattr(made, k)) for k in held})


def completed(method: Any, other: Any) -> Any:
    """The method with what is open in it taken from another of its class."""
    if type(method) is not type(other) or not open_fields(method):
        return method
    held = {f.name: getattr(method, f.name) for f in dataclasses.fields(method)}
    if all(isinstance(v, hyperparameters.Open) for v in held.values()):
        return other
    for name, value in held.items():
        theirs = getattr(other, name)
        if isinstance(value, hyperparameters.Open):
            held[name] = theirs
        elif isinstance(value, Method):
            held[name] = completed(value, theirs)
    return type(method)(**held)


def settled(method: Any) -> Any:
    """The method, if nothing is open; else Misuse, for who has no facts at hand."""
    if not isinstance(method, Method | HostMethod):
        raise Misuse(
            f"method must be a Method instance, got {validation.shown(method)}"
        )
    names = open_fields(method)
    if names:
        name = type(method).__name__
        raise Misuse(
            f"{name} leaves {', '.join(names)} open, and nothing decides it here: give "
            f"{names[0]}=..., or build it for the problem: "
            f"{name}.suggest(problem, problem.facts()); bn.solve does that by itself"
        )
    return method


def _default(field: Any) -> Any:
    """A field's default as an instance may hold it; OPEN where there is none."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    if field.default is dataclasses.MISSING or isinstance(
        field.default, hyperparameters.FromFact
    ):
        return hyperparameters.OPEN
    return field.default


def _with_signature(cls: type) -> Any:
    """The constructor of Method with the fields of this class for its signature."""

    def __init__(self, *values: Any, **named: Any):
        Method.__init__(self, *values, **named)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    shown = [inspect.Parameter("self", kind)]
    for name, annotation in inspect.get_annotations(cls).items():
        if annotation is ClassVar or get_origin(annotation) is ClassVar:
            continue
        default = cls.__dict__.get(name, dataclasses.MISSING)
        default = getattr(default, "default", default)
        default = hyperparameters.OPEN if default is dataclasses.MISSING else default
        shown.append(
            inspect.Parameter(name, kind, default=default, annotation=annotation)
        )
    __init__.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    return __init__


def _arguments(
    cls: type, values: tuple[Any, ...], named: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments by the name of their field, or Misuse."""
    names = [f.name for f in dataclasses.fields(cls)]
    listed = ", ".join(names) or "none"
    if len(values) > len(names):
        raise Misuse(
            f"{cls.__name__} has {len(names)} hyperparameters ({listed}), got "
            f"{len(values)} values"
        )
    given = dict(zip(names, values, strict=False))
    for name, value in named.items():
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; it has {listed}"
            hint = f"; {RUN[name]}" if name in RUN else hint
            raise Misuse(f"{cls.__name__} has no hyperparameter {name!r}{hint}")
        if name in given:
            raise Misuse(f"{cls.__name__} got {name} twice, by position and by name")
        given[name] = value
    return given


# Whether refusals are being asked for the sake of another one's words.
_ASIDE: ContextVar[bool] = ContextVar("aside", default=False)


def taking(names: Iterable[str], problem: Problem, facts: Facts) -> list[str]:
    """Of these methods ('fista', 'scipy:SLSQP') those that take the problem as it is.

    For the words of a refusal, which must name nothing that would refuse as well.
    """
    if _ASIDE.get():
        return []  # these words are read by nobody
    token = _ASIDE.set(True)
    try:
        return [name for name in names if _takes(name, problem, facts)]
    finally:
        _ASIDE.reset(token)


def _takes(name: str, problem: Problem, facts: Facts) -> bool:
    base, _, variant = name.partition(":")
    entry = catalogue.find(base)
    if not (variant and entry["host"]):
        # A host bridge restates problems for its peer, algorithm by algorithm.
        needs, assumes = frozenset(entry["needs"]), frozenset(entry["assumes"])
        if applicable(needs, assumes, problem, facts, base) is not None:
            return False
    cls: Any = catalogue.load_method(base)
    if variant:
        made = cls.variant(variant, problem, facts)
    else:
        made = cls.suggest(problem, facts)
    return not isinstance(made, Refusal)


def applicable(
    card_needs: Set[str],
    card_assumes: Set[str],
    problem: Problem,
    facts: Facts,
    name: str,
) -> Refusal | None:
    """None where a card fits a problem, else the Refusal that names the cure."""
    oracles = problem.oracles()
    missing = sorted(card_needs - oracles)
    if missing:
        what = ", ".join(missing)
        usual = kind.cure(missing[0]) or f"banach methods --problem {problem.kind}"
        cure = problem.instead(missing[0]) or usual
        return Refusal(
            f"oracle {what}",
            f"{name} needs the oracle {what}, which {problem.kind} lacks. {cure}",
        )
    essential = problem.essential()
    if essential and not (essential & card_needs):
        what = "the term"
        apt: list[str] = []
        if problem.card is not None:
            what = problem.card.term
            names = kind.preferred(problem.card, problem, facts)
            apt = taking(names, problem, facts)[:2]
        either = " or ".join(sorted(essential))
        example = f" (banach methods --problem {problem.kind})"
        if apt:
            example = f", e.g. {' or '.join(apt)}"
        return Refusal(
            f"use of {either}",
            f"{name} would ignore {what} of {problem.kind}; use a method that needs "
            f"{either}{example}, or drop {what}",
        )
    absent = sorted(f for f in card_assumes if not facts.has(f))
    if absent:
        what, otherwise = ", ".join(absent), kind.cure(absent[0])
        return Refusal(
            f"fact {what}",
            f"{name} assumes {what}, which {problem.kind} does not know. Declare it "
            f"({absent[0]}=True where the problem is stated) if it is true"
            + (f"; {otherwise}" if otherwise else ""),
        )
    return None
