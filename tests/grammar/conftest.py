from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from importlib.resources import files

import pytest

from statehold_vsql import Compilation, Contract, Severity, compile_app
from statehold_vsql.appdef import AppDef

SYS = files("statehold_sys").joinpath("sys.vsql").read_text(encoding="utf-8")
_MARK = re.compile("[«»]")


class Language:
    """Compiles the text of package `bills`, beside package `sys` and a file with the APPLICATION."""

    def compile(
        self,
        text: str,
        *,
        contracts: Mapping[str, Contract] | None = None,
        with_plugin: Collection[str] = (),
        others: Mapping[str, str] | None = None,
        application: str = "APPLICATION bills ();",
        sys: str | None = SYS,
    ) -> Compilation:
        packages = {"sys": {"sys.vsql": sys}} if sys is not None else {}
        packages["example.com/bills"] = {"bills.vsql": text, "app.vsql": application}
        for path, other in (others or {}).items():
            packages[path] = {f"{path.rpartition('/')[2]}.vsql": other}
        return compile_app(packages, contracts=contracts, with_plugin=with_plugin)

    def accepts(self, text: str, **options: object) -> AppDef:
        """Compile without any diagnostic, warnings included."""
        compiled = self.compile(text, **options)  # type: ignore[arg-type]
        assert not compiled.diagnostics, "\n".join(map(str, compiled.diagnostics))
        assert compiled.appdef is not None
        return compiled.appdef

    def reports(self, text: str, *codes: str, **options: object) -> Compilation:
        """Compile and find exactly these codes, each at a stretch of `bills.vsql` marked as «here»."""
        plain, marked = _unmark(text)
        assert len(marked) == len(codes), "one mark per code"
        compiled = self.compile(plain, **options)  # type: ignore[arg-type]
        found = [(d.code, d.file, (d.line, d.column, d.end_line, d.end_column)) for d in compiled.diagnostics]
        shown = "\n".join(map(str, compiled.diagnostics))
        assert found == [(code, "bills.vsql", span) for code, span in zip(codes, marked, strict=True)], shown
        assert all(d.package == "example.com/bills" for d in compiled.diagnostics)
        assert (compiled.appdef is None) == any(d.severity is Severity.ERROR for d in compiled.diagnostics)
        return compiled

    def report(self, text: str, code: str, **options: object) -> str:
        """Compile, find exactly one diagnostic, and return its message and hint as one text."""
        compiled = self.reports(text, code, **options)
        return f"{compiled.diagnostics[0].message} | {compiled.diagnostics[0].hint}"


def _unmark(text: str) -> tuple[str, list[tuple[int, int, int, int]]]:
    starts: list[tuple[int, int]] = []
    spans: list[tuple[int, int, int, int]] = []
    plain = ""
    at = 0
    for match in _MARK.finditer(text):
        plain += text[at : match.start()]
        at = match.end()
        position = (plain.count("\n") + 1, len(plain) - plain.rfind("\n"))
        if match[0] == "«":
            starts.append(position)
        else:
            spans.append((*starts.pop(), *position))
    return plain + text[at:], sorted(spans)


@pytest.fixture
def language() -> Language:
    return Language()
