"""Training of a network: a model, a loss, and data; judged in eval mode."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from banach.core import trace_errors, validation
from banach.core.facts import Facts
from banach.core.kind import kind
from banach.core.point import Point
from banach.core.problem import Misuse, Problem
from banach.kinds import inputs as reading
from banach.kinds.bases import check_scalar
from banach.kinds.finite_sum.problem import FiniteSum, rows
from banach.kinds.training import misstated
from banach.parts.batches import Moments

Scalar = Float[Array, ""]


@kind(
    name="Training",
    oracles="value grad hvp hess sample stochastic_grad",
    checks="full_sum",
    zoo="training",
)
class Training(Problem):
    """minimise 1/n sum_i loss(model(params, x_i), y_i) + 1/2 sum_j l2_j params_j^2.

    `model(params, x, key)` maps the input of one example to its output, `model(params,
    x)` where nothing is random; the loss maps that and the target to one real scalar.
    With key = None the model is in eval mode
    (dropout off, running statistics frozen); with a key it may be random, which is
    train mode. value, grad and every check are those of eval mode on all n examples;
    stochastic gradients with a key are those of train mode. A layer that mixes the
    examples of a batch has no gradient of one example: use layer or group
    normalisation in place of batch normalisation.

    `inputs` and `targets` are pytrees with leading axis n; `held_out` is such a pair
    that no method reads: `losses` and `misclassified` serve the check
    `bn.HeldOutRisk`. Nothing is claimed convex; a small gradient is stationarity,
    never optimality. `reference` is the point that "small" is relative to (None:
    absolute).

    Against optax: the same mean as optax.softmax_cross_entropy_with_integer_labels(
    ...).mean(), plus l2 / 2 of the squared parameters (its add_decayed_weights(l2)).

    Args:
        model: model(params, x, key) or model(params, x), a JAX function of one example.
        loss: loss(output, target), to one real number.
        params: the start, a pytree of floating arrays.
        inputs: a pytree of arrays (n, ...).
        targets: a pytree of arrays (n, ...).
        held_out: (inputs, targets) that no method reads.
        l2: a number >= 0, or weights like params.
        reference: the point that "small" is relative to, like params.

    Raises:
        Misuse: a function that JAX cannot trace or that returns no real number, a start
            that is not floating, constants out of range, each with the cure.

    Example:
        >>> x, y = np.arange(4.0), np.array([1.0, 2.9, 5.2, 7.0])
        >>> line = bn.Training(
        ...     lambda p, x, key: p[0] + p[1] * x,
        ...     lambda z, t: (z - t) ** 2,
        ...     np.zeros(2),
        ...     x,
        ...     y,
        ... )
        >>> bn.solve(line).x.round(3)
        array([0.98, 2.03])
    """

    sum: FiniteSum
    predictor: reading.Function
    held_out: PyTree

    def __init__(
        self,
        model: Callable[..., PyTree],
        loss: Callable[..., Scalar],
        params: PyTree,
        inputs: PyTree,
        targets: PyTree,
        *,
        held_out: tuple[PyTree, PyTree] | None = None,
        l2: PyTree = None,
        reference: PyTree = None,
    ):
        for name, given in (("model", model), ("loss", loss)):
            if not callable(given):
                raise Misuse(
                    f"Training needs a {name} to call, got {validation.shown(given)}; "
                    "pass model(params, x, key) and loss(output, target)"
                )
        misstated.network(model, params)
        model = _with_key(model)
        for name, given in (("inputs", inputs), ("targets", targets)):
            rows(given, name)
        pairs = rows((inputs, targets), "inputs and targets")
        params = reading.variable(params, "params")
        params, (data,) = reading.canonical(params, (pairs,))
        datum = jax.tree.map(lambda v: v[0], data)
        trace_errors.arity(model, (params, datum[0], None), "Training's model")
        trace_errors.arity(loss, (None, datum[1]), "Training's loss")

        def term(params, datum):
            return loss(model(params, datum[0], None), datum[1])

        def noisy(params, datum, key):
            return loss(model(params, datum[0], key), datum[1])

        term.__name__ = getattr(loss, "__name__", "loss")

        def predictor(params, x):
            return model(params, x, None)

        try:
            self.predictor = reading.function(
                predictor, params, (datum[0],), "Training's model"
            )
        except Misuse as error:
            raise misstated.model(model, params, datum[0], error) from None
        try:
            fun = reading.function(term, params, (datum,), "Training's loss")
        except Misuse as error:
            raise misstated.loss(model, loss, params, datum, error) from None
        check_scalar(fun.narrow, "Training's loss")
        self.sum = FiniteSum(
            fun,
            params,
            data,
            l2=l2,
            reference=reference,
            noisy=reading.function(
                noisy,
                params,
                (datum, jax.random.key(0)),
                "Training's model with a key",
            ),
        )
        with reading.context(params, (data,)):
            out = jax.eval_shape(self.predictor, params, datum[0])
            misstated.labels(loss, out, data[1])
        self.held_out = None
        if held_out is not None:
            self.held_out = _like_training(held_out, data, self.sum.x0)

    def validate(self) -> None:
        """The sum's demands again, and those on the held-out pair."""
        self.sum.validate()
        if self.held_out is not None:
            _like_training(self.held_out, self.sum.data, self.sum.x0)

    @property
    def n(self) -> int:
        """Number of training examples."""
        return self.sum.n

    def predict(self, x: PyTree, inputs: PyTree) -> PyTree:
        """Eval-mode outputs of a pytree of inputs with a leading axis."""
        return jax.vmap(lambda u: self.predictor(x, u))(inputs)

    def losses(self, x: PyTree, data: tuple[PyTree, PyTree]) -> Float[Array, " m"]:
        """Eval-mode losses of (inputs, targets), one a row, without l2."""
        counts = sorted({np.shape(v)[:1] for v in jax.tree.leaves(data)})
        if len(counts) != 1 or counts == [()]:
            raise Misuse(
                f"inputs and targets have {[c[0] if c else 'no' for c in counts]} rows;"
                " give every array the same leading axis"
            )
        return jax.vmap(lambda d: self.sum.fun(x, d))(tuple(data))

    def misclassified(
        self, x: PyTree, data: tuple[PyTree, PyTree]
    ) -> Float[Array, " m"]:
        """1 where the largest output is not the integer target or one is NaN, else 0.

        bn.HeldOutRisk(bn.Training.misclassified, problem.held_out, target=0.1) bounds
        the error rate on new examples. Outputs have the shape (m, classes) and targets
        the shape (m,): anything that would broadcast is Misuse.
        """
        z, labels = self.predict(x, data[0]), data[1]
        leaves = jax.tree.leaves(labels)
        shapes = [np.shape(v) for v in leaves]
        outputs = jax.tree.leaves(z)
        if len(outputs) != 1 or outputs[0].ndim != 2 or outputs[0].shape[1] < 2:
            raise Misuse(
                "misclassified compares the largest of at least two outputs an example "
                f"with its label; the model's outputs have the shapes "
                f"{[v.shape for v in outputs]}, and (m, classes) is needed: average "
                "tokens and threshold single outputs in a loss of your own"
            )
        z = outputs[0]
        if shapes != [z.shape[:1]]:
            raise Misuse(
                f"misclassified needs one label a row, shape {z.shape[:1]}, got shapes "
                f"{shapes}; pass labels.ravel() for (m, 1), argmax for one-hot rows"
            )
        # argmax takes the first NaN for the largest: it could look right.
        wrong = (jnp.argmax(z, axis=-1) != leaves[0]) | jnp.any(jnp.isnan(z), axis=-1)
        return wrong.astype(z.dtype)

    def oracles(self) -> frozenset[str]:
        """Those of a finite sum."""
        return self.sum.oracles()

    def prices(self) -> dict[str, float]:
        """One term of a stochastic gradient is an n-th of a gradient."""
        return self.sum.prices()

    def pass_bytes(self) -> int:
        """The gradients of all examples."""
        return self.sum.pass_bytes()

    def space(self) -> PyTree:
        """Structure of the parameters."""
        return self.sum.space()

    def start(self) -> Point:
        """The parameters as given."""
        return self.sum.start()

    def facts(self) -> Facts:
        """Differentiable; nothing more."""
        return self.sum.facts()

    def terms(
        self, x: PyTree, index: Int[Array, " m"] | None = None
    ) -> Float[Array, " m"]:
        """Eval-mode losses of the indexed training examples; None: of all."""
        return self.sum.terms(x, index)

    def every_term(self, x: PyTree) -> tuple[PyTree, Scalar]:
        """The full eval-mode gradient and the number of examples in it."""
        return self.sum.every_term(x)

    def value(self, x: PyTree) -> Scalar:
        """The training objective in eval mode."""
        return self.sum.value(x)

    def grad(self, x: PyTree) -> PyTree:
        """Its gradient."""
        return self.sum.grad(x)

    def value_and_grad(self, x: PyTree) -> tuple[Scalar, PyTree]:
        """Both in one pass."""
        return self.sum.value_and_grad(x)

    def hvp(self, x: PyTree, v: PyTree) -> PyTree:
        """The Hessian at x applied to v."""
        return self.sum.hvp(x, v)

    def hess(self, x: PyTree) -> Float[Array, "d d"]:
        """The dense Hessian in the order of tree.ravel."""
        return self.sum.hess(x)

    def sample(self, x: PyTree, key: Array, size: int) -> Float[Array, " size"]:
        """Eval-mode losses of training examples drawn with replacement."""
        return self.sum.sample(x, key, size)

    def stochastic_grad(
        self,
        x: PyTree,
        index: Int[Array, " m"],
        mask: Bool[Array, " m"] | None = None,
        key: Array | None = None,
    ) -> PyTree:
        """As FiniteSum's; in train mode where there is a key."""
        return self.sum.stochastic_grad(x, index, mask, key)

    def gradient_moments(
        self,
        x: PyTree,
        index: Int[Array, " m"],
        mask: Bool[Array, " m"],
        key: Array | None = None,
    ) -> Moments:
        """As FiniteSum's; in train mode where there is a key."""
        return self.sum.gradient_moments(x, index, mask, key)

    def objective(self, x: PyTree) -> Scalar:
        """The training objective in eval mode."""
        return self.sum.value(x)

    def optimality(self, point: Point) -> Point:
        """The full eval-mode gradient."""
        return self.sum.optimality(point)

    def reference_point(self) -> Point | None:
        """The declared reference."""
        return self.sum.reference_point()

    def formula(self) -> str:
        """The objective as text."""
        return f"{self.sum.formula()}, eval mode"

    def default_check(self) -> str:
        """The gradient of the full sum, with the count of its terms."""
        return self.sum.default_check()

    def as_finite_sum(self) -> Problem:
        """The sum itself, with train mode as the noise of its terms."""
        return self.sum


def _like_training(held_out: Any, data: PyTree, x0: PyTree) -> PyTree:
    """Held-out rows shaped like the training rows, or Misuse."""
    if not (isinstance(held_out, tuple | list) and len(held_out) == 2):
        raise Misuse(
            "held_out must be a pair (inputs, targets), like the training data"
        )
    given = rows(tuple(held_out), "held_out")
    _, (kept,) = reading.canonical(x0, (given,))
    same = jax.tree.structure(kept) == jax.tree.structure(data) and all(
        np.shape(a)[1:] == np.shape(b)[1:]
        for a, b in zip(jax.tree.leaves(kept), jax.tree.leaves(data), strict=True)
    )
    if not same:
        raise Misuse(
            "held_out must have the structure and the row shapes of the training data"
        )
    return kept


def _with_key(model: Callable[..., PyTree]) -> Callable[..., PyTree]:
    """The model called with a key, which one without randomness does not take."""
    try:
        signature = inspect.signature(model)
        signature.bind(None, None)
    except (TypeError, ValueError):
        return model
    try:
        signature.bind(None, None, None)
    except TypeError:
        return lambda params, x, key: model(params, x)
    return model
