from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from statehold.sdk import StateholdError
from statehold_aos.gateway import GatewayError
from statehold_aos.gateway._options import default_logger

_NAME: Final = "control"
_LONGEST: Final = 2**28
_SECONDS: Final = 30.0

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class Control:
    """Takes orders at a socket in a folder, which only its owner may enter: a line of JSON, and one back.

    Args:
        folder: where the socket is.
        answer: does what is asked.

    Raises:
        GatewayError: another one is there already.

    """

    def __init__(self, folder: Path, answer: Answer) -> None:
        self._answer: Final = answer
        self._logger: Final = default_logger()
        self._path: Final = folder / _NAME
        if is_running(folder):
            raise GatewayError(f"a cloud runs already in {folder}", hint="Give another folder with --data")
        self._path.unlink(missing_ok=True)
        self._listener: Final = socket.socket(socket.AF_UNIX)
        with _short(folder) as place:
            self._listener.bind(place)
        self._path.chmod(0o600)
        self._listener.listen()
        self._thread: Final = threading.Thread(target=self._run, name="aos-cloud-control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take no orders any more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with sock, suppress(OSError, RecursionError, ValueError):
                sock.settimeout(_SECONDS)
                with sock.makefile("rwb") as lines:
                    lines.write(json.dumps(self._done(lines.readline(_LONGEST))).encode() + b"\n")

    def _done(self, line: bytes) -> dict[str, Any]:
        order = json.loads(line)
        try:
            return {"ok": True, **self._answer(order)}
        except StateholdError as error:
            return {"ok": False, "message": error.message, "hint": error.hint}
        except Exception as error:  # others give orders, too
            self._logger.exception("AOS cloud: an order could not be carried out")
            return {"ok": False, "message": f"the order could not be carried out: {error!r}"}


def ask(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    """Return what the cloud that runs in *folder* answers.

    Raises:
        GatewayError: none runs there, or it says that it cannot do that.

    """
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(_SECONDS)
            with _short(folder) as place:
                sock.connect(place)
            with sock.makefile("rwb") as lines:
                lines.write(json.dumps(order).encode() + b"\n")
                lines.flush()
                answer: dict[str, Any] = json.loads(lines.readline(_LONGEST))
    except (OSError, ValueError) as error:
        raise GatewayError(
            f"no cloud runs in {folder}: {error}", hint="Start one: statehold aos cloud serve --data FOLDER"
        ) from error
    if not answer.pop("ok", False):
        raise GatewayError(str(answer.get("message")), hint=str(answer.get("hint", "")))
    return answer


def is_running(folder: Path) -> bool:
    """Say whether a cloud runs in *folder*."""
    try:
        with socket.socket(socket.AF_UNIX) as sock, _short(folder) as place:
            sock.connect(place)
    except OSError:
        return False
    return True


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """Yield a path of the socket that is short enough for one, however long that of its folder is."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{_NAME}"
    finally:
        os.close(descriptor)
