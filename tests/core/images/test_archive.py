"""What an image file must not be; each is refused before anything of it is used."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from statehold.images import ImageLimits, open_image, verify_image
from statehold.sdk import ImageError

Forge = Callable[..., Path]
PACKAGE = "image/pkg/acme.example/bills"


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(ImageError) as caught:
        open_image(path, **options)
    assert verify_image(path, **options), "verify_image must tell the same"
    return str(caught.value)


def info(name: str, *, mode: int = stat.S_IFREG | 0o644, extra: bytes = b"") -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.create_system = 3
    made.external_attr = mode << 16
    made.extra = extra
    return made


def patched(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new)

    return edit


def test_a_sound_forged_image_opens(forge: Forge, sound: dict[str, bytes]) -> None:
    with open_image(forge(sound)) as image:
        assert image.app == "acme.bills"


def test_a_deflated_image_opens(forge: Forge, sound: dict[str, bytes]) -> None:
    with open_image(forge(sound, method=zipfile.ZIP_DEFLATED)) as image:
        assert image.read("descriptor.json") == sound["descriptor.json"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/etc/passwd", "absolute"),
        ("image/../../x", "'..'"),
        ("..", "'..'"),
        ("image\\pkg\\x", "backslash"),
        ("C:/x", "drive letter"),
        ("c:x", "drive letter"),
        ("image/./x", "'.'"),
        ("image//x", "empty part"),
        ("image/a\x1bb", "control"),
        ("image/a\nb", "control"),
        ("image/a\u202eb", "invisible"),
        ("image/a\u200bb", "invisible"),
        ("x" * 300, "longer"),
        ("a/" * 600 + "x", "longer"),
    ],
)
def test_a_bad_name_is_refused(forge: Forge, sound: dict[str, bytes], name: str, message: str) -> None:
    assert message in refusal(forge({**sound, name: b""}))


def test_a_name_with_nul_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    path = forge({**sound, "image/aXb": b""}, edit=patched(b"image/aXb", b"image/a\0b"))
    assert "control" in refusal(path)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (f"{PACKAGE}/a.vsql", f"{PACKAGE}/A.vsql"),
        (f"{PACKAGE}/\u00e9.vsql", f"{PACKAGE}/e\u0301.vsql"),
        (f"{PACKAGE}/stra\u00dfe.vsql", f"{PACKAGE}/STRASSE.vsql"),
        (f"{PACKAGE}/\ufb01.vsql", f"{PACKAGE}/fi.vsql"),
    ],
)
def test_names_that_some_file_system_takes_for_one_are_refused(
    forge: Forge, sound: dict[str, bytes], first: str, second: str
) -> None:
    assert "cannot be told from" in refusal(forge({**sound, first: b"", second: b""}))


def test_a_name_that_is_there_twice_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = forge([*sound.items(), ("descriptor.json", b"{}")], declared=sound)
    assert "is there twice" in refusal(path)


def test_a_file_that_is_also_a_folder_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    assert "which is a file" in refusal(forge({**sound, f"{PACKAGE}/bills.vsql/x.vsql": b""}))


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        (stat.S_IFLNK | 0o777, "symbolic link"),
        (stat.S_IFCHR | 0o666, "special file"),
        (stat.S_IFBLK | 0o666, "special file"),
        (stat.S_IFIFO | 0o666, "special file"),
        (stat.S_IFSOCK | 0o666, "special file"),
    ],
)
def test_an_entry_that_is_no_plain_file_is_refused(
    forge: Forge, sound: dict[str, bytes], mode: int, message: str
) -> None:
    entries = [*sound.items(), (info(f"{PACKAGE}/x.vsql", mode=mode), b"/etc/passwd")]
    assert message in refusal(forge(entries))


@pytest.mark.parametrize("kind", [0x000D, 0x7075, 0x0001, 0x9901])
def test_an_extra_field_that_could_link_rename_or_resize_is_refused(
    forge: Forge, sound: dict[str, bytes], kind: int
) -> None:
    extra = struct.pack("<HH", kind, 8) + b"\0" * 8
    entries = [*sound.items(), (info(f"{PACKAGE}/x.vsql", extra=extra), b"")]
    assert verify_image(forge(entries))


def test_a_folder_entry_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    assert "folder entry" in refusal(forge([*sound.items(), ("image/", b"")], declared=sound))


def test_an_encrypted_entry_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    def edit(data: bytes) -> bytes:
        raw = bytearray(data)
        for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            raw[raw.find(magic) + at] |= 1
        return bytes(raw)

    assert "encrypted" in refusal(forge(sound, edit=edit))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_unknown_compression_is_refused(forge: Forge, sound: dict[str, bytes], method: int) -> None:
    assert "unknown method" in refusal(forge(sound, method=method))


def test_an_invented_compression_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    def edit(data: bytes) -> bytes:
        raw = bytearray(data)
        for magic, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
            raw[raw.find(magic) + at] = 77
        return bytes(raw)

    assert "unknown method 77" in refusal(forge(sound, edit=edit))


def test_a_ratio_bomb_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    bomb = {**sound, f"{PACKAGE}/extensions/zeros": b"\0" * (4 << 20)}
    assert "200 times its packed size" in refusal(forge(bomb, method=zipfile.ZIP_DEFLATED))


def test_a_file_over_its_limit_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    path = forge({**sound, f"{PACKAGE}/extensions/x": b"x" * 2000})
    assert "more than 1000 bytes" in refusal(path, limits=ImageLimits(file_bytes=1000))


def test_files_over_the_total_limit_are_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    path = forge({**sound, **{f"{PACKAGE}/extensions/{n}": b"x" * 900 for n in range(5)}})
    assert "together" in refusal(path, limits=ImageLimits(total_bytes=4000))


@pytest.mark.parametrize("name", ["descriptor.json", "manifest.json", f"{PACKAGE}/bills.vsql"])
def test_a_text_too_large_to_be_read_into_memory_is_refused(
    forge: Forge, sound: dict[str, bytes], name: str
) -> None:
    """JSON of a few megabytes may take gigabytes once it is read."""
    large = b'{"a": [' + b"[], " * 5000 + b"[]]}"
    path = (
        forge(sound, manifest=large)
        if name == "manifest.json"
        else forge({**sound, name: large if name == "descriptor.json" else b"-- " + large})
    )
    with pytest.raises(ImageError) as caught:
        open_image(path, limits=ImageLimits(text_bytes=10_000))
    problem = "the declarations, descriptor and manifest unpack to more than 10000 bytes together"
    assert f"{name}: {problem}" in caught.value.problems
    assert "has no" not in str(caught.value)


def test_too_many_files_are_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    path = forge({**sound, **{f"{PACKAGE}/extensions/{n}": b"" for n in range(50)}})
    assert "more than 20 files" in refusal(path, limits=ImageLimits(entries=20))


@pytest.mark.parametrize("claimed", [10, 100, (4 << 20) - 1])
def test_a_bomb_that_lies_about_its_size_is_refused(
    forge: Forge, sound: dict[str, bytes], claimed: int
) -> None:
    size = 4 << 20

    def edit(data: bytes) -> bytes:
        return data.replace(struct.pack("<L", size), struct.pack("<L", claimed))

    path = forge(
        {**sound, f"{PACKAGE}/extensions/zeros": b"\0" * size}, method=zipfile.ZIP_DEFLATED, edit=edit
    )
    assert verify_image(path)


def test_overlapping_entries_are_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    def edit(data: bytes) -> bytes:
        raw = bytearray(data)
        first = raw.find(b"PK\x01\x02")
        second = raw.find(b"PK\x01\x02", first + 4)
        raw[second + 42 : second + 46] = raw[first + 42 : first + 46]
        return bytes(raw)

    assert "overlaps" in refusal(forge(sound, edit=edit))


def test_data_before_the_archive_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    assert "data before" in refusal(forge(sound, edit=lambda data: b"#!/bin/sh\n" + data))


def test_data_after_the_archive_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    assert "data after" in refusal(forge(sound, edit=lambda data: data + b"more"))


def test_an_archive_put_before_another_one_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    assert verify_image(forge(sound, edit=lambda data: data + data))


def test_hidden_data_between_entries_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    def edit(data: bytes) -> bytes:
        at = data.find(b"PK\x01\x02")
        raw = bytearray(data[:at] + b"hidden" + data[at:])
        raw[-6:-2] = struct.pack("<L", at + 6)
        return bytes(raw)

    assert "hidden data" in refusal(forge(sound, edit=edit))


def test_a_comment_of_the_archive_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    assert "comment" in refusal(forge(sound, comment=b"hello"))


def test_a_comment_that_holds_another_end_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0)
    assert verify_image(forge(sound, comment=end))


def test_a_comment_of_an_entry_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    commented = info(f"{PACKAGE}/x.vsql")
    commented.comment = b"hello"
    assert "a comment" in refusal(forge([*sound.items(), (commented, b"")]))


def test_a_zip64_locator_hidden_in_an_entry_comment_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    commented = info(f"{PACKAGE}/x.vsql")
    commented.comment = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    assert "zip64" in refusal(forge([*sound.items(), (commented, b"")]))


def test_headers_that_contradict_each_other_are_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    def edit(data: bytes) -> bytes:
        at = data.find(b"descriptor.json", data.find(b"PK\x03\x04", 4))
        return data[:at] + b"DESCRIPTOR.JSON" + data[at + 15 :]

    assert "contradict" in refusal(forge(sound, edit=edit))


def test_every_truncation_is_refused(forge: Forge, sound: dict[str, bytes], tmp_path: Path) -> None:
    data = forge(sound).read_bytes()
    path = tmp_path / "cut.shi"
    for size in range(len(data)):
        path.write_bytes(data[:size])
        assert verify_image(path), f"{size} of {len(data)} bytes"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"hello", "not a zip"),
        (b"\x7fELF" + b"\0" * 100, "not a zip"),
        (b"PK\x03\x04", "truncated"),
        (struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 0), "archive is empty"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.shi"
    path.write_bytes(content)
    assert message in refusal(path)


def test_a_plain_zip_without_manifest_is_refused(tmp_path: Path, sound: dict[str, bytes]) -> None:
    path = tmp_path / "x.shi"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in sound.items():
            archive.writestr(name, data)
    assert "no manifest" in refusal(path)


def wheel(**entries: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name.replace("__", "/"), data)
    return content.getvalue()


def test_a_bomb_inside_a_plugin_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    bomb = wheel(a=b"\0" * (4 << 20))
    text = refusal(forge({**sound, f"{PACKAGE}/storages-1.whl": bomb}))
    assert "200 times" in text
    assert "storages-1.whl" in text


def test_many_plugins_that_unpack_to_too_much_together_are_refused(
    forge: Forge, sound: dict[str, bytes]
) -> None:
    plugins = {f"{PACKAGE}/storages-{n}.whl": wheel(a=b"x" * 5000) for n in range(5)}
    path = forge({**sound, **plugins})
    assert verify_image(path) == ()
    assert "together" in refusal(path, limits=ImageLimits(total_bytes=20_000))


def test_a_plugin_that_leads_out_of_its_archive_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    assert "'..'" in refusal(forge({**sound, f"{PACKAGE}/storages-1.zip": wheel(**{"..__x": b""})}))


def test_a_plugin_that_was_written_as_a_stream_is_accepted(forge: Forge, sound: dict[str, bytes]) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.data += bytes(data)
            return len(bytes(data))

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        archive.writestr("a.py", b"x = 1")
        archive.writestr("b/", b"")
        archive.writestr("b/c.py", b"")
    with open_image(forge({**sound, f"{PACKAGE}/storages-1.whl": pipe.data})) as image:
        assert [plugin.version for plugin in image.plugins] == ["1"]


def test_a_plugin_that_is_no_archive_is_refused(forge: Forge, sound: dict[str, bytes]) -> None:
    assert "not a zip" in refusal(forge({**sound, f"{PACKAGE}/storages-1.whl": b"hello"}))


def test_all_problems_are_told_at_once(forge: Forge, sound: dict[str, bytes]) -> None:
    path = forge({**sound, "/abs": b"", "image/../up": b"", f"{PACKAGE}/storages-1.whl": b"no"})
    codes = sorted({problem.code for problem in verify_image(path)})
    assert {"name", "structure", "undeclared"} <= set(codes)
    with pytest.raises(ImageError) as caught:
        open_image(path)
    assert len(caught.value.problems) >= 4
