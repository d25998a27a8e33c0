"""Every example of a public docstring runs and prints what it says.

And every public name has one, names its arguments and, where it is mathematics, its
source. Methods are left out: their docstrings are the idea and the formula, and their
examples are generated with their pages.
"""

import contextlib
import doctest
import importlib.util
import inspect
import re
import warnings
from collections import defaultdict
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import banach as bn
from banach.core.card import Card
from banach.doors import listings

NUMBER = re.compile(r"(?>[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)")
# Numbers of this size are rounding, and differ from machine to machine.
ROUNDING = 1e-9
NO_EXAMPLE = {
    "join": "needs several processes; docs/problems.md shows them",
    "methods": "a package; the example stands in banach.doors.listings.methods",
    "checks": "a package; the example stands in banach.doors.listings.checks",
}
NO_ARGUMENTS = {
    "Check": "a base; its subclasses have fields of their own",
    "Misuse": "raised by the library, with words alone",
    "NotCertified": "raised by `Result.require`, with words alone",
    "Problem": "a base; its subclasses have constructors of their own",
    "methods": NO_EXAMPLE["methods"],
    "checks": NO_EXAMPLE["checks"],
}
NO_SOURCE = {"Goal": "a comparison of two numbers"}
# The length of a method's source is budgeted, and these names say what they are, or
# are said by the part that they go to. Nothing is added here.
UNSPOKEN = {
    "Adadagrad": ["initial", "chunk", "coordinatewise"],
    "AdasketchNewton": ["beta", "max_sweeps", "max_tries"],
    "Bfgs": ["curvature"],
    "BoRep": ["first_epoch"],
    "ConjugateGradient": ["preconditioner"],
    "GaussNewton": ["halvings"],
    "GradientNormalizedNewton": ["max_tries"],
    "HagerZhang": ["curvature"],
    "HypergradientDescent": ["step_size"],
    "NonlinearCg": ["curvature"],
    "Picard": ["relaxation"],
    "PolakRibiere": ["curvature"],
    "SobolevGradientFlow": ["step_size", "shift"],
    "VrHalpern": ["step_size"],
}
OPTIONAL = {"Optimistix": "optimistix"}


def public() -> dict[str, Any]:
    """Public names but methods, and what they stand for."""
    names = {*dir(bn), *bn._WHERE, *dir(bn.terms), *dir(bn.parts)}
    for entry in bn.catalogue.own()["kinds"].values():
        names |= entry["pieces"].keys()
    found = {name: getattr(bn, name) for name in sorted(names)}
    return {
        name: inspect.unwrap(value)
        for name, value in found.items()
        if not getattr(value, "__module__", "").startswith("banach.methods.")
    }


PUBLIC = public()


def docs(name: str) -> str:
    """Its own docstring."""
    return inspect.cleandoc(vars(PUBLIC[name]).get("__doc__") or PUBLIC[name].__doc__)


def examples() -> dict[str, list[doctest.DocTest]]:
    """What runs, by module: of public names, of their methods, and of listings."""
    finder, found, seen = doctest.DocTestFinder(recurse=False), defaultdict(list), set()
    space = {"np": np, "jnp": jnp, "jax": jax, "bn": bn}
    things = [*PUBLIC.items()]
    things += [(n, getattr(listings, n)) for n in ("methods", "checks", "problems")]
    for name, thing in things:
        own = [(name, thing)]
        if inspect.isclass(thing):
            own += [
                (f"{name}.{key}", getattr(value, "fget", value))
                for key, value in vars(thing).items()
                if key[0] != "_"
                if inspect.isroutine(value) or isinstance(value, property)
            ]
        for label, part in own:
            written = getattr(part, "__doc__", None) or ""
            if ">>>" not in written or (name, written) in seen:
                continue
            seen.add((name, written))
            for test in finder.find(part, label, module=False, globs=dict(space)):
                found[thing.__module__].append(test)
    return found


EXAMPLES = examples()


class Nearly(doctest.OutputChecker):
    """Words as they stand, `...` for anything, numbers to a thousandth."""

    def check_output(self, want: str, got: str, flags: int) -> bool:
        """Whether they agree."""
        if super().check_output(want, got, flags):
            return True
        said = [" ".join(part.split()) for part in want.split("...")]
        pattern = ".*?".join(
            rf"({NUMBER.pattern})".join(
                re.escape(words) for words in NUMBER.split(part)
            )
            for part in said
        )
        whole = re.fullmatch(pattern.replace(r"\ ", r"\s*"), " ".join(got.split()))
        if whole is None:
            return False
        wanted = NUMBER.findall(" ".join(said))
        pairs = zip(map(float, wanted), map(float, whole.groups()), strict=True)
        return all(abs(x - y) <= max(1e-3 * abs(x), ROUNDING) for x, y in pairs)


@pytest.mark.parametrize(
    ("want", "got", "agree"),
    [
        ("array([1.133, 1.5  ])", "array([1.1331, 1.5])", True),
        ("array([1.133, 1.5  ])", "array([1.143, 1.5])", False),
        ("array([1.133, 1.5  ])", "array([1.133, 1.5, 2.0])", False),
        ("certified: a, ratio 2e-12\n  ...", "certified: a, ratio 3e-15\n  b", True),
        ("certified: a, ratio 2e-12\n  ...", "budget: a, ratio 2e-12\n  b", False),
        ("certified: a, ratio 2e-12\n  ...", "certified: a, ratio 0.1\n  b", False),
        ("'lbfgs'", "'fista'", False),
        ("True", "1", False),
        ("3", "nan", False),
    ],
)
def test_the_comparison_can_fail(want, got, agree):
    assert Nearly().check_output(want + "\n", got + "\n", doctest.ELLIPSIS) is agree


@pytest.mark.parametrize("module", sorted(EXAMPLES))
def test_examples_print_what_they_say(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(Nearly(), optionflags=doctest.ELLIPSIS)
    said: list[str] = []
    for test in EXAMPLES[module]:
        needed = OPTIONAL.get(test.name)
        if needed is not None and importlib.util.find_spec(needed) is None:
            continue
        # As a user has it: JAX in single precision, and warnings are seen.
        with jax.enable_x64(False), warnings.catch_warnings():
            warnings.simplefilter("error")
            runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def arguments(thing: Any) -> list[str]:
    """Names that a caller may give."""
    with contextlib.suppress(ValueError):
        return list(inspect.signature(thing).parameters)
    return []


def undocumented(thing: Any, said: str) -> list[str]:
    """Arguments that no line of Args, Fields or Attributes is about."""
    blocks = re.findall(
        r"^(?:Args|Fields|Attributes):\n((?:    .*\n|\n)*)", said + "\n", re.M
    )
    heads = re.findall(r"^    (\w[\w, ]*):", "".join(blocks), re.M)
    named = {name.strip() for head in heads for name in head.split(",")}
    return [name for name in arguments(thing) if name not in named]


def mathematics(name: str) -> bool:
    """Whether something was taken from somewhere: checks, terms, losses and parts."""
    thing = PUBLIC[name]
    home = getattr(thing, "__module__", "")
    if name in dir(bn.terms) or name in dir(bn.parts) or "losses" in home:
        return True
    return inspect.isclass(thing) and issubclass(thing, bn.Check) and thing != bn.Check


LEFT = {
    "example": [n for n in PUBLIC if ">>>" not in docs(n) and n not in NO_EXAMPLE],
    "argument": [
        f"{n}({', '.join(left)})"
        for n in PUBLIC
        if n not in NO_ARGUMENTS and (left := undocumented(PUBLIC[n], docs(n)))
    ],
    "source": [
        n
        for n in PUBLIC
        if mathematics(n)
        and n not in NO_SOURCE
        and not re.search(r"^Source:|\b(1[89]|20)\d\d\b", docs(n), re.M)
    ],
}


@pytest.mark.parametrize("what", LEFT)
def test_no_public_name_is_without(what):
    assert not LEFT[what], f"without {what}: {'; '.join(LEFT[what])}"


def test_exceptions_are_needed():
    for listed in (NO_EXAMPLE, NO_ARGUMENTS, NO_SOURCE):
        assert listed.keys() <= PUBLIC.keys()
    assert not [n for n in NO_EXAMPLE if ">>>" in docs(n)]
    assert not [n for n in NO_SOURCE if "Source:" in docs(n)]


def methods() -> dict[str, type]:
    """Methods of banach by class."""
    return {
        name: value
        for name in dir(bn)
        if isinstance(getattr(value := getattr(bn, name), "card", None), Card)
        and value.__module__.startswith("banach.methods.")
    }


def test_every_other_field_of_a_method_is_spoken_of():
    left = {
        name: missing
        for name, cls in methods().items()
        if (
            missing := [
                field
                for field in arguments(cls)
                if not re.search(rf"\b{field}\b", inspect.getdoc(cls) or "")
            ]
        )
    }
    assert left == UNSPOKEN
