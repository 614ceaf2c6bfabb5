# ruff: noqa: B023, F401, F821, I001, PLW0108, PLW1510, PTH123, SIM105, SIM115 - of hostile code, which runs elsewhere
from __future__ import annotations

import os
import socket


from pathlib import Path

import pytest


def test_it_cannot_read_the_memory_or_the_environment_of_another_process(everywhere, sibling):
    def use(pids):
        import ctypes

        tried = {}
        for pid in pids:
            for name in ("mem", "environ", "maps", "cmdline", "fd/0", "root/etc/shadow", "cwd"):
                try:
                    tried[f"{pid} {name}"] = open(f"/proc/{pid}/{name}", "rb").read(16).hex()
                except OSError as error:
                    tried[f"{pid} {name}"] = type(error).__name__
            buffer = ctypes.create_string_buffer(64)
            for way in (
                lambda pid=pid: call("process_vm_readv", pid, buffer, 1, buffer, 1, 0),
                lambda pid=pid: call("process_vm_writev", pid, buffer, 1, buffer, 1, 0),
                lambda pid=pid: call("ptrace", 16, pid, 0, 0),
                lambda pid=pid: call("ptrace", 0x4206, pid, 0, 0),
                lambda pid=pid: call("pidfd_open", pid, 0),
                lambda pid=pid: call("pidfd_getfd", 3, 0, 0),
            ):
                try:
                    tried[f"{pid} {len(tried)}"] = way()
                except PermissionError:
                    tried[f"{pid} {len(tried)}"] = "PermissionError"
        return sorted(set(map(str, tried.values())))

    tried = everywhere(use, pids=[os.getpid(), everywhere.process.pid, sibling.pid]).done()
    assert set(tried) <= {"FileNotFoundError", "PermissionError", "NotADirectoryError"}


def test_it_cannot_signal_the_host_or_a_process_of_the_same_user(everywhere, sibling):
    def use(pids):
        import os
        import signal

        tried = []
        for pid in pids:
            for way in (
                lambda pid=pid: os.kill(pid, 0),
                lambda pid=pid: call("tgkill", pid, pid, 0),
                lambda pid=pid: call("rt_sigqueueinfo", pid, 0, bytes(128)),
                lambda pid=pid: call("rt_tgsigqueueinfo", pid, pid, 0, bytes(128)),
                lambda pid=pid: call("pidfd_send_signal", 0, 0, None, 0),
            ):
                try:
                    way()
                    tried.append("done")
                except PermissionError:
                    tried.append("refused")
        for pid in (0, -1, -pids[-1], pids[-1]):
            try:
                os.kill(pid, signal.SIGKILL if pid == pids[-1] else 0)
                tried.append("done")
            except PermissionError:
                tried.append("refused")
        return sorted(set(tried))

    verdict = everywhere(use, pids=[os.getpid(), everywhere.process.pid, sibling.pid])
    assert verdict.done() == ["refused"]
    assert sibling.poll() is None


def test_it_may_signal_itself(everywhere):
    def use():
        import os
        import signal

        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        os.kill(os.getpid(), signal.SIGUSR1)
        os.abort()

    assert everywhere(use).signal == 6


def test_it_sends_no_signal_through_a_descriptor(everywhere, sibling):
    def use(pid):
        import fcntl
        import os
        import socket
        import struct

        one, _two = socket.socketpair()
        tried = []
        for way in (
            lambda: fcntl.fcntl(one, fcntl.F_SETOWN, pid),
            lambda: fcntl.fcntl(one, 10, 9),
            lambda: fcntl.fcntl(one, 15, struct.pack("ii", 1, pid)),
            lambda: fcntl.ioctl(one, 0x8901, struct.pack("i", pid)),
            lambda: fcntl.ioctl(one, 0x8902, struct.pack("i", pid)),
        ):
            try:
                way()
                tried.append("done")
            except OSError as error:
                tried.append(type(error).__name__)
        return tried

    assert everywhere(use, pid=sibling.pid).done() == ["PermissionError"] * 5


def test_it_starts_no_other_process(everywhere):
    def use():
        import os
        import subprocess

        tried = []
        for way in (
            os.fork,
            lambda: call("fork") if "fork" in calls.machine.numbers else os.fork(),
            lambda: call("vfork") if "vfork" in calls.machine.numbers else os.fork(),
            lambda: call("clone", 17, 0, 0, 0, 0),
            lambda: subprocess.run(["/bin/true"]),
            lambda: os.posix_spawn("/bin/true", ["true"], {}),
            lambda: os.execv("/bin/true", ["true"]),
            lambda: call("execveat", -100, b"/bin/true", None, None, 0),
        ):
            try:
                way()
                tried.append("done")
            except OSError as error:
                tried.append(type(error).__name__)
        try:
            call("clone3", bytes(88), 88)
        except OSError as error:
            tried.append(error.errno)
        return tried

    assert everywhere(use).done() == ["PermissionError"] * 8 + [38]


def test_no_program_of_root_makes_it_root(everywhere):
    program = Path("/usr/bin/su")
    if not program.exists():
        pytest.skip("there is no su here")

    def use(program):
        import os

        try:
            os.execv(program, [program, "-c", "true"])
        except OSError as error:
            return type(error).__name__, call("prctl", 39, 0, 0, 0, 0)

    assert everywhere(use, program=str(program)).done() == ["PermissionError", 1]


def test_it_has_no_capability_and_gets_none_back(everywhere):
    def use():
        import ctypes
        import os
        import struct

        header, data = struct.pack("=Ii", 0x20080522, 0), ctypes.create_string_buffer(24)
        call("capget", header, data)
        tried = []
        for way in (
            lambda: os.setuid(0),
            lambda: os.setgid(0),
            lambda: os.setgroups([0]),
            lambda: call("capset", header, b"\xff" * 24),
            lambda: call("prctl", 4, 1, 0, 0, 0),
            lambda: call("prctl", 1, 0, 0, 0, 0),
            lambda: call("personality", 0x40000),
            lambda: os.chroot("/tmp"),
            lambda: os.setsid(),
            lambda: os.nice(-1),
        ):
            try:
                way()
                tried.append("done")
            except OSError as error:
                tried.append(type(error).__name__)
        return data.raw.hex().strip("0"), tried, 0 in (os.getuid(), os.getgid(), *os.getgroups())

    capabilities, tried, root = everywhere(use).done()
    assert capabilities == ""
    assert set(tried) == {"PermissionError"}
    assert not root


def test_it_makes_no_namespace_and_no_mount(everywhere):
    def use():
        tried = []
        for name, arguments in {
            "unshare": (0x10000000,),
            "clone": (0x10000000 | 17, 0, 0, 0, 0),
            "setns": (0, 0),
            "mount": (b"tmpfs", b"/tmp", b"tmpfs", 0, None),
            "umount2": (b"/tmp", 2),
            "pivot_root": (b"/", b"/"),
            "open_tree": (-100, b"/", 1),
            "move_mount": (0, b"", -100, b"/", 4),
            "mount_setattr": (-100, b"/", 0, bytes(32), 32),
            "openat2": (-100, b"/etc/shadow", bytes(24), 24),
        }.items():
            try:
                call(name, *arguments)
                tried.append(name)
            except PermissionError:
                continue
        for flag in (0x20000, 0x10000000, 0x40000000, 0x20000000):
            try:
                call("clone", 0x10000 | 0x800 | 0x100 | flag, 0, 0, 0, 0)
                tried.append(flag)
            except PermissionError:
                continue
        return tried

    assert everywhere(use).done() == []


def test_it_reaches_no_dangerous_part_of_the_kernel(everywhere):
    def use():
        tried = []
        for name, arguments in {
            "io_uring_setup": (1, bytes(120)),
            "io_uring_enter": (0, 0, 0, 0, None, 0),
            "bpf": (0, bytes(64), 64),
            "keyctl": (0, -3, 0, 0, 0),
            "add_key": (b"user", b"a", b"b", 1, -3),
            "userfaultfd": (0,),
            "perf_event_open": (bytes(128), 0, -1, -1, 0),
            "memfd_create": (b"a", 0),
            "shmget": (1, 4096, 0o1600),
            "mknodat": (-100, b"/tmp/disk", 0o60600, 0x0800),
            "seccomp": (2, 0, 0),
            "setuid": (0,),
        }.items():
            try:
                call(name, *arguments)
                tried.append(name)
            except PermissionError:
                continue
        young = calls.machine.numbers["clone"] if calls.machine.name != "x86_64" else 0x40000000
        try:
            calls._libc.syscall(max(young, 500), 0, 0, 0)
        except OSError:
            pass
        import ctypes

        return tried, ctypes.get_errno()

    assert everywhere(use).done() == [[], 38]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="only that machine has a second kind of calls")
def test_a_call_in_the_way_of_another_machine_ends_it(everywhere):
    def use():
        import ctypes
        import mmap

        code = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)
        code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # getpid, as a program of 32 bits asks for it
        return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()

    assert everywhere(use).signal == 31


def test_it_types_nothing_into_a_terminal(everywhere):
    def use():
        import fcntl

        tried = []
        for request in (0x5412, 0x541C, 0x540E, 0x5423, 0x1000005412):
            try:
                call("ioctl", 0, request, b"x")
                tried.append("done")
            except PermissionError:
                tried.append("refused")
        try:
            fcntl.ioctl(0, 0x5401, bytes(64))
        except OSError as error:
            tried.append(error.errno)
        return tried

    assert everywhere(use).done() == ["refused"] * 5 + [25]


def test_what_the_process_had_open_is_closed(everywhere, others):
    def use(opened):
        import os

        found = []
        for descriptor in range(3, 64):
            try:
                os.fstat(descriptor)
                found.append(descriptor)
            except OSError:
                continue
        return opened[0] in found, len(found)

    # One is the way of the verdict.
    assert everywhere(use, opened=(others / "secret",)).done() == [False, 1]


def test_a_file_is_kept_open_if_told_to_but_not_a_folder(everywhere, others):
    def use(opened):
        import os

        return os.read(opened[0], 100).decode()

    assert everywhere(use, opened=(others / "secret",), keep=True).done() == "the-secret-of-the-host"
    verdict = everywhere(use, opened=(others,), keep=True)
    assert verdict.error == "SandboxError"
    assert "is a folder outside" in verdict.text


def test_sockets_of_the_host_are_out_of_reach(everywhere, folder):
    path = folder / "socket"
    abstract = f"sandbox-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as two:
        one.bind(str(path))
        path.chmod(0o777)
        one.listen()
        two.bind("\0" + abstract)

        def use(path, abstract):
            import socket

            stream = socket.socketpair()[0]
            tried = []
            for way in (
                lambda: socket.socket(socket.AF_UNIX),
                lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
                lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
                lambda: stream.connect(path),
                lambda: stream.connect("\0" + abstract),
                lambda: stream.sendto(b"a", path),
                lambda: stream.sendto(b"a", "\0" + abstract),
                lambda: stream.bind("\0mine"),
                lambda: stream.listen(),
            ):
                try:
                    way()
                    tried.append("done")
                except PermissionError:
                    tried.append("refused")
            return tried

        tried = everywhere(use, path=str(path), abstract=abstract, policy={"data_folders": [folder]}).done()
    assert tried == ["refused"] * 9


def test_no_address_in_a_message_leads_out_of_a_pair(everywhere):
    abstract = f"sandbox-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.bind("\0" + abstract)
        server.listen()
        server.settimeout(0)

        def use(abstract):
            import socket

            one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            try:
                one.sendmsg([b"a"], [], 0, "\0" + abstract)
            except OSError as error:
                return error.errno
            return two.recv(2).decode()  # the address counts for nothing

        assert everywhere(use, abstract=abstract).done() in ("a", 106, 1, 95)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_threads_work(everywhere):
    def use():
        import queue
        import threading
        from concurrent.futures import ThreadPoolExecutor

        done = queue.SimpleQueue()
        thread = threading.Thread(target=done.put, args=(1,), name="a thread")
        thread.start()
        thread.join()
        with ThreadPoolExecutor(8) as pool:
            return done.get(), sum(pool.map(abs, range(100)))

    assert everywhere(use).done() == [1, 4950]


def test_asyncio_works(everywhere):
    def use():
        import asyncio

        async def work():
            await asyncio.sleep(0)
            return await asyncio.to_thread(sum, [1, 2])

        return asyncio.run(work())

    assert everywhere(use).done() == 3


def test_granted_processes_and_programs_are_those_and_no_others(everywhere, folder):
    def use():
        import os
        import subprocess

        ended = subprocess.run(["/bin/echo", "text"], stdout=subprocess.PIPE).stdout.decode()
        try:
            subprocess.run(["/bin/ls"], stdout=subprocess.PIPE)
        except OSError as error:
            other = type(error).__name__
        pid = os.fork()
        if pid == 0:
            os._exit(3)
        return ended, other, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    # The loader of programs is among what Python needs; where there are no own mounts, it lies there too.
    verdict = everywhere(use, policy={"data_folders": [folder], "processes": 2, "executables": ["/bin/echo"]})
    assert verdict.done() == ["text\n", "PermissionError", 3]


def test_processes_that_it_forked_are_shut_in_with_it(everywhere, sibling, others):
    def use(pid, path):
        import os
        import signal

        end, out = os.pipe()
        child = os.fork()
        if child == 0:
            tried = []
            for way in (
                lambda: os.kill(pid, signal.SIGKILL),
                lambda: open(path),
                lambda: call("ptrace", 16, pid, 0, 0),
            ):
                try:
                    way()
                    tried.append("done")
                except OSError:
                    tried.append("refused")
            os.write(out, " ".join(tried).encode())
            os._exit(0)
        os.waitpid(child, 0)
        return os.read(end, 100).decode()

    verdict = everywhere(use, pid=sibling.pid, path=str(others / "secret"), policy={"processes": 2})
    assert verdict.done() == "refused refused refused"
    assert sibling.poll() is None
