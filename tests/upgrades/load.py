"""A process that asks a server over some connections, as fast as it answers, and notes each answer.

`load.py PORT PATH CALLS CONNECTIONS MARKS FILE`: it writes a line each time another of MARKS parts of the
calls has been answered, goes on until its stdin ends, and then writes to FILE of all calls when they began,
how long they took (seconds, doubles), and which version has answered (integers; -1 for what is no answer).
"""

from __future__ import annotations

import re
import selectors
import socket
import sys
import time
from array import array
from pathlib import Path

ANSWER = re.compile(rb'HTTP/1\.1 200 .*"Version":"(\d+)","Stored":"(\d*)"', re.DOTALL)
END = re.compile(rb"\r\ncontent-length: (\d+).*?\r\n\r\n", re.DOTALL | re.IGNORECASE)


class Connection:
    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = request
        self.begun = 0.0
        self.got = b""

    def ask(self) -> None:
        self.got = b""
        self.begun = time.monotonic()
        self.socket.sendall(self.request)

    def is_answered(self) -> bool:
        """Take what has come, and return whether that is all of the answer, or the connection has ended."""
        piece = self.socket.recv(65536)
        self.got += piece
        head = END.search(self.got)
        return not piece or (head is not None and len(self.got) >= head.end() + int(head[1]))

    def version(self) -> int:
        found = ANSWER.match(self.got)
        # A storage of another version than the code that asks it would be as bad as no answer.
        return int(found[1]) if found and found[2] in (found[1], b"") else -1


def main(port: int, path: str, calls: int, connections: int, marks: int, file: Path) -> None:
    begins, seconds, versions = array("d"), array("d"), array("i")
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    marked, waiting, is_enough = 0, 0, False
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        for _ in range(connections):
            connection = Connection(port, request)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.ask()
            waiting += 1
        while waiting:
            for key, _ in selector.select():
                connection = key.data
                if connection is None:
                    selector.unregister(sys.stdin)
                    is_enough = True
                elif connection.is_answered():
                    begins.append(connection.begun)
                    seconds.append(time.monotonic() - connection.begun)
                    versions.append(connection.version())
                    if versions[-1] < 0:
                        sys.stderr.write(f"{connection.got[:500]!r}\n")
                    if connection.got and not (is_enough and len(versions) >= calls):
                        connection.ask()
                    else:
                        waiting -= 1
            while marked < min(marks, len(versions) * marks // calls):
                marked += 1
                sys.stdout.write(f"{marked}\n")
                sys.stdout.flush()
    with file.open("wb") as out:
        for column in (begins, seconds, versions):
            column.tofile(out)


if __name__ == "__main__":
    port, path, calls, connections, marks, file = sys.argv[1:]
    main(int(port), path, int(calls), int(connections), int(marks), Path(file))
