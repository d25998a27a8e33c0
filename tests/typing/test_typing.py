"""What a type checker says of programs that use banach."""

import importlib.util
import re
import textwrap
from pathlib import Path

import public_stub
import pytest
import test_examples

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROGRAMS = ("right.py", "wrong.py")
CURE = "changed on purpose? python tests/typing/public_stub.py --write"
needs_mypy = pytest.mark.skipif(
    importlib.util.find_spec("mypy") is None, reason="mypy is not installed"
)


def test_the_stubs_name_everything_that_the_packages_offer():
    for file, text in public_stub.stubs().items():
        assert file.read_text(encoding="utf-8") == text, f"{file.name}: {CURE}"


def test_no_public_name_is_missing_in_the_stub():
    import banach as bn

    text = (ROOT / "src/banach/__init__.pyi").read_text(encoding="utf-8")
    named = {*re.findall(r"(\w+) as \1\b", text), *bn._CALLABLE}
    assert not set(dir(bn)) - named
    assert not set(bn._WHERE) - named


def test_the_stubs_and_the_mark_are_in_the_wheel():
    import tomllib

    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    data = told["tool"]["setuptools"]["package-data"]["banach"]
    package = ROOT / "src" / "banach"
    carried = {file for pattern in data for file in package.glob(pattern)}
    assert {package / "py.typed", *public_stub.stubs()} <= carried


def examples_as_program() -> str:
    """All examples of public docstrings, a function each."""
    lines = ["import jax", "import jax.numpy as jnp", "import numpy as np"]
    lines += ["import optax", "import banach as bn"]
    for tests in test_examples.EXAMPLES.values():
        for test in tests:
            lines.append(f"def example_{len(lines)}() -> None:  # {test.name}")
            source = "".join(example.source for example in test.examples)
            lines.append(textwrap.indent(source, "    "))
    return "\n".join(lines)


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> dict[tuple[str, int], list[tuple[str, str]]]:
    """(severity, message) by program and line: one run of mypy for all programs."""
    from mypy import api

    config = tmp_path_factory.mktemp("mypy") / "mypy.ini"
    # As a user who keeps strict rules has it; of banach itself only what it offers.
    config.write_text(
        f"[mypy]\nmypy_path = {ROOT / 'src'}\ncheck_untyped_defs = True\n"
        "ignore_missing_imports = True\nfollow_imports = silent\n"
        f"cache_dir = {config.parent / 'cache'}\n"
    )
    written = config.parent / "examples.py"
    written.write_text(examples_as_program(), encoding="utf-8")
    files = [*(str(HERE / name) for name in PROGRAMS), str(written)]
    out, err, _ = api.run(["--config-file", str(config), "--no-pretty", *files])
    assert not err, err
    found: dict = {}
    for line in out.splitlines():
        at = re.match(r"(.*?):(\d+): (error|note): (.*)", line)
        if at and Path(at[1]).name in (*PROGRAMS, written.name):
            key = Path(at[1]).name, int(at[2])
            found.setdefault(key, []).append((at[3], at[4]))
    assert found, out
    return found


def asked(name: str) -> dict[int, str]:
    """What stands behind each line that has a comment behind it."""
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return {
        i: line.split("  # ")[1] for i, line in enumerate(lines, 1) if "  # " in line
    }


@needs_mypy
def test_a_right_program_has_no_error_and_its_types_are_known(said):
    revealed = {}
    for (name, line), words in said.items():
        if name != "right.py":
            continue
        assert not [w for severity, w in words if severity == "error"], (line, words)
        revealed |= {line: re.findall('Revealed type is "(.*)"', words[0][1])[0]}
    assert revealed == asked("right.py")


@needs_mypy
def test_the_examples_of_docstrings_have_no_error(said):
    errors = [
        (line, words)
        for (name, line), found in said.items()
        for severity, words in found
        if name == "examples.py" and severity == "error"
    ]
    assert not errors


@needs_mypy
def test_every_mistake_is_an_error(said):
    codes = {}
    for (name, line), words in said.items():
        errors = [w for severity, w in words if severity == "error"]
        if name == "wrong.py" and errors:
            codes[line] = re.findall(r"\[([a-z-]+)\]", errors[0])[-1]
    assert codes == asked("wrong.py")


@needs_mypy
def test_the_sources_have_no_error():
    from mypy import api

    out, err, code = api.run(["--config-file", str(ROOT / "pyproject.toml")])
    assert code == 0, out[-4000:] + err
