"""What mkdocstrings shows of a docstring: formulas typeset, words as they are."""

import re
import sys
from pathlib import Path
from typing import Any

import griffe

sys.path.insert(0, str(Path(__file__).parent))

from mathematics import formulas

EXAMPLE = re.compile(r"^(?:Example|As a whole):$(?=\n+ +>>>)", re.M)


class Typeset(griffe.Extension):
    """Formulas of every docstring as MathML."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Called once an object has been read."""
        if obj.docstring is None:
            return
        if "=" in obj.docstring.value:
            obj.docstring.value = typeset(obj.docstring.value)
        # The word by which the parser knows sessions of Python.
        obj.docstring.value = EXAMPLE.sub("Examples:", obj.docstring.value)


def typeset(text: str) -> str:
    """A docstring in which paragraphs that are formulas are MathML."""
    head, mark, rest = text.partition("\nArgs:")
    blocks = re.split(r"\n\s*\n", head)
    return (
        "\n\n".join(formulas(block) or words(block) for block in blocks) + mark + rest
    )


def words(block: str) -> str:
    """A paragraph whose <a, b> is an inner product, and no mark of HTML."""
    parts = re.split(r"(`[^`]*`)", block)
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
    return block if block.startswith("    ") or ">>>" in block else "".join(parts)
