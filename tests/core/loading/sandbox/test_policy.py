from __future__ import annotations

from pathlib import Path

import pytest

from statehold.loading.sandbox import Grant, Policy, app_uid
from statehold.loading.sandbox._filter import Allowed, program, template
from statehold.loading.sandbox._numbers import machine


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("api.test", "api.test", None),
        ("API.Test.:443", "api.test", 443),
        ("127.0.0.1", "127.0.0.1", None),
        ("127.0.0.1:80", "127.0.0.1", 80),
        ("::1", "::1", None),
        ("[0:0::1]:80", "::1", 80),
        ("[::1]", "::1", None),
    ],
)
def test_a_grant_is_a_host_with_or_without_a_port(text, host, port):
    assert Grant.parse(text) == Grant(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":80",
        "a:",
        "a:0",
        "a:65536",
        "a:-1",
        "a:x",
        "a:٣",
        "*",
        "*.test",
        "a b",
        "a/24",
        "[::1",
        "[a]:1",
        "-a",
        "a..b",
        "a\n",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"expected|a port is"):
        Policy(network=(text,))


@pytest.mark.parametrize("path", [Path("a"), Path("/"), Path("/a/../b")])
def test_a_path_is_absolute_and_not_everything(path):
    with pytest.raises(ValueError, match="data_folders: an absolute path"):
        Policy(data_folders=(path,))


@pytest.mark.parametrize(
    "name", ["memory_bytes", "cpu_seconds", "open_files", "processes", "threads", "tmp_bytes"]
)
def test_a_limit_is_not_negative(name):
    with pytest.raises(ValueError, match=f"{name}: a number from"):
        Policy(**{name: -1})


def test_the_user_of_an_app_is_always_the_same_and_nobody_else():
    assert app_uid("acme.bills") == app_uid("acme.bills")
    assert len({app_uid(f"acme.app{number}") for number in range(100)}) == 100
    assert all(0x7000_0000 < app_uid(f"acme.app{number}") < 0x7FF0_0000 for number in range(100))


@pytest.mark.parametrize("name", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    "allowed", [Allowed(), Allowed(forks=True, signals=True, executes=True, network=True)]
)
def test_a_filter_names_only_calls_that_the_machine_has(name, allowed):
    known = machine(name)
    code = program(template(known, allowed), 4711)
    assert len(code) % 8 == 0
    assert len(code) // 8 < 4096
    assert (4711).to_bytes(4, "little") in code


def test_the_two_machines_have_the_calls_that_are_refused_by_name():
    for name in ("x86_64", "aarch64"):
        assert {"ptrace", "io_uring_setup", "clone3", "connect", "seccomp"} <= set(machine(name).numbers)
    assert machine("riscv64") is None
    assert machine("x86_64").numbers["openat"] == 257
    assert machine("aarch64").numbers["openat"] == 56
