"""What the compiled loop of a (method, bed) was proved with, by hash of its programs.

    make prove               # run B and C for what differs, and write it down
    make prove METHOD=name   # of one method
    make prove EVERY=1       # layer E: all pairs, those that stand too, for a release
    python -m tests.conformance.ledger    # what differs from ledger.toml

`ledger.toml` holds, for each pair, the hash of the jaxprs of `init`, `step`, what is
seen of a state, and the look, that layers B and C (`laws.COMPILED`) have passed with.
The suite runs both for pairs that are missing there or differ, and so proves a changed
method fully and an unchanged one not again. The hash depends on the version
of JAX, which is written beside it; not on the machine, on names of variables or
functions, or on lines of the source.
"""

import argparse
import hashlib
import re
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parents[1] / "src"), str(HERE.parent), str(HERE)]

import jax  # noqa: E402
import numpy as np  # noqa: E402

from banach.core import compat  # noqa: E402
from banach.engine import tiers  # noqa: E402

FILE = HERE / "ledger.toml"
_HEAD = """\
# Written by `make prove`: the programs that layers B and C have passed with.
# [not_interpreted]: pairs that NumPy does not run, and why; by hand.
"""
_CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr"}
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


# The text of a program ----------------------------------------------------------------


class Text:
    """A jaxpr as lines that say what it computes, and nothing of how it was written.

    Variables are numbered as they come; jitted functions are opened, so that neither
    their names nor what JAX remembers of them is seen. Constants enter by shape and
    dtype, small ones by content to six digits.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0

    def jaxpr(self, jaxpr, consts=(), given=None):
        """Append a jaxpr; the names of its results."""
        names = {}
        for var, value in zip(jaxpr.constvars, consts, strict=False):
            names[var] = _constant(value)
        for var in jaxpr.constvars[len(consts) :]:
            names[var] = self._fresh(var)
        if given is None:
            given = [self._fresh(v) for v in jaxpr.invars]
            self.lines.append("takes " + " ".join(given))
        names.update(zip(jaxpr.invars, given, strict=True))

        def read(atom):
            if isinstance(atom, compat.Literal):
                return _constant(atom.val, atom.aval)
            return names[atom]

        for eqn in jaxpr.eqns:
            ins = [read(v) for v in eqn.invars]
            name = eqn.primitive.name
            if name in _CALLS:
                inner = eqn.params[_CALLS[name]]
                outs = self.jaxpr(inner.jaxpr, inner.consts, ins)
            else:
                outs = [self._fresh(v) for v in eqn.outvars]
                self.lines.append(f"{' '.join(outs)} = {name} {' '.join(ins)}")
                for key in sorted(eqn.params):
                    self._parameter(key, eqn.params[key])
            names.update(zip(eqn.outvars, outs, strict=True))
        return [read(v) for v in jaxpr.outvars]

    def _fresh(self, var):
        self.count += 1
        return f"v{self.count}:{var.aval.str_short()}"

    def _parameter(self, key, value):
        items = value if isinstance(value, tuple | list) else (value,)
        for item in items:
            if isinstance(item, compat.ClosedJaxpr | compat.Jaxpr):
                closed = isinstance(item, compat.ClosedJaxpr)
                inner = item.jaxpr if closed else item
                self.lines.append(f"  {key} {{")
                outs = self.jaxpr(inner, item.consts if closed else ())
                self.lines.append(f"  gives {' '.join(outs)} }}")
            elif isinstance(item, np.ndarray | jax.Array):
                self.lines.append(f"  {key} {_constant(item)}")
            elif key not in _NAMES and not callable(item):
                self.lines.append(f"  {key} {_ADDRESS.sub('', _plain(item))}")


_NAMES = frozenset({"name", "debug_info", "source_info", "ctx_mesh"})


def _plain(value):
    """The text of a parameter; sets in order."""
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(str, value))) + "}"
    return str(value)


def _constant(value, aval=None):
    a = np.asarray(jax.random.key_data(value) if _is_key(value) else value)
    said = f"{a.dtype if aval is None else aval.dtype}{list(a.shape)}"
    if a.size > 64:
        return said
    floating = np.issubdtype(a.dtype, np.floating)
    items = [f"{v:.5e}" if floating else str(v) for v in a.ravel().tolist()]
    return f"{said}({','.join(items)})"


def _is_key(value):
    dtype = getattr(value, "dtype", None)
    return dtype is not None and jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key)


def text(closed) -> str:
    """The canonical text of a closed jaxpr."""
    writer = Text()
    outs = writer.jaxpr(closed.jaxpr, closed.consts)
    return "\n".join([*writer.lines, "gives " + " ".join(outs)])


def digest(case) -> str:
    """The hash of what a case runs."""
    moves = case.ready.moves
    programs = (moves.init, moves.seen, moves.steps, case.look)
    whole = hashlib.sha256()
    for program in programs:
        whole.update(text(program.jaxpr).encode())
        whole.update(b"\0")
    return whole.hexdigest()[:16]


# The file -----------------------------------------------------------------------------


def read(file: Path = FILE) -> dict:
    """ledger.toml: `jax`, `proved` and `not_interpreted` by (method, bed)."""
    said = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    tables = {
        name: {
            (method, bed): value
            for method, row in said.get(name, {}).items()
            for bed, value in row.items()
        }
        for name in ("proved", "not_interpreted")
    }
    return {"jax": said.get("jax")} | tables


def write(ledger: dict, file: Path = FILE) -> None:
    """The reverse of `read`."""
    parts = [_HEAD, f'jax = "{ledger["jax"]}"\n']
    for name in ("not_interpreted", "proved"):
        last = None
        for (method, bed), value in sorted(ledger[name].items()):
            if method != last:
                parts.append(f"\n[{name}.{method}]\n")
            parts.append(f'{bed} = "{value}"\n')
            last = method
    file.write_text("".join(parts), encoding="utf-8")


LEDGER = read()
NOT_INTERPRETED = LEDGER["not_interpreted"]


def stands(case, ledger: dict = LEDGER) -> bool:
    """Whether the ledger says that layer C has passed with these very programs."""
    same = ledger["jax"] == jax.__version__
    return same and ledger["proved"].get((case.name, case.bed.name)) == digest(case)


def proved(case, folder: Path, ledger: dict = LEDGER) -> None:
    """Layers B and C for a case, unless the ledger has it."""
    if not stands(case, ledger):
        everything(case, folder)


def everything(case, folder: Path) -> None:
    """All of layers B and C for one case."""
    from laws import COMPILED

    for law in COMPILED:
        law(case, folder)


def main(argv: list[str]) -> int:
    """The command; 1 where something differs, or failed."""
    from listing import pairs
    from programs_of import Case

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prove", action="store_true", help="run B and C, write")
    parser.add_argument("--method", help="of these methods alone, by commas")
    parser.add_argument(
        "--every", action="store_true", help="also what stands: layer E, for a release"
    )
    asked = parser.parse_args(argv)
    ledger, known, bad = read(), set(pairs()), 0
    if ledger["jax"] != jax.__version__:
        ledger["proved"].clear()
    ledger["jax"] = jax.__version__
    for pair in [p for p in ledger["proved"] if p not in known]:
        del ledger["proved"][pair]
    chosen = set(asked.method.split(",")) if asked.method else None
    for name, bed in pairs():
        if chosen is not None and name not in chosen:
            continue
        with jax.enable_x64(True):
            case = Case(name, bed)
            stood = stands(case, ledger)
            if stood and not (asked.every and asked.prove):
                continue
            said = "differs"
            if asked.prove:
                said = "proved"
                try:
                    with tempfile.TemporaryDirectory() as folder:
                        everything(case, Path(folder))
                    ledger["proved"][name, bed] = digest(case)
                except Exception as error:
                    said = f"FAILED: {type(error).__name__}: {error}"
                    ledger["proved"].pop((name, bed), None)
                if ledger != read():
                    write(ledger)
            bad += said != "proved"
            print(f"{name}|{bed}: {said}", flush=True)
        tiers.clear()
        jax.clear_caches()
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
