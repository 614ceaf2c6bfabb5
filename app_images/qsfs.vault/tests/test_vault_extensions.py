from __future__ import annotations

import hashlib

import pytest

from statehold.testing.extensions import Insert

TEXT = "All is well."
DIGEST = hashlib.sha256(TEXT.encode()).hexdigest()


@pytest.fixture
def app(statehold_app):
    """Open a stage with a document on the desk, and an edition of it."""
    app = statehold_app()
    app.put("Desk", Name="report", Text=TEXT)
    app.put("Archive", Name="report", Edition="1", Text="All was well.", Digest="of another text")
    return app


def test_a_document_is_written(app):
    app.command("Write", {"Name": "note", "Text": "Hello"}).expect(Insert("Desk", Name="note", Text="Hello"))


def test_a_document_is_kept_with_its_digest(app):
    run = app.command("Keep", {"Name": "report", "Edition": "2"})
    run.expect(Insert("Archive", Name="report", Edition="2", Text=TEXT, Digest=DIGEST))


def test_an_edition_that_is_kept_is_not_replaced(app):
    run = app.command("Keep", {"Name": "report", "Edition": "1"})
    assert (run.status, run.message) == (409, "report has an edition 1, which stays as it is")


def test_what_is_not_there_is_not_kept(app):
    run = app.command("Keep", {"Name": "novel", "Edition": "1"})
    assert (run.status, run.message) == (404, "there is no document novel")


def test_an_edition_is_recalled(app):
    run = app.command("Recall", {"Name": "report", "Edition": "1"})
    run.expect(Insert("Desk", Name="report", Text="All was well."))


def test_an_edition_that_is_not_there_is_not_recalled(app):
    run = app.command("Recall", {"Name": "report", "Edition": "9"})
    assert (run.status, run.message) == (404, "report has no edition 9")


def test_documents_are_told(app):
    assert list(app.query("Documents").results) == [{"Name": "report", "Size": len(TEXT)}]
    assert list(app.query("Show", {"Name": "report"}).results) == [{"Name": "report", "Text": TEXT}]
    assert list(app.query("Show", {"Name": "novel"}).results) == []


def test_an_edition_that_is_not_what_was_kept_is_told(app):
    app.put("Archive", Name="note", Edition="a", Text=TEXT, Digest=DIGEST)
    told = {row["Name"]: row["Sound"] for row in app.query("Editions").results}
    assert told == {"report": False, "note": True}
    assert [row["Name"] for row in app.query("Editions", {"Name": "note"}).results] == ["note"]
