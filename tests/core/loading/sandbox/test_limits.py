# ruff: noqa: F401, F821, FURB122, I001, PTH108, PTH123 - of hostile code, which runs elsewhere
from __future__ import annotations

import signal


MIB = 1024 * 1024


def test_memory_over_the_limit_is_an_error_and_the_process_goes_on(everywhere):
    def use():
        import mmap

        tried = []
        for way in (
            lambda: bytearray(200 * 2**20),
            lambda: [bytes(2**20) for _ in range(200)],
            lambda: mmap.mmap(-1, 200 * 2**20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS),
        ):
            try:
                way()
                tried.append("got")
            except (MemoryError, OSError) as error:
                tried.append(getattr(error, "errno", None) or type(error).__name__)
        return tried, len(bytearray(16 * 2**20))

    tried, length = everywhere(use, policy={"memory_bytes": 64 * MIB}).done()
    assert tried == ["MemoryError", "MemoryError", 12]
    assert length == 16 * MIB


def test_there_is_no_memory_that_no_limit_counts(everywhere):
    def use():
        import mmap
        import os

        tried = []
        for way in (
            lambda: mmap.mmap(-1, 2**20),
            lambda: os.memfd_create("a"),
            lambda: mmap.mmap(os.open("/dev/zero", os.O_RDWR), 2**20),
            lambda: os.open("/dev/shm/a", os.O_CREAT | os.O_RDWR),
            lambda: call("shmget", 1, 2**20, 0o1600),
        ):
            try:
                way()
                tried.append("got")
            except OSError as error:
                tried.append(type(error).__name__)
        return tried

    assert set(everywhere(use).done()) <= {"PermissionError", "FileNotFoundError"}


def test_what_waits_in_its_sockets_is_little(everywhere):
    def use():
        import socket

        kept, held, refused = [], 0, 0
        for _ in range(100):
            one, other = socket.socketpair()
            kept += one, other
            one.setblocking(False)
            other.settimeout(1)
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF, 32, 33):
                try:
                    one.setsockopt(socket.SOL_SOCKET, option, 1 << 30)
                except PermissionError:
                    refused += 1
            try:
                while True:
                    held += one.send(bytes(1 << 16))
            except BlockingIOError:
                pass
        return refused, held < 100 << 20

    assert everywhere(use).done() == [400, True]


def test_limits_cannot_be_raised_again(everywhere):
    def use(pid):
        import resource

        tried = []
        for which in (resource.RLIMIT_DATA, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE):
            try:
                resource.setrlimit(which, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                tried.append("raised")
            except (OSError, ValueError):
                tried.append("refused")
        try:
            resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1))
            tried.append("lowered")
        except PermissionError:
            tried.append("refused")
        return tried

    assert everywhere(use, pid=everywhere.process.pid).done() == ["refused"] * 4


def test_cpu_time_over_the_limit_ends_it(everywhere):
    def use():
        while True:
            pass

    assert everywhere(use, policy={"cpu_seconds": 1}).signal in (signal.SIGXCPU, signal.SIGKILL)


def test_a_process_that_does_not_mind_the_signal_is_ended_as_well(inside):
    def use():
        import signal

        signal.signal(signal.SIGXCPU, signal.SIG_IGN)
        while True:
            pass

    assert inside(use, policy={"cpu_seconds": 1}).signal == signal.SIGKILL


def test_open_files_have_a_limit(everywhere):
    def use():
        import os

        opened = []
        try:
            while True:
                opened.append(os.open("/dev/null", os.O_RDONLY))
        except OSError as error:
            return error.errno, opened[-1]

    assert everywhere(use, policy={"open_files": 32}).done() == [24, 31]


def test_tmp_has_a_limit_of_size_and_of_files(inside):
    def use():
        import os

        tried = []
        try:
            with open("/tmp/a", "wb") as file:
                for _ in range(16):
                    file.write(bytes(2**20))
        except OSError as error:
            tried.append(error.errno)
        os.unlink("/tmp/a")
        try:
            for number in range(100_000):
                os.close(os.open(f"/tmp/{number}", os.O_CREAT))
        except OSError as error:
            tried.append(error.errno)
        return tried

    assert inside(use, policy={"tmp_bytes": 4 * MIB}).done() == [28, 28]


def test_a_file_has_a_limit(everywhere, folder):
    def use(path):
        try:
            with open(path + "/a", "wb") as file:
                file.write(bytes(2**21))
                file.flush()
        except OSError as error:
            return error.errno

    policy = {"data_folders": [folder], "file_bytes": MIB}
    assert everywhere(use, path=str(folder), policy=policy).done() == 27
    assert (folder / "a").stat().st_size == MIB


def test_it_can_be_kept_from_writing_any_file(everywhere, folder):
    def use(path):
        try:
            with open(path + "/a", "wb") as file:
                file.write(b"a")
        except OSError as error:
            return error.errno

    assert everywhere(use, path=str(folder), policy={"data_folders": [folder], "file_bytes": 0}).done() == 27


def test_threads_have_a_limit(inside):
    def use():
        import threading

        threading.stack_size(64 * 1024)
        stop = threading.Event()
        threads = []
        try:
            while len(threads) < 1000:
                threads.append(threading.Thread(target=stop.wait, daemon=True))
                threads[-1].start()
        except RuntimeError:
            threads.pop()
        stop.set()
        return len(threads)

    assert inside(use, policy={"threads": 20}).done() < 20


def test_a_bomb_of_processes_goes_off_within_its_limit(inside):
    def use():
        import os
        import signal

        end, out = os.pipe()
        children = []
        try:
            while len(children) < 100:
                child = os.fork()
                if child == 0:
                    os.close(out)
                    os.read(end, 1)
                    os._exit(0)
                children.append(child)
        except OSError as error:
            name = type(error).__name__
        os.close(end)
        os.close(out)
        for child in children:
            os.waitpid(child, 0)
        return len(children) < 12, name

    assert inside(use, policy={"threads": 1, "processes": 10}).done() == [True, "BlockingIOError"]


def test_it_leaves_no_core_behind(everywhere, folder):
    def use(path):
        import os

        os.chdir(path)
        os.abort()

    assert everywhere(use, path=str(folder), policy={"data_folders": [folder]}).signal == signal.SIGABRT
    assert list(folder.iterdir()) == []


def test_memory_that_does_not_count_as_written_has_an_end_as_well(everywhere):
    def use():
        import ctypes
        import mmap

        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        size, count = 32 * 2**20, 0
        for _ in range(100):
            address = libc.mmap(None, ctypes.c_size_t(size), 3, 0x22, -1, ctypes.c_long(0))
            if address == 2**64 - 1:
                break
            assert libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(size), 1) == 0
            count += 1
        try:
            mmap.mmap(-1, 2**20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x100)
        except PermissionError:
            return count

    assert 2 <= everywhere(use, policy={"memory_bytes": 64 * MIB}).done() <= 18
