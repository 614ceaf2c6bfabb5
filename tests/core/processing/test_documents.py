from __future__ import annotations

import pytest

from statehold.processing import (
    ConflictError,
    ForbiddenError,
    NotAllowedError,
    ProcessingError,
    RequestError,
    UnknownError,
)
from statehold.sdk import Principal

READER = Principal(name="ann", kind=1, roles={1: frozenset({"shop.Reader"})})
CLERK = Principal(name="bob", kind=1, roles={1: frozenset({"shop.Clerk"})})

PEN = {
    "sys.ID": 1,
    "Code": "pen",
    "Price": 15000,
    "Photo": "AQID",
    "Tags": [
        {"sys.ID": 2, "Word": "blue", "Kind": [{"sys.ID": 3, "N": 7}]},
        {"sys.ID": 4, "Word": "fine"},
    ],
}


@pytest.fixture
def docs(shop):
    class Docs:
        def __getattr__(self, name):
            def call(*args, principal=None, table="shop.Article", workspace=1, **more):
                who = {"principal": principal} if principal is not None else {}
                request = shop.request(workspace=workspace, **who)
                return getattr(shop.runtime, name)(request, table, *args, **more)

            return call

    return Docs()


def test_a_document_is_made_with_all_that_is_nested_in_it(docs, shop):
    answer = docs.create(PEN)
    assert set(answer.new_ids) == {1, 2, 3, 4}
    event = shop.events()[-1]
    assert (event.name, len(event.cuds)) == ("sys.CUD", 4)
    pen = answer.new_ids[1]
    assert docs.document(pen) == {
        "sys.QName": "shop.Article",
        "sys.ID": pen,
        "sys.IsActive": True,
        "Code": "pen",
        "Price": 15000,
        "Photo": "AQID",
    }
    found = docs.document(pen, constraints={"include": "Tags.Kind", "keys": "Code,Tags.Word,Tags.Kind.N"})
    assert found == {
        "Code": "pen",
        "Tags": [{"Word": "blue", "Kind": [{"N": 7}]}, {"Word": "fine", "Kind": []}],
    }


def test_references_can_be_included(docs):
    pen = docs.create(PEN).new_ids[1]
    cup = docs.create({"sys.ID": 1, "Code": "cup", "Likes": pen}).new_ids[1]
    assert docs.document(cup)["Likes"] == pen
    found = docs.document(cup, constraints={"include": "Likes", "keys": "Code,Likes.Code,Likes.sys.ID"})
    assert found == {"Code": "cup", "Likes": {"Code": "pen", "sys.ID": pen}}
    with pytest.raises(
        RequestError, match=r"include: shop\.Article has no reference and no container 'Price'"
    ):
        docs.document(cup, constraints={"include": "Price"})


def test_a_record_is_added_to_a_document_that_is_there(docs):
    pen = docs.create({"sys.ID": 1, "Code": "pen"}).new_ids[1]
    tag = {"sys.ID": 1, "sys.ParentID": pen, "sys.Container": "Tags", "Word": "new"}
    assert docs.create(tag, table="shop.ArticleTag")
    assert docs.document(pen, constraints={"include": "Tags", "keys": "Tags.Word"}) == {
        "Tags": [{"Word": "new"}]
    }


def test_fields_are_changed_and_cleared(docs):
    pen = docs.create(PEN).new_ids[1]
    docs.patch(pen, {"Price": 5, "Photo": None})
    found = docs.document(pen)
    assert (found["Price"], "Photo" in found) == (5, False)
    docs.patch(pen, {"sys.ID": pen, "sys.QName": "shop.Article", "Name": "Pen"})
    assert docs.document(pen)["Name"] == "Pen"


def test_a_record_is_taken_out_of_use_and_back(docs):
    pen = docs.create(PEN).new_ids[1]
    docs.deactivate(pen)
    assert docs.document(pen)["sys.IsActive"] is False
    assert docs.documents() == []
    assert len(docs.documents(constraints={"where": {"sys.IsActive": False}})) == 1
    docs.patch(pen, {"sys.IsActive": True})
    assert len(docs.documents()) == 1


def test_documents_are_listed_as_constraints_say(docs):
    for number, code in enumerate(("pen", "cup", "hat")):
        docs.create({"sys.ID": 1, "Code": code, "Price": number})

    def codes(**constraints):
        return [row["Code"] for row in docs.documents(constraints=constraints)]

    assert codes() == ["pen", "cup", "hat"]
    assert codes(order="Code") == ["cup", "hat", "pen"]
    assert codes(order="-sys.ID", limit=1) == ["hat"]
    assert codes(where={"Price": {"$gte": 1}}, skip=1) == ["hat"]
    assert docs.documents(constraints={"keys": "Price", "limit": 1, "order": "sys.ID"}) == [{"Price": 0}]


def test_a_singleton_is_read_without_an_id(docs):
    with pytest.raises(UnknownError, match=r"there is no shop\.Hours record in workspace 1"):
        docs.singleton(table="shop.Hours")
    made = docs.create({"sys.ID": 1, "Open": 8, "Close": 18}, table="shop.Hours").new_ids[1]
    assert docs.singleton(table="shop.Hours")["Open"] == 8
    assert docs.document(made, table="shop.Hours")["Close"] == 18
    with pytest.raises(ConflictError):
        docs.create({"sys.ID": 1, "Open": 9}, table="shop.Hours")
    with pytest.raises(NotAllowedError, match="is no singleton"):
        docs.singleton()


def test_unique_values_occur_once(docs):
    docs.create({"sys.ID": 1, "Code": "pen"})
    with pytest.raises(ConflictError) as caught:
        docs.create({"sys.ID": 1, "Code": "pen"})
    assert caught.value.status == 409
    assert len(docs.documents()) == 1


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"sys.ID": 1}, "Code"),
        ({"sys.ID": 1, "Code": "PEN"}, r"matches '\^\[a-z\]\+\$'"),
        ({"sys.ID": 1, "Code": "pen", "Nope": 1}, "Nope"),
        ({"sys.ID": 1, "Code": "pen", "Price": "x"}, "Price"),
        ({"sys.ID": 1, "Code": "pen", "Likes": 5}, "5"),
        ({"sys.ID": 0, "Code": "pen"}, "0"),
        ({"sys.ID": 1, "Code": "pen", "Tags": [{"sys.ID": 1, "Word": "x"}]}, "1"),
        ({"sys.ID": 1, "Code": "pen", "Tags": [{"sys.ID": 2}]}, "Word"),
        ([], "object"),
    ],
)
def test_a_document_that_does_not_fit_is_refused(docs, document, message):
    with pytest.raises(RequestError, match=message) as caught:
        docs.create(document)
    assert caught.value.status == 400
    assert docs.documents() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "expected fields to change, got none"),
        ({"sys.ID": 7}, r"sys\.ID cannot be changed"),
        ({"sys.QName": "shop.Hours"}, r"sys\.QName cannot be changed"),
        ({"sys.ParentID": 7}, "ParentID"),
        ({"Nope": 7}, "Nope"),
        ({"Code": None}, "Code"),
        ({"sys.IsActive": None}, r"sys\.IsActive: expected a value"),
        ({"Code": "X"}, "matches"),
    ],
)
def test_a_change_that_does_not_fit_is_refused(docs, changes, message):
    pen = docs.create(PEN).new_ids[1]
    with pytest.raises(ProcessingError, match=message) as caught:
        docs.patch(pen, changes)
    assert caught.value.status == 400
    assert docs.document(pen)["Code"] == "pen"


def test_what_is_not_there_is_not_found(docs):
    pen = docs.create(PEN).new_ids[1]
    for call in (
        lambda: docs.document(999),
        lambda: docs.document(pen, table="shop.Hours"),
        lambda: docs.patch(999, {"Name": "x"}),
        lambda: docs.patch(pen, {"Open": 1}, table="shop.Hours"),
        lambda: docs.documents(table="shop.Nope"),
        lambda: docs.documents(table="sys.CDoc"),
        lambda: docs.documents(table="shop.Chair"),
        lambda: docs.documents(table="shop.Stock"),
        lambda: docs.documents(workspace=99),
    ):
        with pytest.raises(UnknownError) as caught:
            call()
        assert caught.value.status == 404


def test_operational_documents_are_not_made_or_changed_here(docs, shop):
    paper = shop.runtime.command(shop.request(), "shop.Print", {"sys.ID": 1, "Text": "x"}).new_ids[1]
    assert docs.document(paper, table="shop.Paper")["Text"] == "x"
    for call in (
        lambda: docs.create({"sys.ID": 1, "Text": "x"}, table="shop.Paper"),
        lambda: docs.patch(paper, {"Text": "y"}, table="shop.Paper"),
        lambda: docs.deactivate(paper, table="shop.Paper"),
        lambda: docs.documents(table="shop.Paper"),
        lambda: docs.documents(table="shop.Sale"),
    ):
        with pytest.raises(NotAllowedError) as caught:
            call()
        assert caught.value.status == 405


def test_one_record_takes_no_order(docs):
    pen = docs.create(PEN).new_ids[1]
    with pytest.raises(RequestError, match="only include and keys say anything"):
        docs.document(pen, constraints={"order": "Code"})


def test_grants_hold_for_each_table_operation_and_column(docs):
    pen = docs.create(PEN, principal=None).new_ids[1]
    assert docs.document(pen, principal=READER) == {
        "sys.QName": "shop.Article",
        "sys.ID": pen,
        "Code": "pen",
        "Price": 15000,
    }
    assert docs.documents(principal=READER, constraints={"keys": "Code"}) == [{"Code": "pen"}]
    assert docs.create({"sys.ID": 1, "Code": "cup"}, principal=CLERK)
    docs.patch(pen, {"Price": 1}, principal=CLERK)
    for call, what in (
        (lambda: docs.document(pen, principal=READER, constraints={"keys": "Name"}), r"SELECT\(Name\)"),
        (lambda: docs.document(pen, principal=READER, constraints={"include": "Tags"}), r"SELECT\(Tags\)"),
        (lambda: docs.documents(principal=READER, constraints={"where": {"Name": "x"}}), r"SELECT\(Name\)"),
        (lambda: docs.patch(pen, {"Price": 1}, principal=READER), "UPDATE"),
        (lambda: docs.deactivate(pen, principal=CLERK), "DEACTIVATE"),
        (lambda: docs.patch(pen, {"sys.IsActive": True}, principal=CLERK), "ACTIVATE"),
        (lambda: docs.create(PEN, principal=CLERK), r"INSERT on shop\.ArticleTag"),
        (lambda: docs.create(PEN, principal=Principal(name="eve", kind=1)), r"INSERT on shop\.Article"),
    ):
        with pytest.raises(ForbiddenError, match=what):
            call()


def test_projectors_see_documents_too(docs, shop):
    docs.create({"sys.ID": 1, "Article": "pen", "Amount": 3}, table="shop.Sale")
    assert shop.rows("Stock")["pen"]["Sold"] == 3
    assert shop.caught_up()
    assert shop.rows("Turnover")["pen"]["Sold"] == 3
