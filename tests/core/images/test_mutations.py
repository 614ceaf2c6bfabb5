"""Bytes of a sound image changed at random: it is refused, or it has the same contents."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statehold.images import open_image, verify_image
from statehold.sdk import ImageError

PAYLOADS = [
    b"",
    b"\0",
    b"\xff" * 4,
    b"PK\x01\x02",
    b"PK\x03\x04",
    b"PK\x05\x06" + b"\0" * 18,
    b"PK\x06\x06",
    b"PK\x06\x07" + b"\0" * 16,
    b"PK\x07\x08",
    b"../",
]


@pytest.fixture(scope="module")
def samples(
    built: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[bytes], dict[str, bytes]]:
    """A place to write to, the image stored and deflated, and its contents."""
    place = tmp_path_factory.mktemp("mutations") / "mutated.shi"
    with zipfile.ZipFile(built) as old, zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with open_image(built) as image:
        content = {name: image.read(name) for name in image.files}
    return place, [built.read_bytes(), place.read_bytes()], content


def check(path: Path, data: bytes, content: dict[str, bytes]) -> None:
    path.write_bytes(data)
    try:
        with open_image(path) as image:
            assert {name: image.read(name) for name in image.files} == content
    except ImageError as error:
        assert error.problems  # noqa: PT017
        assert verify_image(path)
    else:
        assert verify_image(path) == ()
    assert "acme_scada" not in sys.modules


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_image_is_refused_or_has_the_same_contents(
    samples: tuple[Path, list[bytes], dict[str, bytes]], data: st.DataObject
) -> None:
    path, images, content = samples
    raw = bytearray(data.draw(st.sampled_from(images)))
    for _ in range(data.draw(st.integers(1, 4))):
        # Most of an image is contents; what is worth changing is at its ends and around its headers.
        marks = [0, len(raw), raw.find(b"PK\x01\x02"), raw.rfind(b"PK\x03\x04"), raw.rfind(b"PK\x01\x02")]
        near = st.builds(lambda mark, by: mark + by, st.sampled_from(marks), st.integers(-64, 64))
        at = data.draw(st.one_of(near, st.integers(0, len(raw)))) % (len(raw) + 1)
        removed = data.draw(st.sampled_from([0, 1, 2, 4, 50]))
        added = data.draw(st.one_of(st.binary(max_size=6), st.sampled_from(PAYLOADS)))
        raw[at : at + removed] = added
    check(path, bytes(raw), content)


def test_every_single_byte_of_every_header_matters_or_is_harmless(
    samples: tuple[Path, list[bytes], dict[str, bytes]],
) -> None:
    path, images, content = samples
    raw = images[1]
    for at in [*range(40), *range(raw.find(b"PK\x01\x02"), len(raw))]:
        for flip in (0x01, 0xFF):
            changed = bytearray(raw)
            changed[at] ^= flip
            check(path, bytes(changed), content)


@pytest.mark.soak
@settings(max_examples=20_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 255)), min_size=1, max_size=6))
def test_twenty_thousand_changed_images(
    samples: tuple[Path, list[bytes], dict[str, bytes]], flips: list[tuple[int, int]]
) -> None:
    path, images, content = samples
    raw = bytearray(images[len(flips) % 2])
    for at, flip in flips:
        raw[at % len(raw)] ^= flip
    check(path, bytes(raw), content)
