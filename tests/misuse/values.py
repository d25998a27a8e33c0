"""What callers hand over by mistake, by what an argument is.

Each list holds values that an argument of that sort can never mean. A sort with "?"
at its end also takes None.
"""

import numpy as np
from jax import numpy as jnp

import banach as bn

MASKED = np.ma.masked_values([1.0, -999.0, 2.0], -999.0)
BIG = 2**53 + 1


class Odd:
    """An object that is nothing that banach knows."""


ODD = Odd()
ANY = [ODD, "nosuch", 1j]

_reals = [1j, None, True, "a", ODD, np.nan, MASKED, BIG, b"1", {}]
_numbers = [*_reals, [1.0, 2.0]]
_integers = [1.5, None, True, "a", 1j, np.nan, [1], ODD, np.ones(2, int), 2.0]
_arrays = [
    1j * np.ones(3), None, "abc", ["a", "b", "c"], ODD, MASKED, {1, 2}, [[1.0], [1, 2]],
    np.array([1.0, None, 2.0]), np.array([1.0, np.nan, 2.0]), [BIG, 1, 2],
    np.array(["2020-01-01"] * 3, "datetime64[D]"),
]  # fmt: skip
_matrices = [
    1j * np.eye(3), None, "abc", [["a", "b"]], ODD, np.ma.masked_values(np.eye(3), 0.0),
    np.array([[1.0, None]]), np.full((3, 2), np.nan), np.full((3, 2), np.inf), 1.0,
    np.ones((2, 2, 2)), [[1.0], [1.0, 2.0]],
]  # fmt: skip

BAD = {
    "number": [*_numbers, np.inf],
    "positive": [*_numbers, np.inf, 0.0, -1.0],
    "radius": [*_numbers, 0.0, -1.0],
    "nonnegative": [*_numbers, np.inf, -1.0, -np.inf],
    "probability": [*_numbers, 0.0, 1.0, -0.1, 2.0],
    "below one": [*_numbers, np.inf, -1.0, 1.0],
    "share": [*_numbers, np.inf, -0.1, 1.1],
    "weights": [*_reals, [1.0, -1.0], {"a": None}],
    "bound": [*_reals, [np.nan, 1.0]],
    "tolerance": [*_numbers, 0.0, -1e-6, np.inf, bn.Absolute],
    "seconds": [1j, "a", "1", True, ODD, np.nan, 0.0, -1.0, [1.0]],
    "count": [*_integers, 0, -1],
    "size": [*_integers, -1],
    "steps": [*_integers, -1, 2**31],
    "integer": _integers,
    "seed": [*_integers, -1, 2**64],
    "even": [*_integers, -2, 3],
    "flag": ["yes", 2, None, 1.5, ODD, [True], np.ones(2, bool)],
    "word": [3, None, "nosuch", ODD, ["a"], 1j],
    "array": [*_arrays, np.array([1.0, np.inf, 2.0])],
    "matrix": _matrices,
    "square": [*_matrices, np.ones((2, 3))],
    "function": [3, None, "f", ODD, 1.5, np.ones(3)],
    "term": [3, "l1", ODD, bn.L1, [1.0]],
    "loss": [3, "logistic", None, ODD, bn.HuberLoss],
    "labels": [1j, None, "abc", ODD, [0.5, 1.5], [[0], [1, 2]], [True, 0.5], MASKED],
    "groups": ["ab", ODD, None, [0.0, 1.0], ((0, 1), (1, 2)), [-2, 0], [], ((0, 1.5),)],
    "boolean array": [3, None, "abc", np.zeros((2, 2)), np.zeros(3, bool), ODD],
    "key": [3, None, "key", 1.5, np.zeros(2), ODD],
    "dtype": ["nosuch", 3, int, complex, ODD, None],
    "problem": [3, None, "nosuch:problem", ODD, bn.Smooth, [1.0], lambda x: x],
    "problems": [3, None, [], [3], "lasso:diabetes", ODD],
    "method": [3, "nosuch", ODD, [1.0], dict, bn.Gap, "scipy:nosuch", "optax:nosuch"],
    "methods": [3, ["nosuch"], [3], ODD, "fista", [None]],
    "check": [3, "nosuch", ODD, [1.0], dict, bn.Fista],
    "path": [3, 1.5, ODD, "/nonexistent-folder/x.json", [1], True],
    "saved": [3, 1.5, ODD, "/nonexistent-folder/x.json", [1], "no.json", None, b"x"],
    "start": [
        "a", ODD, 1j * np.ones(2), np.ones(3), np.array([1.0, np.nan]), [1.0, None],
        bn.Point("a"), np.ones(2, complex), MASKED, {"x": np.ones(2)}, 3.0,
    ],
    "point": [
        "a", ODD, 1j * np.ones(2), np.ones(3), [1.0, None], MASKED, {"x": np.ones(2)},
        3.0, np.array(["a", "b"]),
    ],
    "callback": [3, "f", ODD, [1.0]],
    "algorithm": [3, None, "nosuch", ODD, ["BFGS"]],
    "options": [3, "maxcor", [1], {1: 2}, ODD],
    "axis": [3, None, "nosuch", ODD, ["step"]],
    "axes": [3, "ax", [1.0]],
    "args": [3, "a", 1.5, {1: 2}, ODD],
    "name": [3, ODD, [1], 1j],
    "text": [3, None, ODD, [1], 1j],
    "network": [3, "f", ODD, 1.5],
}  # fmt: skip


def bad(sort: str) -> list:
    """The values that an argument of this sort refuses."""
    optional = sort.endswith("?")
    values = BAD[sort.removesuffix("?")]
    return [v for v in values if v is not None] if optional else list(values)


def shown(value) -> str:
    """A value in the name of a case."""
    text = repr(value).replace("\n", " ")
    return text if len(text) < 40 else text[:37] + "..."


X = np.array([[1.0, 0.5], [0.2, 1.0], [0.7, -0.3], [0.1, 0.9]])
Y = np.array([1.0, 2.0, 0.5, 1.5])
CLASSES = np.array([0, 1, 1, 0])


def square(x):
    """A smooth function of two unknowns."""
    return jnp.sum((x - 1.0) ** 2)
