"""What is known about a problem, and how it is known."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from banach.core import compat

CONSTRUCTION = "by construction"
DECLARED = "declared"
ESTIMATED = "estimated"
LIKELY = "proved but for a chance of 1e-12 over a random start"
SEEN = "seen along a few directions, no bound"


class Fact(NamedTuple):
    """A constant with its provenance; `value` may be computed on first use.

    Args:
        value: a number, or a function of none that gives it.
        provenance: where it comes from, such as "declared".

    Example:
        >>> bn.Fact(2.0, "declared").provenance
        'declared'
    """

    value: Any
    provenance: str


def given(constants: Mapping[str, Any], provenance: str = DECLARED) -> dict[str, Fact]:
    """The constants that are not None, as facts of one provenance."""
    return {k: Fact(v, provenance) for k, v in constants.items() if v is not None}


class Facts:
    """Properties and constants of one problem instance.

    `properties` maps words of `card.FACTS` to a provenance. `constants` maps
    L (gradient Lipschitz constant of the smooth part, an upper bound), curvature (a
    cheap value that L is at least, for methods that watch it), mu (strong convexity),
    M (self-concordance), radius (a bound on ||x - x*||), rho (of a term that is not
    convex: with rho/2 ||.||^2 it is) to facts. A constant given as a function is
    evaluated once, when first read.

    Args:
        properties: words such as "convex" to a provenance.
        constants: names such as "L" to facts.

    Example:
        >>> facts = bn.Smooth(
        ...     lambda x: jnp.sum(x**2), np.ones(2), convex=True, L=2.0
        ... ).facts()
        >>> facts.has("convex"), facts.L, facts.provenance("L")
        (True, array(2.), 'declared')
    """

    def __init__(
        self,
        properties: Mapping[str, str] | None = None,
        constants: Mapping[str, Fact | None] | None = None,
    ):
        self.properties = dict(properties or {})
        self._constants = {k: v for k, v in (constants or {}).items() if v is not None}

    def __repr__(self) -> str:
        said = [f"{k} ({v})" for k, v in self.properties.items()]
        for name, fact in self._constants.items():
            # What is not worked out yet is not, for the sake of a line.
            later = callable(fact.value) or compat.is_tracer(fact.value)
            if fact.value is not None:
                value = "..." if later else f"{float(fact.value):.6g}"
                said.append(f"{name}={value} ({fact.provenance})")
        return f"Facts({', '.join(said) or 'none known'})"

    def has(self, name: str) -> bool:
        """Whether a property holds (constructed or declared)."""
        return name in self.properties

    def get(self, name: str) -> Any | None:
        """The constant's value, or None where it is unknown."""
        fact = self._constants.get(name)
        if fact is None:
            return None
        if callable(fact.value):
            fact = Fact(fact.value(), fact.provenance)
            self._constants[name] = fact
        return fact.value

    def only(self, properties: Mapping[str, str], constants: Iterable[str]) -> "Facts":
        """These properties, and of the constants those of these names."""
        own = self._constants
        return Facts(properties, {k: own[k] for k in constants if k in own})

    def extended(self, constants: Mapping[str, Fact]) -> "Facts":
        """These facts and more constants."""
        return Facts(self.properties, {**self._constants, **constants})

    def provenance(self, name: str) -> str | None:
        """How a property or constant is known, or None."""
        if name in self.properties:
            return self.properties[name]
        fact = self._constants.get(name)
        return None if fact is None else fact.provenance

    def says(self, name: str) -> str:
        """The line that a certificate prints when it relies on this fact."""
        return f"{name}: {self.provenance(name)}"

    @property
    def L(self) -> Any | None:
        """Upper bound on the gradient's Lipschitz constant, or None."""
        return self.get("L")

    @property
    def mu(self) -> Any | None:
        """Strong convexity constant, or None."""
        return self.get("mu")

    @property
    def M(self) -> Any | None:
        """Self-concordance constant, or None."""
        return self.get("M")

    @property
    def radius(self) -> Any | None:
        """Bound on the distance from the start to a solution, or None."""
        return self.get("radius")

    def table(self) -> dict[str, tuple[Any, str]]:
        """All facts as name -> (value, provenance), for reports."""
        rows: dict[str, tuple[Any, str]] = {
            k: (True, v) for k, v in self.properties.items()
        }
        for name in self._constants:
            value = self.get(name)
            rows[name] = (
                None if value is None else float(value),
                self._constants[name].provenance,
            )
        return rows
