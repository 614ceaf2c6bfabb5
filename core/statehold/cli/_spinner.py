from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

_MOMENT = 0.5
_TURN = 0.1


class Spinner:
    """Turns on stderr while its block runs, from a moment after its beginning."""

    def __init__(self, text: str) -> None:
        self._text = self._shown = text
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._turn, daemon=True)

    def tell(self, step: str) -> None:
        """Show how far the block has got."""
        self._shown = f"{self._text}: {step}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _turn(self) -> None:
        if self._ended.wait(_MOMENT):
            return
        # Rich takes a tenth of a second to import: what is done by now has no use for it.
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(self._shown, total=None)
            while not self._ended.wait(_TURN):
                progress.update(task, description=self._shown)
