"""Where a file of ready problems keeps them; importing this imports no jax."""

from collections.abc import Callable
from typing import Any


class Shelf:
    """Problems by name, each built when it is asked for."""

    def __init__(self, kind: str):
        self.kind = kind
        self._rows: dict[str, tuple[str, str, Callable[[], Any]]] = {}

    def named(self, name: str, title: str, kind: str | None = None) -> Callable:
        """Keep the function below as the problem of this name."""

        def keep(build: Callable[[], Any]) -> Callable[[], Any]:
            self._rows[name] = (title, kind or self.kind, build)
            return build

        return keep

    def names(self) -> list[dict[str, str]]:
        """Name, title and kind of every problem here."""
        return [
            {"name": name, "title": title, "kind": kind}
            for name, (title, kind, _) in self._rows.items()
        ]

    def knows(self, name: str) -> bool:
        """Whether `load` has this name."""
        return name in self._rows

    def load(self, name: str) -> Any:
        """The problem of a name that `names` lists."""
        if name not in self._rows:
            from banach.core.problem import Misuse

            known = ", ".join(self._rows)
            raise Misuse(f"no problem is called {name!r}; it is one of {known}")
        return self._rows[name][2]()
