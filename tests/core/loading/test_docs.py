"""The examples of docs/inprocess.md run."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

PAGE = Path(__file__).parents[3] / "docs" / "inprocess.md"


def test_the_examples_of_the_page_run(tmp_path, monkeypatch):
    """All Python blocks of the page, one after the other, in one module."""
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) == 4
    module = ModuleType("the_page")
    monkeypatch.setitem(sys.modules, "the_page", module)
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), vars(module))
