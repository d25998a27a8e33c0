"""What a caller hands to a bridge: a peer's algorithm by name, and its options."""

import difflib
from collections.abc import Collection
from typing import Any

from banach.core import validation
from banach.core.problem import Misuse


def algorithm(name: Any, peer: str, what: str, names: Collection[str]) -> str:
    """One of the peer's names, or Misuse with the nearest of them."""
    if not isinstance(name, str):
        raise Misuse(
            f"{peer} needs the name of a {what}, got {validation.shown(name)}; it has "
            f"{', '.join(names)}"
        )
    if name not in names:
        near = {k.lower(): k for k in names}
        close = difflib.get_close_matches(name.lower(), near, n=3, cutoff=0.4)
        hint = f"it has {', '.join(names)}"
        if close:
            hint = f"did you mean {' or '.join(near[c] for c in close)}?"
        raise Misuse(f"{peer} has no {what} {name!r} here; {hint}")
    return name


def options(given: Any, peer: str) -> dict[str, Any]:
    """The peer's own options, a dict by name."""
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(k, str) for k in given):
        raise Misuse(
            f"{peer} options must be a dict of the peer's own options by name, got "
            f"{validation.shown(given)}; e.g. {{'maxcor': 20}}"
        )
    return dict(given)
