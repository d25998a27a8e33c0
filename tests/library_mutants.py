"""Mutate the library itself: does `make test` notice?

One-line mutations are drawn at random over the rooms that a certificate rests on. Each
is written into a copy of the project, where the tests that execute its line run
(`tests/executed_lines.py` has recorded which), the nearest first, until one fails: a
test that does not execute a line cannot notice what happened to it. A mutant that
nothing notices is told: test what it shows, or let the line go.

    python tests/executed_lines.py                                   # once, before
    python tests/library_mutants.py --count 100 --seed 7 --report mutants.jsonl
    python tests/library_mutants.py --list --count 100 --seed 7     # draw only

A report is gone on with: what it holds already is not run again. This is heavy
evidence, hours on two cores, and no part of `make test`.
"""

import argparse
import ast
import copy
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from executed_lines import Record

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src" / "banach"
ROOMS = ("checks", "kinds", "terms", "methods", "parts", "engine")
NEAR = 6  # test files that run first
PATIENCE = 900  # seconds for one command; a mutant that hangs is caught
ENOUGH, MOST = 200, 400  # CPU seconds, and number, of tests that execute a line
SWAPS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}  # fmt: skip
NAMES = {"minimum": "maximum", "maximum": "minimum", "any": "all", "all": "any",
         "max": "min", "min": "max", "sum": "max"}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One line of one file, before and after."""

    file: str
    line: int
    before: str
    after: str
    text: str  # the whole file, mutated

    def key(self) -> str:
        """What names it in a report."""
        return f"{self.file}:{self.line}: {self.before.strip()} -> {self.after.strip()}"


def mutated(node: ast.AST) -> ast.AST | None:
    """The node with one thing changed, or None where nothing is changed here."""
    new = copy.deepcopy(node)
    match new:
        case ast.Compare(ops=[op]) if type(op) in SWAPS:
            new.ops = [SWAPS[type(op)]()]
        case ast.BoolOp(op=op) | ast.BinOp(op=op) if type(op) in SWAPS:
            new.op = SWAPS[type(op)]()
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=inner):
            return inner
        case ast.Constant(value=bool(value)):
            new.value = not value
        case ast.Constant(value=int(value)):
            new.value = value + 1
        case ast.Constant(value=float(value)):
            new.value = 2 * value if value else 1.0
        case ast.Attribute(attr=name) if name in NAMES:
            new.attr = NAMES[name]
        case ast.IfExp():
            new.body, new.orelse = new.orelse, new.body
        case ast.Call(func=ast.Attribute(attr="where"), args=[_, yes, no]):
            new.args[1:] = [no, yes]
        case _:
            return None
    return new


def sites(tree: ast.Module) -> Iterator[ast.expr]:
    """Expressions of bodies; annotations and cards, held by other checks, are left."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.expr) and node.lineno == node.end_lineno:
            yield node
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list"):
                continue
            inner = value if isinstance(value, list) else [value]
            stack += [v for v in inner if isinstance(v, ast.AST)]


def mutants_of(file: Path) -> list[Mutant]:
    """Every mutant of one file whose line is a single one."""
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    found = []
    for node in sites(ast.parse(text)):
        new = mutated(node)
        if new is None:
            continue
        at = node.lineno - 1
        raw = lines[at].encode()
        inner = f"({ast.unparse(new)})".encode()
        if isinstance(new, ast.Constant | ast.Attribute | ast.Call):
            inner = inner[1:-1]
        after = raw[: node.col_offset] + inner + raw[node.end_col_offset :]
        whole = "".join([*lines[:at], after.decode(), *lines[at + 1 :]])
        try:
            ast.parse(whole)
        except SyntaxError:
            continue  # inside an f-string, where offsets are of another text
        place = str(file.relative_to(ROOT))
        found.append(Mutant(place, at + 1, lines[at], after.decode(), whole))
    return found


def drawn(count: int, seed: int) -> list[Mutant]:
    """Mutants drawn without replacement, each line at most once."""
    files = [f for room in ROOMS for f in sorted((SRC / room).rglob("*.py"))]
    every = [m for file in files for m in mutants_of(file)]
    random.Random(seed).shuffle(every)
    lines: dict[tuple[str, int], Mutant] = {}
    for mutant in every:
        lines.setdefault((mutant.file, mutant.line), mutant)
    return list(lines.values())[:count]


def nearest(file: str) -> list[str]:
    """Test files that speak of a module most, its own folder's first."""
    parts = Path(file).relative_to("src/banach").with_suffix("").parts
    dotted, stem = ".".join(("banach", *parts)), parts[-1]
    scored = []
    for test in sorted((ROOT / "tests").rglob("test_*.py")):
        text = test.read_text(encoding="utf-8")
        score = 10 * text.count(dotted) + len(re.findall(rf"\b{stem}\b", text))
        score += 20 * (test.stem == f"test_{stem}")
        score += 5 * (parts[0] in test.parts) + 5 * (parts[-2] in test.stem)
        scored.append((-score, str(test.relative_to(ROOT))))
    return [test for score, test in sorted(scored)[:NEAR] if score]


def commands(mutant: Mutant, record: Record) -> Iterator[list[str]]:
    """What is run until something fails: tests that execute the line, then the near.

    Those in the near files come first, then the cheapest; a mutant of a line that
    thousands execute is tried on as many as `ENOUGH` seconds hold.
    """
    pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    near = nearest(mutant.file)
    found = list(record.tests(mutant.file, mutant.line))
    found.sort(key=lambda test: test.partition("::")[0] not in near)
    chosen, spent = [], 0.0
    for test in found[:MOST]:
        spent += record.seconds.get(test, 0.0)
        if spent > ENOUGH:
            break
        chosen.append(test)
    # A folder at a time, as the suite: two files of one name do not load together.
    for group in by_folder(chosen):
        yield [*pytest, *group]
    yield [sys.executable, "-m", "banach.catalogue", "--check"]
    for group in by_folder(near):
        yield [*pytest, *group]


def by_folder(tests: list[str]) -> list[list[str]]:
    """Tests by their folder under tests/, that of the first first."""
    groups: dict[str, list[str]] = {}
    for test in tests:
        groups.setdefault(test.split("/")[1], []).append(test)
    return list(groups.values())


def noticed(mutant: Mutant, copied: Path, record: Record) -> str:
    """The command that failed on a mutant, or nothing."""
    target = copied / mutant.file
    original = target.read_text(encoding="utf-8")
    target.write_text(mutant.text, encoding="utf-8")
    try:
        env = os.environ | {"PYTHONPATH": str(copied / "src")}
        for command in commands(mutant, record):
            try:
                done = subprocess.run(
                    command, cwd=copied, env=env, capture_output=True, timeout=PATIENCE
                )
            except subprocess.TimeoutExpired:
                return f"no end after {PATIENCE} s: {' '.join(command[1:6])}"
            said = done.stdout + done.stderr
            if b"import file mismatch" in said or b"ERROR: not found" in said:
                # Not the mutant: what was recorded is not what stands here.
                raise RuntimeError(
                    f"{' '.join(command[1:6])} cannot run: {said[-500:]!r}"
                )
            if done.returncode:
                out = done.stdout.decode(errors="replace")
                failed = re.findall(r"^FAILED (\S+)", out, re.MULTILINE)
                return failed[0] if failed else " ".join(command[1:6])
    finally:
        target.write_text(original, encoding="utf-8")
    return ""


def main() -> int:
    """Draw, run, tell; the exit code is 0 if all but one in twenty were noticed."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("--count", type=int, default=100)
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--report", type=Path, default=Path("reports/mutants.jsonl"))
    ask.add_argument("--list", action="store_true")
    asked = ask.parse_args()
    mutants = drawn(asked.count, asked.seed)
    if asked.list:
        print("\n".join(m.key() for m in mutants))
        return 0
    asked.report.parent.mkdir(parents=True, exist_ok=True)
    rows = {}
    if asked.report.exists():
        lines = asked.report.read_text(encoding="utf-8").splitlines()
        rows = {row["mutant"]: row for row in map(json.loads, lines)}
    record = Record()
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / "banach"
        leave = shutil.ignore_patterns(
            ".venv", ".git", "site", "reports", "__pycache__"
        )
        shutil.copytree(ROOT, copied, ignore=leave)
        for mutant in mutants:
            if mutant.key() in rows:
                continue
            began = time.monotonic()
            by = noticed(mutant, copied, record)
            seconds = round(time.monotonic() - began)
            rows[mutant.key()] = {"mutant": mutant.key(), "by": by, "seconds": seconds}
            with asked.report.open("a", encoding="utf-8") as out:
                out.write(json.dumps(rows[mutant.key()]) + "\n")
            print(
                f"{'noticed ' if by else 'SURVIVED'} {mutant.key()}  {by}", flush=True
            )
    mine = [rows[m.key()] for m in mutants]
    survived = [row["mutant"] for row in mine if not row["by"]]
    print(f"{len(mine) - len(survived)} of {len(mine)} noticed")
    return int(20 * len(survived) > len(mine))


if __name__ == "__main__":
    sys.exit(main())
