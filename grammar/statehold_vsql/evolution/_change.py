from __future__ import annotations

from enum import StrEnum

import attrs

from statehold_vsql.appdef import Position


class Broken(StrEnum):
    """Who is broken by a change."""

    DATA = "data"
    CLIENTS = "clients"
    OPERATOR = "operator"
    PACKAGES = "packages"


@attrs.frozen(kw_only=True)
class Change:
    """One difference between two versions of the declarations of an app.

    Attributes:
        code: what kind of change it is, such as `field-removed`.
        subject: what changed, such as `table bills.Bill`.
        message: how it changed.
        breaks: who is broken by it; None where nobody is.
        old: where it is declared in the old version, if it is there.
        new: where it is declared in the new version, if it is there.

    """

    code: str
    subject: str
    message: str
    breaks: Broken | None = None
    old: Position | None = None
    new: Position | None = None

    @property
    def breaking(self) -> bool:
        """Whether somebody is broken by it."""
        return self.breaks is not None

    def __str__(self) -> str:
        """Return the change in one line, with its place in the new version, or else the old one."""
        where = self.new or self.old
        word = f"breaks {self.breaks}" if self.breaks else "compatible"
        return f"{f'{where}: ' if where else ''}{word}[{self.code}]: {self.subject}: {self.message}"


@attrs.frozen(kw_only=True)
class Subject:
    """What is compared, and where it is declared."""

    name: str
    old: Position | None = None
    new: Position | None = None


@attrs.define
class Changes:
    """Gathers what was found."""

    found: list[Change] = attrs.field(factory=list)

    def add(self, code: str, subject: Subject, message: str, breaks: Broken | None = None) -> None:
        """Note one change; it breaks nobody where *breaks* is None."""
        self.found.append(
            Change(
                code=code,
                subject=subject.name,
                message=message,
                breaks=breaks,
                old=subject.old,
                new=subject.new,
            )
        )
