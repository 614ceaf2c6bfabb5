from __future__ import annotations

from statehold.sdk import Key, Operation, Value
from statehold.testing._case import Case, Row
from statehold.testing._open import OpenStorage
from statehold.testing._same import assert_rows
from statehold.testing._samples import plain_value
from statehold.testing._scenario import Facts, scenario

GETBATCH, READ, INSERT = Operation.GETBATCH, Operation.READ, Operation.INSERT


def _apart(facts: Facts) -> bool:
    return facts.writes and not facts.shared


class Separating(Case):
    """What belongs to one workspace, partition or declaration is not seen in another."""

    @scenario("S1", INSERT, need=_apart)
    def test_s1_workspaces_share_nothing(self) -> None:
        """The same key in two workspaces means two rows, for every way of reading."""
        opened = self.open()
        here, there, nowhere = self.workspace(), self.workspace(), self.workspace()
        rows = self.samples(4)
        old = self.write(opened, here, rows, 1)
        self.empty(opened, there, rows)
        new = self.write(opened, there, rows, 2)
        for key, value in {**old, **new}.items():
            self.check(opened, key, value, f"workspace {key.WSID}")
        if READ in self.facts.operations and not self.whole_keys:
            for workspace, expected in ((here, old), (there, new), (nowhere, {})):
                for sample, _ in rows:
                    at = opened.key(workspace, **sample)
                    found = opened.facade.read(self.widest(opened, at))
                    under = self.beside(opened, expected, at)
                    assert_rows(under, found, f"READ of workspace {workspace}", may_forget=self.may_forget)

    @scenario("S2", GETBATCH, INSERT, need=_apart)
    def test_s2_a_batch_may_ask_several_workspaces(self) -> None:
        """GETBATCH answers keys of several workspaces each from its own."""
        opened = self.open()
        rows = self.samples(2)
        old = self.write(opened, self.workspace(), rows, 1)
        new = self.write(opened, self.workspace(), rows, 2)
        keys = [key for pair in zip(old, new, strict=True) for key in pair]
        answers = dict(zip(keys, opened.facade.get_batch(keys), strict=True))
        for key, value in {**old, **new}.items():
            got = answers[key]
            assert got == value or (got is None and self.may_forget), f"{key!a:.200} answered {got!a:.200}"

    @scenario("S3", INSERT, need=_apart)
    def test_s3_partitions_share_nothing(self) -> None:
        """Two partitions open side by side do not see each other's rows."""
        self.apart(self.open(partition=0), self.open(partition=1))

    @scenario("S4", INSERT, need=_apart)
    def test_s4_declarations_share_nothing(self) -> None:
        """Storages of one provider in two packages do not see each other's rows."""
        self.apart(self.open(package="test"), self.open(package="other"))

    def apart(self, one: OpenStorage, other: OpenStorage) -> None:
        """Fail if a row of one of two storages is seen in the other."""
        workspace, rows = self.workspace(), self.samples(4)
        old = self.write(one, workspace, rows, 1)
        self.empty(other, workspace, rows)
        new = self.write(other, workspace, rows, 2)
        for opened, expected in ((one, old), (other, new)):
            for key, value in expected.items():
                self.check(
                    opened, key, value, f"{opened.context.storage}, partition {opened.context.partition}"
                )

    def write(self, opened: OpenStorage, workspace: int, rows: list[Row], number: int) -> dict[Key, Value]:
        """Put *rows*, with values that tell *number* where values may be made up."""
        found = {}
        for key, value in rows:
            at = opened.key(workspace, **key)
            made = plain_value(self.facts.value, number) if self.any_row else value
            found[at] = self.put(opened, at, opened.value(**made))
        return found

    def empty(self, opened: OpenStorage, workspace: int, rows: list[Row]) -> None:
        """Fail if any of *rows* is there."""
        for key, _ in rows:
            got = self.look(opened, opened.key(workspace, **key))
            where = f"workspace {workspace}, partition {opened.context.partition} of {opened.context.storage}"
            assert got is None, f"{where}: expected None, got {got!a:.200}"
