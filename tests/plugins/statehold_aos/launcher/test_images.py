"""What an image may be, and how it is kept."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from statehold.sdk import StorageError
from statehold_aos.launcher._image import read_config
from statehold_aos.launcher._images import Images


def image(folder: Path, **config: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"version": 1, "command": "x", **config}))
    return folder


def test_a_copy_is_the_host_s_own_and_can_be_read_by_services(tmp_path: Path) -> None:
    source = image(tmp_path / "nav")
    (source / "lib").mkdir(mode=0o700)
    (source / "lib/run").write_text("x")
    (source / "lib/run").chmod(0o4711)
    (source / "lib/data").write_text("y")
    (source / "lib/data").chmod(0o600)
    (source / "latest").symlink_to("lib/data")
    images = Images(tmp_path / "services")
    place = images.put(images.stage(source), 1, "../nav")
    assert place.is_relative_to(tmp_path / "services" / "1")
    modes = {name: (place / name).stat().st_mode & 0o7777 for name in ("lib", "lib/run", "lib/data")}
    assert modes == {"lib": 0o755, "lib/run": 0o755, "lib/data": 0o644}
    assert (place / "latest").readlink() == Path("lib/data")
    again = images.put(images.stage(source), 1, "../nav")
    assert again != place
    images.remove(place)
    assert again.exists()
    assert images.clean([]) == [str(again.relative_to(images.root))]
    assert list(images.root.iterdir()) == []


@pytest.mark.parametrize("path", ["", "/", "/a", "/a/b", "..", "../../..", "/../../x/y"])
def test_a_path_that_was_never_the_launcher_s_leads_to_nothing(tmp_path: Path, path: str) -> None:
    source = image(tmp_path / "nav")
    images = Images(tmp_path / "services")
    place = images.put(images.stage(source), 1, "nav")
    assert images.place(str(place)) == place
    assert images.place(f"/moved/away/1/{place.parent.name}/{place.name}") == place
    images.remove(images.place(path))
    assert place.is_dir()
    assert images.place(path).is_relative_to(images.root)


def test_an_image_with_folders_in_each_other_without_end_is_not_copied(tmp_path: Path) -> None:
    source = image(tmp_path / "nav")
    (source / "/".join("d" * 120)).mkdir(parents=True)
    images = Images(tmp_path / "services")
    with pytest.raises(StorageError, match="has folders in each other more than 100 deep"):
        images.stage(source)
    assert list(images.root.iterdir()) == []


def test_what_is_no_file_folder_or_link_is_not_copied(tmp_path: Path) -> None:
    source = image(tmp_path / "nav")
    os.mkfifo(source / "pipe")
    images = Images(tmp_path / "services")
    with pytest.raises(StorageError, match="is no file, folder or link"):
        images.stage(source)
    assert list(images.root.iterdir()) == []


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"version": -1}, "version"),
        ({"command": ""}, "command"),
        ({"storagePath": "storage"}, "storagePath is 'storage', expected an absolute path"),
        ({"storagePath": "/storage/"}, "expected an absolute path"),
        ({"imagePath": "/a/../usr"}, "expected an absolute path"),
        ({"storagePath": "/usr"}, "storagePath would hide /usr of the system"),
        ({"imagePath": "/"}, "imagePath would hide / of the system"),
        ({"statePath": "/storage/other"}, "expected a file state.dat"),
        ({"statePath": "/storage/state/state.dat"}, "statePath lies in storagePath"),
        ({"storagePath": "/service/data"}, "storagePath lies in imagePath"),
        ({"env": {"A=B": "x"}}, "no process can be given"),
        ({"args": ["a\0b"]}, "no process can be given"),
        ({"quotas": {"storageLimit": -1}}, "storageLimit"),
        ({"quotas": {"diskLimit": 1}}, "diskLimit"),
        ({"restart": "sometimes"}, "restart"),
    ],
)
def test_a_config_that_cannot_be_is_refused(tmp_path: Path, config: dict[str, Any], why: str) -> None:
    with pytest.raises(StorageError, match=why):
        read_config(image(tmp_path / "nav", **config))


def test_a_config_that_is_not_there_or_too_large_or_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"no config\.json that can be read"):
        read_config(tmp_path)
    for text, why in ((" " * 70_000, "larger than 65,536 bytes"), ("{", "config.json of")):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(StorageError, match=why):
            read_config(tmp_path)
