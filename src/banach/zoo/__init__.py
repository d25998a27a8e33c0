"""Ready problems by name, and problems stated in a user's file.

Listing the names imports no jax; loading a problem does.
"""

import importlib
from typing import Any

from banach import catalogue, lazy

__getattr__, __dir__ = lazy.names(__name__, {"loading": "load source from_source"})


def is_file(spec: str) -> bool:
    """Whether a PROBLEM is written file.py:object."""
    path, _, name = spec.rpartition(":")
    return path.endswith(".py") and bool(name)


def names() -> list[dict[str, str]]:
    """name, title and kind of every built-in problem."""
    return [row for shelf in shelves() for row in shelf.names()]


def shelves(head: str | None = None) -> list[Any]:
    """The modules of ready problems whose card has names that begin so; all of them.

    Each says which names it knows, lists them, and loads them.
    """
    rooms: list[str] = []
    for kinds in (catalogue.own, catalogue.outside):
        # Installed packages are searched only for a name that banach does not have.
        if head is None or not rooms:
            rooms += [
                entry["room"]
                for entry in kinds()["kinds"].values()
                if (entry["zoo"] if head is None else head in entry["zoo"])
            ]
    return [importlib.import_module(f"{room}.zoo") for room in dict.fromkeys(rooms)]
