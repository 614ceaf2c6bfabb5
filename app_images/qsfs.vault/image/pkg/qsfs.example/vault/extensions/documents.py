"""What authors and archivists do with documents."""

from __future__ import annotations

import hashlib

from statehold.sdk import extension


@extension
def write(call):
    """Write a document, in the place of what is there."""
    call.Desk.insert(Name=call.arg.Name, Text=call.arg.Text)


@extension
def keep(call):
    """Keep a document as it is now, as an edition that nobody can change."""
    name, edition = call.arg.Name, call.arg.Edition
    document = call.Desk.get(Name=name)
    if document is None:
        call.respond(404, f"there is no document {name}")
    elif call.Archive.get(Name=name, Edition=edition) is not None:
        call.respond(409, f"{name} has an edition {edition}, which stays as it is")
    else:
        text = document.Text
        call.Archive.insert(Name=name, Edition=edition, Text=text, Digest=_digest(text))


@extension
def recall(call):
    """Put an edition on the desk, in the place of the document that is there."""
    name, edition = call.arg.Name, call.arg.Edition
    kept = call.Archive.get(Name=name, Edition=edition)
    if kept is None:
        call.respond(404, f"{name} has no edition {edition}")
    else:
        call.Desk.insert(Name=name, Text=kept.Text)


@extension
def show(call):
    """Tell what is in a document."""
    document = call.Desk.get(Name=call.arg.Name)
    if document is not None:
        yield {"Name": call.arg.Name, "Text": document.Text}


@extension
def documents(call):
    """Tell which documents there are."""
    for key, document in call.Desk.read():
        yield {"Name": key.Name, "Size": len(document.Text)}


@extension
def editions(call):
    """Tell which editions are kept, of a document or of all, each with whether it is what was kept."""
    name = call.arg.Name
    for key, kept in call.Archive.read(Name=name) if name else call.Archive.read():
        sound = kept.Digest == _digest(kept.Text)
        yield {"Name": key.Name, "Edition": key.Edition, "Size": len(kept.Text), "Sound": sound}


def _digest(text):
    return hashlib.sha256(text.encode()).hexdigest()
