"""Claims: the experiment that a method's paper is known for, measured again.

A claim file holds the statements of the paper, each with its source and its bar: see
`course`. What they run is in `runs`, data that several share in `instances`.
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


def run(
    name: str, figures: Path | None = None, seed: int | None = None
) -> dict[str, Any]:
    """Measure one claim: name, family, title, verdict, statements, seconds, seed.

    An exception inside one statement is that statement's verdict, `error`, with its
    text; the others are measured all the same.
    """
    import jax

    from banach import catalogue
    from banach.claims import course
    from banach.claims import figures as drawing

    family = names()[name]
    entry = catalogue.load_index().get(name)
    began = time.perf_counter()
    if seed is not None:
        course.use_seed(seed)
    row: dict[str, Any] = {
        "name": name,
        "family": family,
        "title": "" if entry is None else entry["title"],
        "seed": course.fresh(),
    }
    try:
        claim = importlib.import_module(f"banach.claims.{family}.{name}")
        with jax.enable_x64(True):
            rows = [s.row() for s in course.statements(claim)]
    except Exception:
        text = traceback.format_exc()
        rows = [course.broken(name, text)]
    row |= {"verdict": course.verdict(rows), "summary": course.summary(rows)}
    if figures is not None and row["verdict"] != "error":
        figures.mkdir(parents=True, exist_ok=True)
        if drawing.of_claim(rows, figures / f"{name}.png"):
            row["figure"] = str(figures / f"{name}.png")
    # Curves are for the figure alone.
    row["statements"] = [
        {k: v for k, v in r.items() if k not in ("curves", "axes")} for r in rows
    ]
    row["seconds"] = round(time.perf_counter() - began, 2)
    return row


def main(argv: list[str]) -> int:
    """`python -m banach.claims NAME [FIGURES [SEED]]`: one JSON line on stdout.

    Numbers that JSON does not know, NaN and infinity, are null there.
    """
    figures = Path(argv[1]) if len(argv) > 1 and argv[1] else None
    seed = int(argv[2]) if len(argv) > 2 else None
    print(json.dumps(_known_to_json(run(argv[0], figures, seed)), allow_nan=False))
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
