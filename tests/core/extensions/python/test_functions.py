"""Which function is whose code, and what a deploy says where that does not fit."""

from __future__ import annotations

import pytest

from statehold.sdk import DeployError

EXTENSIONS = "image/pkg/acme.example/bills/extensions"


def problems_of(start, *args, **more):
    with pytest.raises(DeployError) as caught:
        start(*args, **more)
    return list(caught.value.problems)


BOTH = """
@extension("Bill")
def show(call): ...
@extension
def count_turnover(call): ...
"""


@pytest.mark.parametrize(
    "function",
    [
        "@extension\ndef pay_bill(call): ...",
        "@extension\ndef PayBill(call): ...",
        "@extension\ndef paybill(call): ...",
        "@extension('PayBill')\ndef settle(call): ...",
        "@extension('pay_bill')\ndef settle(call): ...",
        "@extension\ndef pay_bill(call, more=None): ...",
        "@extension\ndef pay_bill(*args, **kwargs): ...",
        (
            "import functools\n"
            "def twice(f):\n  @functools.wraps(f)\n  def g(call): f(call); f(call)\n  return g\n"
            "@twice\n@extension\ndef pay_bill(call): ..."
        ),
        "class Pay:\n  def __call__(self, call): ...\npay = extension('PayBill')(Pay())",
    ],
)
def test_a_function_belongs_to_the_declaration_of_its_name(start, function):
    assert "bills.PayBill" in start(f"{function}\n{BOTH}").engines.of


def test_the_exact_name_comes_before_one_that_differs_in_case(start, make):
    running = start(
        f"@extension\ndef Paybill(call): return {{'Total': 1}}\n"
        f"@extension\ndef PayBill(call): return {{'Total': 2}}\n{BOTH}",
        change=("    QUERY Bill(", "    COMMAND Paybill() RETURNS BillResult;\n    QUERY Bill("),
    )
    assert "Total=1" in str(running.intents("bills.Paybill"))
    assert "Total=2" in str(running.intents("bills.PayBill"))


def test_a_declaration_without_a_function_is_told(start):
    assert problems_of(start, BOTH) == [
        (
            "bills.vsql:33:5: COMMAND bills.PayBill is declared, and the code has no function for it. "
            "Write one, or take the declaration out"
        )
    ]


def test_a_function_without_a_declaration_is_told_and_what_may_be_meant(start):
    assert problems_of(start, f"{BOTH}@extension\ndef pay_bil(call): ...") == [
        (
            "bills.vsql:33:5: COMMAND bills.PayBill is declared, and the code has no function for it. "
            "Did you mean 'bills.pay_bil' for it?"
        ),
        (
            f"{EXTENSIONS}/bills.py:7: the code has a function for bills.pay_bil, and nothing declares it. "
            "Did you mean 'bills.PayBill'?"
        ),
    ]


def test_two_functions_for_one_declaration_are_told_with_both_places(start):
    assert problems_of(
        start,
        f"{BOTH}@extension\ndef pay_bill(call): ...\n",
        code={"more.py": "from statehold.sdk import extension\n@extension\ndef PayBill(call): ...\n"},
    ) == [
        (
            f"{EXTENSIONS}/more.py:2: there is another function for bills.PayBill, "
            f"at {EXTENSIONS}/bills.py:7. Take one of them out, or name the declaration: @extension('...')"
        )
    ]


def test_a_function_that_is_imported_elsewhere_is_still_one(start):
    start(
        f"{BOTH}@extension\ndef pay_bill(call): ...\n",
        code={"more.py": "from .bills import pay_bill\nfrom bills.extensions.bills import pay_bill as p\n"},
    )


def test_a_function_that_is_not_marked_is_told(start):
    assert problems_of(start, f"{BOTH}\ndef pay_bill(call): ...") == [
        f"{EXTENSIONS}/bills.py:8: the function for bills.PayBill is not marked. Put @extension above it"
    ]


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        ("async def pay_bill(call): ...", "is async, and extensions are not awaited"),
        ("async def pay_bill(call): yield 1", "is async, and extensions are not awaited"),
        ("def pay_bill(call): yield 1", "yields, which only a QUERY may"),
        ("def pay_bill(): ...", "does not take the call alone: too many positional arguments"),
        (
            "def pay_bill(call, more): ...",
            "does not take the call alone: missing a required argument: 'more'",
        ),
    ],
)
def test_a_function_of_the_wrong_shape_is_told(start, function, problem):
    (found,) = problems_of(start, f"{BOTH}@extension\n{function}")
    assert found.startswith(f"{EXTENSIONS}/bills.py:7: the function for COMMAND bills.PayBill {problem}")


def test_all_problems_come_at_once(start):
    found = problems_of(start, "", code={"bills.py": "1 / 0", "jobs.py": "x = (", "other.py": "import nope_"})
    assert found == [
        f"{EXTENSIONS}/bills.py:1: ZeroDivisionError: division by zero, while it was imported",
        f"{EXTENSIONS}/jobs.py:1: SyntaxError: '(' was never closed",
        (
            f"{EXTENSIONS}/other.py:1: it needs the module 'nope_', which is not installed here. "
            "Install what has it, or put it into the extensions folder"
        ),
    ]


def test_what_a_broken_module_would_define_is_not_missing_as_well(start):
    (found,) = problems_of(start, "", code={"bills.py": "raise SystemExit(1)"})
    assert "SystemExit: 1, while it was imported" in found


def test_a_module_that_many_import_fails_once(start):
    (found,) = problems_of(
        start,
        "from . import deep\n",
        code={"deep.py": "def f():\n  1 / 0\nf()\n", "third.py": "from .deep import f"},
    )
    assert found.startswith(f"{EXTENSIONS}/deep.py:2: ZeroDivisionError")


def test_an_import_of_the_image_s_own_that_is_not_there_is_told(start):
    found = problems_of(start, "from . import nope", code={"third.py": "import bills.extensions.nop"})
    assert found == [
        (
            f"{EXTENSIONS}/bills.py:2: ImportError: cannot import name 'nope' from 'bills.extensions' "
            "(acme.bills-1/image/pkg/acme.example/bills/extensions/__init__.py), while it was imported"
        ),
        (
            f"{EXTENSIONS}/third.py:1: the image has no module 'bills.extensions.nop'. "
            "Correct the import, or add the module"
        ),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "from .calls import PayBill",
            "'bills.extensions.calls'. It is for type checkers alone: import it under `if TYPE_CHECKING:`",
        ),
        (
            "import jobs",
            "not installed here. Did you mean `from bills.extensions import jobs`?",
        ),
        (
            "def pay_bill(call: PayBill): ...",
            "If type checkers alone import it, begin the module with `from __future__ import annotations`",
        ),
        (
            "@extension\nclass PayBill: ...",
            "TypeError: @extension marks a function, and PayBill is a class, while it was imported",
        ),
    ],
)
def test_what_is_easily_done_wrong_in_a_module_is_told_with_the_way_to_mend_it(start, line, problem):
    (found,) = problems_of(start, line)
    assert found.endswith(problem)


def test_a_secret_in_a_problem_is_not_shown(start):
    (found,) = problems_of(
        start, "raise ValueError('pass is hunter2')", redact=lambda text: text.replace("hunter2", "***")
    )
    assert "ValueError: pass is ***" in found


def test_compiled_code_in_the_image_is_refused(start):
    (found,) = problems_of(start, code={"fast.so": "x"})
    assert found.startswith("the code of acme.bills 1 holds compiled extensions")
