r"""A small strict BibTeX reader: entries with braced, quoted or integer values.

Strict on purpose. A reference that is half understood ends up half printed in a
paper, so anything unknown (a macro, a string concatenation, a stray character, an
unknown TeX command) is an error that names file and line.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

TYPES = frozenset(
    """article book booklet inbook incollection inproceedings manual mastersthesis misc
    online phdthesis proceedings techreport unpublished""".split()
)
REQUIRED = ("title", "author", "year")
MONTHS = frozenset("jan feb mar apr may jun jul aug sep oct nov dec".split())
ACCENTS = {
    "'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303",
    "=": "\u0304", ".": "\u0307", "u": "\u0306", "v": "\u030c", "H": "\u030b",
    "c": "\u0327", "k": "\u0328", "r": "\u030a", "d": "\u0323",
}  # fmt: skip
SYMBOLS = {
    "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ss": "ß", "ae": "æ", "AE": "Æ",
    "oe": "œ", "OE": "Œ", "aa": "å", "AA": "Å", "i": "i", "j": "j", "ell": "ℓ",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε",
    "varepsilon": "ε", "kappa": "κ", "lambda": "λ", "mu": "μ", "rho": "ρ",
    "sigma": "σ", "theta": "θ", "infty": "∞", "sqrt": "√", "times": "×",
    "&": "&", "%": "%", "$": "$", "#": "#", "_": "_", "{": "{", "}": "}",
    "-": "", "/": "", " ": " ", ",": " ",
}  # fmt: skip
FONTS = frozenset(
    "emph textit textbf textrm texttt mathcal mathrm mathbb bf it".split()
)
TEX = re.compile(r"\\([a-zA-Z]+)\s*|\\(.)")
ACCENT = re.compile(
    r"""\\(?:(['`^"~=.])\s*|([uvHckrd])(?=[\s{\\])\s*)"""
    r"""(?:\{\s*(\\[ij]|[A-Za-z])\s*\}|(\\[ij](?![a-zA-Z])|[A-Za-z]))"""
)


class BibtexError(ValueError):
    """A .bib file that cannot be read; the message starts with file:line."""


@dataclass(frozen=True)
class Entry:
    """One reference: its type, key, raw field values, and where it was written."""

    kind: str
    key: str
    fields: Mapping[str, str]
    where: str

    @property
    def title(self) -> str:
        """The full title as plain text."""
        return plain(self.fields["title"], self.where)

    @property
    def authors(self) -> list[str]:
        """Names in reading order, first name first."""
        return [
            "et al." if name == "others" else plain(_reading_order(name), self.where)
            for name in _split_names(self.fields["author"])
        ]

    @property
    def year(self) -> int:
        """The year of publication."""
        return int(self.fields["year"])

    def render(self) -> str:
        """The entry as BibTeX again, one field a line, values braced."""
        lines = [f"  {name} = {{{value}}}," for name, value in self.fields.items()]
        return "\n".join([f"@{self.kind}{{{self.key},", *lines, "}"])


def parse(text: str, file: str = "<bibtex>") -> dict[str, Entry]:
    """Read all entries of a .bib text, by key.

    `file` is used in error messages only. Raises `BibtexError` for anything outside
    the accepted grammar, for a duplicate key or field, and for an entry that lacks
    title, author or a four-digit year.
    """
    reader = _Reader(text, file)
    entries: dict[str, Entry] = {}
    for entry in reader.entries():
        if entry.key in entries:
            raise BibtexError(f"{entry.where}: the key {entry.key} is used twice")
        entries[entry.key] = entry
    return entries


def plain(value: str, where: str = "<bibtex>") -> str:
    r"""TeX to plain text: accents composed, braces and `$` dropped, spaces joined.

    An unknown command raises `BibtexError`.
    """

    def accent(match):
        mark = ACCENTS[match[1] or match[2]]
        letter = (match[3] or match[4]).lstrip("\\")
        return unicodedata.normalize("NFC", letter + mark)

    def command(match):
        name = match[1] or match[2]
        if name in FONTS:
            return ""
        if name not in SYMBOLS:
            raise BibtexError(
                f"{where}: unknown TeX command \\{name} in {value!r}; write the "
                "character itself, or add it to banach.bibtex.SYMBOLS"
            )
        # Escaped braces must outlive the removal of grouping braces.
        return {"{": "\x01", "}": "\x02", "$": "\x03"}.get(name, SYMBOLS[name])

    text = TEX.sub(command, ACCENT.sub(accent, value))
    text = text.replace("~", " ").replace("---", "—").replace("--", "–")
    text = re.sub(r"[{}$]", "", text)
    text = text.translate({1: "{", 2: "}", 3: "$"})
    return " ".join(text.split())


def _split_names(value: str) -> list[str]:
    """Split at the word `and` outside braces."""
    names: list[str] = []
    current: list[str] = []
    depth = 0
    for word in value.split():
        if word == "and" and depth == 0:
            names.append(" ".join(current))
            current = []
        else:
            current.append(word)
            depth += word.count("{") - word.count("}")
    return [*names, " ".join(current)]


def _reading_order(name: str) -> str:
    """Turn `Last, First` and `Last, Jr, First` into reading order."""
    parts = [part.strip() for part in name.split(",")]
    if len(parts) == 2:
        return f"{parts[1]} {parts[0]}"
    if len(parts) == 3:
        return f"{parts[2]} {parts[0]} {parts[1]}"
    return name


class _Reader:
    """A cursor over the text."""

    def __init__(self, text: str, file: str):
        self.text, self.file, self.at = text, file, 0

    def where(self, at: int | None = None) -> str:
        at = self.at if at is None else at
        return f"{self.file}:{self.text.count(chr(10), 0, at) + 1}"

    def fail(self, message: str, at: int | None = None) -> NoReturn:
        raise BibtexError(f"{self.where(at)}: {message}")

    def peek(self) -> str:
        """Skip space and return the next character, or an empty string at the end."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.text[self.at : self.at + 1]

    def take(self, pattern: str, what: str) -> str:
        self.peek()
        match = re.compile(pattern).match(self.text, self.at)
        if match is None:
            found = self.text[self.at : self.at + 20].split("\n")[0]
            self.fail(f"expected {what}, found {found!r}")
        self.at = match.end()
        return match[0]

    def entries(self) -> Iterator[Entry]:
        while char := self.peek():
            if char == "%":
                self.at = (self.text + "\n").index("\n", self.at)
            else:
                yield self.entry()

    def entry(self) -> Entry:
        start = self.at
        self.take("@", "an entry (@article{...}) or a comment (% ...)")
        kind = self.take(r"[A-Za-z]+", "an entry type").lower()
        if kind not in TYPES:
            self.fail(f"unknown entry type @{kind}; known: {sorted(TYPES)}", start)
        self.take(r"\{", "'{'")
        key = self.take(r"[A-Za-z0-9_:+./-]+", "a key")
        self.take(",", "',' after the key")
        fields: dict[str, str] = {}
        while self.peek() != "}":
            name_at = self.at
            name = self.take(r"[A-Za-z][A-Za-z0-9_-]*", "a field name or '}'").lower()
            if name in fields:
                self.fail(f"the field {name} stands twice in {key}", name_at)
            self.take("=", f"'=' after {name}")
            fields[name] = " ".join(self.value(name).split())
            if self.peek() != "}":
                self.take(",", f"',' or '}}' after the value of {name}")
        self.take(r"\}", "'}'")
        self.demand(key, fields, start)
        return Entry(kind, key, fields, self.where(start))

    def demand(self, key: str, fields: Mapping[str, str], start: int) -> None:
        for name in REQUIRED:
            if not fields.get(name):
                self.fail(f"{key} lacks the field {name}", start)
        if not re.fullmatch(r"\d{4}", fields["year"]):
            self.fail(f"{key}: year {fields['year']!r} is not four digits", start)
        if not all(_split_names(fields["author"])):
            self.fail(f"{key}: an empty name in author; separate with 'and'", start)

    def value(self, name: str) -> str:
        char, start = self.peek(), self.at
        if char == "{":
            return self.group()
        if char == '"':
            return self.quoted()
        bare = self.take(r"[A-Za-z0-9]+", f"a braced or quoted value for {name}")
        if not (bare.isdigit() or bare.lower() in MONTHS):
            self.fail(f"the macro {bare} is not defined; write {{{bare}}}", start)
        return bare

    def group(self) -> str:
        """A balanced braced group, without its outer braces."""
        start, depth = self.at, 0
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "\\":
                self.at += 1
            depth += (char == "{") - (char == "}")
            self.at += 1
            if depth == 0:
                return self.text[start + 1 : self.at - 1]
        return self.fail("a '{' that is never closed", start)

    def quoted(self) -> str:
        """A quoted value; a quote inside braces does not end it."""
        start, depth = self.at, 0
        self.at += 1
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == '"' and depth == 0:
                self.at += 1
                return self.text[start + 1 : self.at - 1]
            # A backslash escapes one character in TeX but never BibTeX's quote.
            if char == "\\" and self.text[self.at + 1 : self.at + 2] in "{}":
                self.at += 1
            depth += (char == "{") - (char == "}")
            if depth < 0:
                self.fail("a '}' too many in a quoted value")
            self.at += 1
        return self.fail("a '\"' that is never closed", start)
