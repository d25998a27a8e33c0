"""A fixed point seen as a root, and as an inclusion."""

from typing import Any, ClassVar

import equinox as eqx
from jaxtyping import Array, Float, PyTree

from banach.core import tree
from banach.core.facts import CONSTRUCTION, Fact, Facts
from banach.core.problem import Problem
from banach.core.view import Costs, Seen, View, Way, way
from banach.kinds import view_bases
from banach.kinds.composite.views import DENSE_UP_TO


class RootOfMap(View):
    """x - T(x) = 0."""

    name: ClassVar[str] = "root_of_map"

    unknowns: int = eqx.field(static=True)
    inner: bool = eqx.field(static=True)

    @classmethod
    def of(cls, problem: Problem) -> "RootOfMap":
        """With the Jacobian of a view's own map where that is one."""
        return cls(problem.size(), isinstance(problem, Seen))

    def there(self, problem: Problem) -> "MapRoot":
        """The equations."""
        return MapRoot(problem)

    def costs(self) -> Costs:
        """A Jacobian is n derivatives of the map, or what the map's own view says."""
        bent = {"map_jacobian": 1} if self.inner else {"map": self.unknowns}
        return {"residual": {"map": 1}, "jacobian": bent}

    def fits(self, problem: Problem) -> bool:
        """A map of as many unknowns."""
        return "map" in problem.oracles() and problem.size() == self.unknowns

    def text(self) -> str:
        """Whose root is sought."""
        return "a root of x - T(x)"


class MapRoot(view_bases.AsRoot):
    """F = x - T(x)."""

    def facts(self) -> Facts:
        """Differentiable, where T is a JAX function and no step with a prox."""
        return (
            Facts() if isinstance(self.base, Seen) else Facts({"smooth": CONSTRUCTION})
        )

    def residual(self, x: PyTree) -> PyTree:
        """x - T(x)."""
        return tree.sub(x, self.base.map(x))

    def jacobian(self, x: PyTree) -> Float[Array, "n n"]:
        """I - T'."""
        if isinstance(self.base, view_bases.AsFixedPoint):
            return view_bases.dense(x) - self.base.map_jacobian(x)
        moved = view_bases.jacobian(self.base.map, x)
        return view_bases.dense(x) - moved


class InclusionOfMap(View):
    """0 = (I - T) x: 1/2-cocoercive where T is nonexpansive in the 2-norm."""

    name: ClassVar[str] = "inclusion_of_map"

    def there(self, problem: Problem) -> "MapInclusion":
        """The inclusion."""
        return MapInclusion(problem)

    def costs(self) -> Costs:
        """An operator is a map; the resolvent of nothing is free."""
        return {"operator": {"map": 1}, "component": {"map": 1}, "resolvent": {}}

    def fits(self, problem: Problem) -> bool:
        """A map."""
        return "map" in problem.oracles()

    def text(self) -> str:
        """Which inclusion."""
        return "an inclusion of x - T(x)"


class MapInclusion(view_bases.AsInclusion):
    """F = I - T."""

    def operator(self, z: PyTree) -> PyTree:
        """z - T(z)."""
        return tree.sub(z, self.base.map(z))

    def resolvent(self, v: PyTree, t: Any) -> PyTree:
        """v."""
        return v

    def facts(self) -> Facts:
        """1/2-cocoercive; strongly monotone by 1 - q where T contracts."""
        base = self.base.facts()
        if not base.has("nonexpansive"):
            return Facts()
        source = view_bases.how(base, "nonexpansive")
        constants = {"cocoercive": Fact(0.5, source), "L": Fact(2.0, source)}
        if base.provenance("q") is not None:
            constants["mu"] = Fact(lambda: 1 - base.get("q"), view_bases.how(base, "q"))
        return Facts({"monotone": source}, constants)


def of(problem: Any) -> tuple[Way, ...]:
    """The views of a fixed point, in declared order."""
    return (inclusion(problem), root(problem))


def inclusion(problem: Any) -> Way:
    """As an inclusion, where T is nonexpansive in the 2-norm."""
    absent = ""
    if not problem.facts().has("nonexpansive"):
        absent = "nothing says that the map is nonexpansive; declare contraction=q"
    elif not euclidean(problem):
        absent = (
            "the map is known to be nonexpansive in another norm than the 2-norm "
            "without weights, and monotone is a word of that norm"
        )
    return way(InclusionOfMap, "Inclusion", problem, absent)


def root(problem: Any) -> Way:
    """As equations, up to a size whose Jacobian can be stored."""
    absent = ""
    if problem.size() > DENSE_UP_TO:
        absent = (
            f"a dense Jacobian of {problem.size()} unknowns is too large (more than "
            f"{DENSE_UP_TO})"
        )
    return way(RootOfMap, "Root", problem, absent)


def euclidean(problem: Any) -> bool:
    """Whether q and nonexpansiveness are those of the plain 2-norm (static)."""
    return problem.norm == "2" and getattr(problem, "weights", None) is None
