from __future__ import annotations

import ctypes
import errno
import logging
import os
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from ctypes import byref, sizeof
from pathlib import Path
from typing import Any, Final

from statehold_qsfs.mount import _lowlevel as fuse
from statehold_qsfs.mount import _table
from statehold_qsfs.mount._answers import Answers
from statehold_qsfs.mount._crew import Crew, Turn
from statehold_qsfs.mount._errors import MountError
from statehold_qsfs.mount._inodes import Inodes

_MIB: Final = 1 << 20
#: Where the kernel's flags are in its first request.
_ASKED_FLAGS: Final = 52
#: The seconds after which pages of open files are taken from the kernel, which would keep them for 30.
PAGES_EVERY: Final = 4.0
#: The seconds after which one request that takes long keeps others waiting no more.
_LOOK_EVERY: Final = 0.1
#: For programs that still have files open when it is to end.
_GRACE: Final = 3.0
_JOIN: Final = 60.0


class Session:
    """A filesystem at a mount point, from `mount` until the end of `serve`.

    Args:
        files: what is mounted.
        point: the folder where it is seen.
        source: what the table of mounts says that it is made of.
        status: returns what the root's attribute `user.qsfs.status` says.
        orders: what is done when one of these attributes of the root is set, called with the value.
        read_only: nothing can be changed through it.
        pages_every: the seconds after which pages of open files are taken from the kernel.
        logger: takes what an operator should know.

    """

    def __init__(
        self,
        files: Inodes,
        point: Path,
        *,
        source: str,
        status: Callable[[], bytes] = bytes,
        orders: Mapping[str, Callable[[str], object]] | None = None,
        read_only: bool = False,
        pages_every: float = PAGES_EVERY,
        logger: logging.Logger | None = None,
    ) -> None:
        self._logger = logger or logging.getLogger(__name__)
        self._point = point
        self._source = source
        self._read_only = read_only
        self._pages_every = pages_every
        self._crew = Crew(self._take)
        self._answers = Answers(
            files, step_aside=self.step_aside, status=status, orders=orders or {}, logger=self._logger
        )
        self._operations = self._table_of_operations()
        self._stopping = threading.Event()
        self._session: int | None = None

    def mount(self) -> None:
        """Mount it: what asks for its files waits until `serve` answers.

        Raises:
            MountError: the kernel or libfuse refuse it.

        """
        source = self._source.replace("\\", "\\\\").replace(",", "\\,")
        options = f"default_permissions,fsname={source},subtype=qsfs,max_read={_MIB}"
        options += ",allow_other" * (os.geteuid() == 0) + ",ro" * self._read_only
        words = [b"qsfs", b"-o", os.fsencode(options)]
        arguments = fuse.Arguments(len(words), (ctypes.c_char_p * len(words))(*words), 0)
        said: list[str] = []
        with _stderr_into(said):
            self._session = fuse.session_new(
                byref(arguments), byref(self._operations), sizeof(self._operations), None
            )
            failed = not self._session or fuse.session_mount(self._session, os.fsencode(self._point))
        if failed:
            if self._session:
                fuse.session_destroy(self._session)
            raise MountError(
                f"{self._point}: the system does not mount it: {' '.join(said) or 'it does not say why'}",
                hint="`statehold qsfs doctor` looks for what is missing",
            )
        try:
            self._agree()
        except BaseException:
            fuse.session_unmount(self._session)
            raise

    def serve(self) -> None:
        """Answer the kernel, until it is unmounted, by whomever."""
        keeper = threading.Thread(target=self._fetch_pages, name="qsfs-pages", daemon=True)
        keeper.start()
        self._crew.start()
        while not self._crew.ended.wait(_LOOK_EVERY):
            self._crew.leave_behind()
            if self._stopping.is_set():
                self._unmount()
                self._crew.ended.wait(_GRACE)
                break
        self._stopping.set()
        if self._crew.ended.is_set() and self._crew.join(_JOIN):
            fuse.session_unmount(self._session)
            fuse.session_destroy(self._session)
            self._answers.known.forget_all()
        keeper.join(_JOIN)

    def stop(self) -> None:
        """Have it unmounted, and `serve` end; also from a signal's handler."""
        self._stopping.set()

    def step_aside(self) -> None:
        """Say that what the calling thread answers now takes long: others are answered meanwhile."""
        self._crew.step_aside()

    def _table_of_operations(self) -> fuse.Operations:
        operations = fuse.Operations()
        for name, arguments in fuse.ASKED.items():
            function = self._wishes if name == "init" else getattr(self._answers, name, None)
            if arguments and function is not None:
                setattr(operations, name, ctypes.CFUNCTYPE(None, *arguments)(function))
        return operations

    def _wishes(self, _: object, connection: Any) -> None:
        known = connection.contents
        wanted = fuse.ATOMIC_TRUNCATE | fuse.WRITEBACK | fuse.READDIRPLUS | fuse.READDIRPLUS_AUTO
        wanted |= fuse.CACHE_SYMLINKS
        unwanted = fuse.AUTO_INVALIDATE | fuse.KILL_PRIVILEGES
        known.want = (known.want | wanted & known.capable) & ~unwanted
        known.max_write = known.max_read = known.max_readahead = _MIB
        known.max_background, known.congestion_threshold = 64, 48

    def _agree(self) -> None:
        """Answer the kernel's first request as libfuse does, and say that privileges go with a write here.

        Or else the kernel would ask for an attribute before every write. libfuse has no word for it: its
        answer goes through a pipe, and on to the kernel with one flag more.
        """
        fd, buffer = fuse.session_fd(self._session), fuse.Buffer()
        while (size := fuse.receive(self._session, byref(buffer))) == -errno.EINTR:
            pass
        if size <= 0:
            raise MountError(f"{self._point}: the kernel does not answer: {os.strerror(-size or errno.EIO)}")
        asked = ctypes.string_at(buffer.memory, size)
        kernel, (out, into) = os.dup(fd), os.pipe()
        try:
            os.dup2(into, fd, inheritable=False)
            fuse.process(self._session, byref(buffer))
            os.dup2(kernel, fd, inheritable=False)
            answer = bytearray(os.read(out, 65_536))
            (flags,) = struct.unpack_from("=I", asked, _ASKED_FLAGS)
            if flags & fuse.KILL_PRIVILEGES_2 and len(answer) > fuse.ANSWER_FLAGS + 4:
                (agreed,) = struct.unpack_from("=I", answer, fuse.ANSWER_FLAGS)
                struct.pack_into("=I", answer, fuse.ANSWER_FLAGS, agreed | fuse.KILL_PRIVILEGES_2)
            os.write(fd, answer)
        finally:
            for each in (kernel, out, into):
                os.close(each)
            _free(buffer)

    def _take(self, turn: Turn) -> None:
        session, buffer, receive, process = self._session, fuse.Buffer(), fuse.receive, fuse.process
        reference = byref(buffer)
        try:
            while turn.mine:
                size = receive(session, reference)
                if size > 0:
                    turn.requests += 1
                    turn.busy = True
                    process(session, reference)
                    turn.busy = False
                elif size not in {-errno.EINTR, -errno.EAGAIN}:
                    return
        finally:
            _free(buffer)

    def _fetch_pages(self) -> None:
        while not self._stopping.wait(self._pages_every):
            # A file that is open for writing keeps the mount busy: nobody is kept from unmounting.
            if self._answers.writers:
                self._sync()

    def _sync(self) -> None:
        # Another process, for the same reason as in `unmount`.
        with suppress(OSError):
            subprocess.run(  # noqa: S603
                ["sync", "--file-system", str(self._point)],  # noqa: S607
                capture_output=True,
                check=False,
            )

    def _unmount(self) -> None:
        try:
            _table.unmount(self._point)
        except MountError as error:
            self._logger.warning("%s; it is taken away from under them", error)
            self._sync()
            with suppress(MountError):
                _table.unmount(self._point, lazily=True)


@contextmanager
def _stderr_into(said: list[str]) -> Iterator[None]:
    """Take what libfuse and fusermount3 write while the block runs, which they have no other way to say."""
    with tempfile.TemporaryFile() as file:
        before = os.dup(2)
        try:
            os.dup2(file.fileno(), 2)
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
            file.seek(0)
            said += [line.strip() for line in file.read().decode(errors="replace").splitlines()]


def _free(buffer: fuse.Buffer) -> None:
    free = ctypes.CDLL(None).free
    free.restype, free.argtypes = None, [ctypes.c_void_p]
    free(buffer.memory)
