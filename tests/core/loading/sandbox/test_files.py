# ruff: noqa: F401, F821, I001, PTH101, PTH102, PTH103, PTH104, PTH110, PTH123, PTH208, PTH211, SIM115 - of hostile code, which runs elsewhere
from __future__ import annotations

import os
import stat
import sys
from pathlib import Path


def test_it_reads_and_writes_its_data_folder(everywhere, folder):
    def use(path):
        import os

        os.makedirs(path + "/a/b")
        with open(path + "/a/b/c", "w") as file:
            file.write("text")
        os.rename(path + "/a/b/c", path + "/d")
        with open(path + "/d") as file:
            return file.read(), os.listdir(path)

    verdict = everywhere(use, path=str(folder), policy={"data_folders": [folder]})
    assert verdict.done() == ["text", ["d", "a"]] or verdict.done() == ["text", ["a", "d"]]
    assert (folder / "d").read_text() == "text"


def test_sqlite_works_in_the_data_folder_also_with_a_write_ahead_log(everywhere, folder):
    def use(path):
        import sqlite3

        with sqlite3.connect(path + "/rows.db") as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("CREATE TABLE t (a)")
            db.execute("INSERT INTO t VALUES (1)")
            return db.execute("SELECT * FROM t").fetchall()

    assert everywhere(use, path=str(folder), policy={"data_folders": [folder]}).done() == [[1]]


def test_a_data_folder_is_found_by_the_link_that_leads_there(inside, folder):
    (folder / "real").mkdir(mode=0o777)
    (folder / "real").chmod(0o777)
    (folder / "link").symlink_to(folder / "real")

    def use(path):
        with open(path + "/file", "w") as file:
            return file.write("text")

    assert inside(use, path=str(folder / "link"), policy={"data_folders": [folder / "link"]}).done() == 4


def test_it_reads_what_the_policy_names_but_does_not_write_there(everywhere, folder, others):
    def use(path):
        with open(path + "/secret") as file:
            text = file.read()
        try:
            open(path + "/new", "w")
        except OSError as error:
            return text, type(error).__name__

    text, error = everywhere(use, path=str(others), policy={"read_only": [others]}).done()
    assert text == "the-secret-of-the-host"
    assert error in ("PermissionError", "OSError")


def test_it_cannot_read_the_data_of_another_app(everywhere, folder, others):
    def use(path):
        with open(path + "/secret") as file:
            return file.read()

    verdict = everywhere(use, path=str(others), policy={"data_folders": [folder]})
    assert verdict.error in ("FileNotFoundError", "PermissionError")


def needed_below(place):
    """Return what of *place* is there for Python itself: this project may lie anywhere."""
    paths = [Path(each).resolve() for each in (*sys.path, sys.prefix, sys.base_prefix) if each]
    return {path.relative_to(place).parts[0] for path in paths if path.is_relative_to(place)}


def test_it_does_not_even_see_that_there_are_others(inside, folder, others):
    def use(path):
        import os

        home = os.listdir("/home") if os.path.exists("/home") else []
        return os.path.exists(path), os.path.exists("/proc"), os.listdir("/tmp"), home

    other, proc, tmp, home = inside(use, path=str(others), policy={"data_folders": [folder]}).done()
    assert not other
    assert not proc
    assert set(tmp) == {folder.name} | needed_below("/tmp")
    assert set(home) == needed_below("/home")


def test_it_cannot_read_etc_shadow(everywhere, folder):
    def use():
        return open("/etc/shadow").read()

    assert everywhere(use, policy={"data_folders": [folder]}).error in (
        "FileNotFoundError",
        "PermissionError",
    )


def test_it_leaves_nothing_that_the_host_would_follow_or_wait_for(everywhere, folder):
    def use(path):
        import os
        import stat

        tried = []
        for attempt in (
            lambda: os.symlink("/etc/shadow", path + "/link"),
            lambda: os.symlink("shadow", "link", dir_fd=os.open(path, os.O_PATH)),
            lambda: os.mkfifo(path + "/pipe"),
            lambda: os.mknod(path + "/pipe", stat.S_IFIFO | 0o600),
            lambda: os.mknod(path + "/device", stat.S_IFCHR | 0o600, os.makedev(1, 3)),
            lambda: os.mknod(path + "/socket", stat.S_IFSOCK | 0o600),
        ):
            try:
                attempt()
                tried.append("done")
            except OSError as error:
                tried.append(type(error).__name__)
        return tried

    verdict = everywhere(use, path=str(folder), policy={"data_folders": [folder]})
    assert set(verdict.done()) == {"PermissionError"}
    assert [*folder.iterdir()] == []


def test_links_and_dots_lead_nowhere_else(everywhere, folder, others):
    (folder / "link").symlink_to(others / "secret")
    (folder / "shadow").symlink_to("/etc/shadow")

    def use(path, other):
        import os

        tried = {}
        steps = "../" * 12
        for way in (
            path + "/link",
            path + "/shadow",
            path + "/../" + other.rpartition("/")[2] + "/secret",
            path + "/" + steps + other[1:] + "/secret",
            path + "/" + steps + "etc/shadow",
        ):
            try:
                tried[way] = open(way).read()
            except OSError as error:
                tried[way] = type(error).__name__
        descriptor = os.open(path, os.O_PATH)
        try:
            tried["open at"] = os.open(steps + other[1:] + "/secret", os.O_RDONLY, dir_fd=descriptor)
        except OSError as error:
            tried["open at"] = type(error).__name__
        return tried

    tried = everywhere(use, path=str(folder), other=str(others), policy={"data_folders": [folder]}).done()
    assert len(tried) == 6
    assert set(tried.values()) <= {"FileNotFoundError", "PermissionError"}


def test_a_link_that_lay_there_before_is_not_followed_either(everywhere, folder, others):
    (folder / "link").symlink_to(others / "secret")

    def use(path):
        return open(path + "/link").read()

    verdict = everywhere(use, path=str(folder), policy={"data_folders": [folder]})
    assert verdict.error in ("FileNotFoundError", "PermissionError")


def test_no_hard_link_brings_a_file_in(everywhere, folder, others):
    def use(path, other):
        import os

        os.link(other + "/secret", path + "/mine")

    verdict = everywhere(use, path=str(folder), other=str(others), policy={"data_folders": [folder]})
    assert verdict.error in ("FileNotFoundError", "PermissionError", "OSError")
    assert not (folder / "mine").exists()


def test_it_cannot_write_where_programs_and_modules_are(everywhere, folder):
    def use(module):
        import os

        tried = {}
        for path in ("/usr/new", module, "/etc/passwd", "/new", "/dev/new"):
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
                tried[path] = "written"
            except OSError as error:
                tried[path] = type(error).__name__
        return tried

    module = str(Path(os.__file__))
    tried = everywhere(use, module=module, policy={"data_folders": [folder]}).done()
    assert set(tried.values()) <= {"PermissionError", "OSError", "FileNotFoundError"}


def test_it_cannot_make_a_program_that_runs_as_somebody_else(everywhere, folder):
    def use(path):
        import os

        tried = []
        for mode in (0o4755, 0o2755, 0o6755):
            for way in (
                lambda mode=mode: os.open(path + "/a", os.O_CREAT | os.O_WRONLY, mode),
                lambda mode=mode: os.mkdir(path + "/b", mode),
                lambda mode=mode: os.chmod(path, mode),
                lambda mode=mode: os.fchmod(os.open(path, os.O_RDONLY), mode),
                lambda mode=mode: call("fchmodat", -100, path.encode(), mode),
                lambda mode=mode: call("creat", (path + "/c").encode(), mode),
                lambda mode=mode: call("fchmodat2", -100, path.encode(), mode, 0),
            ):
                try:
                    way()
                    tried.append("done")
                except PermissionError:
                    tried.append("refused")
        os.chmod(path, 0o750)
        return tried

    tried = everywhere(use, path=str(folder), policy={"data_folders": [folder]}).done()
    assert tried == ["refused"] * 21
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750


def test_a_program_of_root_that_lies_in_its_folder_is_none(inside, folder):
    program = folder / "program"
    program.write_bytes(Path("/usr/bin/id").read_bytes())
    program.chmod(0o4755)

    def use(path):
        import os

        os.execv(path, ["id", "-u"])

    verdict = inside(use, path=str(program), policy={"data_folders": [folder]})
    assert verdict.errno == "EPERM"
    verdict = inside(use, path=str(program), policy={"data_folders": [folder], "executables": ["/bin/true"]})
    assert verdict.errno == "EACCES"


def test_its_tmp_is_its_own_and_ends_with_it(inside, folder):
    def use():
        import tempfile

        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(b"text")
        return file.name

    name = inside(use, policy={"data_folders": [folder]}).done()
    assert not Path(name).exists()


def test_devices_are_those_that_harm_nobody(everywhere, folder):
    def use():
        import os

        tried = {}
        for name in ("null", "urandom", "random", "zero", "mem", "kmsg", "vda", "shm", "fuse", "tty", "ptmx"):
            try:
                os.close(os.open("/dev/" + name, os.O_RDONLY))
                tried[name] = True
            except OSError:
                tried[name] = False
        with open("/dev/null", "w") as file:
            file.write("text")
        return [name for name, open_ in tried.items() if open_]

    assert everywhere(use, policy={"data_folders": [folder]}).done() == ["null", "urandom", "random"]


def test_python_its_libraries_certificates_and_time_zones_are_there(inside, folder):
    def use():
        import ctypes.util
        import decimal
        import email
        import ssl
        import sqlite3
        import zoneinfo

        import dataset
        import msgspec

        context = ssl.create_default_context()
        return [
            msgspec.json.encode(1) == b"1",
            zoneinfo.ZoneInfo("Europe/Berlin").key,
            bool(context.cert_store_stats()["x509_ca"]) or not ssl.get_default_verify_paths().cafile,
            bool(ctypes.CDLL("libc.so.6")),
            __import__("os").path.exists("/usr/bin/env"),
        ]

    assert inside(use, policy={"data_folders": [folder]}).done() == [True, "Europe/Berlin", True, True, True]


def test_private_keys_of_the_machine_are_not_there(inside, folder):
    def use():
        import os

        return sorted(set(os.listdir("/etc/ssl")) - {"certs", "cert.pem", "openssl.cnf"})

    if inside(use).error:  # where nobody may list that folder, each name is tried
        assert inside(use).error in ("PermissionError", "FileNotFoundError")
    else:
        assert inside(use).done() == []

    def look():
        import os

        return os.path.exists("/etc/ssl/private"), os.path.exists("/etc/pki/tls/private")

    assert inside(look).done() == [False, False]


def test_what_the_host_keeps_private_is_covered_where_it_would_be_readable(everywhere, folder, others):
    (others / "mine").mkdir()
    (others / "mine").chmod(0o777)

    def use(path):
        import os

        with open(path + "/mine/file", "w") as file:
            file.write("text")
        tried = []
        for name in ("secret", "mine/file"):
            try:
                tried.append(open(path + "/" + name).read())
            except OSError as error:
                tried.append(type(error).__name__)
        return tried

    policy = {"read_only": [others], "private": [others], "data_folders": [others / "mine"]}
    verdict = everywhere(use, path=str(others), policy=policy)
    if everywhere.kind == "bare":
        assert f"files: it can read {others}" in verdict.lacking
    else:
        assert verdict.done() == ["FileNotFoundError", "text"]
        assert verdict.lacking == []
