"""What mkdocstrings shows of a docstring: formulas typeset, words as they are."""

import re
import sys
from pathlib import Path
from textwrap import indent
from typing import Any

import griffe

sys.path.insert(0, str(Path(__file__).parent))

from mathematics import escaped, formulas

# A section of Google's style, or an example: mkdocstrings reads these itself.
SECTION = re.compile(r"^(\w+( \w+)*:\s*$|Examples:|>>>)", re.M)


class Typeset(griffe.Extension):
    """Formulas of every docstring as MathML."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Called once an object has been read."""
        if obj.docstring is not None:
            obj.docstring.value = typeset(obj.docstring.value)


def typeset(text: str) -> str:
    """A docstring whose formulas are MathML, up to its first section or example."""
    # griffe knows `Examples` alone, and takes `>>>` under others for quotations.
    text = re.sub(r"^([A-Z][\w ]*):[ ]*\n(?=[ ]+>>>)", _headed, text, flags=re.M)
    blocks = [
        "Examples:\n" + indent(block, "    ") if block.startswith(">>>") else block
        for block in re.split(r"\n\s*\n", text)
    ]
    plain = next(
        (at for at, block in enumerate(blocks) if SECTION.search(block)), len(blocks)
    )
    shown = [shaped(block) for block in blocks[:plain]]
    return "\n\n".join(shown + blocks[plain:])


def _headed(found: re.Match[str]) -> str:
    """The head of examples, with its own title where it has one."""
    title = "" if found[1].startswith("Example") else f" {found[1]}"
    return f"Examples:{title}\n"


def shaped(block: str) -> str:
    """One paragraph: formulas alone, words with formulas among them, or a table."""
    if (alone := formulas(block)) is not None:
        return alone
    table = any(line.startswith(" ") for line in block.split("\n"))
    return block if table or "```" in block else escaped(block)
