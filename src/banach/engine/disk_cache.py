"""Executables kept on disk: what one process compiled, the next one loads.

The folder is `BANACH_CACHE`, or `banach/executables` below XDG_CACHE_HOME or ~/.cache;
`BANACH_CACHE=off` keeps nothing. The files hold pickles, and loading one can run
anything: the folder is made for its owner alone, and one that others can write is not
read. A file that is broken, foreign or missing is a miss, and a place that cannot be
written keeps nothing (`banach doctor` says so). docs/decisions/0015 has the reasons.
"""

import contextlib
import functools
import hashlib
import os
import platform
import re
import secrets
import stat
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import jax

from banach.core import compat

MAGIC = b"banach executable 1\n"
LIMIT = 512 * 2**20  # bytes of all files (ours); the least recently used go
ROOM = LIMIT // 8  # bytes this process writes between two looks at the folder
MOST = LIMIT // 8  # bytes of one file
STALE = 3600.0  # seconds after which a file half written is nobody's
COUNTS = {"loaded": 0, "compiled": 0, "kept": 0}

# Calls of the compiler into libraries that hold no pointer of this process: LAPACK,
# the libraries of GPUs, and the compiler's own. Any other may be a callback.
_STATELESS = re.compile(
    r"(lapack|cusolver|cublas|cusparse|cudnn|hipsolver|hipblas|hipsparse)_\w+"
    r"|(cu|hip)_threefry2x32\w*|(mhlo|chlo|stablehlo|xla)\.[\w.]+"
    r"|Sharding|SPMD\w+|Qr|Eigh|TopK|ApproxTopK|LuDecomposition"
    r"|ProductOfElementaryHouseholderReflectors"
)
_CALLED = re.compile(r'custom_call @(?:"([^"]*)"|([\w.$]+))')
_warned: set[str] = set()
_written = {"bytes": ROOM}  # so that the first write looks at the folder


def compiled(lowered: Any, options: dict[str, Any] | None = None) -> Any:
    """The executable of a lowered program: loaded where it is kept, else compiled.

    A loaded executable has the bits of a compiled one. Programs of several devices or
    processes, those that call back into Python, and those that JAX's own cache has
    are not kept.
    """
    place = _folder()
    name = None if place is None else key(lowered, options)
    if place is not None and name is not None:
        found = _load(place / name, name, lowered)
        if found is not None:
            COUNTS["loaded"] += 1
            return found
    made, own = compat.compile_here(lowered, options)
    COUNTS["compiled"] += 1
    if place is not None and name is not None and own:
        _keep(place, name, made)
    return made


def key(lowered: Any, options: dict[str, Any] | None = None) -> str | None:
    """The name of a program in the folder, or None: it is not kept.

    It covers the text of the program without its source lines, what the text does not
    say (arguments that were dropped, weak types), options, versions and the machine.
    """
    held = compat.one_device(lowered)
    if held is None:
        return None
    device, rest = held
    text = lowered.as_text()  # constants in full, no locations
    called = (quoted or plain for quoted, plain in _CALLED.findall(text))
    if not all(_STATELESS.fullmatch(name) for name in called):
        return None
    given = repr(sorted((options or {}).items()))
    digest = hashlib.sha256()
    for part in (_machine(device), compat.compile_state(), given, repr(rest), text):
        data = part.encode()
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()


def state() -> tuple[bool, str]:
    """(whether programs are kept, where or why not); writes and reads one file."""
    place, problem = _found()
    if place is None:
        return problem == "off", "BANACH_CACHE=off" if problem == "off" else problem
    name, content = secrets.token_hex(32), secrets.token_bytes(64)
    if not _write(place, name, content):
        return False, f"{place} cannot be written; name another in BANACH_CACHE"
    try:
        if _read(place / name, name) != content:
            return False, f"{place} does not keep what is written"
    finally:
        _gone(place / name)
    sizes = [size for _, size, path in _files(place) if path.suffix == ""]
    return True, f"{place} ({len(sizes)} programs, {sum(sizes) / 2**20:.1f} MB)"


def _found() -> tuple[Path | None, str]:
    """The folder, made if need be; or None and why."""
    named = os.environ.get("BANACH_CACHE", "")
    if named == "off":
        return None, "off"
    if named:
        place = Path(named).expanduser()
    else:
        try:
            base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        except RuntimeError:
            return None, "there is no home folder; name a folder in BANACH_CACHE"
        place = Path(base) / "banach" / "executables"
    try:
        place.parent.parent.mkdir(parents=True, exist_ok=True)
        place.parent.mkdir(mode=0o700, exist_ok=True)
        place.mkdir(mode=0o700, exist_ok=True)
        found = os.stat(place)
    except OSError as e:
        return None, f"{place}: {e.strerror}; name another in BANACH_CACHE"
    if not _own(found):
        return None, (
            f"{place} belongs to another user, or others can write it, and a kept "
            f"program runs as you: remove it, or name another in BANACH_CACHE ('off' "
            "keeps nothing)"
        )
    return place, ""


def _folder() -> Path | None:
    """The folder, or None; an unsafe one is told once."""
    place, problem = _found()
    if place is None and "others can write" in problem and problem not in _warned:
        _warned.add(problem)
        warnings.warn(f"compiled programs are not kept: {problem}", stacklevel=2)
    return place


def _own(found: os.stat_result) -> bool:
    """Whether only this user can write it."""
    if not hasattr(os, "getuid"):
        return True
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def _load(path: Path, name: str, lowered: Any) -> Any:
    data = _read(path, name)
    if data is None:
        return None
    try:
        made = compat.load_executable(data, lowered)
    except Exception:  # of another version or machine, whatever its name says
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # it was used just now
    return made


def _read(path: Path, name: str) -> bytes | None:
    """What a file keeps, or None: it is missing, broken, or of somebody else."""
    try:
        with open(path, "rb") as f:
            found = os.fstat(f.fileno())
            if not (stat.S_ISREG(found.st_mode) and _own(found)):
                return None
            head, digest, data = f.read(len(MAGIC)), f.read(32), f.read()
    except OSError:
        return None
    return data if head == MAGIC and digest == _digest(name, data) else None


def _keep(place: Path, name: str, made: Any) -> None:
    try:
        data = compat.dump_executable(made)
    except Exception:  # the backend cannot: it is compiled every time
        return
    if len(data) > MOST or not _write(place, name, data):
        return
    COUNTS["kept"] += 1
    _written["bytes"] += len(data)
    if _written["bytes"] >= ROOM:
        _written["bytes"] = 0
        prune(place)


def _write(place: Path, name: str, data: bytes) -> bool:
    """Write a whole file by another name, then rename: no reader sees half of one."""
    half = place / f"{name}.{secrets.token_hex(8)}.tmp"
    try:
        handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as f:
            f.write(MAGIC + _digest(name, data) + data)
        os.replace(half, place / name)
    except OSError:
        _gone(half)
        return False
    except BaseException:
        _gone(half)
        raise
    return True


def prune(place: Path, limit: int | None = None) -> None:
    """Remove the least recently used beyond the limit, and what killed writers left."""
    room, now = LIMIT if limit is None else limit, time.time()
    for used, size, path in sorted(_files(place), reverse=True):
        if path.suffix == ".tmp":
            if now - used > STALE:
                _gone(path)
            continue
        room -= size
        if room < 0:
            _gone(path)


def _files(place: Path) -> list[tuple[float, int, Path]]:
    """(last use, bytes, path) of our files; nothing else in the folder is touched."""
    out = []
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if re.fullmatch(r"[0-9a-f]{64}(\.[0-9a-f]{16}\.tmp)?", entry.name):
                with contextlib.suppress(OSError):
                    found = entry.stat()
                    out.append((found.st_mtime, found.st_size, Path(entry.path)))
    return out


def _digest(name: str, data: bytes) -> bytes:
    return hashlib.sha256(name.encode() + data).digest()


def _gone(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


@functools.lru_cache(maxsize=8)
def _machine(device: Any) -> str:
    """Versions, and the device and processor that an executable is made for."""
    import jaxlib

    return repr(
        (jax.__version__, jaxlib.__version__, sys.version_info[:3], sys.platform,
         platform.machine(), device.platform, device.device_kind, device.id,
         device.client.platform_version, device.client.device_count(), _processor())
    )  # fmt: skip


def _processor() -> str:
    """What the processor can do: code made for another may not run here."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
        wanted = ("flags", "Features", "model name", "cpu family", "model", "stepping")
        return repr(sorted(li for li in lines if li.split("\t")[0].strip() in wanted))
    return repr((platform.processor(), platform.version()))
