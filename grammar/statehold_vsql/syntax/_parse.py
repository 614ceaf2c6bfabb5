from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from statehold_vsql.syntax._checks import check_placement
from statehold_vsql.syntax._outlook import Outlook
from statehold_vsql.syntax._parsed import Parsed
from statehold_vsql.syntax._parser import parser
from statehold_vsql.syntax._recovery import Recovery
from statehold_vsql.syntax._reports import Reports
from statehold_vsql.syntax._tokens import span_at

_BYTE_ORDER_MARK = "\ufeff"
_SURROGATES = re.compile("[\ud800-\udfff]+")
_LONE_RETURN = re.compile(r"\r(?!\n)")
#: Characters of a text whose tree is remembered: `sys` is a part of every app, and is read once.
_SMALL: Final = 2**14


def parse_file(text: str, *, file: str, package: str) -> Parsed:
    """Parse one file of a package: its tree and all its independent syntax errors.

    Never raises, whatever the text; the time it takes grows with the length of the text and nothing
    else. Lines end with LF, CR LF or CR; a byte order mark at the start does not count.
    """
    return (_known if len(text) <= _SMALL else _parse)(text, file, package)


def _parse(text: str, file: str, package: str) -> Parsed:
    text = text.removeprefix(_BYTE_ORDER_MARK)
    if "\r" in text:
        text = _LONE_RETURN.sub("\n", text)
    reports = Reports(text, file=file, package=package)
    if not text.isascii():
        for found in _SURROGATES.finditer(text):
            span = span_at(text, found.start(), found.end())
            reports.add("token", f"{found[0][0]!a} is half a character", span, "save the file as UTF-8")
            if reports.is_full:
                break
        text = _SURROGATES.sub(lambda found: "\ufffd" * len(found[0]), text)
    machine = parser()
    recovery = Recovery(Outlook(text, machine.tables, machine.lexer), reports)
    tree = machine.parse(text, recovery)
    check_placement(tree, reports)
    if recovery.is_partial:
        tree = replace(tree, is_partial=True)
    return Parsed(tree=tree, diagnostics=reports.diagnostics, damaged_names=frozenset(recovery.damaged_names))


_known: Final = lru_cache(maxsize=64)(_parse)
