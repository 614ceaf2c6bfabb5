from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from statehold.hosting._narrowing import narrow
from statehold.sdk import Operation, Scope

scopes = st.frozensets(st.sampled_from(Scope))
declarations = st.dictionaries(st.sampled_from(Operation), scopes)

GET, INSERT = Operation.GET, Operation.INSERT
COMMANDS, JOBS = Scope.COMMANDS, Scope.JOBS


def test_an_operator_takes_scopes_away_and_leaves_other_operations_alone():
    declared = {GET: frozenset(Scope), INSERT: frozenset({COMMANDS, JOBS})}
    permitted, problems = narrow("bills.Scada", declared, {INSERT: frozenset({JOBS})})
    assert permitted == {GET: frozenset(Scope), INSERT: frozenset({JOBS})}
    assert problems == ()


def test_an_empty_list_takes_the_operation_away():
    permitted, problems = narrow("bills.Scada", {GET: frozenset(Scope)}, {GET: frozenset()})
    assert permitted == {GET: frozenset()}
    assert problems == ()


def test_a_wider_scope_is_an_error_that_says_what_is_permitted():
    _, (problem,) = narrow("bills.Scada", {INSERT: frozenset({JOBS})}, {INSERT: frozenset({JOBS, COMMANDS})})
    assert problem == (
        "descriptor.json: Storages.bills.Scada.scopes.INSERT: COMMANDS is wider than the declaration, which "
        "permits INSERT in JOBS. An operator only takes scopes away; to add one, change the declaration"
    )


def test_an_operation_that_is_not_declared_cannot_be_given():
    permitted, (problem,) = narrow("bills.Scada", {}, {GET: frozenset({JOBS})})
    assert permitted == {GET: frozenset()}
    assert "permits GET in no scope" in problem


@given(declarations, declarations)
def test_nothing_is_ever_wider_than_declared(declared, asked):
    permitted, problems = narrow("p.S", declared, asked)
    for operation in Operation:
        allowed = declared.get(operation, frozenset())
        assert permitted.get(operation, frozenset()) == allowed & asked.get(operation, allowed)
    wider = [operation for operation, given in asked.items() if given - declared.get(operation, frozenset())]
    assert len(problems) == len(wider)
