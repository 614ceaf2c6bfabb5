"""A server refuses over HTTP what its host's trust store does not take."""

from __future__ import annotations

import pytest
from cafe import cafe

from statehold.hosting import Host
from statehold.processing import Runtime
from statehold.trust import SigningKey, TrustedKey, change_store, sign_image

VERSIONS = "/api/v2/apps/acme/cafe/versions"


@pytest.fixture
def key():
    return SigningKey.generate()


@pytest.fixture
def store(tmp_path, key):
    path = tmp_path / "trust.json"
    change_store(path, lambda old: old.with_key("acme", TrustedKey(public=key.public)))
    return path


@pytest.fixture
def client(start, system, tmp_path, store):
    with Host(tmp_path / "data", environ={}, trust=store) as host, Runtime(host) as runtime:
        client = start(host=host, of=runtime)
        client.headers.update(system)
        yield client
        start.stop()


@pytest.fixture
def image(tmp_path, key):
    def make(version="1", *, by=key):
        path = cafe(tmp_path, version)
        if by is not None:
            sign_image(path, by)
        return path.read_bytes()

    return make


def test_a_signed_image_is_deployed_and_an_unsigned_one_is_not(client, image):
    refused = client.post(VERSIONS, content=image("1", by=None))
    assert refused.status_code == 409
    assert "is not signed" in refused.json()["message"]
    assert client.get(VERSIONS).json()["versions"] == []
    assert client.post(VERSIONS, content=image("2")).status_code == 201


def test_an_image_with_a_foreign_signature_is_not_deployed(client, image):
    refused = client.post(VERSIONS, content=image(by=SigningKey.generate()))
    assert refused.status_code == 409
    assert "is not known here" in refused.json()["message"]


def test_a_version_whose_key_was_revoked_is_not_activated(client, image, store, key):
    assert client.post(VERSIONS, content=image("1")).status_code == 201
    assert client.post(f"{VERSIONS}?beside=true", content=image("2")).status_code == 201
    change_store(store, lambda old: old.with_key("acme", TrustedKey(public=key.public, revoked=1.0)))
    refused = client.post(f"{VERSIONS}/2/activate")
    assert refused.status_code == 409
    assert "was revoked" in refused.json()["message"]
    assert client.get(VERSIONS).json()["current"] == "1"


def test_a_store_that_cannot_be_read_refuses_all(client, image, store):
    store.write_text("{}")
    refused = client.post(VERSIONS, content=image())
    assert refused.status_code == 409
    assert "the trust store" in refused.json()["message"]
