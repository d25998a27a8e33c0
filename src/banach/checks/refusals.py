"""Why a check does not judge a problem, in words that name the one that does."""

from banach.core.problem import Problem


def refuse_unless(fits: bool, problem: Problem, says: str) -> str | None:
    """None where the problem fits, else what the check says and what to use."""
    if fits:
        return None
    return f"{says}; for this {problem.kind} use check='{problem.default_check()}'"


def refuse_without(oracle: str, problem: Problem, says: str) -> str | None:
    """None where the problem has the oracle, else what the check says that it needs."""
    if oracle in problem.oracles():
        return None
    return (
        f"{says}, which this {problem.kind} lacks; "
        f"use check='{problem.default_check()}'"
    )
