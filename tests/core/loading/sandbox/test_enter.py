# ruff: noqa: PTH123 - of hostile code, which runs elsewhere
from __future__ import annotations

import os
import subprocess
import sys

import pytest

from statehold.loading.sandbox import Policy, SandboxError, enter


def nothing():
    return None


def test_nothing_is_lacking_here(inside):
    assert inside(nothing).lacking == []


def test_what_is_lacking_is_said_and_the_rest_is_applied(everywhere):
    verdict = everywhere(nothing)
    verdict.done()
    if everywhere.kind == "bare":
        assert [text.partition(":")[0] for text in verdict.lacking] == ["user namespace", "files"]
        assert "it sees names and sizes of files outside" in verdict.lacking[1]
        assert verdict.opens == [True, True]
    else:
        assert verdict.lacking == []


def test_where_all_is_required_nothing_runs_without_it(everywhere, folder):
    def use(path):
        open(path + "/ran", "w").close()

    verdict = everywhere(use, path=str(folder), policy={"data_folders": [folder]}, required=True)
    if everywhere.kind == "bare":
        assert verdict.error == "SandboxError"
        assert "the sandbox is not complete: user namespace: " in verdict.text
        assert len(verdict.lacking) == 2
    assert (folder / "ran").exists() == (everywhere.kind != "bare")


def test_a_process_with_several_threads_cannot_enter(inside):
    verdict = inside(nothing, threads=True)
    assert verdict.error == "SandboxError"
    assert verdict.text.startswith("a process with 2 threads cannot be shut in")


def test_a_folder_that_is_not_there_is_an_error(everywhere, folder):
    for policy in (
        {"data_folders": [folder / "none"]},
        {"read_only": [folder / "none"]},
        {"executables": [folder / "none"]},
    ):
        verdict = everywhere(nothing, policy=policy)
        assert verdict.error == "SandboxError"
        assert str(folder / "none") in verdict.text


def test_a_policy_with_hosts_needs_a_channel():
    with pytest.raises(SandboxError, match="nobody connects to them"):
        enter(Policy(network=("127.0.0.1",)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands files over")
def test_root_hands_a_data_folder_over_with_all_that_is_in_it_but_follows_no_link(folder, others):
    from statehold.loading.sandbox._identity import hand_over

    (folder / "a").mkdir()
    (folder / "a" / "file").write_text("text")
    (folder / "a" / "link").symlink_to(others / "secret")
    (folder / "out").symlink_to(others)
    before = (others / "secret").stat().st_uid
    hand_over(str(folder), 70_001)
    assert {path.lstat().st_uid for path in (folder, *folder.rglob("*"))} == {70_001}
    assert (others / "secret").stat().st_uid == before
    assert others.stat().st_uid == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives users")
def test_a_process_of_root_becomes_the_user_of_its_app(inside, folder):
    def use(path):
        import os
        import pwd

        with open(path + "/file", "w") as file:
            file.write("text")
        return os.getresuid(), os.getresgid(), os.getgroups(), pwd.getpwuid(os.getuid()).pw_name

    if inside.kind != "root":
        return
    policy = {"data_folders": [folder], "uid": 70_002}
    assert inside(use, path=str(folder), policy=policy).done() == [[70_002] * 3, [70_002] * 3, [], "app"]
    assert (folder / "file").stat().st_uid == 70_002


def test_modules_are_not_read_from_where_the_data_of_apps_lies(folder):
    script = f"""
import os, sys
sys.path.append({str(folder)!r})
from pathlib import Path
from statehold.loading.sandbox import Policy, enter
data = Path({str(folder)!r}) / "apps" / "one"
lacking = enter(Policy(data_folders=(data,)), required=True)
modules = [str(lack) for lack in lacking if not lack.opens]
seen = os.path.exists({str(folder)!r} + "/apps/two")
os.write(1, repr((modules, seen)).encode())
"""
    for name in ("one", "two"):
        (folder / "apps" / name).mkdir(parents=True)
    ended = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True, cwd="/")
    real = os.path.realpath(folder)
    text = f"modules: what is in {folder} cannot be imported: it holds {real}/apps/one"
    assert ended.stdout.decode() == repr(([text], False))


def test_a_prepared_process_has_no_network_and_forks_a_first_process():
    script = """
import os
from statehold.loading.sandbox import prepare
prepared = prepare(pid_namespace=True)
with open("/proc/net/dev") as file:
    interfaces = [line.partition(":")[0].strip() for line in file if ":" in line]
child = os.fork()
if child == 0:
    os._exit(os.getpid())
first = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
os.write(1, repr((sorted(prepared.namespaces - {"user"}), prepared.lacking, interfaces, first)).encode())
"""
    ended = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
    assert ended.stdout.decode() == repr((["ipc", "net", "pid", "uts"], (), ["lo"], 1))


def test_modules_are_not_read_from_where_all_data_lies_even_before_there_is_a_data_folder(folder):
    script = f"""
import os, sys
from pathlib import Path
from statehold.loading.sandbox import Policy, enter
sys.path.append({str(folder)!r})
enter(Policy(private=(Path({str(folder)!r}) / "apps",)), required=True)
os.write(1, str(os.path.exists({str(folder)!r} + "/apps/one")).encode())
"""
    (folder / "apps" / "one").mkdir(parents=True)
    ended = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True, cwd="/")
    assert ended.stdout == b"False"


def test_a_process_still_ends_with_its_parent():
    script = """
import ctypes, os, signal
from statehold.loading.sandbox import Policy, enter
from statehold.loading.sandbox import _enter
libc = ctypes.CDLL(None)
libc.prctl(1, int(signal.SIGKILL))
set_again = []
class Filter:
    def __call__(self, *arguments, **options):
        found = ctypes.c_int()
        libc.prctl(2, ctypes.byref(found))
        set_again.append(found.value)
        return 0
_enter._seccomp.install = Filter()
enter(Policy())
os.write(1, repr(set_again).encode())
"""
    ended = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
    assert ended.stdout == b"[9]"


def test_on_a_machine_of_another_kind_only_user_and_limits_are_applied():
    script = """
import os, resource
real = os.uname()
os.uname = lambda: type(real)((*real[:4], "riscv64"))
from statehold.loading.sandbox import Policy, SandboxError, enter
lacking = enter(Policy(open_files=50))
found = [str(lack) for lack in lacking], resource.getrlimit(resource.RLIMIT_NOFILE), os.getuid() != 0
try:
    enter(Policy(open_files=50), required=True)
except SandboxError as error:
    os.write(1, repr((found, "the sandbox is not complete" in str(error))).encode())
"""
    ended = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
    reason = (
        "all but the user and the limits: the machine is of a kind that the sandbox does not know: riscv64"
    )
    assert ended.stdout.decode() == repr((([reason], (50, 50), True), True))
