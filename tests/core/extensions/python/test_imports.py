"""The code of an image imports its own modules and resources, side by side with other versions of it."""

from __future__ import annotations

import sys

import pytest

from statehold.extensions.python._sources import top_name

CODE = """
from importlib import import_module, resources
from . import prices
from .prices import PRICE
from .deep.more import VALUE
import bills.extensions.prices as absolute
from bills.extensions import prices as other

same = [prices, absolute, other, import_module("bills.extensions.prices")]

@extension
def bill(call): ...
@extension
def count_turnover(call): ...
@extension
def pay_bill(call):
    from .deep import more
    assert all(each is prices for each in same)
    text = resources.files("bills.extensions").joinpath("menu.txt").read_text()
    text += resources.files("bills.extensions.deep").joinpath("more.txt").read_text()
    text += resources.files().joinpath("menu.txt").read_text()
    return {{"Total": {version} + PRICE + more.VALUE, "Waiter": text}}
"""
FILES = {
    "prices.py": "PRICE = 10\n",
    "menu.txt": "tea",
    "deep/more.py": "from ..prices import PRICE\nVALUE = PRICE * 10\n",
    "deep/more.txt": "+milk+",
}


def test_imports_and_resources_of_its_own_work_absolute_and_relative(start):
    running = start(CODE.format(version=1), code=FILES)
    assert "Total=111, Waiter='tea+milk+tea'" in str(running.intents("bills.PayBill"))


def test_versions_live_side_by_side_and_the_process_knows_neither_by_name(start):
    one = start(CODE.format(version=1), code=FILES)
    two = start(CODE.format(version=2), code=FILES)
    assert "Total=111" in str(one.intents("bills.PayBill"))
    assert "Total=112" in str(two.intents("bills.PayBill"))
    assert not {"bills", "bills.extensions"} & set(sys.modules)


@pytest.mark.parametrize(
    ("package", "name"),
    [("bills", "bills"), ("sys", "sys_"), ("calendar", "calendar_"), ("statehold", "statehold_")],
)
def test_a_package_that_is_called_as_a_standard_module_is_imported_with_an_underscore(package, name):
    assert top_name(package) == name
