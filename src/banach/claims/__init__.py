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

    `figures` is a folder for the picture; `seed` that of the instances which no file
    knows (the date, without one). An exception inside a statement is its verdict,
    `error`, with its text; the others are measured all the same.
    """
    import jax

    from banach.claims import course
    from banach.claims import figures as drawing

    began = time.perf_counter()
    if seed is not None:
        course.use_seed(seed)
    promise = ""
    try:
        claim = importlib.import_module(f"banach.claims.{names()[name]}.{name}")
        promise = (claim.__doc__ or "").strip().splitlines()[0]
        with jax.enable_x64(True):
            rows = [s.row() for s in course.statements(claim)]
    except Exception:
        return failed(name, traceback.format_exc())
    picture = None
    if figures is not None:
        figures.mkdir(parents=True, exist_ok=True)
        drawn = drawing.of_claim(rows, figures / f"{name}.png")
        picture = str(figures / f"{name}.png") if drawn else None
    # Curves are for the picture alone.
    kept = [{k: v for k, v in r.items() if k not in ("curves", "axes")} for r in rows]
    return _row(
        name,
        promise=promise,
        verdict=course.verdict(rows),
        summary=course.summary(rows),
        statements=kept,
        figure=picture,
        seed=course.fresh(),
        seconds=round(time.perf_counter() - began, 2),
    )


def failed(name: str, text: str) -> dict[str, Any]:
    """The row of a claim that could not be measured at all; `text` says why."""
    last = (text.strip().splitlines() or [""])[-1]
    return _row(
        name,
        promise="",
        verdict="error",
        summary=last,
        statements=[],
        figure=None,
        seed=0,
        seconds=0.0,
        traceback=text,
    )


def _row(name: str, **found: Any) -> dict[str, Any]:
    from banach import catalogue

    entry = catalogue.load_index().get(name)
    title = "" if entry is None else entry["title"]
    return {"name": name, "family": names()[name], "title": title, **found}


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
