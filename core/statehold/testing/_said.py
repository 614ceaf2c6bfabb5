from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from statehold.sdk import Field


class Said:
    """What a storage author says about a storage.

    `provider`, `rows`, `config`, `secrets`, `allowances`, `storages`, `host` and `refused` may also be
    methods or pytest fixtures of the class, for what is known only when the tests run.

    Attributes:
        provider: the provider whose storages are tested.
        rows: sample rows, each a mapping of key fields and a mapping of value fields. A storage without
            INSERT must have them when it is opened, or get them in `prepare`.
        config: JSONCONFIG as a mapping, or an instance of the provider's config model.
        secrets: the secrets of the package, by name.
        allowances: what the operator allows beyond the defaults.
        storages: the open storages that the provider's `requires` names.
        host: where other applications are.
        declarations: for a storage of an app's entities or events, VSQL as in a file of a package `test`.
        entity: the table, view or type of it that is tested, `test.Turnover`.
        key: the fields of KEY, where the provider leaves them to the declaration.
        value: the fields of VALUE, likewise.
        refused: rows that fit the schema, but that `validate` or `apply_batch` must refuse.
        missing: the fields of a key that has no row; made up where `any_row` is true.
        any_row: whether every row that fits the schema is taken; if not, only `rows` are used.
        durable: whether rows are there again after the storage was freed and opened again.
        may_forget: whether a row may be gone at any time, as in a cache.
        hands_over: whether a new version has the rows of the storage it replaces.
        shared: whether all workspaces and partitions see the same rows, as those of a device outside.
        ordered: whether READ yields rows in the order of their keys.
        read_by: how many leading fields of a key READ needs at least, such as those of a partition key.
        whole_keys: whether READ asks for all fields of a key, and is no search by prefix.
        large: how many characters or bytes a large text or bytes value has, unless its field has fewer.
        callers: how many threads use the storage at once.
        calls: how many operations each of them does.
        examples: how many random histories are tried.
        steps: how many operations each of them has at most.
        isolations: where its storages run, each test once in each: `inprocess`, `sidecar`, `wasm`. Without,
            or with `--statehold-isolation`, where that says, or else where they run by themselves.
        patience: seconds after which a call counts as hanging.
        limit: seconds after which a whole test does.

    """

    provider: ClassVar[Any]
    rows: ClassVar[Any] = ()
    config: ClassVar[Any] = None
    secrets: ClassVar[Any] = None
    allowances: ClassVar[Any] = None
    storages: ClassVar[Any] = None
    host: ClassVar[Any] = None
    declarations: ClassVar[str | None] = None
    entity: ClassVar[str | None] = None
    refused: ClassVar[Any] = ()
    key: ClassVar[Sequence[Field] | None] = None
    value: ClassVar[Sequence[Field] | None] = None
    missing: ClassVar[Mapping[str, object] | None] = None
    any_row: ClassVar[bool] = True
    durable: ClassVar[bool] = False
    may_forget: ClassVar[bool] = False
    hands_over: ClassVar[bool] = False
    shared: ClassVar[bool] = False
    ordered: ClassVar[bool] = False
    read_by: ClassVar[int] = 0
    whole_keys: ClassVar[bool] = False
    large: ClassVar[int] = 2**20
    callers: ClassVar[int] = 8
    calls: ClassVar[int] = 50
    examples: ClassVar[int] = 50
    steps: ClassVar[int] = 30
    isolations: ClassVar[Sequence[str]] = ()
    patience: ClassVar[float] = 30.0
    limit: ClassVar[float] = 300.0
