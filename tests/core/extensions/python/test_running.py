"""A function runs, and what goes wrong in it is told with its place and without secrets."""

from __future__ import annotations

import threading
import traceback

import pytest

from statehold.events import Schemas
from statehold.extensions import CodeError, NoEngineError
from statehold.sdk import SchemaError, Scope, StateholdError

EXTENSIONS = "image/pkg/acme.example/bills/extensions"
CODE = """
import threading
from .deep import tools

inside, go = threading.Event(), threading.Event()

@extension
def bill(call): inside.set(); go.wait(30)
@extension
def count_turnover(call): ...
@extension
def pay_bill(call):
    {body}
"""
DEEP = {"deep/tools.py": "def divide(number):\n    return number / 0\n"}


def run(start, body, **more):
    return start(CODE.format(body=body), code=DEEP, **more).run("bills.PayBill", arg={"Number": 3})


def failed(start, body, **more):
    with pytest.raises(CodeError) as caught:
        run(start, body, **more)
    return caught.value


def test_what_it_asks_for_is_in_the_state_afterwards(start):
    state = run(start, "call.Bills.insert(Number=call.arg.Number, Waiter='ann')")
    ((slot, intent),) = state.intents()
    assert (str(slot), intent.key.Number, intent.key.WSID, intent.value.Waiter) == (
        "bills.Bills",
        3,
        7,
        "ann",
    )


def test_what_it_raises_is_told_with_the_innermost_place_in_the_image(start):
    error = failed(start, "tools.divide(1)")
    assert str(error) == (
        f"COMMAND bills.PayBill raised ZeroDivisionError at {EXTENSIONS}/deep/tools.py:2: division by zero"
    )
    assert error.extension == "bills.PayBill"
    assert error.place == f"{EXTENSIONS}/deep/tools.py:2"


def test_a_traceback_shows_the_lines_of_the_source(start):
    text = "".join(traceback.format_exception(failed(start, "tools.divide(1)")))
    assert f'File "acme.bills-1/{EXTENSIONS}/bills.py", line 14, in pay_bill\n    tools.divide(1)' in text
    assert f'File "acme.bills-1/{EXTENSIONS}/deep/tools.py", line 2, in divide\n    return number / 0' in text


def test_the_place_in_tracebacks_can_be_where_the_files_are(start, tmp_path):
    folder = tmp_path / "acme.bills"
    error = failed(start, "tools.divide(1)", place=str(folder))
    assert f'File "{folder}/{EXTENSIONS}/deep/tools.py", line 2' in "".join(traceback.format_exception(error))
    assert error.place == f"{EXTENSIONS}/deep/tools.py:2"


def test_an_exit_is_an_error_of_the_extension_and_not_the_end_of_the_host(start):
    assert str(failed(start, "raise SystemExit(3)")).endswith(": 3")


def test_a_secret_is_not_shown(start):
    error = failed(
        start,
        "password = 'hunter2'; raise ValueError(f'refused {password}')",
        redact=lambda text: text.replace("hunter2", "***"),
    )
    assert "hunter2" not in "".join(traceback.format_exception(error))
    assert str(error).endswith("bills.py:14: refused ***")
    assert "line 14, in pay_bill" in "".join(error.__notes__)


def test_a_secret_is_not_shown_by_an_error_that_passes_either(start):
    with pytest.raises(SchemaError, match=r"expected int64, .* got '\*\*\*'") as caught:
        run(start, "call.Bills.get(Number='hunter2')", redact=lambda text: text.replace("hunter2", "***"))
    assert "hunter2" not in f"{caught.value} {caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("call.arg.Numbr", "Did you mean 'Number'?"),
        ("call.arg.Xyz", "It has: Number, Currency"),
        (
            "call.arg.Number = 5",
            "Keys and values stay as they are: ask for a change, with update(...) or insert(...)",
        ),
        ("call.Bills.get(1, 2)", "Name the fields: get(Number=1)"),
        ("call.Bills.mustget(Number=1)", "Did you mean 'must_get'?"),
        (
            "call.Bills.delete(Number=1)",
            "It has: key, get, must_get, must_not_exist, get_many, insert, update",
        ),
        ("call.Bils", ""),
    ],
)
def test_what_is_easily_done_wrong_is_told_with_the_way_to_mend_it(start, line, hint):
    error = failed(start, line)
    assert error.hint == hint
    assert str(error).endswith(f". {hint}" if hint else "call has no 'Bils'. Did you mean 'Bills'?")


def test_errors_of_statehold_pass_with_a_note_of_their_place(start):
    with pytest.raises(SchemaError, match=r"^bills.Bills: KEY has no field 'Numbr'") as caught:
        run(start, "call.Bills.get(Numbr=1)")
    assert caught.value.__notes__ == [f"COMMAND bills.PayBill at {EXTENSIONS}/bills.py:14"]


def test_an_error_of_its_own_that_is_one_of_statehold_passes(start):
    with pytest.raises(StateholdError, match=r"^no\n"):
        run(start, "from statehold.sdk import StateholdError; raise StateholdError('no')")


def test_what_a_query_raises_between_its_results_is_an_error_of_the_extension(start):
    running = start(
        "@extension\ndef pay_bill(call): ...\n@extension\ndef count_turnover(call): ...\n"
        "@extension\ndef bill(call):\n  yield {'Total': 1}\n  yield {'Total': 1 // 0}\n"
    )
    with pytest.raises(CodeError, match=r"ZeroDivisionError.*bills.py:9"):
        running.run("bills.Bill", kind=Scope.QUERIES)


def test_more_calls_than_engines_wait_and_are_refused_in_the_end(start):
    running = start(CODE.format(body="..."), code=DEEP, pool_sizes=dict.fromkeys(Scope, 1), patience=0.01)
    run_in_thread = threading.Thread(target=running.run, args=("bills.Bill",), kwargs={"kind": Scope.QUERIES})
    run_in_thread.start()
    engine = running.engines.of["bills.Bill"]
    module = engine._code.import_module("bills.extensions.bills")
    assert module.inside.wait(30)
    with pytest.raises(
        NoEngineError, match=r"PYTHON engines of acme.bills 1: all 1 for QUERIES in partition 1"
    ):
        running.run("bills.Bill", kind=Scope.QUERIES)
    running.run("bills.PayBill", kind=Scope.COMMANDS)
    module.go.set()
    run_in_thread.join(30)
    running.run("bills.Bill", kind=Scope.QUERIES)


MANY = """
import threading
together, seen = threading.Barrier(8), []

@extension
def bill(call):
    together.wait(30)
    number = call.arg.Number
    for _ in range(200):
        seen.append((number, call.Bills.must_get(Number=number).Total, call.arg.Number))
@extension
def count_turnover(call): ...
@extension
def pay_bill(call): ...
"""


def test_calls_that_run_at_once_have_nothing_of_each_other(start):
    running = start(MANY, pool_sizes=dict.fromkeys(Scope, 8), patience=30)
    schemas = Schemas(running.stage.appdef)
    for number in range(8):
        running.stage.put("bills.Bills", "bills.Bill", Number=number, Waiter="ann", Total=number * 100)

    def call(number):
        argument = schemas["bills.PayBillParams"].rows.value(Number=number)
        state = running.stage.state("bills.Bill", argument=argument)
        running.engines.of["bills.Bill"].invoke(
            "bills.Bill", state, state.call, partition=0, kind=Scope.QUERIES
        )

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    seen = running.engines.of["bills.Bill"].module("bills.extensions.bills").seen
    assert sorted(seen) == [(number, number * 100, number) for number in range(8) for _ in range(200)]
