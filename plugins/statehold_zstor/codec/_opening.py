from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

from statehold_zstor.codec import _header
from statehold_zstor.codec._buffers import Bytes, Pool, Pools
from statehold_zstor.codec._compression import decompress
from statehold_zstor.codec._encoding import Block, finish
from statehold_zstor.codec._erasure import ErasureCode
from statehold_zstor.codec._sound import Group

#: The indices of k shards, ascending.
Chosen: TypeAlias = tuple[int, ...]


def open_block(code: ErasureCode, cipher: Any, group: Group, chosen: Chosen, pools: Pools) -> Bytes | None:
    """Return the block of *chosen* shards in a buffer; None if what they make was not sealed so."""
    header, size = group.header, group.header.piece
    with ExitStack() as held:
        missing = code.missing(chosen)
        recovered = held.enter_context(_taken(pools.between, len(missing) * size)).view
        spare = {index: recovered[at * size : (at + 1) * size] for at, index in enumerate(missing)}
        address = code.address(recovered)
        _recover(code, group, chosen, [address + at * size for at in range(len(missing))])
        pieces = [spare[index] if index in spare else group.pieces[index] for index in range(code.k)]
        if not header.scheme:
            plain = pools.plain.take(header.sealed)
            if decrypt(cipher, header, pieces, plain.view):
                return plain
            pools.plain.give(plain)
            return None
        body = held.enter_context(_taken(pools.between, header.sealed)).view[: header.sealed]
        if not decrypt(cipher, header, pieces, body):
            return None
        # Only now is the length of the plain block worth memory: it was sealed.
        plain = pools.plain.take(header.plain)
        decompress(header.compression, body, plain.view[: header.plain])
        return plain


def decrypt(cipher: Any, header: _header.Header, pieces: Sequence[memoryview], target: memoryview) -> bool:
    """Decrypt *pieces* into *target* and return whether the tag is right; else it holds nothing of worth."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see `derive`
    from cryptography.hazmat.primitives.ciphers import Cipher  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.modes import GCM  # noqa: PLC0415

    opening = Cipher(cipher, GCM(_header.nonce(header.position), header.tag)).decryptor()
    opening.authenticate_additional_data(_header.sealed_part(header.pack()))
    size = header.piece
    for start, piece in zip(range(0, header.sealed, size or 1), pieces, strict=False):
        opening.update_into(piece[: header.sealed - start], target[start:])
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


@contextmanager
def _taken(pool: Pool[Bytes], size: int) -> Iterator[Bytes]:
    buffer = pool.take(size)
    try:
        yield buffer
    finally:
        pool.give(buffer)
