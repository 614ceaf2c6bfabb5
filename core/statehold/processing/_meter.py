from __future__ import annotations

from typing import Protocol


class Meter(Protocol):
    """Hears what the runtime does, to count and time it; its methods must be quick and must not raise."""

    def command(self, app: str, name: str, status: int, seconds: float) -> None:
        """Hear of a command that was answered; 200 is success, seconds are from asking to the answer."""

    def query(self, app: str, name: str, status: int, seconds: float, results: int) -> None:
        """Hear of a query that came to its end, after so many results."""

    def denied(self, app: str, name: str, reason: str) -> None:
        """Hear of a refusal: `rights`, `limit` or `busy`."""

    def batch(self, app: str, partition: int, commands: int, seconds: float) -> None:
        """Hear of a commit of so many commands of one partition, and how long it took."""

    def projector(
        self, app: str, partition: int, name: str, events: int, seconds: float, *, ok: bool
    ) -> None:
        """Hear that a projector has dealt with so many events, or failed at the first of them."""

    def job(self, app: str, name: str, workspace: int, seconds: float, *, ok: bool) -> None:
        """Hear that a job has run."""

    def missed(self, app: str, name: str, workspace: int, runs: int) -> None:
        """Hear of runs of a job that were missed."""


class NoMeter:
    """Hears nothing."""

    def command(self, app: str, name: str, status: int, seconds: float) -> None:
        """Do nothing."""

    def query(self, app: str, name: str, status: int, seconds: float, results: int) -> None:
        """Do nothing."""

    def denied(self, app: str, name: str, reason: str) -> None:
        """Do nothing."""

    def batch(self, app: str, partition: int, commands: int, seconds: float) -> None:
        """Do nothing."""

    def projector(
        self, app: str, partition: int, name: str, events: int, seconds: float, *, ok: bool
    ) -> None:
        """Do nothing."""

    def job(self, app: str, name: str, workspace: int, seconds: float, *, ok: bool) -> None:
        """Do nothing."""

    def missed(self, app: str, name: str, workspace: int, runs: int) -> None:
        """Do nothing."""
