"""The tables of the README: kinds with their checks and defaults, and speed.

    python docs/readme.py --write    solve a ready problem of each kind, write both
    python docs/readme.py --check    exit 1 where the README says something else

What is said of a kind is what `banach.solve` did: the quantity that was certified on a
ready problem, its grade, and the method that ran. Speed is what
`python -m benchmarks speed` last measured (benchmarks/speed.json).
"""

import json
import re
import sys
from pathlib import Path

import banach as bn
from banach import catalogue, zoo

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
SPEED = ROOT / "benchmarks" / "speed.json"
# The ready problem that stands for a kind: the first one, where none is named.
EXAMPLES = {"GLM": "logistic:breast_cancer", "Composite": "composite:steps"}
SECONDS = 60.0
# What most people have first; kinds that are not named follow by name.
ORDER = (
    "Smooth NonlinearLeastSquares GLM Composite FiniteSum DistributedSum Training "
    "ConvexRelu RobustConvexRelu Constrained Root FixedPoint GraphFixedPoint Linear "
    "Inclusion Bilevel Transport EllipticEnergy"
).split()


def cell(text: str) -> str:
    """Text for one cell of a table."""
    return text.replace("|", "\\|")


def kinds(only: tuple[str, ...] = ()) -> str:
    """A row a kind, from one solve each; of these kinds alone where some are named."""
    rows = zoo.names()
    lines = ["| Kind of problem | Stated as | Certified by default | By |",
             "| --- | --- | --- | --- |"]  # fmt: skip
    every = catalogue.own()["kinds"]
    order = [name for name in ORDER if name in every]
    for name in [*order, *(name for name in every if name not in order)]:
        if only and name not in only:
            continue
        entry = every[name]
        ready = [row["name"] for row in rows if row["kind"] == name]
        example = EXAMPLES.get(name, ready[0])
        found = bn.solve(example, time_limit=SECONDS)
        if not found.certified:
            raise SystemExit(f"{example} ended {found.status}: {found.reason}")
        said = found.certificate
        names = [name, *sorted(entry["public"].keys() - {name})]
        stated = ", ".join(f"`bn.{n}`" for n in names[:3])
        stated += ", ..." if len(names) > 3 else ""
        summary = entry["summary"].rstrip(".")
        lines.append(
            f"| {cell(summary)} | {stated} | `{cell(said.quantity)}`, {said.grade} | "
            f"{found.label} |"
        )
    return "\n".join(lines)


def speed() -> str:
    """A row a peer: seconds to a first answer, and of the next ones."""
    found = json.loads(SPEED.read_text(encoding="utf-8"))
    here = found["machine"]
    lines = ["| Problem | Peer | First answer, s | Next ones, ms |",
             "| --- | --- | --- | --- |"]  # fmt: skip
    for row in found["rows"]:
        first, warm = row["first"], row["warm"]
        lines.append(
            f"| {cell(row['problem'])} | {row['peer']} | "
            f"{first['banach']:.2g} and {first['peer']:.2g} ({first['ratio']:.2g}) | "
            f"{1e3 * warm['banach']:.3g} and {1e3 * warm['peer']:.3g} "
            f"({warm['ratio']:.2g}) |"
        )
    lines.append(
        f"\n{here['date']}, {here['cores']} cores, Python {here['python']}, jax "
        f"{here['versions']['jax']}: banach and its peer, and the ratio; below 1 "
        "banach is faster."
    )
    return "\n".join(lines)


def placed(text: str, name: str, table: str) -> str:
    """The README with one table in its place."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
    if not pattern.search(text):
        raise SystemExit(f"README.md has no place for {name}: <!-- {name} --> ...")
    return pattern.sub(lambda found: found[1] + table + "\n" + found[2], text)


def main(argv: list[str]) -> int:
    """Write or check the tables; the exit code."""
    if argv not in (["--write"], ["--check"]):
        print("usage: python docs/readme.py --write | --check", file=sys.stderr)
        return 2
    text = README.read_text(encoding="utf-8")
    new = placed(placed(text, "kinds", kinds()), "speed", speed())
    if argv == ["--write"]:
        README.write_text(new, encoding="utf-8")
        return 0
    if new != text:
        print("README.md is stale; cure: make readme", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
