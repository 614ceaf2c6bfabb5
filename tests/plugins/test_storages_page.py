from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "storages.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = [
    (TEXT.count("\n", 0, found.start(1)), found[1])
    for found in re.finditer(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
]


@pytest.mark.parametrize(("line", "block"), BLOCKS, ids=[f"line-{line}" for line, _ in BLOCKS])
def test_every_example_runs_by_itself(line: int, block: str) -> None:
    """Each block of the page can be pasted and does what it says."""
    # Moved down, so that a traceback shows the line of the page.
    exec(compile("\n" * line + block, str(PAGE), "exec"), {})
