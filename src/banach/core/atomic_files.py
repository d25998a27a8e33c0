"""Files that are written whole: tried before the work, one writer, nothing left over.

The names beside `run.json` are its own: `.run.json.lock` while somebody writes,
`.run.json.<16 hex>.tmp` during a write, `run.<16 hex>.npz` for its large arrays.
"""

import contextlib
import errno
import json
import os
import re
import secrets
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from banach.core.problem import Misuse

PATIENCE = 5.0  # seconds to wait for another writer of the same file
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


def named(path: Any, suffix: str = ".json") -> Path:
    """The path of a file to write, or Misuse; nothing is touched.

    `suffix` ".json" is demanded of a run; any other is only an example.
    """
    example = f"run{suffix}" if suffix == ".json" else f"race{suffix}"
    if not isinstance(path, str | os.PathLike):
        raise Misuse(
            f"a file is named by a path such as {example!r}, got {type(path).__name__}"
        )
    plain = os.fspath(path)
    if not isinstance(plain, str) or "\0" in plain or not plain:
        raise Misuse(f"{plain!r} is no path; name a file such as {example!r}")
    path = Path(plain)
    if suffix == ".json" and path.suffix != suffix:
        name = path.with_suffix(suffix).name if path.name else example
        raise Misuse(f"a run is saved as JSON: name it {name}")
    if os.path.isdir(path):
        raise Misuse(f"{path} is a folder; name a file in it, such as {example}")
    if not os.path.isdir(real(path).parent):
        raise Misuse(
            f"{path} cannot be written: its folder {real(path).parent} does not exist "
            "(or is no folder); create it first"
        )
    return path


def tried(path: Any, suffix: str = ".json") -> Path:
    """The path of a file that can be written: a file beside it was, and went."""
    path = named(path, suffix)
    with unwritable(path):
        place = _temporary(path)
        try:
            place.touch(exist_ok=False)
        finally:
            _gone(place)
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
    return path


def write_text(path: Path, text: str) -> None:
    """A report: a new file beside it, then a rename; nothing is left where it fails."""
    with unwritable(path):
        _replace(real(path), path, lambda f: f.write(text.encode()))


@contextlib.contextmanager
def unwritable(path: Path) -> Any:
    """Turn what the file system says while writing into one clear error."""
    try:
        yield
    except OSError as e:
        raise Misuse(
            f"{path} cannot be written: {e.strerror or e}; name a file in a folder "
            "that you may write to"
        ) from e


def real(path: Path) -> Path:
    """Where a write goes: a link is written through, not replaced."""
    return Path(os.path.realpath(path))


class Lock:
    """One writer of one file, across processes and inside this one.

    The lock is the operating system's on the open file `.name.lock`, so that it ends
    with its process, however that ends; what a killed process left is taken over.
    """

    def __init__(self, path: Path):
        self.path = path
        self.place = real(path).with_name(f".{real(path).name}.lock")
        self.held: int | None = None

    def take(self, patience: float | None = None) -> "Lock":
        """Become the one writer, or raise Misuse that names the other."""
        until = time.monotonic() + (PATIENCE if patience is None else patience)
        while True:
            handle = os.open(self.place, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                taken = _lock(handle)
            except OSError as e:
                os.close(handle)
                if e.errno not in _NO_LOCKS:
                    raise
                warnings.warn(
                    f"the file system of {self.path} has no locks: let no two runs "
                    "write it at once",
                    stacklevel=4,
                )
                return self
            if taken and self._same(handle):
                os.ftruncate(handle, 0)
                os.write(handle, str(os.getpid()).encode())
                self.held = handle
                return self
            owner = "" if taken else os.read(handle, 32).decode("ascii", "replace")
            os.close(handle)
            if not taken and time.monotonic() > until:
                who = "another run of this process"
                if owner != str(os.getpid()):
                    who = f"process {owner or 'unknown'}"
                raise Misuse(
                    f"{self.path} is being written by {who}; give each run a file of "
                    "its own, or wait for that one"
                )
            if not taken:
                time.sleep(0.02)

    def give(self) -> None:
        """Stop being the writer, and remove the lock's file."""
        if self.held is None:
            return
        with contextlib.suppress(OSError):
            if self._same(self.held):
                os.unlink(self.place)
        os.close(self.held)
        self.held = None

    def __enter__(self) -> "Lock":
        return self if self.held is not None else self.take()

    def __exit__(self, *error: Any) -> None:
        self.give()

    def _same(self, handle: int) -> bool:
        """Whether the locked file is still the one of this name."""
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self.place))
        except OSError:
            return False


def write(path: Path, text: str, arrays: tuple[str, Any] | None) -> None:
    """New files first, then renames: a kill leaves the old run or the new one.

    `arrays` is (digest, function that writes to an open file). Call it as the one
    writer. An OSError leaves the old run whole, and no file of this attempt.
    """
    path = real(path)
    for stale in path.parent.glob(f".{_escaped(path.name)}.*.tmp"):
        if re.fullmatch(r"[0-9a-f]{16}", stale.name[len(path.name) + 2 : -4]):
            _gone(stale)  # of a writer that was killed: there is no other one now
    old = _arrays_of(path)
    new = None if arrays is None else f"{path.stem}.{arrays[0]}.npz"
    try:
        if arrays is not None and new is not None:
            _replace(path.with_name(new), path, arrays[1])
        _replace(path, path, lambda f: f.write(text.encode()))
    except BaseException:
        if new is not None and new != old:
            _gone(path.with_name(new))
        raise
    if old is not None and old != new:
        _gone(path.with_name(old))


def arrays_name(path: Path, name: Any) -> str | None:
    """A name of the arrays of the run at `path`, or None where it is none."""
    own = re.escape(path.stem) + r"\.[0-9a-f]{16}\.npz"
    return name if isinstance(name, str) and re.fullmatch(own, name) else None


def _arrays_of(path: Path) -> str | None:
    """The arrays that the run at this path names as its own."""
    try:
        saved = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None
    return arrays_name(path, saved.get("npz")) if isinstance(saved, dict) else None


def _replace(target: Path, path: Path, fill: Any) -> None:
    place = _temporary(path)
    try:
        with open(place, "xb") as f:
            fill(f)
            f.flush()
            os.fsync(f.fileno())
        os.replace(place, target)
    except BaseException:
        _gone(place)
        raise


def _temporary(path: Path) -> Path:
    path = real(path)
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")


def _gone(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as e:
            if e.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        return True

else:
    import fcntl

    def _lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            if e.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise
        return True
