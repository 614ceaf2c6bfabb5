from __future__ import annotations

from statehold.sdk import READ_AND_WRITE, Operation, Provider, Scope


def test_read_and_write_lets_all_look_up_and_all_but_queries_write() -> None:
    made = Provider(name="Rows", open=lambda _: None, operations=READ_AND_WRITE)  # type: ignore[arg-type,return-value]
    assert set(made.operations) == set(Operation)
    assert made.operations[Operation.GETBATCH] == frozenset(Scope)
    assert Scope.COMMANDS not in made.operations[Operation.READ]
    assert Scope.QUERIES not in made.operations[Operation.UPDATE]
