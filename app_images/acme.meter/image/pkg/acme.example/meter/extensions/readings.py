"""Readings of meters, and what there is to say about them."""

from __future__ import annotations

from statehold.sdk import extension


@extension
def take(call):
    """Write down what a meter shows."""
    arg = call.arg
    call.Meter.insert(Meter=arg.Meter, At=arg.At, Reading=arg.Reading, Note=arg.Note)


@extension
def annotate(call):
    """Say something about a reading."""
    arg = call.arg
    before = call.Meter.must_get(Meter=arg.Meter, At=arg.At)
    call.Meter.update(before, Meter=arg.Meter, At=arg.At, Note=arg.Note)


@extension
def history(call):
    """Give all readings of a meter, the oldest first."""
    for key, row in call.Meter.read(Meter=call.arg.Meter):
        yield {"Meter": key.Meter, "At": key.At, "Reading": row.Reading, "Note": row.Note}
