# ruff: noqa: F821, PLW0108 - of hostile code, which runs elsewhere
from __future__ import annotations

import errno
import socket
import threading
from pathlib import Path

import pytest


@pytest.fixture
def server(listening):
    """Says hello to whoever connects, until its socket is closed."""

    def answer():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"hello")

    thread = threading.Thread(target=answer)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(2)
    thread.join()


def test_without_a_grant_there_is_no_socket(everywhere, server):
    def use(port):
        import socket

        tried = []
        for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, 38, 40):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
                try:
                    socket.socket(family, kind)
                    tried.append((family, kind))
                except PermissionError:
                    continue
        try:
            socket.create_connection(("127.0.0.1", port))
        except OSError as error:
            return tried, type(error).__name__

    assert everywhere(use, port=server).done() == [[], "PermissionError"]


def connect(ways, port):
    import asyncio
    import socket
    from concurrent.futures import ThreadPoolExecutor

    def plain(host, timeout=None):
        with socket.socket() as connection:
            connection.settimeout(timeout)
            connection.connect((host, port))
            return connection.recv(5).decode(), connection.gettimeout()

    async def stream(host):
        reader, writer = await asyncio.open_connection(host, port)
        text = await reader.read()
        writer.close()
        return text.decode(), None

    def thread(host):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(plain, host).result()

    found = []
    for way, host in ways:
        try:
            found.append(
                {
                    "plain": plain,
                    "timeout": lambda host: plain(host, 10),
                    "asyncio": lambda host: asyncio.run(stream(host)),
                    "thread": thread,
                }[way](host)[0]
            )
        except OSError as error:
            found.append(type(error).__name__)
    return found


def test_a_granted_address_is_reached_in_every_way(everywhere, server):
    ways = [[way, "127.0.0.1"] for way in ("plain", "timeout", "asyncio", "thread")]
    verdict = everywhere(connect, ways=ways, port=server, policy={"network": [f"127.0.0.1:{server}"]})
    assert verdict.done() == ["hello"] * 4
    assert verdict.log == []


def test_a_granted_name_is_resolved_by_the_host(inside_network, server):
    ways = [[way, "localhost"] for way in ("plain", "timeout", "asyncio", "thread")]
    names = {"localhost": ["127.0.0.1"]}
    policy = {"network": [f"localhost:{server}"]}
    assert inside_network(connect, ways=ways, port=server, names=names, policy=policy).done() == ["hello"] * 4


def test_no_other_port_and_no_other_host_is_reached(everywhere, server):
    ways = [
        ["plain", "127.0.0.1"],
        ["timeout", "127.0.0.1"],
        ["asyncio", "127.0.0.1"],
        ["thread", "127.0.0.1"],
    ]
    verdict = everywhere(connect, ways=ways, port=server, policy={"network": ["127.0.0.2", "127.0.0.1:1"]})
    assert verdict.done() == ["PermissionError"] * 4
    assert verdict.log == [f"WARNING acme: refused to connect to 127.0.0.1:{server}: not granted"]


def test_a_name_leads_to_no_service_of_this_machine(inside_network, server):
    names = {"api.test": ["127.0.0.1"], "link.test": ["169.254.169.254"], "mapped.test": ["::ffff:127.0.0.1"]}
    ways = [["plain", name] for name in names]
    verdict = inside_network(connect, ways=ways, port=server, names=names, policy={"network": list(names)})
    assert verdict.done() == ["PermissionError"] * 3
    assert "api.test leads to 127.0.0.1, which a name may not" in verdict.log[0]


def test_only_granted_names_are_resolved(inside_network):
    def use():
        import socket

        found = []
        for name in ("api.test", "other.test", "localhost"):
            try:
                found.append(socket.gethostbyname(name))
            except OSError as error:
                found.append(type(error).__name__)
        return found

    assert inside_network(use, policy={"network": ["api.test"]}).done() == [
        "127.83.0.1",
        "gaierror",
        "127.0.0.1",
    ]


def test_with_a_grant_there_is_tcp_and_nothing_else(everywhere, server):
    def use(port):
        import socket

        tried = []
        for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, socket.AF_UNIX):
            for kind, protocol in ((1, 0), (1, 262), (1, 132), (2, 0), (3, 1), (5, 0)):
                try:
                    socket.socket(family, kind, protocol).close()
                    tried.append((int(family), kind, protocol))
                except PermissionError:
                    continue
        connection = socket.socket()
        for way in (
            lambda: connection.bind(("127.0.0.1", 0)),
            lambda: connection.listen(),
            lambda: connection.sendto(b"a", 0x20000000, ("127.0.0.1", port)),
            lambda: connection.sendto(b"a", ("127.0.0.1", port)),
            lambda: connection.sendmsg([b"a"], [], 0x20000000, ("127.0.0.1", port)),
        ):
            try:
                way()
                tried.append("done")
            except PermissionError:
                continue
        return tried

    verdict = everywhere(use, port=server, policy={"network": [f"127.0.0.1:{server}"]})
    assert verdict.done() == [[2, 1, 0], [10, 1, 0]]


def test_a_socket_that_is_connected_cannot_be_connected_elsewhere(everywhere, server):
    def use(port):
        import socket

        tried = []
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            for host, other in (("127.0.0.1", port), ("127.0.0.1", 1)):
                try:
                    connection.connect((host, other))
                    tried.append("done")
                except OSError as error:
                    tried.append(error.errno)
            try:
                call("connect", connection.fileno(), bytes(16), 16)
                tried.append("done")
            except OSError as error:
                tried.append(error.errno)
        return tried

    assert everywhere(use, port=server, policy={"network": [f"127.0.0.1:{server}"]}).done() == [106] * 3


def test_what_is_no_address_is_refused(everywhere, server):
    def use():
        import socket

        tried = []
        with socket.socket() as connection:
            for address, length in ((bytes(16), 16), (b"\x01\x00/a", 4), (b"", 0), (bytes(200), 200)):
                try:
                    call("connect", connection.fileno(), address, length)
                    tried.append("done")
                except OSError as error:
                    tried.append(error.errno)
            try:
                call("connect", connection.fileno(), 8, 16)
            except OSError as error:
                tried.append(error.errno)
            try:
                call("connect", 99, bytes(16), 16)
            except OSError as error:
                tried.append(error.errno)
        return tried

    verdict = everywhere(use, policy={"network": [f"127.0.0.1:{server}"]})
    assert verdict.done()[:4] == [1, 1, 1, 1]
    assert set(verdict.done()[4:]) <= {9, 14}


def test_what_is_no_socket_is_refused_and_stays_open_in_no_host(everywhere, server):
    def use():
        import ctypes
        import os

        connect = ctypes.CDLL(None, use_errno=True).connect
        numbers = set()
        for descriptor in (0, *os.pipe()):
            for _ in range(20):
                numbers.add((connect(descriptor, bytes(16), 16), ctypes.get_errno()))
        return sorted(numbers)

    of_host = Path(f"/proc/{everywhere.process.pid}/fd")
    before = len([*of_host.iterdir()])
    verdict = everywhere(use, policy={"network": [f"127.0.0.1:{server}"]})
    assert verdict.done() == [[-1, 88]]
    assert len([*of_host.iterdir()]) == before


def test_a_flood_of_connections_waits(everywhere, server):
    def use(port):
        import socket
        import time

        begun = time.monotonic()
        refused = 0
        for _ in range(1100):
            with socket.socket() as connection:
                try:
                    connection.connect(("192.0.2.1", port))
                except PermissionError:
                    refused += 1
        return refused, time.monotonic() - begun >= 1.0

    assert everywhere(use, port=server, policy={"network": [f"127.0.0.1:{server}"]}).done() == [1100, True]


def test_connections_beyond_64_on_their_way_are_refused_for_now(everywhere):
    def use(port):
        import queue
        import socket
        import threading

        ended = queue.Queue()

        def connect():
            with socket.socket() as connection:
                try:
                    connection.connect(("127.0.0.1", port))
                    ended.put("connected")
                except OSError as error:
                    ended.put(type(error).__name__)

        threading.stack_size(1 << 18)  # all of them in the memory that it has
        for _ in range(70):
            threading.Thread(target=connect, daemon=True).start()
        found = [ended.get(timeout=30) for _ in range(6)]
        # A socket that does not block waits in the process itself, and takes nothing of the host's.
        with socket.socket() as connection:
            connection.setblocking(False)
            found.append(connection.connect_ex(("127.0.0.1", port)))
        return found, ended.empty()

    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first:
        # Nobody accepts, and one waits already: whoever else connects is on its way for minutes.
        first.connect(full.getsockname())
        port = full.getsockname()[1]
        verdict = everywhere(use, port=port, policy={"network": [f"127.0.0.1:{port}"]})
    assert verdict.done() == [["BlockingIOError"] * 6 + [errno.EINPROGRESS], True]


def test_a_closed_port_is_a_refused_connection(everywhere, listening):
    port = listening.getsockname()[1]
    listening.close()
    ways = [[way, "127.0.0.1"] for way in ("plain", "timeout", "asyncio")]
    verdict = everywhere(connect, ways=ways, port=port, policy={"network": [f"127.0.0.1:{port}"]})
    assert verdict.done() == ["ConnectionRefusedError"] * 3


def test_options_of_a_socket_survive_its_connection(everywhere, server):
    def use(port):
        import socket

        with socket.socket() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.settimeout(10)
            connection.connect(("127.0.0.1", port))
            return (
                connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
                connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            )

    assert everywhere(use, port=server, policy={"network": [f"127.0.0.1:{server}"]}).done() == [1, 1]


def test_a_policy_with_hosts_needs_somebody_who_connects(everywhere, server):
    verdict = everywhere(connect, ways=[], port=server, broker=False, policy={"network": []})
    assert verdict.done() == []
