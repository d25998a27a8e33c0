"""Turn `banach claims run --all --json` (standard input) into the committed tables.

Writes docs/evidence.json (read by the method pages) and docs/evidence.md, dated. A
claim that was not measured in this run keeps its older row and date.
"""

import datetime
import json
import sys
from pathlib import Path

DOCS = Path(__file__).parent
KEPT = ("name", "family", "title", "verdict", "measured", "required", "seconds", "date")


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
        rows[row["name"]] = {k: row.get(k, "") for k in KEPT}
    ordered = sorted(rows.values(), key=lambda r: (r["family"], r["name"]))
    file.write_text(json.dumps(ordered, indent=1) + "\n")
    (DOCS / "evidence.md").write_text(page(ordered))
    good = sum(r["verdict"] == "reproduced" for r in ordered)
    print(f"{good} of {len(ordered)} claims reproduced; docs/evidence.md written")
    return 0 if fresh else 1


def page(rows: list[dict]) -> str:
    """The table, one row a claim; requirements were written before the numbers."""
    lines = [
        "# Evidence",
        "",
        "The headline claim of each method's paper, measured again by `make claims`",
        "(two processes at once on two cores). Requirements are in the claim's file,",
        "with what was reduced and why. A claim that does not reproduce stays here.",
        "",
        "| Method | Verdict | Measured | Required | Seconds | Date |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for r in rows:
        cells = [
            r["name"],
            r["verdict"].replace("_", " "),
            r["measured"],
            r["required"],
            f"{r['seconds']:.0f}",
            r["date"],
        ]
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
