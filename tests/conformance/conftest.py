"""One case a (method, problem); what it made is dropped when its tests are done."""

from pathlib import Path

import jax
import pytest

pytest.register_assert_rewrite("laws")

from cures import cure  # noqa: E402
from listing import ASKED, cases, known_failures, one_a_method, pairs  # noqa: E402
from programs_of import Case  # noqa: E402

from banach.engine import compile_cache, step_programs  # noqa: E402


def pytest_generate_tests(metafunc):
    """All pairs, one a method in the default tier, where a test chooses none itself."""
    chosen = metafunc.definition.iter_markers("parametrize")
    if "case" in metafunc.fixturenames and "case" not in {m.args[0] for m in chosen}:
        first = set(one_a_method())
        every = cases(pairs(), quick=lambda *pair: pair in first or pair[0] in ASKED)
        metafunc.parametrize("case", every, indirect=True, scope="module")


@pytest.fixture(scope="module")
def case(request):
    """The case of one method and problem.

    Looks are kept: they are a problem's, and all methods that meet it ask the same.
    The judges of the beds hold them too, so that forgetting half would be seen as new.
    """
    before = dict(compile_cache.COUNTS)
    yield Case(*request.param)
    step_programs.clear()
    if compile_cache.COUNTS != before:
        compile_cache.clear()
        jax.clear_caches()


def pytest_collection_modifyitems(items):
    """A listed failure must fail: one that passes fails the build."""
    listed = {(e["test"], e["method"], e["problem"]): e for e in known_failures()}
    here = Path(__file__).parent
    for item in (item for item in items if item.path.parent == here):
        params = getattr(item, "callspec", None) and item.callspec.params
        if not params:
            continue
        pair = params.get("case", (params.get("name"), "any"))
        entry = listed.get((item.originalname, *pair))
        if entry is not None:
            item.add_marker(pytest.mark.xfail(strict=True, reason=entry["reason"]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Beside a failure stands what to do about it."""
    report = yield
    said = cure(item.originalname) if item.path.parent == Path(__file__).parent else ""
    if report.failed and said:
        report.sections.append(("cure", said))
    return report
