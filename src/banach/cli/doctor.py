"""doctor: whether this installation works, and what it lacks, a line a row.

What banach requires is read from its own metadata, so that nothing is said twice.
Every row is tried by itself: a broken JAX is a row that says so, not a traceback.
"""

import importlib.metadata
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from banach import __version__, catalogue
from banach.cli import console

# What each extra of pyproject.toml is for; those of developers are not listed.
EXTRAS = {
    "peers": "Optimistix's methods in races, as optimistix:NAME",
    "cutest": "CUTEst's problems, as bridge.sif2jax",
    "transport": "POT and OTT, to compare transport with",
    "tables": "DataFrames of pandas and polars as data",
    "statistics": "statsmodels, to compare standard errors with",
    "rigor": "enclosures with proved elementary functions, rigor='arb'",
}
# A requirement in the one form that banach uses; a test holds pyproject.toml to it.
_NEED = re.compile(
    r"(?P<name>[\w.-]+?) *>= *(?P<least>[\d.]+)"
    r"( *; *extra *== *['\"](?P<extra>[\w-]+)['\"])?"
)


class Row(NamedTuple):
    """One line: what was looked at, whether it is well, and what there is to say."""

    what: str
    ok: bool
    says: str
    required: bool = True

    @property
    def mark(self) -> str:
        """`ok`, `FAIL`, or `-` where nothing that is required is missing."""
        return "ok" if self.ok else "FAIL" if self.required else "-"


class Need(NamedTuple):
    """A package, the oldest version that will do, and the extra that it belongs to."""

    name: str
    least: str
    extra: str | None


def doctor_command(json: bool) -> int:
    """Versions, device, cache, extras, the catalogue, and a solve that is certified."""
    rows: list[Row] = []
    for what, look in LOOKS.items():
        found = _tried(what, look)
        rows.extend(found)
        if not json:
            for row in found:
                console.out(f"{row.mark:<4}  {row.what:<18} {row.says}")
    bad = [row.what for row in rows if row.required and not row.ok]
    if json:
        said = [
            {"what": r.what, "ok": r.ok, "required": r.required, "says": r.says}
            for r in rows
        ]
        console.emit({"schema_version": 1, "healthy": not bad, "rows": said})
    elif bad:
        console.out(f"something required does not work: see {', '.join(bad)}")
    else:
        console.out("all that is required works")
    return console.UNCERTIFIED if bad else console.CERTIFIED


def needs(lines: list[str]) -> list[Need]:
    """Requirements as metadata state them; ValueError at one in another form."""
    found = []
    for line in lines:
        match = _NEED.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"requirement {line!r} is not NAME>=VERSION")
        found.append(Need(match["name"], match["least"], match["extra"]))
    return found


def _tried(what: str, look: Callable[[], Iterator[Row]]) -> list[Row]:
    """The rows of one look; whatever it raises is the last of them."""
    rows: list[Row] = []
    try:
        rows.extend(look())
    except Exception as error:  # of a broken installation anything may come
        said = str(error).strip().partition("\n")[0]
        rows.append(Row(what, False, f"{type(error).__name__}: {said}"))
    return rows


def _versions() -> Iterator[Row]:
    python = sys.version_info
    version = ".".join(map(str, python[:3]))
    try:
        about = importlib.metadata.metadata("banach")
    except importlib.metadata.PackageNotFoundError:
        yield Row("Python", True, version)
        said = f"{__version__}, not installed: its requirements are not known here"
        yield Row("banach", False, f"{said}; pip install .", required=False)
        return
    least = about["Requires-Python"].removeprefix(">=")
    named = (c.rpartition(" :: ")[2] for c in about.get_all("Classifier", []))
    tested = [name for name in named if re.fullmatch(r"3\.\d+", name)]
    if _numbers(version) < _numbers(least):
        yield Row("Python", False, f"{version} is too old; install {least} or newer")
    elif f"{python[0]}.{python[1]}" in tested or not tested:
        yield Row("Python", True, f"{version}, supported (from {least})")
    else:
        said = f"{version}, not among those tested ({', '.join(tested)})"
        yield Row("Python", False, said, required=False)
    stale = about["Version"] != __version__
    said = f", but {about['Version']} is installed; pip install . again"
    own = Row("banach", not stale, __version__ + said * stale)
    required = [n for n in needs(_requires()) if n.extra is None]
    # JAX comes first: all else hangs on it.
    for need in sorted(required, key=lambda n: n.name != "jax"):
        yield _package(need)
        if need.name == "jax":
            yield own


def _requires() -> list[str]:
    return importlib.metadata.requires("banach") or []


def _package(need: Need) -> Row:
    cure = f"pip install '{need.name}>={need.least}'"
    try:
        version = importlib.metadata.version(need.name)
    except importlib.metadata.PackageNotFoundError:
        return Row(need.name, False, f"missing; {cure}")
    if _numbers(version) < _numbers(need.least):
        return Row(need.name, False, f"{version} is too old; {cure}")
    return Row(need.name, True, f"{version}, supported (from {need.least})")


def _numbers(version: str) -> tuple[int, ...]:
    """The release of a version, without trailing zeros: (1, 2) of 1.2.0rc1."""
    release = re.match(r"\d+(\.\d+)*", version)
    parts = [int(n) for n in release[0].split(".")] if release else []
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def _device() -> Iterator[Row]:
    import jax

    found = jax.devices()
    kind = found[0].device_kind
    named = found[0].platform + (f" ({kind})" if kind != found[0].platform else "")
    yield Row("device", True, named + (f", {len(found)} of them" * (len(found) > 1)))


def _float64() -> Iterator[Row]:
    import jax
    import jax.numpy as jnp

    with jax.enable_x64(True):
        sum_ = jnp.asarray(1.0) + jnp.asarray(2.0**-40)
        precise = sum_.dtype == "float64" and float(sum_) != 1.0
    good = "works, whatever JAX's own default is"
    bad = "does not work on this device; on the CPU: JAX_PLATFORMS=cpu"
    yield Row("float64", precise, good if precise else bad)


def _cache() -> Iterator[Row]:
    from banach.engine import disk_cache

    kept, where = disk_cache.state()
    if where == "BANACH_CACHE=off":
        said = "none are kept, as BANACH_CACHE=off asks"
    elif kept:
        said = f"kept in {where}; to clear it, delete the folder"
    else:
        said = f"none are kept: {where}"
    yield Row("compiled programs", kept, said, required=False)


def _extras() -> Iterator[Row]:
    wanted: dict[str, list[Need]] = {}
    try:
        found = needs(_requires())
    except importlib.metadata.PackageNotFoundError:
        return  # the versions have said so
    for need in found:
        if need.extra in EXTRAS:
            wanted.setdefault(need.extra, []).append(need)
    for extra, packages in wanted.items():
        rows = [_package(need) for need in packages]
        lacks = [f"{r.what} {r.says.partition(';')[0]}" for r in rows if not r.ok]
        said = EXTRAS[extra]
        if lacks:
            said += f"; {', '.join(lacks)}: pip install 'banach[{extra}]'"
        yield Row(f"extra: {extra}", not lacks, said, required=False)


def _blas() -> Iterator[Row]:
    import numpy  # noqa: F401  # so that its BLAS is loaded

    from banach.core import blas_threads

    found = blas_threads.libraries()
    said = ", ".join(
        f"{i['internal_api']} {i['version'] or ''}".strip() + f": {i['num_threads']}"
        for i in found
    )
    good = f"{said} (small problems use one)"
    yield Row("BLAS threads", bool(found), good if found else "unknown", required=False)


def _catalogue() -> Iterator[Row]:
    own = catalogue.own()
    root = catalogue.ROOT.parent
    files, papers = set(), set()
    for part in own.values():
        for entry in part.values():
            homes = {entry["module"]} if "module" in entry else set()
            homes |= {*entry.get("pieces", {}).values()}
            homes |= {*entry.get("public", {}).values()}
            files |= {root.joinpath(*home.split(".")) for home in homes}
            if "paper" in entry:
                papers.add(root.joinpath(*entry["module"].split(".")))
    lost = [f for f in files if not (f.with_suffix(".py").exists() or f.is_dir())]
    lost += [f for f in papers if not f.with_suffix(".bib").exists()]
    counts = ", ".join(f"{len(own[part])} {part}" for part in sorted(own))
    if lost or not all(own.values()):
        names = ", ".join(sorted({f.name for f in lost})[:5]) or counts
        yield Row("catalogue", False, f"files are missing: {names}; reinstall banach")
        return
    yield Row("catalogue", True, f"{counts}; every file is there")


def _self_test() -> Iterator[Row]:
    began = time.perf_counter()
    import numpy as np

    import banach as bn

    rng = np.random.default_rng(0)
    problem = bn.Lasso(rng.normal(size=(20, 5)), rng.normal(size=20), lam=1.0)
    result = bn.solve(problem, tol=1e-8)
    again = bn.verify(problem, result.x, tol=1e-8).certified
    wrong = bn.verify(problem, np.ones(5), tol=1e-8).certified
    seconds = time.perf_counter() - began
    if result.certified and again and not wrong:
        said = f"certified by {result.label} in {result.steps} steps, certified again "
        said += f"afresh, and a wrong answer refused; {seconds:.2f} s"
    elif wrong:
        said = "A WRONG ANSWER IS CERTIFIED: trust nothing, and report this"
    else:
        said = f"a small Lasso ends {result.status}: {result.reason}"
    yield Row("self-test", result.certified and again and not wrong, said)


# In order of importance, but that extras go before what speaks for itself.
LOOKS: dict[str, Callable[[], Iterator[Row]]] = {
    "versions": _versions,
    "device": _device,
    "float64": _float64,
    "compiled programs": _cache,
    "extras": _extras,
    "BLAS threads": _blas,
    "catalogue": _catalogue,
    "self-test": _self_test,
}
