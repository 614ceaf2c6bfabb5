"""Opening the engines of an app: code and declarations match both ways, and all problems come at once."""

from __future__ import annotations

import pytest

from statehold.extensions import CodeError, compare, open_engines
from statehold.sdk import CallContext, DeployError, Scope, StateholdError
from statehold.state import State
from statehold_vsql import ExtensionEngine

#: The extensions of a restaurant come with the host, the job is in Python.
BUILTIN = {
    "code": {"bills.py": ""},
    "change": ("ENGINE PYTHON (\n    COMMAND", "ENGINE BUILTIN (\n    COMMAND"),
}


def noop(state: State, call: CallContext) -> None: ...


BUILTINS = {"bills.PayBill": noop, "bills.Bill": noop, "bills.CountTurnover": noop}


def test_each_extension_has_the_engine_that_it_is_declared_for(make):
    engines = open_engines(make(**BUILTIN).context(functions=BUILTINS))
    assert set(engines.engines) == {ExtensionEngine.PYTHON, ExtensionEngine.BUILTIN}
    assert engines.of["bills.PayBill"].names == frozenset(BUILTINS)
    assert engines.of["bills.RefreshRates"].names == {"bills.RefreshRates"}
    assert not engines.missing
    engines.free()


def test_a_builtin_function_gets_state_and_call(make):
    got: list[object] = []
    stage = make(**BUILTIN)
    engines = open_engines(
        stage.context(functions={**BUILTINS, "bills.PayBill": lambda *args: got.extend(args)})
    )
    state = stage.state("bills.PayBill")
    engines.of["bills.PayBill"].invoke("bills.PayBill", state, state.call, partition=0, kind=Scope.COMMANDS)
    assert got == [state, state.call]
    engines.free()


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), SystemExit(3)])
def test_what_a_builtin_function_raises_is_an_error_of_the_extension(make, error):
    def fail(state: State, call: CallContext) -> None:
        raise error

    stage = make(**BUILTIN)
    engines = open_engines(stage.context(functions={**BUILTINS, "bills.PayBill": fail}))
    state = stage.state("bills.PayBill")
    with pytest.raises(CodeError, match=r"COMMAND bills.PayBill raised (ZeroDiv|SystemExit)") as caught:
        engines.of["bills.PayBill"].invoke(
            "bills.PayBill", state, state.call, partition=0, kind=Scope.COMMANDS
        )
    assert caught.value.extension == "bills.PayBill"
    assert caught.value.__cause__ is error
    engines.free()


def test_errors_of_statehold_pass_as_they_are(make):
    def fail(state: State, call: CallContext) -> None:
        raise StateholdError("as it is")

    stage = make(**BUILTIN)
    engines = open_engines(stage.context(functions={**BUILTINS, "bills.PayBill": fail}))
    state = stage.state("bills.PayBill")
    with pytest.raises(StateholdError, match=r"^as it is$"):
        engines.of["bills.PayBill"].invoke(
            "bills.PayBill", state, state.call, partition=0, kind=Scope.COMMANDS
        )
    engines.free()


def test_a_builtin_extension_of_the_app_that_the_host_lacks_is_a_problem(make):
    with pytest.raises(DeployError) as caught:
        open_engines(make(**BUILTIN).context(functions={"bills.PayBil": noop}))
    assert len(caught.value.problems) == 3
    assert "COMMAND bills.PayBill is declared, and the code has no function for it" in str(
        caught.value.problems
    )


def test_the_problems_of_all_engines_come_at_once(make):
    with pytest.raises(DeployError) as caught:
        open_engines(make(**{**BUILTIN, "code": {"jobs.py": "", "bills.py": ""}}).context())
    text = "\n".join(caught.value.problems)
    assert "COMMAND bills.PayBill" in text
    assert "JOB bills.RefreshRates" in text


def test_what_is_declared_and_not_in_the_code_is_told_with_the_nearest_name(make):
    appdef = make().appdef
    found = {"bills.PayBil": "a.py:3", "bills.Bill": "", "bills.CountTurnover": "", "bills.RefreshRates": ""}
    assert compare(appdef, ExtensionEngine.PYTHON, found) == [
        (
            "bills.vsql:33:5: COMMAND bills.PayBill is declared, and the code has no function for it. "
            "Did you mean 'bills.PayBil' for it?"
        ),
        (
            "a.py:3: the code has a function for bills.PayBil, and nothing declares it. "
            "Did you mean 'bills.PayBill'?"
        ),
    ]


def test_code_for_another_engine_is_told_where_it_is_declared(make):
    appdef = make().appdef
    problems = compare(appdef, ExtensionEngine.WASM, {"bills.PayBill": "bills.wasm"}, what="export")
    assert problems == [
        (
            "bills.wasm: the code has an export for bills.PayBill, and bills.vsql:33:5 declares it for "
            "EXTENSION ENGINE PYTHON, not WASM. Declare it there, or take it out of the code"
        )
    ]
