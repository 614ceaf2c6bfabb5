from __future__ import annotations

import pytest

from statehold_zos.model import RefusedError, size_of, size_text


@pytest.mark.parametrize(
    ("said", "size"),
    [
        (1, 1),
        (2**60, 2**60),
        ("4096", 4096),
        ("10 GiB", 10 * 2**30),
        ("10GiB", 10 * 2**30),
        (" 1.5 tib ", 3 * 2**39),
        ("2 TB", 2 * 10**12),
        ("7 B", 7),
    ],
)
def test_a_size_is_a_number_or_what_people_write(said: int | str, size: int) -> None:
    assert size_of(said) == size


@pytest.mark.parametrize(
    "said", [0, -1, True, 2**60 + 1, "", "GiB", "-1 GiB", "1 GB/s", "1,5 GiB", "1.5", "٣"]
)
def test_what_is_no_size_is_refused_by_name(said: int | str) -> None:
    with pytest.raises(RefusedError, match="expected bytes") as refused:
        size_of(said)
    assert repr(said) in refused.value.message


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1024, "1 KiB"),
        (1024**2 - 1, "1,023.9 KiB"),
        (3 * 2**29, "1.5 GiB"),
        (2**60, "1,024 PiB"),
    ],
)
def test_a_size_is_told_as_people_read_it(size: int, text: str) -> None:
    assert size_text(size) == text
