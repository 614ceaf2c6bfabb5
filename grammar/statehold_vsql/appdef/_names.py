from __future__ import annotations

import attrs


@attrs.frozen(order=True)
class QName:
    """The name of a thing in a package: `bills.PayBill`."""

    package: str
    name: str

    def __str__(self) -> str:
        """Return `package.name`."""
        return f"{self.package}.{self.name}"


@attrs.frozen
class Position:
    """Where something was declared; line and column count from 1."""

    package: str
    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """Return `file:line:column`."""
        return f"{self.file}:{self.line}:{self.column}"
