"""Optimisers of optax: adam, lbfgs, sgd with momentum, and every other alias."""

import functools
import inspect
from typing import Any, ClassVar

import equinox as eqx

from banach.bridge import _inputs
from banach.bridge._from_optax import FromOptax
from banach.core.card import method
from banach.core.hyperparameters import OPEN
from banach.core.method import Method, Refusal
from banach.core.problem import Misuse

LEARNING_RATE = 1e-2
"""For rules whose step is scale-free in the gradient (adam and its relatives) no
constant of the problem gives a learning rate. This one is not tuned."""

_GRADIENT_STEPS = ("sgd", "nesterov", "optimistic_gradient_descent")


@method(problem="Smooth", needs={"value", "grad"}, paper="deepmind2020jax", cost=None)
class Optax(Method):
    """An optimiser of optax by name: `Optax("adam", learning_rate=1e-2)`.

    Any function of optax with the argument learning_rate, and "nesterov", which is
    sgd with momentum=0.9, nesterov=True. `variant` takes 1/L for sgd and nesterov,
    nothing for lbfgs (it searches along a line) and the untuned 0.01 for the rest.
    Transformations that are no alias: `bn.FromOptax(factory, **hyper)`.

    Fails as optax does: a constant learning rate stalls or diverges, and the
    outside check says so. Terms and sets are refused: optax would ignore them.
    adamw, adamaxw and lion decay the weights by default, and fromage always: they end
    elsewhere than at a minimiser, and a warning says so (weight_decay=0.0 helps the
    first three).

    Args:
        algorithm: the name of a function of optax.
        hyper: its arguments.

    Source: optax's documentation of optimisers.

    Example:
        >>> bowl = bn.Smooth(lambda x: jnp.sum((x - 1.0) ** 2), np.zeros(2))
        >>> bn.solve(bowl, bn.Optax("sgd", learning_rate=0.4)).status
        'certified'
    """

    absorbing: ClassVar[bool] = FromOptax.absorbing

    inner: FromOptax
    algorithm: Any = eqx.field(static=True)

    def __init__(self, algorithm: str | None = None, **hyper: Any):
        if algorithm is None and hyper:
            raise Misuse(
                f"{', '.join(hyper)}: hyperparameters belong to an optimiser; name it, "
                'e.g. bn.Optax("adam", learning_rate=1e-2)'
            )
        if algorithm is None:
            self.algorithm = self.inner = OPEN  # what `suggest` finds for the problem
            return
        self.algorithm = algorithm
        self.inner = _adapter(algorithm, hyper)

    @classmethod
    def suggest(cls, problem, facts):
        """The default for this problem, or a Refusal."""
        return cls.variant("lbfgs", problem, facts)

    @classmethod
    def variant(cls, name, problem, facts):
        """An optimiser by name with a learning rate from the problem where one is."""
        _factory(name)
        if name == "lbfgs":
            return cls(name)
        if name not in _GRADIENT_STEPS:
            return cls(name, learning_rate=LEARNING_RATE)
        L = facts.L
        if L is None:
            return Refusal(
                "L",
                f"optax:{name} takes 1/L as its learning rate and L is unknown: "
                "declare L=... on the problem, or pass "
                f"bn.Optax({name!r}, learning_rate=...)",
            )
        return cls(name, learning_rate=1 / float(L))

    @classmethod
    def variants(cls, problem, facts):
        """What a race runs: adam, lbfgs, and nesterov where L is known."""
        return ("adam", "lbfgs") + (() if facts.L is None else ("nesterov",))

    def init(self, problem, start, key):
        """The state before the first step."""
        return self.inner.init(problem, start, key)

    def step(self, problem, state, key):
        """One step of the peer."""
        return self.inner.step(problem, state, key)

    def point(self, state):
        """The current point."""
        return self.inner.point(state)

    def stuck(self, state):
        """Whether nothing moved for a hundred steps."""
        return self.inner.stuck(state)

    def calls(self, state):
        """Evaluations so far."""
        return self.inner.calls(state)

    def label(self):
        """The peer and its algorithm."""
        return f"optax:{self.algorithm}"


@functools.cache
def names() -> tuple[str, ...]:
    """Every optimiser of the installed optax that takes a learning rate."""
    import optax

    found = [
        name
        for name, value in vars(optax).items()
        if inspect.isfunction(value)
        and not name.startswith(("scale_by_", "_"))
        and "learning_rate" in inspect.signature(value).parameters
    ]
    return tuple(sorted([*found, "nesterov"]))


def _factory(name: Any) -> Any:
    import optax

    _inputs.algorithm(name, "optax", "optimiser", names())
    return _nesterov if name == "nesterov" else vars(optax)[name]


def _adapter(name: str, hyper: dict[str, Any]) -> FromOptax:
    import optax

    factory = _factory(name)
    if (
        name == "lbfgs"
        and hyper.get("learning_rate") is None
        and ("linesearch" not in hyper)
    ):
        # The zoom line search keeps f and its gradient at the point it accepts.
        return FromOptax(
            factory, oracle=optax.value_and_grad_from_state, searched=_searched, **hyper
        )
    return FromOptax(factory, **hyper)


def _nesterov(learning_rate: Any, momentum: Any = 0.9) -> Any:
    import optax

    return optax.sgd(learning_rate, momentum=momentum, nesterov=True)


def _searched(state: Any) -> Any:
    import optax

    return optax.tree_utils.tree_get(state, "num_linesearch_steps")
