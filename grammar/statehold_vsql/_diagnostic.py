from __future__ import annotations

from enum import StrEnum

import attrs


class Severity(StrEnum):
    """How grave a diagnostic is: an error keeps the app from being deployed, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@attrs.frozen(kw_only=True)
class Diagnostic:
    """One finding about a declaration: what is wrong, where, and how to mend it.

    `file` is the file's name as it was passed in and `package` the package it belongs to (both empty
    for a finding about the app as a whole). Lines and columns count from 1, columns in characters;
    the end is the first position behind the finding.
    """

    severity: Severity
    code: str
    message: str
    package: str = ""
    file: str = ""
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1
    hint: str = ""

    def __str__(self) -> str:
        """Return the finding in one line, as compilers write it."""
        where = f"{self.file}:{self.line}:{self.column}: " if self.file else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.severity}[{self.code}]: {self.message}{hint}"
