"""Claims: the experiment that a method's paper is known for, measured again.

A claim file holds REQUIRED (written before any number was seen), `measure()`,
`verdict(numbers)`, `measured(numbers)` and `figure(numbers, path)`.
"""

import importlib
import json
import math
import time
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent


def names() -> dict[str, str]:
    """Claim name -> family, read from the files; imports nothing."""
    return {
        f.stem: f.parent.name
        for f in sorted(ROOT.glob("*/*.py"))
        if not f.stem.startswith("_")
    }


def run(name: str, figures: Path | None = None) -> dict[str, Any]:
    """Measure one claim: name, family, title, verdict, measured, required, seconds.

    An exception inside the experiment is the verdict `error`, with its text.
    """
    from banach import catalogue

    family = names()[name]
    entry = catalogue.load_index().get(name)
    began = time.perf_counter()
    row: dict[str, Any] = {
        "name": name,
        "family": family,
        "title": "" if entry is None else entry["title"],
    }
    try:
        claim = importlib.import_module(f"banach.claims.{family}.{name}")
        row["required"] = claim.REQUIRED
        numbers = claim.measure()
        good = claim.verdict(numbers)
        row |= {
            "verdict": "reproduced" if good else "not_reproduced",
            "measured": claim.measured(numbers),
            "numbers": numbers,
        }
        if figures is not None:
            figures.mkdir(parents=True, exist_ok=True)
            claim.figure(numbers, figures / f"{name}.png")
            row["figure"] = str(figures / f"{name}.png")
    except Exception:
        row |= {
            "verdict": "error",
            "measured": traceback.format_exc(limit=-3).strip().splitlines()[-1],
            "required": row.get("required", ""),
            "traceback": traceback.format_exc(),
        }
    row["seconds"] = round(time.perf_counter() - began, 2)
    return row


def main(argv: list[str]) -> int:
    """`python -m banach.claims NAME [FIGURES]`: one JSON line on stdout.

    Numbers that JSON does not know, NaN and infinity, are null there.
    """
    figures = Path(argv[1]) if len(argv) > 1 else None
    print(json.dumps(_known_to_json(run(argv[0], figures)), allow_nan=False))
    return 0


def _known_to_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _known_to_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_known_to_json(v) for v in value]
    if hasattr(value, "tolist"):
        return _known_to_json(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
