"""Code that is given as files runs in a namespace of its own, wherever its packages lie."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from statehold.loading import LoadedCode
from statehold.sdk import PluginError

FILES = {
    "image/pkg/acme/bills/extensions/pay.py": b"from . import prices\nfrom .prices import TEA\n",
    "image/pkg/acme/bills/extensions/prices.py": b"TEA = 3\n",
    "image/pkg/acme/bills/extensions/menu.txt": b"tea",
    "image/pkg/acme/crm/extensions/__init__.py": b"from bills.extensions import prices\n",
}
PACKAGES = {"bills": "image/pkg/acme/bills", "crm": "image/pkg/acme/crm"}


@pytest.fixture
def code():
    code = LoadedCode(FILES, PACKAGES, what="the code of acme.bills 1", place=Path("acme.bills-1"))
    yield code
    code.free()


def test_modules_are_named_after_their_packages_and_know_their_files(code):
    assert code.modules == {
        "bills.extensions.pay": "image/pkg/acme/bills/extensions/pay.py",
        "bills.extensions.prices": "image/pkg/acme/bills/extensions/prices.py",
        "crm.extensions": "image/pkg/acme/crm/extensions/__init__.py",
    }


def test_packages_import_their_own_and_each_other(code):
    pay, crm = code.import_module("bills.extensions.pay"), code.import_module("crm.extensions")
    assert pay.prices is crm.prices
    assert pay.TEA == 3
    assert pay.__file__ == "acme.bills-1/image/pkg/acme/bills/extensions/pay.py"


def test_the_file_of_a_traceback_is_told_from_that_of_others(code):
    assert code.file("acme.bills-1/image/pkg/acme/a.py") == "image/pkg/acme/a.py"
    assert code.file("/usr/lib/a.py") is None
    assert code.public("bills__plugin") == "bills__plugin"


def test_after_it_was_freed_there_is_nothing_of_it(code):
    code.import_module("bills.extensions.pay")
    report = code.free()
    assert set(report.modules) >= {"bills.extensions.pay", "bills.extensions.prices"}
    assert report.survivors == ()
    assert code.free() is report


def test_code_that_nobody_frees_warns():
    code = LoadedCode(FILES, PACKAGES, what="the code of acme.bills 1", place=Path("x"))
    with pytest.warns(ResourceWarning, match=r"the code of acme.bills 1 was never freed"):
        code.__del__()
    code.free()
    del code
    gc.collect()


def test_compiled_extensions_are_refused_by_the_name_of_the_code():
    with pytest.raises(
        PluginError, match=r"the code of acme.bills 1 holds compiled extensions \(bills/a.so\)"
    ):
        LoadedCode({"bills/a.so": b""}, PACKAGES, what="the code of acme.bills 1", place=Path("x"))
