from __future__ import annotations

import hashlib
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from statehold.images import build_image, open_image, verify_image
from statehold.sdk import ImageError

Put = Callable[..., Path]


def test_a_folder_and_the_image_built_of_it_are_the_same(source: Path) -> None:
    path = build_image(source)
    assert verify_image(path) == ()
    with open_image(source) as folder, open_image(path) as packed:
        assert folder == packed
        assert folder.files == packed.files
        assert folder.packages == packed.packages
        assert folder.plugins == packed.plugins
        assert folder.descriptor == packed.descriptor
        assert path.name == f"acme.bills-{packed.version}.shi"
        assert path.parent == source.parent
        assert [folder.read(name) for name in folder.files] == [packed.read(name) for name in packed.files]


def test_the_same_input_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    """Times, modes, the order of a folder's entries, the umask and the folder's place make no difference."""
    first = build_image(source, tmp_path / "first.shi")
    copy = tmp_path / "elsewhere" / "acme.bills"
    for path in sorted((path for path in source.rglob("*") if path.is_file()), reverse=True):
        target = copy / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o755)
        os.utime(target, (1_000_000_000, 2_000_000_000))
    before = os.umask(0o077)
    try:
        second = build_image(copy, tmp_path / "second.shi")
    finally:
        os.umask(before)
    assert first.read_bytes() == second.read_bytes()
    assert stat.S_IMODE(second.stat().st_mode) == 0o600


def test_the_bytes_are_the_same_on_every_python_and_every_zlib(source: Path) -> None:
    """A change of this digest is a change of the format: images built before would be other images."""
    path = build_image(source)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == (
        "21c86f185375a57713374aa61516504751a4819271fa5dfb0cf353a05a534b73"
    )


def test_an_image_built_again_of_an_image_unpacked_has_the_same_bytes(source: Path, tmp_path: Path) -> None:
    first = build_image(source)
    with zipfile.ZipFile(first) as archive:
        archive.extractall(tmp_path / "again")
    assert build_image(tmp_path / "again", tmp_path / "again.shi").read_bytes() == first.read_bytes()


def test_the_file_says_nothing_of_the_machine(source: Path) -> None:
    with zipfile.ZipFile(build_image(source)) as archive:
        infos = archive.infolist()
    assert infos[0].filename == "manifest.json"
    assert [info.filename for info in infos[1:]] == sorted(info.filename for info in infos[1:])
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {info.external_attr >> 16 for info in infos} == {stat.S_IFREG | 0o644}
    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}


def test_the_version_is_given_by_the_descriptor_or_the_caller(source: Path, put: Put) -> None:
    put(source, {"descriptor.json": '{"NumParts": 3, "Version": "1.2"}'})
    assert build_image(source).name == "acme.bills-1.2.shi"
    path = build_image(source, version="7")
    assert path.name == "acme.bills-7.shi"
    with open_image(path) as image:
        assert (image.version, image.descriptor.num_parts) == ("7", 3)


@pytest.mark.parametrize("version", ["", "../x", "a b", "-1", "x" * 65])
def test_a_version_that_is_no_name_is_refused(source: Path, version: str) -> None:
    with pytest.raises(ImageError, match="no version name"):
        build_image(source, version=version)


def test_the_image_goes_into_the_folder_given(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert build_image(source, tmp_path / "out").parent == tmp_path / "out"


def test_a_folder_with_problems_is_not_built(source: Path, put: Put) -> None:
    put(source, {"descriptor.json": "{"})
    with pytest.raises(ImageError, match="makes no app image"):
        build_image(source)
    assert list(source.parent.glob("*.shi")) == []


def test_a_file_is_no_folder_to_build(source: Path) -> None:
    path = build_image(source)
    with pytest.raises(ImageError, match="not an application folder"):
        build_image(path)


def test_a_file_that_cannot_be_written_leaves_nothing_behind(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "taken.shi"
    (target / "x").mkdir(parents=True)
    with open_image(source) as image, pytest.raises(OSError, match="directory"):
        image.save(target)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_place_that_is_not_there_is_named(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "nowhere" / "x.shi"
    with pytest.raises(ImageError, match=r"nowhere/x\.shi cannot be written: No such file or directory"):
        build_image(source, target)


def test_a_path_that_is_none_cannot_be_read() -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        open_image(Path("a\0b"))
