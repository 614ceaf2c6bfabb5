from __future__ import annotations

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
        at = _span(text, error.pos, 1)
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
    reported: set[str] = set()
    for value in _texts(config):
        for match in _REFERENCE.finditer(value):
            name = match[1]
            if name != "$" and name not in reported:
                _check_reference(symbol, text, name, report, reported)


_JSON_NAMES: dict[type, str] = {list: "list", str: "text", bool: "boolean", int: "number", float: "number"}


def _check_reference(
    symbol: Symbol, text: n.Text, name: str | None, report: Report, reported: set[str]
) -> None:
    package = symbol.place.package
    if name is None:
        reported.add("")
        report.error(
            symbol.place,
            _find(text, r"\$(?![\w$])", 1),
            "undefined-parameter",
            "a `$` in JSONCONFIG stands before the name of a PARAMETER or SECRET",
            "write `$$` for a dollar",
        )
        return
    found = package.symbols.get(name)
    if (found is not None and found.kind is Kind.PARAMETER) or name in package.damaged | package.redefined:
        return
    reported.add(name)
    parameters = (other for other, s in package.symbols.items() if s.kind is Kind.PARAMETER)
    report.error(
        symbol.place,
        _find(text, rf"\${name}(?!\w)", len(name) + 1),
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


def _find(text: n.Text, pattern: str, length: int) -> n.Span:
    match = re.search(pattern, text.value, re.ASCII)
    return _span(text, match.start(), length) if match else text.span


def _span(text: n.Text, offset: int, length: int) -> n.Span:
    """Return where in the file a part of the literal stands, or all of it if that cannot be said."""
    whole, value = text.span, text.value
    height = value.count("\n")
    width = len(value) - value.rfind("\n") - 1
    start = whole.column + 1 if height == 0 else 1
    # Only in backquotes is the text written as it is.
    if whole.end_line - whole.line != height or whole.end_column - 1 != start + width:
        return whole
    before = value[:offset]
    lines = before.count("\n")
    line = text.span.line + lines
    column = offset - before.rfind("\n") if lines else text.span.column + 1 + offset
    return n.Span(line, column, line, column + length)
