from __future__ import annotations

from statehold.sdk import IStateStorage, IWithCallContext, IWithProbe
from statehold.testing._calls import Calls
from statehold.testing._case import Case
from statehold.testing._level import Level
from statehold.testing._open import PROTOCOLS
from statehold.testing._patience import within
from statehold.testing._scenario import scenario


class Claims(Case):
    """The storage opens, and does what its provider claims: no less and no more."""

    @scenario("A1", level=Level.ALPHA)
    def test_a1_opens(self) -> None:
        """`open` returns a storage that can be freed."""
        storage = self.open().storage
        assert isinstance(storage, IStateStorage), f"expected a storage with free(), got {storage!r:.200}"

    @scenario("A2", level=Level.ALPHA)
    def test_a2_implements_what_it_claims(self) -> None:
        """Every operation the provider claims is there."""
        storage = self.seen_by_a_call()
        lacking = [op for op in self.facts.operations if not isinstance(storage, PROTOCOLS[op])]
        assert not lacking, "; ".join(
            f"claims {op}, but {type(storage).__name__} does not implement {PROTOCOLS[op].__name__}"
            for op in sorted(lacking)
        )

    @scenario("A3", level=Level.ALPHA)
    def test_a3_claims_what_it_implements(self) -> None:
        """No operation is there that the provider does not claim."""
        storage = self.seen_by_a_call()
        hidden = [
            op
            for op, protocol in PROTOCOLS.items()
            if op not in self.facts.operations and isinstance(storage, protocol)
        ]
        assert not hidden, "; ".join(
            f"{type(storage).__name__} implements {PROTOCOLS[op].__name__}, but {op} is not claimed"
            for op in sorted(hidden)
        )

    @scenario("A4", level=Level.ALPHA)
    def test_a4_probe_passes(self) -> None:
        """A storage that can tell whether it works says that it does."""
        storage = self.open().storage
        if isinstance(storage, IWithProbe):
            within(self.patience, storage.probe)

    @scenario("A5", need=lambda facts: not facts.puts)
    def test_a5_has_sample_rows(self) -> None:
        """A storage that nothing can be written to comes with sample rows, or nothing could be tested."""
        assert self.given("rows"), f"{type(self).__name__}: give `rows` that the storage has, or `prepare`"

    def seen_by_a_call(self) -> object:
        """Return the object that the operations are looked for on."""
        opened = self.open()
        if isinstance(opened.storage, IWithCallContext):
            return opened.storage.for_call(Calls(self.call, opened.memory).reading())
        return opened.storage
