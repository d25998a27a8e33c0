"""What mkdocstrings shows of a docstring: formulas typeset, words as they are."""

import re
import sys
from pathlib import Path
from typing import Any

import griffe

sys.path.insert(0, str(Path(__file__).parent))

from mathematics import formulas


class Typeset(griffe.Extension):
    """Formulas of every docstring as MathML."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Called once an object has been read."""
        if obj.docstring is not None and "=" in obj.docstring.value:
            obj.docstring.value = typeset(obj.docstring.value)


def typeset(text: str) -> str:
    """A docstring in which paragraphs that are formulas are MathML."""
    head, mark, rest = text.partition("\nArgs:")
    blocks = re.split(r"\n\s*\n", head)
    return "\n\n".join(formulas(block) or block for block in blocks) + mark + rest
