from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from statehold_vsql._diagnostic import Diagnostic, Severity

if TYPE_CHECKING:
    from statehold_vsql.semantics._model import Place, SourceFile
    from statehold_vsql.syntax.nodes import Span

# Package, file, line and column
_Order = tuple[int, int, int, int]

# How many names may be compared for hints in one run: hints must not make hostile text slow.
_COMPARISONS = 20_000

# How many names a hint may list.
_LISTED = 8


class Report:
    """Gathers findings and puts them in order: packages as given, then files, then positions."""

    def __init__(self) -> None:
        self._found: list[tuple[_Order, Diagnostic]] = []
        self._once: dict[object, tuple[_Order, Diagnostic]] = {}
        self._comparisons = _COMPARISONS
        self.has_errors = False

    def error(self, place: Place, span: Span, code: str, message: str, hint: str = "") -> None:
        """Note an error at `span` of the place's file."""
        self.has_errors = True
        self._found.append(_entry(Severity.ERROR, place, span, code=code, message=message, hint=hint))

    def error_once(self, key: object, place: Place, span: Span, **texts: str) -> None:
        """Note an error of which, for this `key`, only the first in the text counts."""
        self.has_errors = True
        entry = _entry(Severity.ERROR, place, span, **texts)
        first = self._once.get(key)
        if first is None or entry[0] < first[0]:
            self._once[key] = entry

    def warning(self, place: Place, span: Span, code: str, message: str, hint: str = "") -> None:
        """Note a warning at `span` of the place's file."""
        self._found.append(_entry(Severity.WARNING, place, span, code=code, message=message, hint=hint))

    def error_in_package(self, path: str, code: str, message: str, hint: str = "") -> None:
        """Note an error that has no position in a text."""
        self.has_errors = True
        found = Diagnostic(severity=Severity.ERROR, code=code, message=message, package=path, hint=hint)
        self._found.append(((-1, 0, 0, 0), found))

    def parsed(self, file: SourceFile, diagnostics: Iterable[Diagnostic]) -> None:
        """Take over what the parser found."""
        for found in diagnostics:
            self.has_errors = self.has_errors or found.severity is Severity.ERROR
            self._found.append(((file.package.index, file.index, found.line, found.column), found))

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Return all findings in order."""
        return tuple(found for _, found in sorted([*self._found, *self._once.values()], key=_order))

    def nearest(self, word: str, candidates: Iterable[str], *, size: int, prefix: str = "") -> str:
        """Return `did you mean ...?` with the candidate closest to `word`, or an empty text.

        `size` is how many candidates there are at most.
        """
        if size > self._comparisons:
            return ""
        self._comparisons -= size
        names = list(candidates)
        lowered = word.lower()
        near = [name for name in names if name.lower() == lowered]
        if not near:
            import difflib  # noqa: PLC0415 - only errors need it

            near = difflib.get_close_matches(word, names, n=1)
        return f"did you mean `{prefix}{near[0]}`?" if near else ""

    def nearest_field(self, word: str, fields: Collection[str]) -> str:
        """Return `did you mean ...?`, or which fields there are if those are few."""
        hint = self.nearest(word, fields, size=len(fields))
        if hint or not 0 < len(fields) <= _LISTED:
            return hint
        return f"it has {', '.join(fields)}"


def _order(entry: tuple[_Order, Diagnostic]) -> _Order:
    return entry[0]


def _entry(severity: Severity, place: Place, span: Span, **texts: str) -> tuple[_Order, Diagnostic]:
    file = place.file
    found = Diagnostic(
        severity=severity,
        package=file.package.path,
        file=file.name,
        line=span.line,
        column=span.column,
        end_line=span.end_line,
        end_column=span.end_column,
        **texts,
    )
    return (file.package.index, file.index, span.line, span.column), found
