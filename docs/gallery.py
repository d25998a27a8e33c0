"""The gallery: scripts of docs/gallery, run, and what they print and draw as pages.

    python docs/gallery.py --write [NAME ...]   run, write NN_name.md, .png, index.md
    python docs/gallery.py --check [NAME ...]   run, compare with what the pages say

A script is what a reader copies: a docstring (its first line the title, its second
paragraph what is shown), code that prints a few lines, and one figure that ends in
`plt.show()`. Here `plt.show` saves the figure instead. A page holds the printed text,
so that all of it but the numbers follows from the script.
"""

import argparse
import ast
import io
import os
import re
import subprocess
import sys
import tempfile
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GALLERY = ROOT / "docs" / "gallery"
BYTES = 120_000
"""The most that a picture may weigh."""
CODE = 45
"""The most lines of code of a script: none of its docstring, comments or blank."""
# Legible on a white card in either scheme of the site; colours told apart by all.
LOOK = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.figsize": (7.2, 4.2),
    "font.size": 10,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.dpi": 130,
    "savefig.facecolor": "white",
}


def scripts(names: list[str] | None = None) -> list[Path]:
    """The scripts in order, or those named: by file name, stem or number."""
    every = sorted(GALLERY.glob("[0-9][0-9]_*.py"))
    if not names:
        return every
    found = []
    for name in names:
        stem = Path(name).name.removesuffix(".py").removesuffix(".md")
        hits = [p for p in every if stem in (p.stem, p.stem[:2], p.stem[3:])]
        if not hits:
            known = ", ".join(p.stem for p in every)
            raise SystemExit(f"no script {name!r} in {GALLERY}; there are {known}")
        found += hits
    return found


def words(script: Path) -> tuple[str, str]:
    """Title and sentences, from the docstring."""
    said = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    title, _, rest = said.partition("\n\n")
    if not rest.strip() or "\n" in title:
        raise SystemExit(
            f"{script.name}: the docstring needs a title in one line, an empty line, "
            "and two or three sentences"
        )
    return title.strip().rstrip("."), " ".join(rest.split())


def code_lines(script: Path) -> int:
    """Lines of code: without docstrings, comments and empty lines."""
    text = script.read_text(encoding="utf-8")
    said = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            said.update(range(node.lineno, node.end_lineno + 1))
    silent = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT,
              tokenize.DEDENT, tokenize.ENDMARKER)  # fmt: skip
    held = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in silent
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(held - said)


def page(script: Path, printed: str) -> str:
    """The page of a script that printed this."""
    title, sentences = words(script)
    printed = printed.strip("\n")
    code = script.read_text(encoding="utf-8").split('"""', 2)[2].strip("\n")
    return (
        f"# {title}\n\n{sentences}\n\n"
        f"![{title}]({script.stem}.png){{ .card }}\n\n"
        f"```text\n{printed}\n```\n\n"
        f"The script, which [can be downloaded]({script.name}):\n\n"
        f"```python\n{code}\n```\n"
    )


def printed_on(text: str) -> str:
    """What a page says that its script printed."""
    found = re.search(r"```text\n(.*?)\n```", text, re.S)
    if not found:
        raise SystemExit("the page holds no printed text; write it anew with --write")
    return found[1]


def index() -> str:
    """Thumbnails of every entry."""
    cards = []
    for script in scripts():
        title, sentences = words(script)
        first = re.split(r"(?<=[.?!]) ", sentences)[0]
        cards.append(
            f"-   [![{title}]({script.stem}.png)]({script.stem}.md)\n\n"
            f"    **[{title}]({script.stem}.md)**<br>\n    {first}\n"
        )
    return (
        "# Gallery\n\n"
        "Worked problems, all but one on real data. Each is one script that can be "
        "copied and run; the picture is what it drew, and the text on its page what it "
        "printed, which the tests compare with a fresh run.\n\n"
        '<div class="grid cards gallery" markdown>\n\n'
        + "\n".join(cards)
        + "\n</div>\n"
    )


def run(script: Path, picture: Path, seconds: float = 300) -> str:
    """What a script prints in a fresh process, its figure saved as `picture`."""
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            [sys.executable, __file__, "--draw", str(script), str(picture)],
            capture_output=True, text=True, timeout=seconds, cwd=scratch,
            env=os.environ | {"MPLBACKEND": "agg", "PYTHONWARNINGS": "error"},
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{script.name} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def draw(script: str, picture: str) -> None:
    """Run a script here; `plt.show()` saves."""
    import runpy

    import matplotlib.pyplot as plt
    from cycler import cycler
    from PIL import Image

    from banach.report.figures import COLOURS

    def save() -> None:
        plt.savefig(picture)
        plt.close("all")
        # 256 colours are plenty for lines and a map, and a third of the bytes.
        flat = Image.open(picture).convert("RGB").quantize(256)
        flat.save(picture, optimize=True)

    plt.rcParams.update(LOOK | {"axes.prop_cycle": cycler(color=COLOURS)})
    plt.show = save
    runpy.run_path(script, run_name="__main__")
    if not Path(picture).exists():
        raise SystemExit(f"{script} drew nothing: it should end in plt.show()")


def write(chosen: list[Path]) -> None:
    """Run, and write pages, pictures and the index."""
    for script in chosen:
        picture = script.with_suffix(".png")
        printed = run(script, picture)
        if picture.stat().st_size > BYTES:
            raise SystemExit(f"{picture.name} is larger than {BYTES} bytes")
        text = page(script, printed)
        script.with_suffix(".md").write_text(text, encoding="utf-8")
        print(script.stem, file=sys.stderr)
    (GALLERY / "index.md").write_text(index(), encoding="utf-8")


def problems(script: Path) -> list[str]:
    """Where a fresh run differs from the page: words exactly, numbers nearly."""
    sys.path.insert(0, str(ROOT))
    from tests.test_readme import differs

    text = script.with_suffix(".md").read_text(encoding="utf-8")
    said = printed_on(text)
    found = [] if text == page(script, said) else ["the page is not that of the script"]
    with tempfile.TemporaryDirectory() as scratch:
        got = run(script, Path(scratch) / "figure.png")
    lines = [v.strip("\n").splitlines() for v in (said, got)]
    if len(lines[0]) != len(lines[1]):
        return [*found, f"{len(lines[0])} lines on the page, printed:\n{got}"]
    return found + [d for d in map(differs, *lines) if d is not None]


def check(chosen: list[Path]) -> int:
    """Print what differs; how many scripts do."""
    wrong = 0
    for script in chosen:
        found = problems(script)
        wrong += bool(found)
        print(script.stem, "; ".join(found) or "as it says")
    if (GALLERY / "index.md").read_text(encoding="utf-8") != index():
        print("index.md is not that of the scripts")
        wrong += 1
    return wrong


def main() -> None:
    """The command."""
    if sys.argv[1:2] == ["--draw"]:
        return draw(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--write", action="store_true", help="run, and write the pages")
    asked.add_argument("--check", action="store_true", help="run, and compare")
    parser.add_argument("names", nargs="*", help="scripts; all where none is named")
    given = parser.parse_args()
    chosen = scripts(given.names)
    if given.write:
        return write(chosen)
    sys.exit(bool(check(chosen)))


if __name__ == "__main__":
    main()
