"""Turn `banach claims run --all --json` (standard input) into the committed tables.

Writes docs/evidence.json (read by the method pages) and docs/evidence.md, dated. A
claim that was not measured in this run keeps its older row and date.
"""

import datetime
import json
import sys
from pathlib import Path

DOCS = Path(__file__).parent
KEPT = "name family promise verdict summary statements seconds seed date".split()
HEADLINE = ("reported", "proved", "ours")  # whose number stands for the claim


def main() -> int:
    """Merge the new rows, write both files, and say how many were reproduced."""
    file = DOCS / "evidence.json"
    rows = {}
    if file.exists():
        rows = {r["name"]: r for r in json.loads(file.read_text())}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    fresh = [json.loads(line) for line in sys.stdin if line.strip()]
    for row in fresh:
        row["date"] = today
        rows[row["name"]] = rounded({k: row[k] for k in KEPT})
    ordered = sorted(rows.values(), key=lambda r: (r["family"], r["name"]))
    file.write_text(json.dumps(ordered, indent=1) + "\n")
    (DOCS / "evidence.md").write_text(page(ordered))
    good = sum(r["verdict"] == "reproduced" for r in ordered)
    print(f"{good} of {len(ordered)} claims reproduced; docs/evidence.md written")
    return 0 if fresh else 1


def page(rows: list[dict]) -> str:
    """A table to take in at a glance; what stands behind a row is a page of its own."""
    lines = [
        *("---", "hide:", "  - toc", "---", ""),  # the table needs the room
        "# Evidence",
        "",
        "What each method's paper says, measured again by `make claims`: every theorem",
        "and every reported result that fits a minute, each with its source, its",
        "requirement, written before the number was seen, and its own verdict. The",
        "number is that of the first result reported (or proved, where none is); the",
        "name leads to all of them. What does not hold stays here.",
        "",
        "| Method | What was promised | Verdict | One number | Date |",
        "| --- | --- | --- | --- | --- |",
    ]
    for r in rows:
        verdict = f"{r['verdict'].replace('_', ' ')} ({r['summary'].split(';')[0]})"
        name = f"[{r['name']}](evidence/{r['name']}.md)"
        cells = [name, r["promise"], verdict, number(r["statements"]), r["date"]]
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return "\n".join(lines) + "\n"


def number(statements: list[dict]) -> str:
    """The number that decides the first statement of the sort that weighs most."""
    measured = [r for r in statements if r["verdict"] in ("holds", "fails")]
    for row in sorted(measured, key=lambda r: HEADLINE.index(r["sort"]))[:1]:
        mean = row["over"] == "mean"
        value = row["mean"] if mean else row["numbers"][row["worst"]]
        shown = "none" if value is None else f"{value:.3g}"
        which = "mean" if mean else "worst"
        return f"{shown} ({which} of {row['instances']}, {row['required']})"
    return "none"


def rounded(value: object) -> object:
    """Numbers to six digits: what a reader sees, and a diff can show."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, list):
        return [rounded(v) for v in value]
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return value


if __name__ == "__main__":
    sys.exit(main())
