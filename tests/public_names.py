"""Names, arguments and defaults that users of banach may rely on, committed.

    python tests/public_names.py --write     # where they are meant to change

Types are left out: they may become sharper.
"""

import inspect
import sys
from pathlib import Path

FILE = Path(__file__).with_suffix(".txt")


def lines() -> list[str]:
    """One a name: `minimize(fun, x0, ..., tol=1e-06)`."""
    import banach as bn

    named = {name: getattr(bn, name) for name in dir(bn) if name[0] != "_"}
    for room in ("terms", "parts"):
        home = getattr(bn, room)
        named |= {f"{room}.{n}": getattr(home, n) for n in dir(home) if n[0] != "_"}
    return sorted(f"{name}{arguments(value)}" for name, value in named.items())


def arguments(value) -> str:
    """The signature without its types; nothing where there is none."""
    if inspect.ismodule(value) or not callable(value):
        return ""
    try:
        whole = inspect.signature(value)
    except ValueError:
        return ""
    plain = [
        p.replace(annotation=inspect.Parameter.empty) for p in whole.parameters.values()
    ]
    return str(inspect.Signature(plain))


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    FILE.write_text("\n".join(lines()) + "\n", encoding="utf-8")
