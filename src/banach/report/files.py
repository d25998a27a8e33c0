"""Files of text that are tried before the work, and written whole or not at all."""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any

from banach.core.problem import Misuse


def tried(path: Any, example: str = "race.html") -> Path:
    """The path of a file that can be written: a file beside it was, and went.

    Raises Misuse for what is no path, a folder, or a place that cannot be written.
    """
    if not isinstance(path, str | os.PathLike):
        raise Misuse(
            f"a report is written to a path such as {example!r}, got "
            f"{type(path).__name__}"
        )
    name = os.fspath(path)
    if not isinstance(name, str) or "\0" in name or not name:
        raise Misuse(f"{name!r} is no path; name a file such as {example!r}")
    place = Path(name)
    if place.is_dir():
        raise Misuse(f"{place} is a folder; name a file such as {example}")
    with _told(place):
        trial = _beside(place)
        try:
            trial.touch(exist_ok=False)
        finally:
            _gone(trial)
        if place.exists() and not os.access(place, os.W_OK):
            raise PermissionError(13, "Permission denied", name)
    return place


def write(path: Path, text: str) -> None:
    """A new file beside it, then a rename; Misuse and no file left where it fails."""
    with _told(path):
        place = _beside(path)
        try:
            place.write_text(text, encoding="utf-8")
            os.replace(place, os.path.realpath(path))
        except BaseException:
            _gone(place)
            raise


@contextlib.contextmanager
def _told(path: Path) -> Any:
    try:
        yield
    except OSError as e:
        raise Misuse(
            f"{path} cannot be written ({e.strerror or e}); name a file in a folder "
            "that exists and that you may write to"
        ) from e


def _beside(path: Path) -> Path:
    real = Path(os.path.realpath(path))
    return real.with_name(f".{real.name}.{secrets.token_hex(8)}.tmp")


def _gone(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
