"""Pages made from the catalogue: one a method, one a kind, their lists, refs.bib.

A page of evidence for each measured claim comes from evidence.json. mkdocs calls
`on_config` before it reads docs/, so the pages are never older than the index. They go
to docs/methods/, kinds/, evidence/ and api/, which git ignores; refs.bib is
committed.

    python docs/generate.py --write    regenerate docs/refs.bib
    python docs/generate.py --check    exit 1 when it is stale
"""

import importlib
import json
import re
import sys
import textwrap
from itertools import groupby
from pathlib import Path
from typing import Any

import banach.catalogue as catalogue

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

import curves  # noqa: E402
from mathematics import escaped, formulas  # noqa: E402

EVIDENCE = DOCS / "evidence.json"
CALLS = DOCS / "calls.json"
VERDICTS = {
    "reproduced": "Reproduced",
    "partly": "Partly reproduced",
    "not_reproduced": "Not reproduced",
    "out_of_reach": "Out of reach",
    "error": "The experiment failed to run",
}
SORTS = {
    "proved": "Proved",
    "reported": "Reported by the authors",
    "ours": "Asked by us, no part of the verdict",
}

# What a method calls, and what it takes to be true, as a reader would say it.
ORACLES = {
    "adjoint": "products with the transpose of K",
    "coded_grad": "gradients that coded workers send",
    "component": "single terms of the operator",
    "constraints": "the constraints",
    "coordinate": "global minima along one coordinate",
    "copies": "a copy of each value for each operation",
    "cross": "mixed derivatives of the lower objective",
    "forward": "products with K",
    "grad": "the gradient",
    "hess": "the Hessian",
    "host_model": "the model in NumPy",
    "hvp": "products with the Hessian",
    "jacobian": "the Jacobian",
    "linear_part": "the linear part of the map",
    "lmo": "minimisers of linear functions over the set",
    "local_grad": "the workers' gradients",
    "local_sample": "the workers' gradients of sampled terms",
    "lower_grad": "the gradient of the lower objective",
    "lower_hvp": "products with the lower Hessian",
    "map": "the map T",
    "matvec": "products with the matrix",
    "normal": "the normal equations",
    "operator": "the operator F",
    "outer_prox": "the prox of h",
    "plan": "the plan of two potentials",
    "project": "projections onto the set",
    "project_agreement": "projections onto equal copies",
    "project_operations": "projections onto each operation's graph",
    "prox": "the prox of the term",
    "residual": "the residual",
    "resolvent": "the resolvent of the term",
    "riesz": "solutions of a linear elliptic equation",
    "sample": "values of sampled terms",
    "sample_cross": "mixed derivatives of sampled rows",
    "sample_lower_grad": "lower gradients of sampled rows",
    "sample_lower_hvp": "lower Hessian products of sampled rows",
    "sample_upper_grad": "upper gradients of sampled rows",
    "split": "the split into blocks",
    "split_prox": "the prox of each block",
    "stochastic_grad": "gradients of sampled terms",
    "transform": "the c-transform of a potential",
    "upper_grad": "the gradient of the upper objective",
    "upper_value": "values of the upper objective",
    "value": "values of the objective",
}
FACTS = {
    "contractive": "the map contracts",
    "convex": "the objective is convex",
    "lower_strongly_convex": "the lower objective is strongly convex",
    "monotone": "the operator is monotone",
    "nonexpansive": "the map brings no two points further apart",
    "positive_definite": "the matrix is positive definite",
    "smooth": "the differentiable part has a continuous gradient",
    "strongly_convex": "the objective is strongly convex",
    "symmetric": "the matrix is symmetric",
}


def beside(name: str) -> Any:
    """A module of this folder that needs what banach needs; hooks have a path apart."""
    if str(DOCS) not in sys.path:
        sys.path.insert(0, str(DOCS))
    return importlib.import_module(name)


def references(index: dict) -> str:
    """All papers as one .bib text, sorted by key; a paper shared by methods once."""
    papers = {
        entry["paper"]: catalogue.reference(name) for name, entry in index.items()
    }
    head = (
        "% Generated from the methods' own .bib files; cure for staleness: make index\n"
    )
    return head + "".join(f"\n{papers[key]}\n" for key in sorted(papers))


def prose(text: str) -> str:
    """A docstring as Markdown: formulas typeset, other marks escaped."""
    blocks = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = paragraph.split("\n")
        plain = all("=" in line or line.startswith(" ") for line in lines)
        table = any(line.startswith(" ") or "  " in line.strip() for line in lines)
        if (listed := section(paragraph)) is not None:
            blocks.append(listed)
        elif (typeset := formulas(paragraph)) is not None:
            blocks.append(typeset)
        elif plain and table:
            blocks.append("\n".join(["```text", *lines, "```"]))
        else:
            blocks.append(escaped(paragraph))
    return "\n\n".join(blocks)


def section(paragraph: str) -> str | None:
    """The arguments or the example of a docstring; None where it is neither."""
    head, _, body = paragraph.partition("\n")
    body = textwrap.dedent(body)
    if ">>>" in body and not head.startswith(" "):
        return f"{escaped(head)}\n\n```pycon\n{body}\n```"
    if head not in ("Args:", "Fields:", "Attributes:", "Returns:", "Raises:"):
        return None
    entries = re.sub(r"\n +", " ", body).split("\n")
    named = [entry.partition(":") for entry in entries]
    lines = [f"- `{name}`: {escaped(text.strip())}" for name, _, text in named]
    return "\n".join([escaped(head), "", *lines])


def cell(value: object) -> str:
    """One cell of a table."""
    return str(value).replace("|", "\\|") if value not in (None, "") else "none"


def words(values: list[str]) -> str:
    """A list of code words."""
    return ", ".join(f"`{value}`" for value in values) or "nothing"


def calls(cost: dict[str, int]) -> str:
    """Oracle calls in words."""
    return ", ".join(f"{count} {name}" for name, count in cost.items()) or "none"


def card(entry: dict) -> str:
    """The card as a table."""
    cost = entry["cost"]
    rate = f"`{entry['rate_of']}`" if entry["has_rate"] else "none declared"
    traits = [trait for trait in ("random", "host") if entry[trait]]
    rows = {
        "Class": f"`{entry['module']}.{entry['class']}`",
        "Family": entry["family"],
        "Stated for": f"`{entry['problem']}`",
        "Needs (oracles)": words(entry["needs"]),
        "Assumes (facts)": words(entry["assumes"]),
        "Calls per step": "counted while it runs" if cost is None else calls(cost),
        "Calls to start": calls(entry["init_cost"] or {}),
        "Rate bounds": rate,
        "Traits": ", ".join(traits) or "deterministic, compiled",
    }
    lines = [f"| {key} | {cell(value)} |" for key, value in rows.items()]
    return "\n".join(["| | |", "| --- | --- |", *lines])


def evidence(claim: dict) -> str:
    """The verdict on the paper in a sentence, and where the rest stands."""
    verdict = VERDICTS[claim["verdict"]]
    more = f"[statement by statement](../evidence/{claim['name']}.md)"
    return f"**{verdict}** ({cell(claim['summary'])}, {claim['date']}): {more}."


def evidence_page(claim: dict, figures: Path) -> str:
    """What one claim's statements were measured at, with the figure."""
    name = claim["name"]
    parts = [
        f"# {name}: evidence",
        prose(claim["promise"]),
        f"**{VERDICTS[claim['verdict']]}** ({prose(claim['summary'])}). Measured "
        f"{claim['date']} in {claim['seconds']:.0f} s by `banach claims run {name} "
        f"--seed {claim['seed']}`; the method: [{name}](../methods/{name}.md).",
    ]
    for sort, title in SORTS.items():
        rows = [row for row in claim["statements"] if row["sort"] == sort]
        if rows:
            parts += [f"## {title}", *map(statement, rows)]
    if (figures / f"{name}.png").exists():
        parts += ["## Figure", f"![{name}](../images/claims/{name}.png)"]
    return "\n\n".join(parts) + "\n"


def statement(row: dict) -> str:
    """One statement: what is said, where, what was required, and each number."""
    from banach.claims.course import words as measured

    said = [f"**{prose(row['says'])}**", f"Source: {prose(row['source'])}."]
    if row["verdict"] in ("holds", "fails"):
        near = "; within a tenth of the bar" if row["close"] else ""
        said.append(
            f"Required: {row['required']}. Measured: {prose(measured(row))}{near}."
        )
        if row["few"]:
            said.append(f"No more instances: {prose(row['few'])}.")
        each = row["numbers"].items()
        head = "| instance | number |\n| --- | --- |\n"
        shown = [
            f"| {cell(k)} | {'none' if v is None else f'{v:.4g}'} |" for k, v in each
        ]
        said.append(head + "\n".join(shown))
    else:
        said.append(prose(measured(row)) + ".")
    return "\n\n".join(said)


def warnings(doc: str) -> tuple[str, str]:
    """(what a method is, when it fails): the sentences from `Fails` on are apart."""
    found = re.search(r"(?:^|(?<=\s))(?:It f|F)ails? ", doc)
    if found is None:
        return doc, ""
    return doc[: found.start()].rstrip(), doc[found.start() :]


def trial(name: str, found: dict | None) -> str:
    """A call to copy, and the curve of its run."""
    calls = beside("calls")

    if found is None:
        return "No ready problem of this catalogue is certified by it alone."
    said = (
        f"{name} on {found['problem']}: {found['quantity']} relative to its scale "
        f"falls below {found['tol']:g} in {found['steps']} steps"
    )
    quantity = f"`{found['quantity']}`"
    ended = (
        f"certified: {quantity}, a {found['grade']}, to {found['tol']:g} of its scale, "
        f"in {found['steps']:,} steps."
    )
    parts = [f"```python\n{calls.code(name, found)}\n```", ended]
    if len(found["curve"]) > 1:
        parts.append(curves.svg(found["curve"], found["tol"], said))
    return "\n\n".join(parts)


def said_as(names: list[str], meaning: dict[str, str]) -> str:
    """What oracles or facts are, in words; a name without words stays code."""
    said = [meaning.get(name, f"`{name}`") for name in names]
    last = said.pop() if said else "nothing"
    return f"{', '.join(said)} and {last}" if said else last


def uses(entry: dict) -> str:
    """When to use a method, from its card and the kinds that prefer it."""
    needs = said_as(entry["needs"], ORACLES)
    assumes = said_as(entry["assumes"], FACTS)
    kind = f"problems of kind [{entry['problem']}](../kinds/{entry['problem']}.md)"
    if entry["problem"] == "Problem":
        kind = "any problem that has what it needs"
    said = [f"For {kind}. It uses {needs}"]
    said.append(f", and relies on this: {assumes}. " if entry["assumes"] else ". ")
    first = [
        kind["name"] for kind in catalogue.own()["kinds"].values()
        if any(entry["name"] == names.split()[0] for names in kind["prefers"].values())
    ]  # fmt: skip
    if first:
        said.append(f"Where nothing is named, banach takes it for {words(first)}.")
    return "".join(said)


def page(entry: dict, claim: dict | None, found: dict | None) -> str:
    """The page of one method."""
    authors = ", ".join(entry["authors"])
    name = entry["name"]
    idea, fails = warnings(entry["doc"])
    paper = f"{escaped(authors)} ({entry['year']}). {escaped(entry['title'])}."
    parts = [f"# {name}", escaped(entry["summary"])]
    if entry["family"] != "bridge":
        parts.append(trial(name, found))
    parts += ["## The idea", prose(idea), "## When to use it", uses(entry)]
    if fails:
        parts += ["## When not", prose(fails)]
    parts += ["## Paper and evidence", paper]
    if claim is not None:
        parts.append(evidence(claim))
    parts += [
        f"```bibtex\n{catalogue.reference(name)}\n```",
        "## Card",
        card(entry),
    ]
    return "\n\n".join(parts) + "\n"


def overview(families: dict[str, list[dict]]) -> str:
    """The list of all methods, a table per family."""
    count = sum(map(len, families.values()))
    parts = [
        "# Methods",
        f"{count} methods. A method applies to a problem when the problem offers the "
        "oracles that the method needs and states the facts that it assumes.",
    ]
    for family, entries in families.items():
        rows = [
            f"| [{e['name']}]({e['name']}.md) | {cell(prose(e['summary']))} "
            f"| {words(e['needs'])} | {e['year']} |"
            for e in entries
        ]
        head = ["| Method | What it is | Needs | Year |", "| --- | --- | --- | --- |"]
        parts += [f"## {family}", "\n".join([*head, *rows])]
    return "\n\n".join(parts) + "\n"


def pages(index: dict, claims: list[dict]) -> dict[str, str]:
    """The text of every generated page by file name."""
    families = by_family(index)
    found = {"index.md": overview(families)}
    measured = {claim["name"]: claim for claim in claims}
    called = json.loads(CALLS.read_text(encoding="utf-8"))
    for name, entry in index.items():
        found[f"{name}.md"] = page(entry, measured.get(name), called.get(name))
    return found


def kind_page(entry: dict, methods: list[dict], rows: list[dict]) -> str:
    """The page of one kind of problem."""
    api = beside("api")

    prefers = [
        f"{names} {f'(where {condition})' if condition else ''}".strip()
        for condition, names in entry["prefers"].items()
    ]
    table = {
        "Class": f"`{entry['module']}.{entry['class']}`",
        "Stated with": words(sorted(entry["pieces"])),
        "Oracles of some instance": words(entry["oracles"]),
        "Default check": ", or ".join(f"`{name}`" for name in entry["checks"]),
        "Default methods, in order": "; ".join(prefers) or "those of a minimisation",
        "Seen as": words(entry["views"]),
    }
    lines = [f"| {key} | {cell(value)} |" for key, value in table.items()]
    stated = [
        f"[`bn.{name}`](../api/{api.file(name)})"
        for name in sorted(entry["public"], key=lambda n: (n != entry["name"], n))
    ]
    parts = [
        f"# {entry['name']}",
        escaped(entry["summary"]),
        f"Stated as {', '.join(stated)}.",
        prose(entry["doc"]),
    ]
    if rows:
        parts += ["## Ready problems", "\n".join(
            f"- `banach race {row['name']}`" + (
                f": {escaped(row['title'])}" if row["title"] else ""
            )
            for row in rows
        )]  # fmt: skip
    if methods:
        parts += ["## Methods stated for it", "\n".join(
            f"- [{m['name']}](../methods/{m['name']}.md): {escaped(m['summary'])}"
            for m in methods
        )]  # fmt: skip
    parts += ["## Card", "\n".join(["| | |", "| --- | --- |", *lines])]
    return "\n\n".join(parts) + "\n"


def kind_pages(kinds: dict, index: dict, rows: list[dict]) -> dict[str, str]:
    """The text of every kind's page, and of their list, by file name."""
    table = ["| Kind | What it is | Default check |", "| --- | --- | --- |"]
    found = {}
    for name, entry in kinds.items():
        own = [m for m in index.values() if m["problem"] == name]
        ready = [row for row in rows if row["kind"] == name]
        found[f"{name}.md"] = kind_page(entry, own, ready)
        said = cell(prose(entry["summary"]))
        table.append(f"| [{name}]({name}.md) | {said} | `{entry['checks'][0]}` |")
    head = "# Kinds of problems\n\nWhat a problem is decides why its answer may be "
    head += "believed. [Which problem is mine?](../problems.md) helps to choose.\n\n"
    return {"index.md": head + "\n".join(table) + "\n", **found}


def by_family(index: dict) -> dict[str, list[dict]]:
    """Entries grouped by family, both in alphabetical order."""
    entries = sorted(index.values(), key=lambda e: (e["family"], e["name"]))
    return {k: list(group) for k, group in groupby(entries, lambda e: e["family"])}


def write(folder: Path, texts: dict[str, str]) -> None:
    """Make the folder hold exactly these pages; unchanged files keep their time."""
    folder.mkdir(exist_ok=True)
    for file in folder.glob("*.md"):
        if file.name not in texts:
            file.unlink()
    for name, text in texts.items():
        file = folder / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def on_config(config):
    """mkdocs hook: write the pages and list them in the navigation by family."""
    from banach import zoo

    api = beside("api")

    index = catalogue.own()["methods"]
    claims = []
    if EVIDENCE.exists():
        claims = json.loads(EVIDENCE.read_text(encoding="utf-8"))
    write(DOCS / "methods", pages(index, claims))
    figures = DOCS / "images" / "claims"
    rows = {f"{c['name']}.md": evidence_page(c, figures) for c in claims}
    write(DOCS / "evidence", rows)
    write(DOCS / "api", api.pages())
    methods = ["methods/index.md"]
    for family, entries in by_family(index).items():
        methods.append(
            {family: [{e["name"]: f"methods/{e['name']}.md"} for e in entries]}
        )
    kinds = catalogue.own()["kinds"]
    write(DOCS / "kinds", kind_pages(kinds, index, zoo.names()))
    rooms = ["kinds/index.md", *({name: f"kinds/{name}.md"} for name in kinds)]
    families: dict[str, list] = {}
    for c in claims:
        place = {c["name"]: f"evidence/{c['name']}.md"}
        families.setdefault(c["family"], []).append(place)
    made = {
        "Methods": methods,
        "Kinds": rooms,
        "API": api.nav(),
        "Evidence": ["evidence.md", *({k: v} for k, v in families.items())],
    }
    config.nav = placed(config.nav, made)
    return config


def placed(nav: list, made: dict[str, list]) -> list:
    """The navigation of mkdocs.yml, with the generated parts where it names them."""
    left = set(made)
    whole = []
    for item in nav:
        title = next(iter(item)) if isinstance(item, dict) else None
        if title in made:
            left.discard(title)
            whole.append({title: made[title]})
        else:
            whole.append(item)
    if left:
        raise ValueError(f"mkdocs.yml has no place for {sorted(left)}")
    return whole


def main(argv: list[str]) -> int:
    """Write or check refs.bib; the exit code."""
    if argv not in (["--write"], ["--check"]):
        print("usage: python docs/generate.py --write | --check", file=sys.stderr)
        return 2
    file = DOCS / "refs.bib"
    text = references(catalogue.load_index())
    current = file.read_text(encoding="utf-8") if file.exists() else None
    if argv == ["--write"]:
        if text != current:
            file.write_text(text, encoding="utf-8")
        return 0
    if text != current:
        print("docs/refs.bib is stale; cure: make index", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
