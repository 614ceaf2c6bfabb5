from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from statehold_zstor.codec import _header
from statehold_zstor.codec._buffers import Bytes, Pools
from statehold_zstor.codec._compression import decompress
from statehold_zstor.codec._encoding import Block, finish
from statehold_zstor.codec._erasure import ErasureCode
from statehold_zstor.codec._sound import Group

#: The indices of k shards, ascending.
Chosen: TypeAlias = tuple[int, ...]


def open_block(code: ErasureCode, cipher: Any, group: Group, chosen: Chosen, pools: Pools) -> Bytes | None:
    """Return the block of *chosen* shards in a buffer; None if what they make was not sealed so."""
    missing = code.missing(chosen)
    if not missing:
        return _opened(cipher, group.header, [group.pieces[index] for index in chosen], pools)
    size = group.header.piece
    recovered = pools.between.take(len(missing) * size)
    try:
        address = code.address(recovered.view)
        _recover(code, group, chosen, [address + at * size for at in range(len(missing))])
        spare = {index: recovered.view[at * size : (at + 1) * size] for at, index in enumerate(missing)}
        pieces = [spare[index] if index in spare else group.pieces[index] for index in range(code.k)]
        return _opened(cipher, group.header, pieces, pools)
    finally:
        pools.between.give(recovered)


def _opened(cipher: Any, header: _header.Header, pieces: Sequence[memoryview], pools: Pools) -> Bytes | None:
    if not header.scheme:
        plain = pools.plain.take(header.sealed)
        if decrypt(cipher, header, pieces, plain.view):
            return plain
        pools.plain.give(plain)
        return None
    body = pools.between.take(header.sealed)
    try:
        if not decrypt(cipher, header, pieces, body.view):
            return None
        # Only now is the length of the plain block worth memory: it was sealed.
        plain = pools.plain.take(header.plain)
        decompress(header.compression, body.view[: header.sealed], plain.view[: header.plain])
        return plain
    finally:
        pools.between.give(body)


def decrypt(cipher: Any, header: _header.Header, pieces: Sequence[memoryview], target: memoryview) -> bool:
    """Decrypt *pieces* into *target* and return whether the tag is right; else it holds nothing of worth."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see `derive`
    from cryptography.hazmat.primitives.ciphers import Cipher  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.modes import GCM  # noqa: PLC0415

    opening = Cipher(cipher, GCM(_header.nonce(header.position), header.tag)).decryptor()
    opening.authenticate_additional_data(_header.sealed_part(header.pack()))
    start = 0
    for piece in pieces:
        left = header.sealed - start
        # What comes after the block's end is there to fill the pieces.
        start += opening.update_into(piece if left >= len(piece) else piece[:left], target[start:])
    try:
        opening.finalize()
    except InvalidTag:
        return False
    return True


def remake(code: ErasureCode, group: Group, chosen: Chosen, pools: Pools) -> Block:
    """Return all n shards of a block from *chosen* ones that have been opened."""
    header = group.header
    workspace = pools.shards.take(header.sealed)
    layout = workspace.layout(header.piece)
    for index in chosen:
        if index < code.k:
            layout.pieces[index][:] = group.pieces[index]
    _recover(code, group, chosen, [layout.addresses[index] for index in code.missing(chosen)])
    finish(code, header, layout)
    return Block(header, layout, workspace, pools.shards)


def _recover(code: ErasureCode, group: Group, chosen: Chosen, targets: list[Any]) -> None:
    if targets and group.header.piece:
        # Held here until the pieces are made: pointers alone keep nothing alive.
        sources = [code.address(group.pieces[index]) for index in chosen]
        code.recover(group.header.piece, chosen, code.pointers(sources), code.pointers(targets))
