"""Runs what is not trusted in the sandbox: one request per line on stdin, its verdict on stdout.

    python _zygote.py root|ordinary|bare [prepared]

`ordinary` becomes an ordinary user first, `bare` one who gets no namespaces. A request has the source of a
function, its arguments and a policy; the function runs in a forked child that has entered.
"""

from __future__ import annotations

import ctypes
import errno
import json
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path

from statehold.loading.sandbox import Broker, Policy, SandboxError, enter, prepare
from statehold.loading.sandbox._calls import CLONE_NEWUSER, Calls
from statehold.loading.sandbox._identity import drop_capabilities, own_user_namespace

UID = 54_321
SECONDS = 60
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 1 << 18


def become_ordinary() -> None:
    """Become a user for whom Python is readable, even if it lies below the home of root."""
    if os.geteuid() != 0:
        return
    calls = Calls()
    none = ctypes.c_char_p(None)
    calls("unshare", 0x20000)
    calls("mount", none, b"/", none, _RECURSIVE | _PRIVATE, none)
    prefix = os.path.realpath(sys.base_prefix)
    home = "/" + prefix.split("/")[1]
    if home not in ("/usr", "/opt") and not Path(home).stat().st_mode & 0o001:
        descriptor = os.open(prefix, os.O_PATH)
        calls("mount", b"tmpfs", home.encode(), b"tmpfs", 0, b"mode=755")
        Path(prefix).mkdir(parents=True)
        calls(
            "mount", f"/proc/self/fd/{descriptor}".encode(), prefix.encode(), none, _BIND | _RECURSIVE, none
        )
        os.close(descriptor)
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)
    calls("prctl", 4, 1, 0, 0, 0)  # as after the login of such a user


def lose_namespaces() -> None:
    calls = Calls()
    own_user_namespace(calls, CLONE_NEWUSER)
    Path("/proc/sys/user/max_user_namespaces").write_text("0", encoding="ascii")
    drop_capabilities(calls)


def policy_of(request: dict[str, object]) -> Policy:
    fields = dict(request["policy"])
    for name in ("data_folders", "read_only", "executables", "private"):
        fields[name] = tuple(Path(text) for text in fields.get(name, ()))
    return Policy(**fields)


def run(request, prepared, out, channel):
    calls = Calls()
    space = {"call": calls, "calls": calls}
    exec(compile(request["source"], "<hostile>", "exec"), space)
    arguments = request["arguments"]
    opened = [os.open(path, os.O_RDONLY) for path in request["opened"]]
    if opened:
        arguments = {**arguments, "opened": opened}
    keep = [out, *(opened if request["keep"] else [])]
    if request["threads"]:
        threading.Thread(target=time.sleep, args=(SECONDS,), daemon=True).start()
    verdict = {}
    try:
        lacking = enter(
            policy_of(request), prepared=prepared, keep=keep, channel=channel, required=request["required"]
        )
        verdict["lacking"] = [str(lack) for lack in lacking]
        verdict["opens"] = [lack.opens for lack in lacking]
        verdict["result"] = space[request["name"]](**arguments)
    except OSError as error:
        verdict["error"] = type(error).__name__
        verdict["errno"] = errno.errorcode.get(error.errno or 0, "")
        verdict["text"] = str(error)
    except SandboxError as error:
        verdict |= {
            "error": "SandboxError",
            "text": str(error),
            "lacking": [str(each) for each in error.lacking],
        }
    except BaseException as error:
        verdict["error"] = type(error).__name__
        verdict["text"] = str(error) + traceback.format_exc(limit=-4)
    data = json.dumps(verdict).encode()
    while data:
        data = data[os.write(out, data) :]


class Told(logging.Handler):
    """What is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.logger = logging.Logger("sandbox")  # noqa: LOG001 - one for each request
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.getMessage()}")


def serve(request, prepared):
    end, out = os.pipe()
    network = request["policy"].get("network")
    ours, theirs = socket.socketpair() if network else (None, None)
    child = os.fork()
    if child == 0:
        try:
            os.close(end)
            run(request, prepared, out, theirs)
        finally:
            os._exit(0)
    os.close(out)
    told = Told()
    broker = None
    if network and request["broker"]:
        theirs.close()
        broker = Broker(logger=told.logger, resolve=lambda name: request["names"][name])
        broker.serve(ours, network, name="acme")
    data = b""
    while select.select([end], [], [], SECONDS)[0]:
        part = os.read(end, 65536)
        if not part:
            break
        data += part
    else:
        os.kill(child, signal.SIGKILL)  # ours, and not waited for yet: the pid is still its own
    os.close(end)
    status = os.waitpid(child, 0)[1]
    verdict = json.loads(data) if data else {}
    if broker:
        broker.close()
    return {**verdict, "log": told.lines, "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}


def main() -> None:
    kind = sys.argv[1]
    if kind != "root":
        become_ordinary()
    if kind == "bare":
        lose_namespaces()
    prepared = prepare() if "prepared" in sys.argv else None
    answers = os.fdopen(os.dup(1), "w")  # what hostile code prints goes elsewhere
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(serve(json.loads(line), prepared)), file=answers, flush=True)


if __name__ == "__main__":
    main()
