from __future__ import annotations

import base64
import json
import shutil
import stat

import pytest

from statehold.images import open_image


@pytest.fixture
def image(statehold, samples, tmp_path):
    statehold("build", samples / "acme.hello", "-o", tmp_path / "hello.shi")
    return tmp_path / "hello.shi"


@pytest.fixture
def key(machine, tmp_path):
    machine("keygen", tmp_path / "acme.key")
    return tmp_path / "acme.key"


@pytest.fixture
def store(machine, key, tmp_path):
    machine("trust", "add", "acme", f"{key}.pub", "--trust", tmp_path / "trust.json")
    return tmp_path / "trust.json"


def test_a_key_is_made_for_its_owner_alone(machine, tmp_path):
    made = machine("keygen", tmp_path / "acme.key")
    assert made["private"] == str(tmp_path / "acme.key")
    assert made["public"] == str(tmp_path / "acme.key.pub")
    assert stat.S_IMODE((tmp_path / "acme.key").stat().st_mode) == 0o600
    assert "there already" in machine("keygen", tmp_path / "acme.key", code=1)["error"]["message"]


def test_a_key_for_a_folder_that_is_not_there_is_wrong_usage(statehold, tmp_path):
    assert "there is no folder" in statehold("keygen", tmp_path / "x" / "acme.key", code=2)


def test_a_key_with_a_passphrase_signs_with_it_alone(machine, image, tmp_path):
    (tmp_path / "passphrase").write_text("correct horse\n")
    (tmp_path / "wrong").write_text("battery\n")
    machine("keygen", tmp_path / "k", "--passphrase-file", tmp_path / "passphrase")
    machine("sign", image, "--key", tmp_path / "k", "--passphrase-file", tmp_path / "wrong", code=1)
    assert "nobody to ask" in machine("sign", image, "--key", tmp_path / "k", code=2)["error"]["message"]
    machine("sign", image, "--key", tmp_path / "k", "--passphrase-file", tmp_path / "passphrase")


def test_an_empty_passphrase_is_wrong_usage(statehold, tmp_path):
    (tmp_path / "passphrase").write_text("\n")
    assert "no passphrase" in statehold(
        "keygen", tmp_path / "k", "--passphrase-file", tmp_path / "passphrase", code=2
    )
    assert not (tmp_path / "k").exists()


def test_an_image_is_signed_and_verified_against_its_key(machine, statehold, image, key):
    assert machine("verify", image)["keys"] == []
    signed = machine("sign", image, "--key", key)
    found = machine("verify", image, "--key", f"{key}.pub")
    assert found["keys"] == found["trusted"] == [signed["key"]]
    assert found["digest"] == signed["digest"]
    assert "which is trusted" in statehold("verify", image, "--key", f"{key}.pub")
    assert machine("verify", image)["trusted"] is None


def test_an_image_can_be_signed_into_another_file(machine, image, key, tmp_path):
    machine("sign", image, "--key", key, "-o", tmp_path / "signed.shi")
    assert machine("verify", image)["keys"] == []
    assert machine("verify", tmp_path / "signed.shi")["keys"]


@pytest.mark.parametrize("sign", [True, False])
def test_an_image_that_the_key_has_not_signed_is_no_image_of_it(machine, image, key, tmp_path, sign):
    other = machine("keygen", tmp_path / "other.key")
    if sign:
        machine("sign", image, "--key", key)
    refused = machine("verify", image, "--key", other["public"], code=1)["error"]
    assert refused["type"] == "TrustError"
    assert other["key"] in refused["message"]


def test_a_folder_is_not_signed(machine, samples, key):
    assert "is a folder" in machine("sign", samples / "acme.hello", "--key", key, code=1)["error"]["message"]


def test_verify_asks_a_trust_store(machine, image, key, store):
    assert "not signed" in machine("verify", image, "--trust", store, code=1)["error"]["message"]
    signed = machine("sign", image, "--key", key)
    assert machine("verify", image, "--trust", store)["trusted"] == [signed["key"]]


def test_inspect_lists_who_has_signed_and_whether_that_counts(
    machine, statehold, image, key, store, tmp_path
):
    assert machine("inspect", image)["signatures"] == []
    assert "signed by nobody" in statehold("inspect", image)
    signed = machine("sign", image, "--key", key)
    other = machine("keygen", tmp_path / "other.key")
    machine("sign", image, "--key", tmp_path / "other.key")
    bare = {one["key"]: one for one in machine("inspect", image)["signatures"]}
    assert set(bare) == {signed["key"], other["key"]}
    assert {one["trusted"] for one in bare.values()} == {None}
    found = {one["key"]: one for one in machine("inspect", image, "--trust", store)["signatures"]}
    assert found[signed["key"]] == {"key": signed["key"], "owners": ["acme"], "trusted": True, "problem": ""}
    assert found[other["key"]]["trusted"] is False
    assert found[other["key"]]["owners"] == []
    shown = statehold("inspect", image, "--trust", store)
    assert f"signed with key {signed['key']} of acme, which is trusted" in shown
    assert f"signed with key {other['key']}: key {other['key']} is not known here" in shown


@pytest.mark.parametrize("why", ["revoked", "expired", "owner", "forged", "contents"])
def test_inspect_says_why_a_signature_does_not_count(machine, samples, image, key, store, tmp_path, why):
    signed = machine("sign", image, "--key", key)
    trust = ["--trust", store]
    if why == "revoked":
        machine("trust", "revoke", signed["key"], *trust)
        expected = "was revoked on"
    elif why == "owner":
        trust = ["--trust", tmp_path / "other.json"]
        machine("trust", "add", "others", f"{key}.pub", *trust)
        expected = "is trusted for others, not for acme"
    elif why == "expired":
        trust = ["--trust", tmp_path / "other.json"]
        machine("trust", "add", "acme", f"{key}.pub", "--expires", "2001-01-01", *trust)
        expected = "expired on 2001-01-01"
    else:
        with open_image(image) as opened:
            document = json.loads(opened.signatures)
            if why == "forged":
                document["signatures"][0]["signature"] = base64.b64encode(bytes(64)).decode()
                expected = "the key has not made it"
            else:
                document["digest"] = "0" * 64
                expected = "it is over other contents"
            opened.save(image, signatures=json.dumps(document).encode())
    (found,) = machine("inspect", image, *trust)["signatures"]
    assert found["trusted"] is False
    assert expected in found["problem"]


def test_inspect_shows_an_image_whose_signatures_cannot_be_read(machine, statehold, image):
    with open_image(image) as opened:
        opened.save(image, signatures=b"{")
    found = machine("inspect", image)
    assert found["signatures"] == []
    assert "the signatures of the image are of no use" in found["problem"]
    assert "are of no use" in statehold("inspect", image)


def test_inspect_with_a_store_that_is_of_no_use_is_an_error(machine, image, tmp_path):
    (tmp_path / "trust.json").write_text("{")
    assert (
        "the trust store"
        in machine("inspect", image, "--trust", tmp_path / "trust.json", code=1)["error"]["message"]
    )


def test_the_first_key_makes_the_store_and_it_is_strict(machine, statehold, store):
    listed = machine("trust", "list", "--trust", store)
    assert listed["unsigned"] == "refuse"
    ((owner, trust),) = listed["owners"].items()
    assert owner == "acme"
    assert trust["keys"][0]["revoked"] is None
    shown = statehold("trust", "list", "--trust", store)
    assert "trusted" in shown
    assert trust["keys"][0]["key"] in shown


def test_the_store_is_in_the_data_folder_by_default(machine, key, tmp_path):
    machine("trust", "add", "acme", f"{key}.pub", "--data", tmp_path / "data")
    assert (tmp_path / "data" / "trust.json").is_file()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_rule_is_of_an_owner_or_of_all_others(machine, store):
    machine("trust", "rule", "lab", "isolated", "--trust", store)
    machine("trust", "rule", "*", "isolated", "--trust", store)
    machine("trust", "rule", "acme", "refuse", "--trust", store)
    listed = machine("trust", "list", "--trust", store)
    assert listed["unsigned"] == "isolated"
    assert {owner: trust["unsigned"] for owner, trust in listed["owners"].items()} == {
        "acme": "refuse",
        "lab": "isolated",
    }


@pytest.mark.parametrize("named", ["id", "prefix", "file"])
def test_a_key_is_revoked_for_good(machine, image, key, store, named):
    signed = machine("sign", image, "--key", key)
    which = {"id": signed["key"], "prefix": signed["key"][:8], "file": f"{key}.pub"}[named]
    assert machine("trust", "revoke", which, "--trust", store)["owners"] == ["acme"]
    assert "revoked" in machine("verify", image, "--trust", store, code=1)["error"]["message"]
    assert machine("trust", "list", "--trust", store)["owners"]["acme"]["keys"][0]["revoked"]
    again = machine("trust", "add", "acme", f"{key}.pub", "--trust", store, code=1)
    assert "not trusted again" in again["error"]["message"]


def test_a_key_that_nobody_knows_cannot_be_revoked(machine, store):
    assert "no key" in machine("trust", "revoke", "0" * 32, "--trust", store, code=2)["error"]["message"]
    assert "is no key" in machine("trust", "revoke", "acme", "--trust", store, code=2)["error"]["message"]


def test_a_key_expires_on_its_day(machine, statehold, image, key, store):
    machine("sign", image, "--key", key)
    machine("trust", "add", "acme", f"{key}.pub", "--expires", "2001-02-03", "--trust", store)
    assert "expired on 2001-02-03" in statehold("verify", image, "--trust", store, code=1)
    assert "expired 2001-02-03" in statehold("trust", "list", "--trust", store)


def test_an_owner_is_no_app(machine, key, store):
    assert (
        "is no owner"
        in machine("trust", "add", "acme.hello", f"{key}.pub", "--trust", store, code=2)["error"]["message"]
    )


def test_a_store_that_cannot_be_read_is_not_replaced(machine, key, store):
    store.write_text("{}")
    machine("trust", "add", "acme", f"{key}.pub", "--trust", store, code=1)
    assert json.loads(store.read_text()) == {}
    machine("trust", "list", "--trust", store.with_name("nowhere.json"), code=1)


def test_signatures_that_are_of_another_image_are_refused(machine, statehold, samples, image, key, tmp_path):
    from statehold.images import open_image

    machine("sign", image, "--key", key)
    folder = tmp_path / "acme.hello"
    shutil.copytree(samples / "acme.hello", folder)
    machine("build", folder, "-o", tmp_path / "other.shi", "--version", "9")
    with open_image(image) as one, open_image(tmp_path / "other.shi") as other:
        other.save(tmp_path / "other.shi", signatures=one.signatures)
    assert "over other contents" in statehold("verify", tmp_path / "other.shi", "--key", f"{key}.pub", code=1)


# The store says what is deployed


@pytest.fixture
def strict(machine, key, tmp_path):
    """The data folder of a host with a trust store."""
    machine("trust", "add", "acme", f"{key}.pub", "--data", tmp_path / "data")
    return tmp_path / "data"


def test_deploy_refuses_what_is_not_signed(machine, strict, samples, image, key):
    for unsigned in (image, samples / "acme.hello"):
        error = machine("deploy", unsigned, "--data", strict, code=1)["error"]
        assert error["type"] == "TrustError"
        assert "is not signed" in error["message"]
    assert machine("apps", "--data", strict)["apps"] == []
    machine("sign", image, "--key", key)
    assert machine("deploy", image, "--data", strict)["state"] == "current"


def test_deploy_takes_the_store_that_is_named(machine, store, image, key, tmp_path, monkeypatch):
    data = ("--data", tmp_path / "elsewhere")
    assert "not signed" in machine("deploy", image, *data, "--trust", store, code=1)["error"]["message"]
    monkeypatch.setenv("STATEHOLD_TRUST", str(store))
    machine("deploy", image, *data, code=1)
    monkeypatch.setenv("STATEHOLD_TRUST", str(tmp_path / "nowhere.json"))
    assert "cannot be read" in machine("deploy", image, *data, code=1)["error"]["message"]
    monkeypatch.delenv("STATEHOLD_TRUST")
    machine("deploy", image, *data)


@pytest.mark.parametrize(
    "arguments",
    [
        ("exec", "acme.hello", "hello.Greet"),
        ("matrix", "acme.hello"),
        ("activate", "acme.hello", "1"),
    ],
)
def test_no_command_runs_what_a_revoked_key_has_signed(machine, strict, image, key, arguments):
    machine("sign", image, "--key", key)
    machine("deploy", image, "--data", strict)
    machine("trust", "revoke", f"{key}.pub", "--data", strict)
    assert "was revoked" in machine(*arguments, "--data", strict, code=1)["error"]["message"]
