from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from statehold.images import PluginKind, build_image, open_image, verify_image
from statehold.sdk import ImageError

Put = Callable[..., Path]
PACKAGE = "image/pkg/acme.example/bills"


def refusal(path: Path) -> str:
    with pytest.raises(ImageError) as caught:
        open_image(path)
    return str(caught.value)


def test_a_voedger_image_opens_unchanged(tmp_path: Path, put: Put) -> None:
    """The layout of an upstream sidecar app: its own `sys`, any .wasm name, files that nothing reads."""
    module = b"\0asm\x01\0\0\0"
    root = put(
        tmp_path / "untill.fiscalcloud",
        {
            "descriptor.json": '{"NumParts":1,"EnginePoolSize":[10,10,10,1],"NumAppWorkspaces":1}',
            "image/pkg/sys/sys.vsql": "ABSTRACT TABLE CRecord();",
            "image/pkg/github.com/untill/fiscalcloud/schemas.vsql": "APPLICATION fiscalcloud();",
            "image/pkg/github.com/untill/fiscalcloud/old.sql": "-- nothing",
            "image/pkg/github.com/untill/fiscalcloud/anyname.wasm": module,
            "image/pkg/github.com/untill/fiscalcloud/main.go": "package main",
            "image/pkg/github.com/untill/README.md": "no package",
        },
    )
    with open_image(root) as image:
        assert image.app == "untill.fiscalcloud"
        assert set(image.packages) == {"sys", "github.com/untill/fiscalcloud"}
        assert set(image.packages["github.com/untill/fiscalcloud"]) == {"schemas.vsql", "old.sql"}
        assert image.read(image.wasm["github.com/untill/fiscalcloud"]) == module
        assert image.version == image.digest[:12]
        assert len(image.files) == 5


def test_sources_of_storages_become_a_plugin(source: Path) -> None:
    with open_image(source) as image:
        (plugin,) = image.plugins
        assert (plugin.package, plugin.name, plugin.version, plugin.kind) == (
            "acme.example/bills",
            "storages-1.0.whl",
            "1.0",
            PluginKind.WHEEL,
        )
        assert image.extensions == {
            "acme.example/bills": (f"{PACKAGE}/extensions/__init__.py", f"{PACKAGE}/extensions/pay.py")
        }
        assert image.packages["acme.example/menu"] == {"menu.sql": "-- a menu\n"}


def test_caches_dotfiles_stubs_and_tests_are_left_out(source: Path, put: Put) -> None:
    with open_image(source) as image:
        digest = image.digest
    put(
        source,
        {
            ".git/config": "x",
            "README.md": "x",
            f"{PACKAGE}/.DS_Store": "x",
            f"{PACKAGE}/extensions/__pycache__/pay.cpython-311.pyc": "x",
            f"{PACKAGE}/extensions/calls.pyi": "x",
            f"{PACKAGE}/extensions/tests/test_pay.py": "x",
            f"{PACKAGE}/storages/tests/test_scada.py": "x",
            f"{PACKAGE}/storages/README.md": "x",
            f"{PACKAGE}/storages/conftest.py": "x",
            f"{PACKAGE}/storages/test_all.py": "x",
        },
    )
    with open_image(source) as image:
        assert image.digest == digest


def test_a_link_that_leads_out_of_the_folder_is_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.vsql").write_text("secret")
    (source / PACKAGE / "x.vsql").symlink_to(tmp_path / "secret.vsql")
    assert "leads out of the folder" in refusal(source)


def test_a_linked_folder_that_leads_out_is_refused(source: Path, tmp_path: Path, put: Put) -> None:
    put(tmp_path / "other", {"x.vsql": ""})
    (source / "image/pkg/other").symlink_to(tmp_path / "other")
    assert "leads out of the folder" in refusal(source)


def test_a_link_within_the_folder_is_followed(source: Path) -> None:
    (source / PACKAGE / "x.vsql").symlink_to("bills.vsql")
    with open_image(source) as image:
        assert image.packages["acme.example/bills"]["x.vsql"] == "APPLICATION bills();\n"


def test_a_link_to_nowhere_is_refused(source: Path) -> None:
    (source / PACKAGE / "x.vsql").symlink_to("nowhere")
    assert "cannot be read" in refusal(source)


def test_links_in_a_circle_are_refused(source: Path) -> None:
    (source / PACKAGE / "up").symlink_to("..")
    assert "contains itself" in refusal(source)
    (source / PACKAGE / "up").unlink()
    (source / PACKAGE / "x.vsql").symlink_to("x.vsql")
    assert "cannot be read" in refusal(source)


def test_a_pipe_is_refused_without_waiting_for_it(source: Path) -> None:
    os.mkfifo(source / PACKAGE / "x.vsql")
    assert "special file" in refusal(source)


def test_a_folder_of_another_name_is_refused(source: Path) -> None:
    assert "no app name" in refusal(source.rename(source.with_name("bills")))


def test_a_folder_without_descriptor_is_refused(source: Path) -> None:
    (source / "descriptor.json").unlink()
    assert "no deployment descriptor" in refusal(source)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "acme.bills").mkdir()
    text = refusal(tmp_path / "acme.bills")
    assert "no package" in text
    assert "no deployment descriptor" in text


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "acme.bills")


def test_a_device_is_refused() -> None:
    assert "neither a folder nor a regular file" in refusal(Path(os.devnull))


def test_two_modules_in_one_package_are_refused(source: Path, put: Put) -> None:
    put(source, {f"{PACKAGE}/a.wasm": b"\0asm", f"{PACKAGE}/wasm/b.wasm": b"\0asm"})
    assert "one .wasm module, this one has 2: a.wasm, b.wasm" in refusal(source)


def test_a_module_that_is_none_is_refused(source: Path, put: Put) -> None:
    put(source, {f"{PACKAGE}/a.wasm": b"package main"})
    assert "not a WebAssembly module" in refusal(source)


def test_sources_of_a_module_that_was_not_built_are_refused(source: Path, put: Put) -> None:
    put(source, {f"{PACKAGE}/wasm/main.go": "package main"})
    assert "has not been built" in refusal(source)


def test_a_built_module_is_taken_from_the_folder_of_its_sources(source: Path, put: Put) -> None:
    put(source, {f"{PACKAGE}/wasm/main.go": "x", f"{PACKAGE}/wasm/out/bills.wasm": b"\0asm"})
    with open_image(source) as image:
        assert image.wasm == {"acme.example/bills": f"{PACKAGE}/bills.wasm"}


def test_prebuilt_plugins_are_taken_as_they_are(source: Path, put: Put) -> None:
    elf = b"\x7fELF" + b"\0" * 60
    put(source, {f"{PACKAGE}/storages-2.wasm": b"\0asm", f"{PACKAGE}/storages-3.1": elf})
    with open_image(source) as image:
        assert [(plugin.version, plugin.kind) for plugin in image.plugins] == [
            ("1.0", PluginKind.WHEEL),
            ("2", PluginKind.WASM),
            ("3.1", PluginKind.EXECUTABLE),
        ]
        assert image.read(image.plugins[2].path) == elf


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("storages-1.so", b"\x7fELF", "it is none"),
        ("storages-1.tar.gz", b"x", "it is none"),
        ("storages-1", b"hello", "it is none"),
        ("storages-1.wasm", b"hello", "not a WebAssembly module"),
        ("storages-", b"\x7fELF", "no version in the name"),
        ("storages-.whl", b"", "no version in the name"),
        ("storages-a b.whl", b"", "is no version"),
    ],
)
def test_a_plugin_file_that_is_none_is_refused(
    source: Path, put: Put, name: str, content: bytes, message: str
) -> None:
    put(source, {f"{PACKAGE}/{name}": content})
    assert message in refusal(source)


def test_one_version_in_two_files_is_refused(source: Path, put: Put) -> None:
    put(source, {f"{PACKAGE}/storages-2": b"#!/bin/sh", f"{PACKAGE}/storages-2.wasm": b"\0asm"})
    assert "version 2 is also" in refusal(source)


def test_a_built_file_of_the_version_of_the_sources_is_refused(source: Path, put: Put) -> None:
    put(source, {f"{PACKAGE}/storages-1.0.whl": b""})
    assert "raise the version" in refusal(source)


def test_storages_outside_of_a_package_are_refused(source: Path, put: Put) -> None:
    put(source, {"image/pkg/lost/storages-1.whl": b"", "image/pkg/lost2/storages/pyproject.toml": ""})
    assert refusal(source).count("no package") == 2


def test_a_schema_among_the_sources_of_a_plugin_makes_no_package(source: Path, put: Put) -> None:
    put(source, {f"{PACKAGE}/storages/acme_scada/tables.sql": "CREATE TABLE x();"})
    with open_image(source) as image:
        assert set(image.packages) == {"acme.example/bills", "acme.example/menu"}


def test_a_declaration_that_is_not_utf_8_is_refused_with_its_line(source: Path, put: Put) -> None:
    put(source, {f"{PACKAGE}/x.vsql": b"one\ntwo \xff\n"})
    assert "x.vsql: line 2 is not UTF-8" in refusal(source)


def test_a_byte_order_mark_is_not_part_of_a_declaration(source: Path, put: Put) -> None:
    put(source, {f"{PACKAGE}/x.vsql": b"\xef\xbb\xbfAPPLICATION a();"})
    with open_image(source) as image:
        assert image.packages["acme.example/bills"]["x.vsql"] == "APPLICATION a();"


def unpacked(source: Path) -> Path:
    folder = source.parent / "out" / "any name"
    with zipfile.ZipFile(build_image(source)) as archive:
        archive.extractall(folder)
    return folder


def test_an_unpacked_image_is_the_same_image(source: Path) -> None:
    with open_image(source) as one, open_image(unpacked(source)) as other:
        assert one == other
        assert one.files == other.files


def test_an_unpacked_image_is_verified_against_its_manifest(source: Path) -> None:
    folder = unpacked(source)
    (folder / PACKAGE / "bills.vsql").write_text("APPLICATION bulls();\n")
    (folder / "extra.txt").write_text("")
    (folder / "image/pkg/acme.example/menu/menu.sql").unlink()
    codes = {problem.code for problem in verify_image(folder)}
    assert {"digest", "undeclared", "missing"} <= codes


def test_an_unpacked_image_keeps_its_version(source: Path) -> None:
    with pytest.raises(ImageError, match="keeps its version"):
        build_image(unpacked(source), version="2")
