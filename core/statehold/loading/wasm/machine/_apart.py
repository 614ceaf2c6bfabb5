"""Compiles a module in a process of its own, which may take so much time and memory and no more."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import wasmtime

#: Of computing, so that a machine with much to do refuses nothing that another one takes.
SECONDS: Final = 60
_MEMORY_BYTES: Final = 3 << 30
_OK, _REFUSED = b"+", b"-"
_SCRIPT: Final = """
import sys
sys.path[:] = {path!r}
from statehold.loading.wasm.machine._apart import compile_for_parent
compile_for_parent({seconds})
"""


def compile_here(data: bytes) -> bytes:
    """Return a module as machine code.

    Raises:
        ValueError: it cannot be compiled; the text says why, in one line.

    """
    from statehold.loading.wasm.machine._engine import new_engine  # noqa: PLC0415 - which imports this

    try:
        return bytes(wasmtime.Module(new_engine(), data).serialize())
    except wasmtime.WasmtimeError as error:
        text = str(error).partition("\n\nStack backtrace")[0].strip().replace("\n", " ")
        raise ValueError(text) from error


def compile_apart(data: bytes, *, seconds: int = SECONDS) -> bytes:
    """Return the same, of a module that may take long or be hostile.

    Raises:
        ValueError: it cannot be compiled, or not within *seconds* of computing and 3 GiB of memory.

    """
    script = _SCRIPT.format(path=[str(Path(path).absolute()) for path in sys.path], seconds=seconds)
    try:
        ended = subprocess.run(  # noqa: S603 - this Python, our own text
            [sys.executable, "-I", "-S", "-c", script],
            input=data,
            capture_output=True,
            env={},
            cwd="/",
            check=False,
        )
    except OSError as error:
        raise ValueError(f"no process can be started to compile it: {error.strerror}") from error
    kind, answer = ended.stdout[:1], ended.stdout[1:]
    if ended.returncode == 0 and kind == _OK:
        return answer
    if ended.returncode == 0 and kind == _REFUSED:
        raise ValueError(answer.decode(errors="replace"))
    if ended.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise ValueError(
            f"the compiler takes more than {seconds} s of computing for it: divide its largest functions, "
            "or make it of less code"
        )
    raise ValueError(
        f"the compiler takes more memory for it than {_MEMORY_BYTES >> 30} GiB, or fails: divide its largest "
        "functions, or make it of less code"
    )


def compile_for_parent(seconds: int) -> None:
    """Compile the module that comes by stdin, and answer by stdout; in a process of its own."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    data = sys.stdin.buffer.read()
    try:
        answer = _OK + compile_here(data)
    except ValueError as error:
        answer = _REFUSED + str(error).encode()
    sys.stdout.buffer.write(answer)
