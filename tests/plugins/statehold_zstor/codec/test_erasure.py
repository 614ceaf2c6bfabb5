"""The erasure code: of n pieces, any k suffice."""

from __future__ import annotations

import random
from itertools import combinations
from math import comb

import pytest

from statehold_zstor.codec import CodecError
from statehold_zstor.codec._erasure import ErasureCode
from statehold_zstor.codec._isal import load


def multiplied(a: int, b: int) -> int:
    product = load().lib.gf_mul(a, b)
    assert isinstance(product, int)
    return product


def unit(k: int) -> list[bytes]:
    return [bytes(int(row == column) for column in range(k)) for row in range(k)]


def inverse(code: ErasureCode, chosen: tuple[int, ...]) -> list[bytes]:
    flat = bytes(load().ffi.buffer(code.inverse(chosen)))
    return [flat[row * code.k : (row + 1) * code.k] for row in range(code.k)]


def product(left: list[bytes], right: list[bytes]) -> list[bytes]:
    rows = []
    for row in left:
        out = bytearray(len(right[0]))
        for factor, other in zip(row, right, strict=True):
            for column, value in enumerate(other):
                out[column] ^= multiplied(factor, value)
        rows.append(bytes(out))
    return rows


@pytest.mark.parametrize(
    ("k", "m"), [(1, 1), (4, 3), (16, 4), (20, 5), (128, 127), (254, 1), (1, 254), (200, 55)]
)
def test_the_matrix_is_the_unit_matrix_above_a_cauchy_matrix(k: int, m: int) -> None:
    code = ErasureCode(k, m)
    assert [code.row(index) for index in range(k)] == unit(k)
    # 1 / (x + y), all x and y different: x is the number of the row, y that of the column, and the rows begin
    # where the columns end. The determinant of such a matrix is the product of all differences of the x and
    # of the y over the product of all sums, none of which is 0; so is that of any square part of it.
    for x in range(k, k + m):
        assert all(multiplied(value, x ^ y) == 1 for y, value in enumerate(code.row(x)))


@pytest.mark.parametrize(("k", "m"), [(k, m) for k in range(1, 7) for m in range(5)])
def test_every_k_of_n_rows_of_small_codes_can_be_inverted(k: int, m: int) -> None:
    code = ErasureCode(k, m)
    for chosen in combinations(range(k + m), k):
        assert product(inverse(code, chosen), [code.row(index) for index in chosen]) == unit(k)


def test_every_16_of_20_rows_can_be_inverted() -> None:
    code = ErasureCode(16, 4)
    ways = list(combinations(range(20), 16))
    assert len(ways) == comb(20, 16)
    for chosen in ways:
        code.inverse(chosen)


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 1000])
@pytest.mark.parametrize(("k", "m"), [(1, 3), (5, 0), (10, 6), (100, 100)])
def test_lost_pieces_are_made_of_any_k_others(k: int, m: int, size: int) -> None:
    code = ErasureCode(k, m)
    pieces = [
        bytearray(random.Random(index).randbytes(size) if index < k else size) for index in range(k + m)
    ]
    at = [code.address(piece) for piece in pieces]
    code.encode(size, code.pointers(at[:k]), code.pointers(at[k:]))
    for turn in range(5):
        chosen = tuple(sorted(random.Random(turn).sample(range(k + m), k)))
        missing = code.missing(chosen)
        made = [bytearray(size) for _ in missing]
        targets = [code.address(piece) for piece in made]
        code.recover(size, chosen, code.pointers(at[index] for index in chosen), code.pointers(targets))
        assert made == [pieces[index] for index in missing]


@pytest.mark.parametrize(("k", "m"), [(0, 1), (-1, 2), (1, -1), (128, 128), (255, 1)])
def test_a_code_out_of_range_is_an_error(k: int, m: int) -> None:
    with pytest.raises(CodecError, match="up to 255"):
        ErasureCode(k, m)


def test_what_cannot_be_inverted_is_an_error_not_a_wrong_piece() -> None:
    with pytest.raises(CodecError, match="cannot be inverted"):
        ErasureCode(2, 2).inverse((1, 1))
