"""The base of every problem kind."""

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from banach.core.facts import Facts
from banach.core.point import Point


class Misuse(ValueError):
    """Bad input: the message says what was given, what is needed, what to do."""


class Problem(eqx.Module):
    """A mathematical problem. Data are array leaves; structure is static.

    A kind implements the abstract members and whichever oracles it names in
    `oracles()`: `value(x)`, `grad(x)`, `value_and_grad(x)`, `hvp(x, v)`, `hess(x)`
    (dense, in the order of `tree.ravel`), `prox(v, t)`, `project(v)`, `lmo(g)`.
    Where there is a term beside the smooth part, value/grad/hvp/hess are those of
    the smooth part and `objective` is the whole.
    """

    kind: ClassVar[str]

    @abc.abstractmethod
    def oracles(self) -> frozenset[str]:
        """Names of the oracles that this instance offers (static)."""

    @abc.abstractmethod
    def space(self) -> PyTree:
        """Structure of the variable, a pytree of `jax.ShapeDtypeStruct`."""

    @abc.abstractmethod
    def start(self) -> Point:
        """A feasible default start."""

    @abc.abstractmethod
    def facts(self) -> Facts:
        """What is known about this instance, with provenance."""

    @abc.abstractmethod
    def optimality(self, point: Point) -> Point:
        """A residual of the structure of the point, zero exactly at solutions."""

    @abc.abstractmethod
    def objective(self, x: PyTree) -> Any:
        """The whole objective (or merit) at x, a scalar."""

    @abc.abstractmethod
    def formula(self) -> str:
        """The exact objective as one line of text."""

    @abc.abstractmethod
    def default_check(self) -> str:
        """Name of the one default quantity of this kind (CERTIFICATES 2.4)."""

    def essential(self) -> frozenset[str]:
        """Oracles of which a method must use at least one, or it solves another
        problem: prox, project or lmo where there is a term. Empty: none."""
        return frozenset()

    def prices(self) -> Mapping[str, float]:
        """Work of one call of an oracle, where a value is 1 and a gradient 2."""
        return {}

    def instead(self, oracle: str) -> str | None:
        """What to do where a method needs an oracle that this kind lacks, if known."""
        return None

    def pass_bytes(self) -> int:
        """Memory that one gradient may touch, where that is more than the data.

        Sizes the first chunk of a run, before anything was timed.
        """
        return 0

    def reference_point(self) -> Point | None:
        """What "small" is relative to, from problem data only; None: absolute."""
        return None

    def undefined(self, x: PyTree) -> Any:
        """Whether f(x) is not a number; x then solves nothing."""
        return jnp.isnan(self.value(x))

    def residual_step(self) -> Any:
        """The t of the prox residual ||x - prox(x - t grad, t)||, from data only."""
        L = self.facts().L
        return 1.0 if L is None else 1 / L

    def unsolvable(self) -> tuple[str, str] | None:
        """("infeasible" | "unbounded", proof in words) if the data show it."""
        return None

    def diagnosis(self, x: PyTree) -> str | None:
        """Why a run may get no further at x, and the cure, where the data tell."""
        return None

    def layout(self) -> Any:
        """The mesh of devices that the oracles run on (core.mesh.Layout), or None."""
        return None

    def local(self) -> "Problem":
        """The same problem on this process's default device alone."""
        return self

    def as_root(self) -> "Problem":
        """This problem as F(x) = 0, or a refusal naming the cure."""
        raise Misuse(f"{self.kind} cannot be stated as a root; use bn.Root(F, x0)")

    def as_composite(self) -> "Problem":
        """This problem as smooth part plus term, or a refusal naming the cure."""
        raise Misuse(
            f"{self.kind} cannot be stated as Composite; use bn.Composite(f, term, x0)"
        )

    def as_finite_sum(self) -> "Problem":
        """This problem as a finite sum, or a refusal naming the cure."""
        raise Misuse(
            f"{self.kind} holds no list of terms; state it as bn.FiniteSum or bn.GLM"
        )

    def size(self) -> int:
        """Number of scalar unknowns."""
        return sum(_entries(leaf.shape) for leaf in jax.tree.leaves(self.space()))


def _entries(shape: tuple[int, ...]) -> int:
    n = 1
    for d in shape:
        n *= d
    return n
