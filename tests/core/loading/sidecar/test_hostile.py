"""What a hostile plugin tries from inside a real sidecar: each way out is closed, and the host goes on."""

from __future__ import annotations

import os
import platform
import socket
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from wild_use import do

from statehold.loading.sidecar import Limits, Sidecars
from statehold.testing import OpenStorage, open_storage

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a user of its own needs a host that is root")

CLOSED = {"FileNotFoundError", "PermissionError", "ProcessLookupError"}
SECRET = "hunter2-of-the-host"
CALLS = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    if libc.syscall(*map(ctypes.c_long, arguments)) < 0:
        raise OSError(ctypes.get_errno(), "")
"""

Attempt = Callable[[str], str]
Spy = Callable[..., OpenStorage]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecars]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STATEHOLD_SECRET_PASSWORD", SECRET)
        with Sidecars(private=[tmp_path_factory.getbasetemp()]) as sidecars:
            yield sidecars


@pytest.fixture
def spy(guarded: Sidecars, wild_file: Path, tmp_path: Path) -> Iterator[Spy]:
    """Opens the wild storage for an app, in a sandbox with a data folder of its own."""
    with ExitStack() as stack:

        def make(app: str = "acme.spy", **options: object) -> OpenStorage:
            folder = tmp_path / app
            folder.mkdir(mode=0o700)
            plugin = guarded.load_file(
                wild_file,
                owner=f"{app} 1",
                data_folders=[folder],
                **options,  # type: ignore[arg-type]
            )
            provider = stack.enter_context(plugin).providers["Wild"]
            return stack.enter_context(open_storage(provider, data_folder=folder))

        yield make


@pytest.fixture
def attempt(spy: Spy) -> Attempt:
    """Runs code in the sidecar, and returns the name of its error, or what it found."""
    opened = spy()
    return lambda code: do(opened, f"try {textwrap.dedent(code)}") or ""


def test_what_is_permitted_works(attempt: Attempt, tmp_path: Path) -> None:
    assert attempt("result = 6 * 7") == "done: 42"
    own = tmp_path / "acme.spy" / "own"
    assert attempt(f"open({str(own)!r}, 'w').write('mine')") == "done: None"
    assert own.read_text() == "mine"


def test_it_reads_nothing_of_another_app(spy: Spy, tmp_path: Path) -> None:
    victim = spy("acme.bills")
    assert do(victim, "eval (ctx.data_folder / 'rows').write_text('of the victim')") == "13"
    path = tmp_path / "acme.bills" / "rows"
    opened, own = spy(), str(tmp_path / "acme.spy")
    for code in (
        f"open({str(path)!r})",
        f"open({own!r} + '/../acme.bills/rows')",
        f"import os; os.chdir({own!r}); os.symlink({str(path)!r}, 'link'); open('link')",
        f"import os; os.link({str(path)!r}, {own!r} + '/hard')",
        f"open('/proc/1/root' + {str(path)!r})",
        f"import os; os.listdir({str(path.parent)!r})",
        f"import os; os.chown({str(path)!r}, os.getuid(), -1)",
    ):
        assert do(opened, f"try {code}") in CLOSED
    assert path.read_text() == "of the victim"


def test_apps_have_users_of_their_own(spy: Spy) -> None:
    users = {do(spy(app), "eval os.getuid(), os.getgid()") for app in ("acme.bills", "acme.spy")}
    assert len(users) == 2
    assert f"({os.getuid()}, {os.getgid()})" not in users


def test_it_cannot_become_root_again(attempt: Attempt) -> None:
    for code in ("os.setuid(0)", "os.setgid(0)", "os.setgroups([0])", "os.chroot('/tmp')"):
        assert attempt(f"import os; {code}") == "PermissionError"


@pytest.mark.parametrize("who", ["host", "1", "os.getppid()"])
@pytest.mark.parametrize("name", ["mem", "environ", "maps", "fd", "root", "cwd"])
def test_there_is_no_proc_of_the_host_nor_of_others(attempt: Attempt, name: str, who: str) -> None:
    pid = str(os.getpid()) if who == "host" else who
    assert attempt(f"import os; os.stat(f'/proc/{{{pid}}}/{name}')") in CLOSED


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of system calls are those of x86_64")
@pytest.mark.parametrize("pid", ["host", "1"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ptrace attach", "101, 16, {pid}, 0, 0"),
        ("ptrace seize", "101, 0x4206, {pid}, 0, 0"),
        ("process_vm_readv", "310, {pid}, 0, 0, 0, 0, 0"),
        ("process_vm_writev", "311, {pid}, 0, 0, 0, 0, 0"),
        ("pidfd_open", "434, {pid}, 0"),
        ("kcmp", "312, {pid}, {pid}, 0, 0, 0"),
        ("process_madvise", "440, {pid}, 0, 0, 0, 0"),
        ("tgkill", "234, {pid}, {pid}, 9"),
        ("tkill", "200, {pid}, 9"),
        ("setpriority", "141, 0, {pid}, 19"),
        ("prlimit64", "302, {pid}, 7, 0, 0"),
        ("sched_setaffinity", "203, {pid}, 8, 0"),
    ],
)
def test_the_memory_and_the_threads_of_the_host_are_out_of_reach(
    attempt: Attempt, name: str, arguments: str, pid: str
) -> None:
    number = os.getpid() if pid == "host" else 1
    verdict = attempt(f"{CALLS}\ncall({arguments.format(pid=number)})")
    assert verdict in CLOSED, name


def test_it_has_no_secret_of_the_host_s_environment(attempt: Attempt) -> None:
    code = """
        import ctypes, os
        block = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
        found = []
        while block[len(found)]:
            found.append(block[len(found)].decode())
        result = [*found, *(f"{name}={value}" for name, value in os.environ.items())]
    """
    verdict = attempt(code)
    assert verdict.startswith("done")
    assert SECRET not in verdict
    assert "STATEHOLD" not in verdict


@pytest.mark.parametrize(
    "path", ["/etc/shadow", "/etc/passwd-", "/root", "/etc/ssh", "/var/lib", "/run", "/sys"]
)
def test_it_reads_no_file_of_the_machine(attempt: Attempt, path: str) -> None:
    code = f"import os; result = os.listdir({path!r}) if os.path.isdir({path!r}) else open({path!r}).read()"
    verdict = attempt(code)
    assert verdict in CLOSED or path == "/root", verdict
    # Python itself may live below /root; nothing else of it is there.
    assert ".ssh" not in verdict
    assert ".bash" not in verdict


def test_it_reaches_no_server_of_the_host(attempt: Attempt) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        tcp = f"import socket; socket.create_connection(('127.0.0.1', {port}), timeout=5)"
        assert attempt(tcp) == "PermissionError"
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize(
    "kind",
    [
        "AF_INET, SOCK_STREAM",
        "AF_INET, SOCK_DGRAM",
        "AF_INET, SOCK_RAW",
        "AF_INET6, SOCK_STREAM",
        "AF_INET6, SOCK_DGRAM",
        "AF_UNIX, SOCK_STREAM",
        "AF_UNIX, SOCK_DGRAM",
        "AF_PACKET, SOCK_RAW",
        "AF_NETLINK, SOCK_RAW",
        "AF_VSOCK, SOCK_STREAM",
        "AF_ALG, SOCK_SEQPACKET",
    ],
)
def test_it_gets_no_socket(attempt: Attempt, kind: str) -> None:
    assert attempt(f"from socket import *; socket({kind})") == "PermissionError"


@pytest.mark.parametrize("place", ["path", "abstract"])
def test_it_reaches_no_unix_socket_of_others(attempt: Attempt, tmp_path: Path, place: str) -> None:
    # Short, as an address must be; and in the very folder that the sidecar may write to.
    address = f"\0statehold-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        if place == "path":
            descriptor = os.open(tmp_path / "acme.spy", os.O_PATH)
            server.bind(f"/proc/self/fd/{descriptor}/s")
            os.close(descriptor)
            (tmp_path / "acme.spy" / "s").chmod(0o777)
            address = "s"
        else:
            server.bind(address)
        server.listen()
        go = f"os.chdir({str(tmp_path / 'acme.spy')!r})" if place == "path" else ""
        # Not only a new one: a socket that it has already may try to lead elsewhere.
        for made in ("socket.socket(socket.AF_UNIX)", "socket.socketpair()[0]"):
            verdict = attempt(f"import os, socket\n{go}\n{made}.connect({address!r})")
            assert verdict in {"PermissionError", "OSError"}
        datagram = f"import os, socket\n{go}\nsocket.socketpair()[0].sendto(b'x', {address!r})"
        assert attempt(datagram) in {"PermissionError", "OSError"}
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize(
    "code",
    [
        "os.fork()",
        "os.forkpty()",
        "os.system('true') and None or exec('raise PermissionError')",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "import subprocess; subprocess.run(['/bin/true'])",
        "import sys; os.execv(sys.executable, ['python'])",
        "import multiprocessing as m; p = m.get_context('fork').Process(); p.start()",
    ],
)
def test_it_starts_no_second_process(attempt: Attempt, code: str) -> None:
    assert attempt(f"import os; {code}") in CLOSED


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers of system calls are those of x86_64")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("fork", "57"),
        ("vfork", "58"),
        ("clone", "56, 17, 0, 0, 0, 0"),
        ("clone with namespaces", "56, 0x10000011, 0, 0, 0, 0"),
        ("clone3", "435, 0, 88"),
        ("execve", "59, 0, 0, 0"),
        ("execveat", "322, 0, 0, 0, 0, 0"),
        ("unshare", "272, 0x10000000"),
        ("setns", "308, 3, 0"),
        ("mount", "165, 0, 0, 0, 0, 0"),
        ("open_tree", "428, -100, 0, 0"),
        ("io_uring_setup", "425, 8, 0"),
        ("bpf", "321, 0, 0, 0"),
        ("userfaultfd", "323, 0"),
        ("perf_event_open", "298, 0, 0, -1, -1, 0"),
        ("keyctl", "250, 0, -3, 0"),
        ("memfd_create and run", "319, 0, 0"),
    ],
)
def test_no_system_call_makes_a_process_or_opens_a_door(attempt: Attempt, name: str, arguments: str) -> None:
    verdict = attempt(f"{CALLS}\ncall({arguments})")
    assert verdict in {"PermissionError", "OSError"}, name


def test_it_inherits_nothing_but_its_own_sockets_and_pipes(
    guarded: Sidecars, spy: Spy, tmp_path: Path
) -> None:
    (tmp_path / "of-the-host").write_text(SECRET, encoding="utf-8")
    kept = os.open(tmp_path / "of-the-host", os.O_RDWR)
    folder = os.open(tmp_path, os.O_RDONLY)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.set_inheritable(True)
        for descriptor in (kept, folder):
            os.set_inheritable(descriptor, True)
        code = """
            import os, socket, stat
            result = []
            for descriptor in range(4096):
                try:
                    mode = os.fstat(descriptor).st_mode
                except OSError:
                    continue
                kind = "socket" if stat.S_ISSOCK(mode) else "pipe" if stat.S_ISFIFO(mode) else "other"
                if kind == "socket":
                    one = socket.socket(fileno=os.dup(descriptor))
                    kind = f"{one.family.name} {one.getsockname()!r} {one.getsockopt(1, 30)}"
                elif stat.S_ISCHR(mode):
                    kind = f"device {os.fstat(descriptor).st_rdev}"
                result.append(kind)
            result = sorted(set(result))
        """
        verdict = do(spy(), f"try {textwrap.dedent(code)}")
    os.close(kept)
    os.close(folder)
    null = Path(os.devnull).stat().st_rdev
    assert verdict == f"done: {sorted([f'device {null}', 'pipe', 'AF_UNIX {!r} 0'.format('')])}"


@pytest.mark.parametrize("target", ["host", "1", "os.getppid()", "-1", "0"])
@pytest.mark.parametrize("number", ["9", "15", "19", "0"])
def test_it_sends_no_signal_to_the_host_nor_to_anybody(attempt: Attempt, target: str, number: str) -> None:
    pid = str(os.getpid()) if target == "host" else target
    assert attempt(f"import os; os.kill({pid}, {number})") in CLOSED
    assert attempt(f"import os; os.killpg({pid}, {number})") in {*CLOSED, "OSError"}


def test_it_has_no_terminal(attempt: Attempt) -> None:
    assert attempt("open('/dev/tty')") in {*CLOSED, "OSError"}
    assert attempt("import fcntl; fcntl.ioctl(0, 0x5412, b'x')") in {"PermissionError", "OSError"}


def test_what_it_writes_into_its_lanes_ends_it_and_not_the_host(spy: Spy) -> None:
    opened, other = spy("acme.spy"), spy("acme.bills")
    before = do(opened, "pid")
    flood = """
        import os
        for descriptor in range(3, 64):
            try:
                os.write(descriptor, b"\\xff" * 4096)
            except OSError:
                pass
    """
    with pytest.raises(Exception, match="sidecar"):
        opened.insert(opened.key(1, What="x"), opened.value(Text=f"try {textwrap.dedent(flood)}"))
    assert do(other, "pid")
    assert do(opened, "pid") != before


def test_what_it_sends_along_with_its_answers_is_not_taken(spy: Spy) -> None:
    opened = spy()
    mine = len([*Path("/proc/self/fd").iterdir()])
    code = """
        import os, socket
        for descriptor in (3, 5, 6, 7):
            try:
                lane = socket.socket(fileno=os.dup(descriptor))
                socket.send_fds(lane, [b"x"], [os.open("/dev/null", os.O_RDONLY)] * 50)
            except OSError:
                pass
    """
    with pytest.raises(Exception, match="sidecar"):
        opened.insert(opened.key(1, What="x"), opened.value(Text=f"try {textwrap.dedent(code)}"))
    assert do(opened, "pid")
    assert len([*Path("/proc/self/fd").iterdir()]) <= mine + 4


def test_threads_beyond_the_limit_are_an_error_of_its_own(spy: Spy) -> None:
    opened, other = spy("acme.spy"), spy("acme.bills")
    code = """
        import threading
        stop = threading.Event()
        started = 0
        try:
            while True:
                threading.Thread(target=stop.wait, daemon=True).start()
                started += 1
        except RuntimeError:
            result = started < 1100
        finally:
            stop.set()
    """
    assert do(opened, f"try {textwrap.dedent(code)}") == "done: True"
    assert do(other, "pid")


def test_files_beyond_the_limit_are_an_error_of_its_own(spy: Spy) -> None:
    opened = spy("acme.spy", limits=Limits(open_files=32))
    code = "kept = []\nwhile True:\n    kept.append(open('/dev/null'))"
    assert do(opened, f"try {code}") == "OSError"
    assert do(opened, "pid")


def test_computing_beyond_the_limit_ends_it_and_not_the_host(spy: Spy) -> None:
    opened = spy("acme.spy", limits=Limits(cpu_seconds=1, deadline=60))
    other = spy("acme.bills")
    with pytest.raises(Exception, match=r"SIGKILL|SIGXCPU"):
        opened.insert(opened.key(1, What="x"), opened.value(Text="try while True: pass"))
    assert do(other, "pid")


def test_a_process_is_granted_by_number(spy: Spy) -> None:
    opened = spy("acme.spy", limits=Limits(processes=1))
    code = "import os\npid = os.fork()\nif not pid: os._exit(7)\nresult = os.waitpid(pid, 0)[1] >> 8"
    assert do(opened, f"try {code}") == "done: 7"
