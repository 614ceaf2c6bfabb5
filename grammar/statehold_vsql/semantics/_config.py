from __future__ import annotations

import bisect
import json
import re
from collections.abc import Iterator
from typing import Any

from statehold_vsql.semantics._model import Kind, Symbol
from statehold_vsql.semantics._report import Report
from statehold_vsql.syntax import nodes as n

_REFERENCE = re.compile(r"\$(\$|[A-Za-z]\w*)?", re.ASCII)


def check_config(symbol: Symbol, text: n.Text, report: Report) -> None:
    """Check JSONCONFIG: an object of JSON whose `$NAME`s are parameters or secrets of the package."""
    try:
        config = json.loads(text.value, object_pairs_hook=_object, parse_constant=_not_json)
    except json.JSONDecodeError as error:
        at = _Literal(text).span(error.pos, 1)
        report.error(symbol.place, at, "invalid-config", f"JSONCONFIG is not JSON: {error.msg}")
        return
    except (ValueError, RecursionError) as error:
        problem = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        report.error(symbol.place, text.span, "invalid-config", f"JSONCONFIG is not JSON: {problem}")
        return
    if not isinstance(config, dict):
        report.error(
            symbol.place,
            text.span,
            "invalid-config",
            f"JSONCONFIG is a {_JSON_NAMES.get(type(config), 'null')}, but an object is expected",
            "write `{...}`",
        )
        return
    # Where each name stands first, and where a `$` without one does.
    offsets: dict[str | None, int] = {}
    for match in _REFERENCE.finditer(text.value):
        offsets.setdefault(match[1], match.start())
    literal = _Literal(text)
    used = {match[1]: None for value in _texts(config) for match in _REFERENCE.finditer(value)}
    for name in used:
        if name != "$":
            length = len(name or "") + 1
            at = literal.span(offsets[name], length) if name in offsets else text.span
            _check_reference(symbol, name, at, report)


_JSON_NAMES: dict[type, str] = {list: "list", str: "text", bool: "boolean", int: "number", float: "number"}


def _check_reference(symbol: Symbol, name: str | None, at: n.Span, report: Report) -> None:
    package = symbol.place.package
    if name is None:
        report.error(
            symbol.place,
            at,
            "undefined-parameter",
            "a `$` in JSONCONFIG stands before the name of a PARAMETER or SECRET",
            "write `$$` for a dollar",
        )
        return
    found = package.symbols.get(name)
    is_parameter = found is not None and found.kind is Kind.PARAMETER
    if is_parameter or name in package.damaged or name in package.redefined:
        return
    parameters = (other for other, s in package.symbols.items() if s.kind is Kind.PARAMETER)
    report.error(
        symbol.place,
        at,
        "undefined-parameter",
        f"${name} in JSONCONFIG is not a PARAMETER or SECRET of package {package.path}",
        report.nearest(name, parameters, size=len(package.symbols), prefix="$")
        or f"declare it: PARAMETER {name} text; or write `$${name}` for the text itself",
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:100]!r} occurs twice in an object")
        found[key] = value
    return found


def _not_json(word: str) -> Any:
    raise ValueError(f"{word} is not a number of JSON")


def _texts(config: Any) -> Iterator[str]:
    pending = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)


class _Literal:
    """Says where in the file a part of the literal stands."""

    def __init__(self, text: n.Text) -> None:
        self._whole = text.span
        self._starts = [0, *(match.end() for match in re.finditer("\n", text.value))]
        # Only in backquotes is the text written as it is: then its size is that of the literal.
        height = len(self._starts) - 1
        width = len(text.value) - self._starts[-1] + (1 if height else text.span.column + 1)
        self._is_raw = (text.span.end_line - text.span.line, text.span.end_column - 1) == (height, width)

    def span(self, offset: int, length: int) -> n.Span:
        """Return the span of a part, or that of the literal if the part's place cannot be told."""
        if not self._is_raw:
            return self._whole
        row = bisect.bisect_right(self._starts, offset) - 1
        line = self._whole.line + row
        column = offset - self._starts[row] + (1 if row else self._whole.column + 1)
        return n.Span(line, column, line, column + length)
