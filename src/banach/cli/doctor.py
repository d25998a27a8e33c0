"""doctor: what this installation can do."""

import importlib.metadata
import importlib.util
import sys
from typing import Any

from banach import __version__, catalogue
from banach.cli import console

REQUIRED = ("jax", "jaxlib", "equinox", "lineax", "optax", "numpy", "scipy")
OPTIONAL = {
    "scipy": "the scipy bridge",
    "sklearn": "the sklearn bridge and the built-in data",
    "optimistix": "the optimistix bridge",
    "matplotlib": "result.plot() and race.plot()",
    "flint": "rigor='arb' enclosures",
}


def doctor_command(json: bool) -> int:
    """Versions, device, cache, index freshness and optional parts."""
    rows: list[tuple[str, bool, str]] = []
    python = ".".join(map(str, sys.version_info[:3]))
    rows.append(("python", sys.version_info >= (3, 11), python))
    rows.append(("banach", True, __version__))
    for name in REQUIRED:
        try:
            rows.append((name, True, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            rows.append((name, False, f"missing; pip install {name}"))
    for name, use in OPTIONAL.items():
        there = importlib.util.find_spec(name) is not None
        rows.append((f"optional: {name}", True, use if there else f"absent: no {use}"))
    rows.append(_index())
    rows.extend(_jax())
    good = all(ok for _, ok, _ in rows)
    if json:
        data: dict[str, Any] = {
            "schema_version": 1,
            "healthy": good,
            "rows": [{"what": w, "ok": ok, "says": s} for w, ok, s in rows],
        }
        console.emit(data)
    else:
        for what, ok, text in rows:
            console.out(f"{'ok  ' if ok else 'FAIL'}  {what:<22} {text}")
    return console.CERTIFIED if good else console.UNCERTIFIED


def _index() -> tuple[str, bool, str]:
    count = len(catalogue.load_index())
    return ("index", count > 0, f"{count} methods")


def _jax() -> list[tuple[str, bool, str]]:
    import jax
    import jax.numpy as jnp

    from banach.engine import disk_cache

    with jax.enable_x64(True):
        precise = float(jnp.asarray(1.0) + jnp.asarray(2.0**-40)) != 1.0
    device = jax.devices()[0]
    kept, where = disk_cache.state()
    return [
        ("device", True, f"{device.platform} ({device.device_kind})"),
        ("64 bits", precise, "local float64 works" if precise else "no float64"),
        ("compiled programs", kept, where),
    ]
