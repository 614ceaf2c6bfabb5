"""Zip archives that are what they seem: no byte of the file is unaccounted for, no entry is special.

The standard library reads the archive; what stands here is the suspicion. zipfile takes the last
directory it finds, skips over what it cannot place, and believes sizes.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Final

from statehold.images._limits import MIB, Budget, ImageLimits, RefusedError
from statehold.images._names import check_names
from statehold.images._problem import Problem

_END: Final = struct.Struct("<4s4H2LH")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CHUNK: Final = 1 << 18
_ENTRY_BYTES: Final = 2048
_COMMENT_BYTES: Final = 65_535
_UTF8: Final = 0x800
_DESCRIPTOR: Final = 0x8
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Times and owners; all other extra fields change what an entry is, is called, or links to.
_HARMLESS: Final = frozenset({0x5455, 0x5855, 0x7855, 0x7875, 0xCAFE})

DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    EOFError,
    OSError,
)


class Archive:
    """An open zip file whose structure has been checked; its contents are checked by whoever reads."""

    def __init__(self, file: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]) -> None:
        self._zip = file
        self.entries = entries

    def chunks(self, name: str, budget: Budget) -> Iterator[bytes]:
        """Yield the contents of the entry *name*; raise RefusedError where they are damaged or too large."""
        info = self.entries[name]
        limits = budget.limits
        size = 0
        try:
            with self._zip.open(info) as source:
                while chunk := source.read(_CHUNK):
                    size += len(chunk)
                    budget.take(len(chunk))
                    if size > limits.file_bytes:
                        raise RefusedError(f"unpacks to more than {limits.file_bytes} bytes")
                    if size > max(MIB, limits.ratio * info.compress_size):
                        raise RefusedError(f"unpacks to more than {limits.ratio} times its packed size")
                    yield chunk
        except DAMAGE as error:
            raise RefusedError(f"damaged: {error}") from error
        if size != info.file_size:
            raise RefusedError(f"damaged: {info.file_size} bytes were announced, {size} are there")

    def close(self) -> None:
        self._zip.close()


def open_archive(
    file: IO[bytes], size: int, limits: ImageLimits, *, directories: bool = False
) -> tuple[Archive | None, list[Problem]]:
    """Open the zip archive in *file*, and return it with what is wrong; None where it cannot be read."""
    try:
        return _open(file, size, limits, directories=directories)
    except DAMAGE as error:
        return None, [_structure(f"damaged: {error}")]


def check_nested(file: IO[bytes], size: int, budget: Budget, *, path: str) -> list[Problem]:
    """Return what is wrong with an archive inside an image, a wheel for example, at *path*."""
    archive, problems = open_archive(file, size, budget.limits, directories=True)
    if archive is not None and not problems:
        for name in archive.entries:
            try:
                for _ in archive.chunks(name, budget):
                    pass
            except RefusedError as error:
                problems.append(Problem(code="content", message=str(error), path=name))
    if archive is not None:
        archive.close()
    return [
        Problem(code=problem.code, message=f"{problem.path}: {problem.message}".removeprefix(": "), path=path)
        for problem in problems
    ]


def _structure(message: str, *, path: str = "", code: str = "structure") -> Problem:
    return Problem(code=code, message=message, path=path)


def _open(
    file: IO[bytes], size: int, limits: ImageLimits, *, directories: bool
) -> tuple[Archive | None, list[Problem]]:
    fault = _end_fault(file, size, limits)
    if fault:
        return None, [_structure(fault)]
    file.seek(0)
    archive = zipfile.ZipFile(file)
    infos = archive.infolist()
    problems = [
        _structure(fault, path=info.orig_filename, code="entry")
        for info in infos
        for fault in _entry_faults(info, limits, directories=directories)
    ]
    problems += _layout_problems(file, infos, archive.start_dir)
    file.seek(size - _END.size)
    if _END.unpack(file.read(_END.size))[4] != len(infos):
        problems.append(
            _structure("the directory of the archive does not have the number of entries it says")
        )
    problems += check_names((info.orig_filename for info in infos), limits)
    return Archive(archive, {info.orig_filename: info for info in infos if not info.is_dir()}), problems


def _end_fault(file: IO[bytes], size: int, limits: ImageLimits) -> str:
    """Return what is wrong with the frame: the archive begins at byte 0 and ends with the file."""
    if size == 0:
        return "the file is empty"
    file.seek(0)
    head = file.read(4)
    file.seek(max(0, size - _END.size - _COMMENT_BYTES))
    tail = file.read()
    found = tail.rfind(b"PK\x05\x06")
    if found < 0:
        return "the archive is truncated" if head == b"PK\x03\x04" else "not an image: not a zip archive"
    if head == b"PK\x05\x06" and size == _END.size:
        return "the archive is empty"
    if head != b"PK\x03\x04":
        return "there is data before the archive"
    rest = tail[found:]
    if len(rest) < _END.size:
        return "the archive is truncated"
    _, disk, first_disk, here, count, length, offset, comment = _END.unpack(rest[: _END.size])
    if comment:
        return "the archive has a comment, which an image may not have"
    if len(rest) > _END.size:
        return "there is data after the archive"
    if 0xFFFF in (here, count) or 0xFFFFFFFF in (length, offset) or b"PK\x06\x07" in tail[found - 20 : found]:
        return "the archive is in the zip64 format, which an image may not be"
    if disk or first_disk or here != count:
        return "the archive is one part of several"
    if count > limits.entries or length > limits.entries * _ENTRY_BYTES:
        return f"the archive has more than {limits.entries} files"
    if offset + length != size - _END.size:
        return "the directory of the archive is not where it should be: damaged, or data was put in"
    return ""


def _entry_faults(info: zipfile.ZipInfo, limits: ImageLimits, *, directories: bool) -> Iterator[str]:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.flag_bits & _ENCRYPTED:
        yield "encrypted, which a file of an image may not be"
    if info.compress_type not in _METHODS:
        yield f"compressed by unknown method {info.compress_type}: an image is stored or deflated"
    if stat.S_ISLNK(kind):
        yield "a symbolic link, which a file of an image may not be"
    elif info.is_dir():
        if not directories or info.file_size or info.compress_size:
            yield "a folder entry, which an image does not have"
    elif kind not in (0, stat.S_IFREG):
        yield "a device, pipe or other special file"
    if not info.orig_filename.isascii() and not info.flag_bits & _UTF8:
        yield "a name that is not in UTF-8"
    if info.comment:
        yield "a comment, which a file of an image may not have"
    if info.volume:
        yield "stored in another part of the archive"
    if info.file_size > limits.file_bytes:
        yield f"unpacks to more than {limits.file_bytes} bytes"
    if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
        yield "damaged: stored, with two different sizes"
    if not _harmless(info.extra):
        yield "an extra field that could give it another name, size or target"


def _harmless(extra: bytes) -> bool:
    at = 0
    while at < len(extra):
        if at + 4 > len(extra):
            return False
        kind, length = struct.unpack_from("<2H", extra, at)
        at += 4 + length
        if kind not in _HARMLESS or at > len(extra):
            return False
    return True


def _layout_problems(file: IO[bytes], infos: list[zipfile.ZipInfo], end: int) -> list[Problem]:
    """Return what is wrong with where entries lie: they follow one another without gap or overlap."""
    problems = []
    at = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        gap = info.header_offset - at
        if gap < 0:
            problems.append(_structure("overlaps another entry", path=info.orig_filename))
            return problems
        if gap > 0:
            problems.append(_structure("there is hidden data before it", path=info.orig_filename))
        file.seek(info.header_offset)
        header = file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or not header.startswith(b"PK\x03\x04"):
            problems.append(_structure("damaged: no entry at its place", path=info.orig_filename))
            return problems
        _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack(header)
        name = file.read(name_length)
        extra = file.read(extra_length)
        sizes = (crc, packed, size)
        announced = (info.CRC, info.compress_size, info.file_size)
        deferred = flags & _DESCRIPTOR and sizes in ((0, 0, 0), announced)
        if (
            name != info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
            or (flags, method) != (info.flag_bits, info.compress_type)
            or not (sizes == announced or deferred)
            or not _harmless(extra)
        ):
            problems.append(
                _structure("the two headers of the entry contradict each other", path=info.orig_filename)
            )
        at = info.header_offset + _LOCAL.size + name_length + extra_length + info.compress_size
        if flags & _DESCRIPTOR:
            file.seek(at)
            trailer = file.read(16)
            body = struct.pack("<3L", *announced)
            if trailer.startswith(b"PK\x07\x08" + body):
                at += 16
            elif trailer.startswith(body):
                at += 12
            else:
                problems.append(_structure("damaged: no sizes after it", path=info.orig_filename))
    if at != end:
        problems.append(_structure("there is hidden data before the directory of the archive"))
    return problems
