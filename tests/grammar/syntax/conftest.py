from __future__ import annotations

from typing import Any

import pytest

from statehold_vsql.syntax import Parsed, parse_file
from statehold_vsql.syntax.nodes import Workspace


class Syntax:
    """Parses texts of one file."""

    def parse(self, text: str) -> Parsed:
        return parse_file(text, file="bills.vsql", package="example.com/bills")

    def accepts(self, text: str) -> list[Any]:
        """Parse without any diagnostic, and return the imports and statements."""
        parsed = self.parse(text)
        assert not parsed.diagnostics, "\n".join(map(str, parsed.diagnostics))
        assert not parsed.is_partial
        assert not parsed.damaged_names
        return [*parsed.tree.imports, *parsed.tree.statements]

    def one(self, text: str) -> Any:
        """Parse one statement of a file."""
        (statement,) = self.accepts(text)
        return statement

    def inner(self, text: str) -> Any:
        """Parse one statement of a workspace."""
        workspace = self.one(f"WORKSPACE W ({text});")
        assert isinstance(workspace, Workspace)
        (statement,) = workspace.statements
        return statement

    def extension(self, text: str) -> Any:
        """Parse one extension of a workspace."""
        (extension,) = self.inner(f"EXTENSION ENGINE WASM ({text};)").items
        return extension

    def reports(self, marked: str) -> list[str]:
        """Parse a text in which every error is marked by a » before it, and return the messages."""
        places = []
        text = ""
        for piece in marked.split("»")[:-1]:
            text += piece
            places.append((text.count("\n") + 1, len(text) - text.rfind("\n")))
        found = self.parse(marked.replace("»", "")).diagnostics
        shown = "\n".join(map(str, found))
        assert [(report.line, report.column) for report in found] == places, shown
        return [f"{report.message} ({report.hint})" if report.hint else report.message for report in found]

    def report(self, marked: str) -> str:
        """Parse a text with one error, marked by a » before it, and return its message."""
        (message,) = self.reports(marked)
        return message


@pytest.fixture
def syntax() -> Syntax:
    return Syntax()
