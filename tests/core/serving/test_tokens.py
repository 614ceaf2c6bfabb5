from __future__ import annotations

import stat
import threading

import jwt
import pytest

from statehold.sdk import HostError, Principal
from statehold.serving import ANY_APP, TokenError, Tokens

ANN = Principal(name="ann", kind=1, profile=70_000, roles={0: frozenset({"a.R"}), 65_537: frozenset({"a.S"})})
KEY = b"k" * 32


def claims(clock, **changes):
    start = int(clock.now())
    return {"sub": "ann", "aud": "acme.shop", "nbf": start, "exp": start + 60, **changes}


def test_a_token_says_whom_it_was_issued_for(tokens):
    token = tokens.issue(ANN, app="acme.shop", lifetime=60)
    found = tokens.check(token, "acme.shop")
    assert (found.name, found.kind, found.profile, found.roles) == ("ann", 1, 70_000, ANN.roles)
    assert found.token == token
    assert token not in repr(found)


def test_a_token_that_has_been_checked_is_remembered(tokens, monkeypatch):
    token = tokens.issue(ANN, app="acme.shop", lifetime=60)
    first = tokens.check(token, "acme.shop")
    monkeypatch.setattr(jwt, "decode", None)
    assert tokens.check(token, "acme.shop") is first


def test_a_token_expires_also_when_it_is_remembered(tokens, clock):
    token = tokens.issue(ANN, app="acme.shop", lifetime=60)
    tokens.check(token, "acme.shop")
    clock.time += 60
    with pytest.raises(TokenError, match="expired 0 s ago"):
        tokens.check(token, "acme.shop")
    clock.time += 10
    with pytest.raises(TokenError, match="expired 10 s ago"):
        tokens.check(token, "acme.shop")


def test_a_token_is_refused_before_its_time(tokens, clock):
    token = tokens.issue(ANN, app="acme.shop", lifetime=60, begins=clock.now() + 30)
    with pytest.raises(TokenError, match="begins in 30 s"):
        tokens.check(token, "acme.shop")
    clock.time += 30
    assert tokens.check(token, "acme.shop").name == "ann"


def test_a_token_is_of_one_app_or_of_all(tokens):
    one, every = (tokens.issue(ANN, app=app, lifetime=60) for app in ("acme.shop", ANY_APP))
    with pytest.raises(TokenError, match=r"for acme\.shop, not for acme\.bank"):
        tokens.check(one, "acme.bank")
    assert tokens.check(every, "acme.bank").name == "ann"


@pytest.mark.parametrize(
    "forge",
    [
        lambda given: jwt.encode(given, b"x" * 32, algorithm="HS256"),
        lambda given: jwt.encode(given, None, algorithm="none"),
        lambda given: jwt.encode(given, b"k" * 64, algorithm="HS512"),
        lambda given: jwt.encode(given, KEY, algorithm="HS256")[:-3],
        lambda given: jwt.encode(given, KEY, algorithm="HS256") + "a",
        lambda given: jwt.encode({**given, "exp": None}, KEY, algorithm="HS256"),
        lambda given: jwt.encode({**given, "exp": float("inf")}, KEY, algorithm="HS256"),
        lambda given: jwt.encode({**given, "nbf": "soon"}, KEY, algorithm="HS256"),
        lambda given: jwt.encode({**given, "roles": 5}, KEY, algorithm="HS256"),
        lambda given: jwt.encode({**given, "roles": {"x": []}}, KEY, algorithm="HS256"),
        lambda given: jwt.encode(
            {name: one for name, one in given.items() if name != "aud"}, KEY, algorithm="HS256"
        ),
        lambda given: "",
        lambda given: "a.b.c",
        lambda given: "ü.ü.ü",
        lambda given: "a" * 8193,
    ],
)
def test_what_this_host_did_not_issue_so_is_refused(tokens, clock, forge):
    with pytest.raises(TokenError) as caught:
        tokens.check(forge(claims(clock)), "acme.shop")
    assert caught.value.status == 401


def test_a_token_of_the_same_claims_is_taken(tokens, clock):
    assert tokens.check(jwt.encode(claims(clock), KEY, algorithm="HS256"), "acme.shop").kind == 1


def test_another_scheme_is_refused(tokens):
    with pytest.raises(TokenError, match="Bearer"):
        tokens.authorize(b"Basic YTpi", "acme.shop")
    token = tokens.issue(ANN, app="acme.shop", lifetime=60).encode()
    assert tokens.authorize(b"bearer " + token, "acme.shop").name == "ann"


def test_the_key_is_made_once_for_its_owner_alone(tmp_path, clock):
    first = Tokens.open(tmp_path / "data", clock=clock)
    token = first.issue(ANN, app="acme.shop", lifetime=60)
    assert Tokens.open(tmp_path / "data", clock=clock).check(token, "acme.shop").name == "ann"
    assert stat.S_IMODE((tmp_path / "data/token.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["token.key"]


def test_of_many_who_make_the_key_at_once_all_get_the_same(tmp_path, clock):
    begin = threading.Barrier(8)
    found = []

    def make():
        begin.wait()
        found.append(Tokens.open(tmp_path, clock=clock).issue(ANN, app="acme.shop", lifetime=60))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = Tokens.open(tmp_path, clock=clock)
    assert {last.check(token, "acme.shop").name for token in found} == {"ann"}


def test_a_key_that_others_can_read_is_refused(tmp_path, clock):
    Tokens.open(tmp_path, clock=clock)
    (tmp_path / "token.key").chmod(0o644)
    with pytest.raises(HostError, match=r"others can read.*chmod 600"):
        Tokens.open(tmp_path, clock=clock)


def test_a_key_that_is_too_short_is_refused(tmp_path, clock):
    (tmp_path / "token.key").touch(mode=0o600)
    with pytest.raises(HostError, match=r"0 bytes, expected at least 32"):
        Tokens.open(tmp_path, clock=clock)


def test_a_key_that_cannot_be_made_is_an_error(tmp_path, clock):
    (tmp_path / "file").touch()
    with pytest.raises(HostError, match="cannot be read or made"):
        Tokens.open(tmp_path / "file", clock=clock)


def test_the_server_answers_401_and_says_what_is_wrong_with_a_token(client, tokens, clock):
    path = "/api/v2/apps/acme/bank/workspaces/1"
    token = tokens.issue(ANN, app="acme.shop", lifetime=60)
    for where in ("queries/bank.Q", "docs/bank.D/1"):
        answer = client.get(f"{path}/{where}", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert "acme.bank" in answer.json()["message"]
        assert token not in answer.text
