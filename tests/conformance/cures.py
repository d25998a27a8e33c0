"""What to do when a test of conformance fails for a method: one sentence each.

Shown beside the failure by conftest.py, and by `make check METHOD=name`.
"""

BITS = "take every dtype from the inputs, and draw from the key of the step alone"
CURES = {
    # Cards, files and refusals.
    "test_a_state_keeps_structure_shapes_and_dtypes": (
        "init and step return the same fields with the same shapes and dtypes: "
        "jnp.zeros((), g.dtype) instead of 0.0, jnp.asarray(False) instead of False"
    ),
    "test_a_float32_problem_has_a_float32_state": (
        "something is made in float64: take the dtype from the inputs "
        "(jnp.zeros((), g.dtype), jnp.asarray(self.step_size, g.dtype))"
    ),
    "test_the_objective_is_traced_a_small_number_of_times": (
        "call value_and_grad once instead of value and grad, or write into MORE_PASSES "
        "of test_cards.py why the method needs more passes"
    ),
    "test_needs_are_sufficient_and_only_they_are_touched": (
        "add the oracle that is touched to `needs` of the card, or stop calling it"
    ),
    "test_a_missing_oracle_is_refused_by_name_with_the_cure": (
        "name the oracle in `needs`; a suggest of the method's own returns "
        "Refusal(what is missing, the cure) instead of raising"
    ),
    "test_problems_that_do_not_fit_are_refused_through_every_door": (
        "return Refusal(what is missing, the cure) from suggest where a fact is missing"
    ),
    "test_the_card_is_the_index_and_the_class_obeys_the_contract": (
        "make index; a cost is counted in oracles of `needs`, a method without `cost` "
        "counts in its state and has `calls`"
    ),
    "test_every_method_has_its_files": (
        "write the files that docs/adding-a-method.md lists; make new makes them"
    ),
    "test_every_claim_states_what_the_paper_says": (
        "state one thing at least as proved or reported, each with a source and a "
        "docstring that says what was measured (claims/course.py)"
    ),
    # Hyperparameters.
    "test_every_field_refuses_what_it_cannot_hold": (
        "declare the field by a word of banach.core.hyperparameters: real, count, "
        "flag, word, part or fact"
    ),
    "test_unknown_repeated_and_superfluous_arguments_are_misuse": (
        "leave out an __init__ of the method's own: Method reads the arguments"
    ),
    "test_a_class_without_arguments_is_what_suggest_makes": (
        "suggest decides each field that is open, and nothing that is given"
    ),
    "test_one_field_given_stays_and_the_rest_is_decided": (
        "suggest takes the fields by name and leaves what is given: "
        "def suggest(cls, problem, facts, field=None)"
    ),
    # Evidence.
    "test_iterates_equal_the_reference": (
        "one of the two is not the paper's formula: print both after the first step "
        "that differs; draws of a random method are made as its reference says"
    ),
    "test_no_constant_is_moved_unseen": (
        "add a case in which each constant that is named acts, or write into EXEMPT "
        "why no case can feel it"
    ),
    # Whole runs.
    "test_numpy_runs_it_or_is_known_not_to": (
        "use operations that NumPy can run, or list the pair with its reason under "
        "[not_interpreted] of ledger.toml"
    ),
    "test_the_verdict_is_true": (
        "a bound that is below the known error is a fault of check or problem; a run "
        "that came no closer is one of the method or of its suggest"
    ),
    "test_new_values_make_no_program": (
        "a hyperparameter decides a shape or a Python branch: declare it static=True, "
        "or write the branch by jnp.where"
    ),
    "test_resume_is_exact": f"keep all that a step needs in the state; {BITS}",
    "test_nan_is_reported_and_never_certified": (
        "let a NaN through to the point: no jnp.nan_to_num, no comparison that turns "
        "it into a step of zero and `stuck`"
    ),
    "test_declared_oracle_costs_are_the_counted_ones": (
        "correct `cost` and `init_cost` of the card, or leave `cost` out and count in "
        "the state (`calls`)"
    ),
    "test_the_declared_rate_holds": (
        "a constant of step, suggest or rate differs from the theorem's"
    ),
    "test_the_iterates_are_those_of_bare_steps": (
        "step reads nothing but (problem, state, key): no counter outside the state"
    ),
    "test_what_xla_makes_of_it_is_proved": (
        "see the law that failed in laws.py; then make prove METHOD=name writes it down"
    ),
    "test_the_compiled_loop": (
        "see the law that failed in laws.py: an array of Python numbers in the state "
        "makes new programs, lanes need jnp.where instead of if; where executors "
        "differ, a step divides by what may vanish, or compares two numbers that are "
        f"equal but for rounding: guard it by jnp.where; {BITS}"
    ),
}


def cure(test: str) -> str:
    """The sentence of a test function, or nothing."""
    return CURES.get(test.partition("[")[0], "")
