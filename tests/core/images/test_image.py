from __future__ import annotations

import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from statehold.images import build_image, open_image
from statehold.sdk import ImageError

Put = Callable[..., Path]
VSQL = "image/pkg/acme.example/bills/bills.vsql"


def handles(path: Path) -> int:
    return sum(
        1 for link in Path("/proc/self/fd").iterdir() if link.exists() and link.resolve() == path.resolve()
    )


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_closed_image_holds_no_handle(source: Path) -> None:
    path = build_image(source)
    with open_image(path) as image:
        assert handles(path) == 1
        assert image.read(VSQL)
    assert handles(path) == 0


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_refused_image_holds_no_handle(source: Path) -> None:
    path = build_image(source)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ImageError):
        open_image(path)
    assert handles(path) == 0


def test_a_closed_image_still_has_its_texts_and_reads_no_more(source: Path) -> None:
    with open_image(build_image(source)) as image:
        pass
    assert image.packages["acme.example/bills"]["bills.vsql"] == "APPLICATION bills();\n"
    with pytest.raises(ImageError, match="has been closed"):
        image.read(VSQL)
    image.close()


def test_a_file_that_is_replaced_while_open_does_not_change_what_is_read(
    source: Path, tmp_path: Path
) -> None:
    path = build_image(source)
    other = tmp_path / "other"
    other.write_bytes(b"something else")
    with open_image(path) as image:
        other.replace(path)
        assert image.read(VSQL) == b"APPLICATION bills();\n"


def test_a_file_that_is_deleted_while_open_does_not_change_what_is_read(source: Path) -> None:
    path = build_image(source)
    with open_image(path) as image:
        path.unlink()
        assert image.read(VSQL) == b"APPLICATION bills();\n"


def test_a_file_that_is_overwritten_in_place_is_noticed(source: Path, put: Put) -> None:
    name = f"{Path(VSQL).parent}/zzz.vsql"
    put(source, {name: "-- more than a buffer holds\n" * 20_000})
    path = build_image(source)
    with open_image(path) as image:
        data = path.read_bytes()
        with path.open("r+b") as file:
            file.write(data.replace(b"more than", b"less than"))
        with pytest.raises(ImageError, match=r"damaged|was changed"):
            image.read(name)


def test_a_folder_that_is_changed_while_open_is_noticed(source: Path) -> None:
    with open_image(source) as image:
        (source / VSQL).write_text("APPLICATION bulls();\n")
        with pytest.raises(ImageError, match="was changed since it was verified"):
            image.read(VSQL)
        (source / VSQL).unlink()
        with pytest.raises(ImageError, match="cannot be read"):
            image.read(VSQL)


def test_a_file_that_is_not_there_is_named_with_the_nearest(source: Path) -> None:
    with open_image(source) as image, pytest.raises(ImageError, match=r"bills\.vsql"):
        image.read(VSQL.replace("bills.vsql", "bils.vsql"))


def test_threads_read_one_image_together(source: Path, put: Put) -> None:
    put(source, {f"image/pkg/acme.example/bills/extensions/{n}.py": f"x = {n}\n" * 5000 for n in range(8)})
    with open_image(build_image(source)) as image, ThreadPoolExecutor(8) as pool:
        names = list(image.files) * 5
        assert [len(data) for data in pool.map(image.read, names)] == [
            image.files[name].size for name in names
        ]


def test_saving_a_folder_gives_the_built_image(source: Path, tmp_path: Path) -> None:
    with open_image(source) as image:
        saved = image.save(tmp_path / "saved.shi")
    assert saved.read_bytes() == build_image(source).read_bytes()


def test_saving_a_deflated_image_gives_the_built_one(source: Path, tmp_path: Path) -> None:
    built = build_image(source)
    deflated = tmp_path / "deflated.shi"
    with zipfile.ZipFile(built) as old, zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with open_image(deflated) as image:
        assert image.save(tmp_path / "saved.shi").read_bytes() == built.read_bytes()


def test_an_image_shows_neither_texts_nor_parameters(source: Path, put: Put) -> None:
    put(source, {"descriptor.json": '{"PackageParams": {"bills": {"Scada_Password": "hunter2"}}}'})
    with open_image(source) as image:
        assert "hunter2" not in repr(image)
        assert "hunter2" not in repr(image.descriptor)
