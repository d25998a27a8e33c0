"""The plain formulas of docstrings, typeset: to LaTeX, and by latex2mathml to MathML.

Docstrings are read in terminals, so they write `x+ = prox(x - a grad f(x))` and
`||A x - b||^2`. This reads that notation and nothing more: `x+`, `x-`, `x*` and `A'`
are marks, `grad`, `sum_i`, `argmin` and Greek names are symbols, `<a, b>` is an inner
product, `||` and `|` enclose. What has too many words to be a formula is None, and
stays the text that it was.
"""

import re

GREEK = {name: "\\" + name for name in (
    "alpha beta gamma delta eta theta kappa mu nu phi Phi rho sigma tau".split()
)} | {
    "eps": r"\varepsilon", "lam": r"\lambda", "dlam": r"d\lambda", "grad": r"\nabla",
    "inf": r"\infty", "int": r"\int", "laplace": r"\Delta",
}  # fmt: skip
OPERATORS = (
    "argmin min max log exp prox dist mean diag ceil KL sup".split()
)  # fmt: skip
LARGE = {"sum": r"\sum"}
# Words that stand in formulas without making them prose.
SMALL = (
    "for in of over on if then else where until with at most by and or convex fell "
    "enough inner merit direct iterative cubic quadratic secant likewise every block "
    "near probability subject to minimise batch the last cocoercive monotone a"
).split()
RELATIONS = {
    "<=": r"\le ", ">=": r"\ge ", "!=": r"\ne ", "->": r"\to ", "<-": r"\leftarrow ",
    "-=": r"-\!\!= ", "=": "=",
}  # fmt: skip
TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<divergence>KL\([^()]*\|\|[^()]*\))|(?P<two><=|>=|!=|->|<-|-=)|(?P<norm>\|\|)|(?P<bar>\|)"
    r"|(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)|(?P<code>`[^`]*`)"
    r"|(?P<word>[A-Za-z]+(?:-[A-Za-z]{3,})?)|(?P<sign>.)"
)
_WORDS = re.compile(r"\\text\{ ([^{}]*?) \}(?:\\, | )*\\text\{ ([^{}]*?) \}")
MOST_WORDS = 5  # more make a sentence


class _NotAFormula(Exception):
    """It reads as prose."""


def latex(text: str) -> str | None:
    """One line of a docstring as LaTeX, or None where it is no formula."""
    try:
        return _Reader(text).whole()
    except _NotAFormula:
        return None


def mathml(text: str) -> str | None:
    """The same as a MathML element that stands on a line of its own."""
    from latex2mathml.converter import convert

    found = latex(text)
    return None if found is None else convert(found, display="block")


def escaped(paragraph: str) -> str:
    """Words of a docstring: formulas among them typeset, nothing but code marked."""
    pieces = re.split(r"(`[^`]*`)", paragraph)
    pieces[::2] = [_sentence(piece) for piece in pieces[::2]]
    return "".join(pieces)


def _plain(text: str) -> str:
    """Text in which Markdown finds no marks."""
    said = re.sub(r"([\\*_\[\]#|])", r"\\\1", text).replace("<", "&lt;")
    # A word between asterisks that touch nothing else is stressed.
    return re.sub(r"(?<![^\s(])\\\*(\w+)\\\*(?=[\s,.;:)]|$)", r"*\1*", said)


# Inside sentences ---------------------------------------------------------------------

# What makes a run of symbols a formula rather than letters of a sentence.
_STRONG = re.compile(
    r"[\^=]|\|\||<=|>=|\bsqrt\b|\bsum_|<\w[^<>]*,[^<>]*>"
    r"|(?<!\w)([A-Za-z]|lam|mu|nu|eta)_\w{1,2}(?!\w)"
    r"|(?<![\w*])[A-Za-z]\*(?=[\s)|,.;:/]|$)"
)
# A letter, perhaps with a number or an index; l1 and l2 are names of arguments.
_SYMBOL = re.compile(
    r"[A-Za-z](_\w{1,2})?|[A-Zabcd-km-z]\d|d[A-Z]|\d+(e\d*)?|"
    rf"({'|'.join(sorted(GREEK))})(_\w)?"
)
_FUNCTIONS = {*OPERATORS, *LARGE, "sqrt"}
_ARTICLES = {"a", "A", "I"}
# A word that is of a formula, though not of one that can be read.
_TORN = re.compile(r"[\^|=<>+_{]|\w\(|^[-/*]$")
_SIGNS = {*RELATIONS, "<", ">", "+", "-", "/"}
_OPEN, _CLOSE = "([{", ")]}"


def _sentence(text: str) -> str:
    """Prose with its formulas typeset, each wrapped so that it stays in its line."""
    pieces = _runs(re.split(r"(\s+)", text))
    out = []
    for at, run in enumerate(pieces):
        said = "".join(run)
        formula = said.rstrip(".,;:")
        # Spaces are pieces, too: the words beside this one are two away. After a
        # comma or a point something else begins.
        before = "".join(pieces[at - 2]) if at > 1 else ""
        after = "".join(pieces[at + 2]) if at + 2 < len(pieces) else ""
        part = _TORN.search("" if before[-1:] in (*".,;:",) else before) or (
            formula == said and _TORN.search(after)
        )
        symbols = all(map(_symbolic, run[::2])) and not part
        found = _inline(formula) if symbols else None
        out.append(_plain(said) if found is None else found + said[len(formula) :])
    return "".join(out)


def _inline(text: str) -> str | None:
    """A formula of a sentence as MathML, or None where it may be words."""
    from latex2mathml.converter import convert

    begun = text[:1] in tuple("^*<>=") and not re.match("<[^=]", text)
    several = "\n" in text and text.count("=") > 1
    if begun or several or not _STRONG.search(text) or not _balanced(text):
        return None
    try:
        reader = _Reader(text)
        found = reader.part()
    except (_NotAFormula, IndexError):
        return None
    if reader.open or reader.words or r"\text" in found:
        return None
    said = re.sub(r"[*_|`\[\]]", lambda sign: f"&#{ord(sign[0])};", convert(found))
    return f'<span class="formula-in-text">{said}</span>'


def _balanced(text: str) -> bool:
    """Whether each bracket, angle and bar has its partner."""
    level = 0
    for sign in text:
        level += (sign in _OPEN) - (sign in _CLOSE)
        if level < 0:
            return False
    return level == 0 and text.count("||") % 2 == 0


def _symbolic(word: str) -> bool:
    """Whether a word is made of symbols alone: no name of Python's, no word."""
    if not word.strip() or re.search(
        r"[\"@\\%&?!]|\.\.|\w{2,}=(?!=)|://|^--|'s$", word
    ):
        return False
    names = re.findall(r"[A-Za-z]\w*(?:_\w+)*", word)
    return all(
        _SYMBOL.fullmatch(name)
        or name in _FUNCTIONS
        or re.fullmatch(r"(sum|max|min|argmin)_\w", name)
        for name in names
    )


def _runs(words: list[str]) -> list[list[str]]:
    """Words and spaces in pieces: each a run of symbols, or one word or space."""
    pieces: list[list[str]] = []
    at = 0
    while at < len(words):
        end, level = at, 0
        while end < len(words) and _symbolic(words[end]):
            word = words[end].rstrip(".,;:")
            level += sum((s in _OPEN) - (s in _CLOSE) for s in word)
            level += word.startswith("<") and len(word) > 1 and word[1] != "="
            level -= word.endswith(">") and len(word) > 1
            end += 2  # the space after it, which another symbol has to follow
            if word != words[end - 2] and level <= 0:
                break
        run = words[at : max(end - 1, at)]
        while len(run) > 1 and run[-1] in _SIGNS:
            run = run[:-2]  # its other side is words
        # An article, unless something is said of it: `a = 1`.
        if (
            len(run) > 1
            and run[0] in _ARTICLES
            and (run[2][0].isalnum() or run[2].startswith("||"))
        ):
            run = run[:1]
        pieces.append(run or [words[at]])
        at += max(len(run), 1)
    return pieces


def formulas(paragraph: str) -> str | None:
    """A paragraph all of whose lines are formulas as HTML, or None."""
    lines = paragraph.split("\n")
    if not all("=" in line or line.startswith(" ") for line in lines):
        return None
    found = [mathml(line) for line in lines]
    if not all(found):
        return None
    return '<div class="formula">' + "".join(map(str, found)) + "</div>"


class _Reader:
    """Reads tokens from left to right, and writes LaTeX."""

    def __init__(self, text: str):
        self.tokens = [(m.lastgroup, m[0]) for m in TOKEN.finditer(text.strip())]
        self.at = self.words = self.signs = 0
        self.open: list[str] = []

    def part(self) -> str:
        """Everything, as a part of something larger."""
        out = []
        while self.at < len(self.tokens):
            out.append(self.item())
        return "".join(out)

    def whole(self) -> str:
        """A formula of its own: with a relation, and few words."""
        found = self.part()
        # Words side by side are one text.
        while (joined := _WORDS.sub(r"\\text{ \1 \2 }", found)) != found:
            found = joined
        if self.open or self.words > MOST_WORDS or not self.signs:
            raise _NotAFormula
        return found

    def peek(self, ahead: int = 0) -> tuple[str, str]:
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else ("end", "")

    def item(self) -> str:
        """The next thing and what is attached to it."""
        kind, text = self.peek()
        self.at += 1
        if kind == "space":
            return r"\quad " if len(text) > 1 else r"\, " if self._juxtaposed() else " "
        if kind == "two" or text == "=":
            self.signs += 1
            return RELATIONS[text]
        if kind in ("norm", "bar"):
            return self._enclosure(text)
        if kind == "divergence":
            one, other = (_Reader(side).part() for side in text[3:-1].split("||"))
            return rf"\operatorname{{KL}}({one} \Vert {other})"
        if kind == "number":
            if "e" not in text:
                return self._marked(text)
            mantissa, _, power = text.partition("e")  # 1e-6 is no difference
            times = "" if mantissa == "1" else rf"{mantissa} \cdot "
            return rf"{times}10^{{{int(power)}}}"
        if kind == "code":
            return rf"\texttt{{{text.strip('`')}}}".replace("_", r"\_")
        if kind == "word":
            return self._word(text)
        return self._sign(text)

    def _juxtaposed(self) -> bool:
        """Whether a space is a product: between two operands."""
        before = self.tokens[self.at - 2] if self.at > 1 else ("end", "")
        after = self.peek()
        ends = before[0] in ("word", "number") or before[1] in (")", "]", "'", "+", "*")
        operand = after[0] in ("word", "number", "norm")
        return (ends and operand) or after[1] == "("

    def _word(self, text: str) -> str:
        if text == "sqrt":
            if self.peek()[1] == "(":
                return self._marked(rf"\sqrt{{{self._group()}}}")
            self.at += 1  # sqrt n
            return rf"\sqrt{{{self.item()}}}"
        if text in LARGE:
            return self._marked(LARGE[text])
        if text in OPERATORS:
            below = (
                r"\operatorname*"
                if text.startswith(("arg", "min", "max"))
                else (r"\operatorname")
            )
            return self._marked(rf"{below}{{{text}}}")
        if text in GREEK:
            return self._marked(GREEK[text])
        if re.fullmatch("[A-Z][a-z]", text):
            return text[0] + r"\, " + self._marked(text[1])  # Hp, a product
        if len(text) > 2 and self.peek()[1] == "_" and len(self.peek(1)[1]) > 2:
            name = self.peek(1)[1]
            self.at += 2
            return rf"\text{{ {text} {name} }}"
        # One letter, or two as in dF; more are a name, or a word.
        if len(text) == 1 or re.fullmatch(r"d[A-Za-z]", text):
            return self._marked(text)
        if self.peek()[1] in ("_", "(", "+", "'", "*") or text.isupper():
            return self._marked(rf"\mathrm{{{text}}}")
        if text not in SMALL:
            self.words += 1
        return self._text(text)

    def _text(self, text: str) -> str:
        return rf"\text{{ {text} }}".replace("_", r"\_")

    def _marked(self, base: str) -> str:
        """A base with its subscripts, powers and marks."""
        below, above = "", ""
        if self.peek()[0] == "number" and base.isalpha():
            below = self.peek()[1]  # z0
            self.at += 1
        while True:
            text = self.peek()[1]
            if text == "_" and self.peek(1)[0] != "space":
                self.at += 1
                below += self._script()
            elif text == "^":
                self.at += 1
                if above:  # x+^2 is a power of x+, and not x to the power of +2
                    under = f"_{{{below}}}" if below else ""
                    base, below, above = f"({base}{under}^{{{above}}})", "", ""
                above += self._script()
            elif text == "'":
                self.at += 1
                above += r"\prime " if self._is_argument() else r"\top "
            elif text in ("+", "-") and self._is_mark():
                self.at += 1
                above += text
            elif text == "*":
                self.at += 1
                above += "*"
            elif text == "~":
                self.at += 1
                base = rf"\tilde{{{base}}}"
            else:
                break
        return (
            base
            + (f"_{{{below}}}" if below else "")
            + (f"^{{{above}}}" if above else "")
        )

    def _is_argument(self) -> bool:
        """Whether `(x)` follows, so that a dash before it is a derivative: E'(u)."""
        return [self.peek(i)[1] for i in (0, 2)] == ["(", ")"]

    def _is_mark(self) -> bool:
        """Whether the sign here belongs to what stands before it, as in x+."""
        after = self.peek(1)
        return after[0] in ("space", "end", "two", "norm", "bar") or (
            after[1] in ")],;:.='+-^_/" and after[1] != ""
        )

    def _script(self) -> str:
        kind, text = self.peek()
        if text in ("(", "{"):
            return self._group()
        self.at += 1
        if text == "-" and self.peek()[0] in ("number", "word"):
            return "-" + self._script()
        if text in ("+", "*"):
            return text
        if kind == "word":
            if self.peek()[1] == "-" and self.peek(1)[0] == "number":
                self.at += 2  # a space of negative order, H-1
                return rf"{text}^{{-{self.tokens[self.at - 1][1]}}}"
            return GREEK.get(text, text if len(text) < 4 else rf"\mathrm{{{text}}}")
        if kind == "number":
            return text
        raise _NotAFormula

    def _group(self) -> str:
        """What stands between the bracket here and its partner."""
        closing = {"(": ")", "{": "}"}[self.peek()[1]]
        self.at += 1
        out = []
        while self.peek()[1] != closing:
            if self.peek()[0] == "end":
                raise _NotAFormula
            out.append(self.item())
        self.at += 1
        return "".join(out)

    def _enclosure(self, text: str) -> str:
        mark = r"\Vert " if text == "||" else r"\vert "
        if self.open and self.open[-1] == text:
            self.open.pop()
            return self._marked(rf"\right{mark}".rstrip())
        self.open.append(text)
        return rf"\left{mark}"

    def _sign(self, text: str) -> str:
        if text == "<":
            if self._closes_inner():
                self.open.append("<")
                return r"\langle "
            self.signs += 1
            return "<"
        if text == ">":
            if "<" in self.open:
                self.open.remove("<")
                return r"\rangle "
            self.signs += 1
            return ">"
        if text == ".":
            after = self.peek()
            # a.b is an inner product, the last point ends a sentence.
            product = after[0] == "word" or after[1] == "("
            return r"\cdot " if product else "" if after[0] == "end" else "."
        if text in "([":
            return text
        if text in ")]":
            return self._marked(text)
        if text in "+-/,;:=":
            self.signs += text in "+-="
            return {"/": "/", ";": r";\; ", ":": r":\; ", ",": ", "}.get(
                text, f" {text} "
            )
        if text == "*":
            return r" \cdot "
        if text == "^":
            self.at -= 1
            return self._marked("{}")
        raise _NotAFormula

    def _closes_inner(self) -> bool:
        """Whether `<` here opens an inner product: a comma, then `>`."""
        depth, comma = 0, False
        for kind, text in self.tokens[self.at :]:
            if text in "([{" and kind == "sign":
                depth += 1
            elif text in ")]}" and kind == "sign":
                depth -= 1
            elif text == "," and not depth:
                comma = True
            elif text == ">" and not depth:
                return comma
            elif kind == "two" and not depth:
                return False
        return False
