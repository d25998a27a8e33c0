"""Write the files of a new method: a small one that passes, to be replaced.

    python tests/scaffold.py NAME FAMILY        (make new METHOD=NAME FAMILY=FAMILY)
    python tests/scaffold.py NAME FAMILY --new-family             (... NEW_FAMILY=1)

What is written is gradient descent with the step 1 / L. Comments that begin with
"NEW:" say what takes its place. Nothing that exists is overwritten.
"""

import difflib
import keyword
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src" / "banach"

METHOD = '''\
"""{title}: gradient steps of the length 1 / L."""  # NEW: what it is, in one line.

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, PyTree

from banach.core import tree
from banach.core.card import method
from banach.core.hyperparameters import fact
from banach.core.method import Method


# NEW: what a step hands to the next one. The first field is the point.
class {cls}State(eqx.Module):
    """Iterate; `stuck`: the last step left it where it was."""

    x: PyTree
    # NEW: whether no step can move the point any more; leave out where never.
    stuck: Bool[Array, ""]


# NEW: the card. Literals only, except for `rate`. `needs` are the oracles that `step`
# and `init` call, `cost` how often a step does; `rate` bounds `rate_of` in the
# constants of the problem (leave both out where nothing is proved).
@method(
    problem="Smooth",
    needs={{"grad"}},
    assumes={{"smooth"}},
    paper="cauchy1847methode",
    cost={{"grad": 1}},
    rate_of="f(x) - f*",
    rate=lambda c, t: c.L * c.radius**2 / (4 * t + 2),
)
class {cls}(Method):
    """Steps along the negative gradient.

    x+ = x - step_size grad f(x)

    For a convex f and step_size = 1 / L the rate is exact (Drori and Teboulle 2014,
    theorem 2). Fails when `step_size` is above 2 / L: it may diverge.
    """

    # NEW: the idea, the formula in the paper's letters, and when it fails. Then its
    # hyperparameters, each with where it comes from: fact("L", ...) is made from a
    # fact of the problem, real(0.5) is a constant, real() is left to a `suggest` of
    # the method's own; count, flag, word and part are the other words.
    step_size: Any = fact("L", lambda L: 1 / L, instead="lbfgs, which needs no L")

    def init(self, problem, start, key):
        return {cls}State(start.x, jnp.asarray(False))

    def step(self, problem, state, key):
        x = tree.axpy(-self.step_size, problem.grad(state.x), state.x)
        return {cls}State(x, tree.max_abs(tree.sub(x, state.x)) == 0)
'''

REFERENCE = '''\
"""Gradient descent: Nesterov (2018), scheme 1.2.16 with a constant step."""

# NEW: the paper and the equations, above; the paper's iteration in NumPy, below,
# written from the paper and not from the method.
from reference._case import Case, bowl

# NEW: problems on which the two are compared to 1e-10. `given` goes to both, `told`
# to the reference alone: what the method has to find by itself. They must feel every
# constant: each is moved by 1 per cent, and some case has to notice.
CASES = [
    Case(*bowl(L=5.0), told={"step_size": 0.2}),
    Case(*bowl(), given={"step_size": 0.3}),
]


def iterates(oracles, x0, steps, *, step_size):
    x, out = x0, []
    for _ in range(steps):
        x = x - step_size * oracles.grad(x)
        out.append(x)
    return out
'''

CLAIM = '''\
"""{title}: f(x_t) - f* <= L R^2 / (4 t + 2) at every step.

On quadratics of 50 unknowns whose eigenvalues fall from 1 to 1e-4, minimisers known.
"""

# NEW: what the paper is known for, on data like the paper's: a function a statement,
# proved, reported or ours, each with its source and its bar, written before any number
# is seen (see claims/course.py). What does not hold is recorded, never tuned.
import numpy as np

from banach.claims import instances, runs
from banach.claims.course import Seen, at_most, proved
from banach.methods.{family}.{name} import {cls}

STEPS = 500


@proved("Drori and Teboulle 2014, theorem 1", at_most(1.0))
def rate():
    """f(x_t) - f* over L R^2 / (4 t + 2), the largest of 500 steps."""
    worst, curves = {{}}, {{}}
    for name, problem in instances.bowls(50, 1e4).items():
        H, b = problem.args
        best = np.linalg.solve(H, b)
        method = runs.suggested({cls}, problem)
        f = runs.trace(problem, method, STEPS, f=runs.objective)["f"]
        bound = np.sum((problem.x0 - best) ** 2) / (4 * np.arange(STEPS + 1) + 2)
        gap = f - (best @ H @ best / 2 - b @ best)
        worst[name] = np.max(gap / bound)
        curves[name] = {{"{title}": gap, "bound": bound}}
    return Seen(worst, curves, ("steps", "f - f*"))
'''


def bib() -> str:
    """The paper of gradient descent, word for word as it stands beside it."""
    text = (SRC / "methods" / "smooth" / "gradient_descent.bib").read_text("utf-8")
    entry = text[: text.index("\n}\n")] + "\n}\n"
    return (
        "% NEW: the paper, with its full title; its key stands in the card.\n" + entry
    )


def files(name: str, family: str) -> dict[Path, str]:
    """The text of every file of a method."""
    cls = "".join(part.capitalize() for part in name.split("_"))
    words = dict(name=name, family=family, cls=cls, title=name.replace("_", " "))
    words["title"] = words["title"].capitalize()
    found = {
        SRC / "methods" / family / f"{name}.py": METHOD.format(**words),
        SRC / "methods" / family / f"{name}.bib": bib(),
        SRC / "claims" / family / f"{name}.py": CLAIM.format(**words),
        ROOT / "tests" / "reference" / f"{name}.py": REFERENCE,
    }
    for folder, what in {"methods": "Methods", "claims": "Claims"}.items():
        package = SRC / folder / family / "__init__.py"
        if not package.exists():
            found[package] = f'"""{what} of the family {family}."""\n'
    return found


def families() -> list[str]:
    """The families that there are."""
    found = (SRC / "methods").glob("*/__init__.py")
    return sorted(file.parent.name for file in found)


def wrong(name: str, family: str, new_family: bool = False) -> str | None:
    """What is wrong with the two names, and the cure."""
    for word, value in {"METHOD": name, "FAMILY": family}.items():
        if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", value):
            example = "make new METHOD=heavy_ball FAMILY=smooth"
            return f"{word} is words in small letters, got {value!r}; e.g. {example}"
        if keyword.iskeyword(value):
            return f"{word}={value} is a word of Python; choose another name"
    if family == "bridge":
        return "a bridge names a library, not a paper; see src/banach/bridge"
    if not (new_family or (SRC / "methods" / family / "__init__.py").exists()):
        known = families()
        near = difflib.get_close_matches(family, known, 1, 0.5)
        meant = f"did you mean {near[0]}? There are" if near else "there are"
        return (
            f"there is no family {family!r}; {meant} {', '.join(known)}. A new one is "
            f"made by: make new METHOD={name} FAMILY={family} NEW_FAMILY=1"
        )
    taken = [file for file in files(name, family) if file.exists()]
    taken += [
        file
        for file in SRC.glob(f"methods/*/{name}.py")
        if file not in taken and file.parent.name != family
    ]
    if taken:
        return f"{taken[0].relative_to(ROOT)} exists; choose another name"
    return None


def main(argv: list[str]) -> int:
    """Write the files and the catalogue; the exit code."""
    new_family = argv[2:] == ["--new-family"]
    if len(argv) != 2 + new_family or not all(argv):
        print("usage: make new METHOD=heavy_ball FAMILY=smooth", file=sys.stderr)
        return 2
    name, family = argv[:2]
    no = wrong(name, family, new_family)
    if no is not None:
        print(no, file=sys.stderr)
        return 2
    for file, text in files(name, family).items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        print(f"wrote {file.relative_to(ROOT)}")
    from prove import index

    print("\n".join(index()))
    print(f"Replace what NEW: marks, then: make check METHOD={name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
