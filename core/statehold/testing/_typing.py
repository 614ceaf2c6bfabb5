from __future__ import annotations

import math
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statehold.sdk import DataType, Field, Operation, StateholdError
from statehold.testing._case import Case
from statehold.testing._same import assert_rows
from statehold.testing._samples import bounds, large, plain_value
from statehold.testing._scenario import Facts, scenario
from statehold.testing._strategies import values_of

INSERT, READ = Operation.INSERT, Operation.READ
_TEXTS = (DataType.TEXT, DataType.QNAME)
_FLOATS = (DataType.FLOAT32, DataType.FLOAT64)


def _key_fields(facts: Facts) -> bool:
    return facts.made_up and bool(facts.key)


def _optional(facts: Facts) -> bool:
    return facts.made_up and any(not field.required for field in facts.value)


class Typing(Case):
    """Every value that fits the schema comes back as it was given, and of the same type."""

    @scenario("T1", INSERT, need=lambda facts: facts.holds(*(set(DataType) - {*_TEXTS, DataType.BYTES})))
    def test_t1_numbers_at_their_bounds(self) -> None:
        """Numbers and bools come back at the ends of their ranges, and as the type they were."""
        self.round_trip(lambda field: field.type not in (*_TEXTS, DataType.BYTES))

    @scenario("T2", INSERT, need=lambda facts: facts.holds(*_TEXTS))
    def test_t2_text_of_every_kind(self) -> None:
        """Text comes back as it was: empty, spaces, quotes, NUL, combining, astral, of full length."""
        self.round_trip(lambda field: field.type in _TEXTS)

    @scenario("T3", INSERT, need=lambda facts: facts.holds(DataType.BYTES))
    def test_t3_all_bytes(self) -> None:
        """Bytes come back byte by byte: none, NUL, all 256 and what is no UTF-8."""
        self.round_trip(lambda field: field.type is DataType.BYTES)

    @scenario("T4", INSERT, need=_optional)
    def test_t4_null_is_neither_empty_nor_zero(self) -> None:
        """A field that was not given comes back as None (an empty tuple where it is repeated)."""
        opened, workspace = self.open(), self.workspace()
        (key, _), *_ = self.samples(1)
        at = opened.key(workspace, **key)
        bare = {field.name: bounds(field)[0] for field in self.facts.value if field.required}
        expected = self.put(opened, at, opened.value(**bare))
        self.check(opened, at, expected, "a row with nothing but required fields")

    @scenario("T5", INSERT, need=lambda facts: facts.holds(DataType.TEXT, DataType.BYTES))
    def test_t5_large_values(self) -> None:
        """A large text and large bytes come back whole: 1 MiB, or what their field allows."""
        opened, workspace = self.open(), self.workspace()
        (key, value), *_ = self.samples(1)
        at = opened.key(workspace, **key)
        for field in self.facts.value:
            if field.type in (DataType.TEXT, DataType.BYTES):
                given = opened.value(**{**value, field.name: large(field, self.large)})
                self.check(opened, at, self.put(opened, at, given), f"a large {field.name}")

    @scenario("T6", INSERT, need=_key_fields)
    def test_t6_keys_that_look_alike_are_different(self) -> None:
        """Keys at the bounds of their types each find their own row: case, spaces, NUL, composed or not."""
        rows = self.rows_of_schema()
        for field in self.facts.key:
            opened, workspace = self.open(), self.workspace()
            (key, _), *_ = self.samples(1)
            expected = {}
            for number, one in enumerate(bounds(field)):
                at = opened.key(workspace, **{**key, field.name: one})
                value = opened.value(**plain_value(rows.value_fields, number))
                expected[at] = self.put(opened, at, value)
            for at, value in expected.items():
                self.check(
                    opened, at, value, f"the row under {field.name} = {getattr(at, field.name)!a:.100}"
                )
            if READ in self.facts.operations and not self.whole_keys:
                for at in expected:
                    found = opened.facade.read(self.widest(opened, at))
                    under = self.beside(opened, expected, at)
                    assert_rows(under, found, f"READ of odd {field.name}", may_forget=self.may_forget)

    @scenario("T7", INSERT, need=lambda facts: facts.holds(*_FLOATS))
    def test_t7_no_number_is_changed_in_silence(self) -> None:
        """NaN and the infinities come back as they are, or are refused with an error."""
        opened, workspace = self.open(), self.workspace()
        (key, value), *_ = self.samples(1)
        at = opened.key(workspace, **key)
        for field in self.facts.value:
            if field.type not in _FLOATS:
                continue
            for odd in (math.inf, -math.inf, math.nan):
                given = opened.value(**{**value, field.name: (odd,) if field.repeated else odd})
                try:
                    expected = self.put(opened, at, given)
                except StateholdError:
                    continue
                self.check(opened, at, expected, f"{field.name} = {odd}")

    @scenario("T8", INSERT, need=lambda facts: facts.made_up and bool(facts.value))
    def test_t8_any_value_that_fits(self) -> None:
        """Random values that fit the schema come back as they were given."""
        opened, workspace = self.open(), self.workspace()
        (key, _), *_ = self.samples(1)
        at = opened.key(workspace, **key)

        @settings(
            max_examples=self.examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(st.fixed_dictionaries({field.name: values_of(field) for field in self.facts.value}))
        def comes_back(value: dict[str, object]) -> None:
            self.check(opened, at, self.put(opened, at, opened.value(**value)), "a random value")

        comes_back()

    def round_trip(self, wanted: Callable[[Field], bool]) -> None:
        """Write and look at every field that is *wanted*, at all its bounds."""
        opened, workspace = self.open(), self.workspace()
        (key, value), *_ = self.samples(1)
        at = opened.key(workspace, **key)
        for field in self.facts.value:
            if not wanted(field):
                continue
            for one in bounds(field):
                given = opened.value(**{**value, field.name: one})
                where = f"{field.name} ({field.type}) = {one!a:.60}"
                self.check(opened, at, self.put(opened, at, given), where)
