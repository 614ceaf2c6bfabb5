from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterable
from typing import IO, Final

_TIME: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3


def write_zip(target: IO[bytes], files: Iterable[tuple[str, bytes]]) -> None:
    """Write *files* as a zip whose bytes depend on their names, contents and order alone.

    They are stored, not deflated: what deflate makes of the same input differs between zlib builds.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name, _TIME)
            info.create_system = _UNIX
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, content)
