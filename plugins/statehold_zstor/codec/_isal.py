"""ISA-L, Intel's library for erasure codes: as pyeclib's wheel brings it, or as the machine has it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import attrs

from statehold_zstor.codec._errors import CodecError

HINT: Final = "pip install 'statehold[qsfs]'"

FUNCTIONS: Final = """
void gf_gen_cauchy1_matrix(unsigned char *matrix, int rows, int k);
int gf_invert_matrix(unsigned char *matrix, unsigned char *inverse, int k);
unsigned char gf_mul(unsigned char a, unsigned char b);
void ec_init_tables(int k, int rows, unsigned char *matrix, unsigned char *tables);
void ec_encode_data(int size, int k, int rows, unsigned char *tables,
                    unsigned char **sources, unsigned char **targets);
"""


@attrs.frozen
class Isal:
    """The library, and the interface that reaches it. Its functions run beside other threads."""

    ffi: Any
    lib: Any


@cache
def load() -> Isal:
    """Return the library, opened once; CodecError where none is found."""
    try:
        from cffi import FFI  # noqa: PLC0415 - of the extra
    except ImportError as error:
        raise CodecError(f"erasure codes: expected the package cffi, got {error}", hint=HINT) from error
    ffi = FFI()
    ffi.cdef(FUNCTIONS)
    for path in _found():
        try:
            return Isal(ffi, ffi.dlopen(path))
        except OSError:
            continue
    raise CodecError("erasure codes: expected the library ISA-L, found none", hint=HINT)


def _found() -> Iterator[str]:
    from ctypes.util import find_library  # noqa: PLC0415 - starts a compiler or ldconfig, so only when needed
    from importlib.util import find_spec  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    # Found, not imported: the package itself would load all the codes it knows.
    spec = find_spec("pyeclib")
    if spec is not None and spec.origin is not None:
        yield from map(str, sorted(Path(spec.origin).parents[1].glob("pyeclib.libs/libisal*")))
    if (name := find_library("isal")) is not None:
        yield name
