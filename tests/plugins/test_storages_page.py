from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from statehold.sdk import Provider

PAGE = Path(__file__).parents[2] / "docs" / "storages.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = [
    (TEXT.count("\n", 0, found.start(1)), found[1])
    for found in re.finditer(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
]
ROWS = {
    name: (anchor, operations.split())
    for name, anchor, operations in re.findall(
        r"^\| \[(\w+)\]\(#([\w-]+)\) \| [^|]+ \| ([A-Z ]+) \|", TEXT, re.MULTILINE
    )
}
SECTIONS = {
    title.lower().replace(" ", "-"): text
    for title, text in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
}
PROVIDERS: dict[str, Provider] = {
    entry.name: entry.load()
    for entry in entry_points(group="statehold.storages")
    if entry.value.startswith(("statehold_sys", "statehold_dataset"))
}


@pytest.mark.parametrize(("line", "block"), BLOCKS, ids=[f"line-{line}" for line, _ in BLOCKS])
def test_every_example_runs_by_itself(line: int, block: str) -> None:
    """Each block of the page can be pasted and does what it says."""
    # Moved down, so that a traceback shows the line of the page.
    exec(compile("\n" * line + block, str(PAGE), "exec"), {})


def test_the_page_has_every_storage_that_comes_with_the_host() -> None:
    """And no other one, each with its operations."""
    provided = {name: set(map(str, provider.operations)) for name, provider in PROVIDERS.items()}
    assert {name: set(operations) for name, (_, operations) in ROWS.items()} == provided


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_the_section_of_a_storage_names_its_fields_and_settings(name: str) -> None:
    """All of KEY, VALUE and JSONCONFIG that the provider says."""
    anchor, _ = ROWS[name]
    section = SECTIONS[anchor]
    if name == "Event":
        section += SECTIONS["wlog"]  # of which it has the fields
    provider = PROVIDERS[name]
    fields = [*(provider.key or ()), *(provider.value or ())]
    settings = getattr(provider.config, "__struct_fields__", ())
    words = set(re.findall(r"\w+", section))
    assert {*(field.name for field in fields), *settings} - words == set()
    assert anchor == name.lower() or name in words
