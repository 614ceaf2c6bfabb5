"""What a host does with images by its trust store: at deploy, activation, roll-back, and when it starts."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
import warnings
import zipfile
from contextlib import nullcontext

import attrs
import pytest

from statehold.images import open_image
from statehold.loading import PluginFiles
from statehold.sdk import DeployError, ImageError, StateholdError
from statehold.trust import (
    OwnerTrust,
    Rule,
    Signature,
    Signatures,
    SigningKey,
    TrustedKey,
    TrustError,
    change_store,
    sign_image,
)

# Says that it was imported, wherever that happens.
MARKED = "import pathlib; pathlib.Path({!r}).write_text('imported')"


@pytest.fixture
def key():
    return SigningKey.generate()


@pytest.fixture
def store(tmp_path, key):
    """Where a host has its trust store by default."""
    (tmp_path / "data").mkdir(mode=0o700)
    path = tmp_path / "data" / "trust.json"
    change_store(path, lambda store: store.with_key("acme", TrustedKey(public=key.public)))
    return path


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "mark"


@pytest.fixture
def marked(kitchen, mark):
    """An image whose plugin leaves a mark when it is imported."""
    return kitchen("1", code=MARKED.format(str(mark)))


@pytest.fixture
def signed(kitchen, key):
    def make(version="1", **options):
        path = kitchen(version, **options)
        sign_image(path, key)
        return path

    return make


def revoke(store, key):
    change_store(store, lambda old: old.with_key("acme", TrustedKey(public=key.public, revoked=1.0)))


def current(host):
    return host.app("acme.kitchen").current.name


def refused(host, image, match):
    with pytest.raises(TrustError, match=match):
        host.deploy(image)
    assert host.apps() == ()


def stamp(image, signatures):
    with open_image(image) as opened:
        opened.save(image, signatures=signatures)


def signatures_of(image):
    with open_image(image) as opened:
        return Signatures.parse(opened.signatures)


def test_a_host_without_a_trust_store_takes_any_image(host, kitchen):
    assert host.deploy(kitchen()).name == "1"


def test_a_host_with_one_takes_what_its_keys_have_signed(store, open_host, signed):
    assert open_host().deploy(signed()).name == "1"


def test_an_unsigned_image_is_refused_before_its_code_is_imported(store, open_host, marked, mark):
    refused(open_host(), marked, "is not signed")
    assert not mark.exists()


def test_a_folder_is_unsigned_and_is_refused(store, open_host, kitchen):
    refused(open_host(), kitchen.source(), "is not signed")


def test_a_missing_key_is_refused(store, open_host, marked, mark):
    sign_image(marked, SigningKey.generate())
    refused(open_host(), marked, "is not known here")
    assert not mark.exists()


def test_a_key_of_another_owner_is_refused(store, open_host, signed):
    refused(open_host(), signed(app="other.kitchen"), "trusted for acme, not for other")


def test_a_revoked_key_is_refused(store, open_host, signed, key):
    revoke(store, key)
    refused(open_host(), signed(), "was revoked")


def test_an_expired_key_is_refused(store, open_host, signed, key):
    change_store(store, lambda old: old.with_key("acme", TrustedKey(public=key.public, expires=1.0)))
    refused(open_host(), signed(), "expired")


def test_an_empty_signature_is_refused(store, open_host, signed, key):
    image = signed()
    document = json.loads(signatures_of(image).dump())
    document["signatures"] = [{"key": key.public.id, "signature": ""}]
    stamp(image, json.dumps(document).encode())
    host = open_host()
    refused(host, image, "expected 64 bytes")
    stamp(image, b"")
    refused(host, image, "no use")


@pytest.mark.parametrize("digest", [None, "", "0" * 64])
def test_a_null_digest_is_refused(store, open_host, signed, digest):
    image = signed()
    stamp(image, json.dumps({**json.loads(signatures_of(image).dump()), "digest": digest}).encode())
    refused(open_host(), image, "digest")


def test_a_valid_signature_over_other_bytes_is_refused(store, open_host, signed, marked, mark):
    signatures = signatures_of(signed())
    stamp(marked, signatures.dump())
    host = open_host()
    refused(host, marked, "over other contents")
    with open_image(marked) as opened:
        stamp(marked, attrs.evolve(signatures, digest=opened.digest).dump())
    refused(host, marked, "that the key has not made")
    assert not mark.exists()


def test_a_signature_of_one_key_under_the_name_of_another_is_refused(store, open_host, kitchen, key):
    image = kitchen()
    (stolen,) = sign_image(image, SigningKey.generate())
    claimed = Signature(key=key.public.id, value=stolen.value)
    stamp(image, attrs.evolve(signatures_of(image), signatures=(claimed,)).dump())
    refused(open_host(), image, "that the key has not made")


@pytest.mark.parametrize("damage", ["text", "mode", "folder", "gone"])
def test_a_store_that_cannot_be_read_refuses_all(store, open_host, signed, damage):
    host = open_host()
    host.deploy(signed())
    if damage == "text":
        store.write_text("{}")
    elif damage == "mode":
        store.chmod(0o666)
    else:
        store.unlink()
        if damage == "folder":
            store.mkdir()
    with pytest.raises(TrustError, match="the trust store"):
        host.deploy(signed("2"))
    with pytest.raises(TrustError, match="the trust store"):
        host.deploy(signed("1"))
    assert current(host) == "1"


def test_a_key_that_was_taken_out_of_the_store_is_refused(store, open_host, signed):
    host = open_host()
    host.deploy(signed())
    change_store(store, lambda old: old.with_owner("acme", OwnerTrust()))
    with pytest.raises(TrustError, match="is not known here"):
        host.deploy(signed("2"))
    host.close()
    running, warnings = brought_back(open_host)
    assert running == []
    assert "is not known here" in warnings


def test_a_store_that_is_a_link_into_nothing_refuses_all(store, open_host, signed, tmp_path):
    image = signed()
    store.unlink()
    store.symlink_to(tmp_path / "nowhere.json")
    refused(open_host(), image, "the trust store")


def test_a_store_that_may_not_be_read_refuses_all(store, open_host, signed, monkeypatch):
    image, host, opened = signed(), open_host(), os.open

    def open_no_store(path, *args, **options):
        if path == store:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *args, **options)

    monkeypatch.setattr(os, "open", open_no_store)
    refused(host, image, "the trust store .* cannot be read: Permission denied")


def test_a_store_with_a_member_twice_refuses_all(store, open_host, signed):
    """Of two rules of one owner, one would be taken and the other overlooked."""
    text = store.read_text()
    store.write_text(text.replace('"unsigned":', '"unsigned": "isolated",\n  "unsigned":', 1))
    refused(open_host(), signed(), "the trust store")


def test_a_store_that_was_named_must_be_there(tmp_path, open_host, signed):
    refused(open_host(trust=tmp_path / "nowhere.json"), signed(), "the trust store")


def test_a_store_elsewhere_is_used_instead_of_the_host_s_own(store, tmp_path, open_host, signed):
    other = SigningKey.generate()
    elsewhere = tmp_path / "elsewhere.json"
    change_store(elsewhere, lambda old: old.with_key("acme", TrustedKey(public=other.public)))
    host = open_host(trust=elsewhere)
    image = signed()
    refused(host, image, "is not known here")
    sign_image(image, other)
    assert host.deploy(image).name == "1"


def test_a_refusal_leaves_what_runs_as_it_is(store, open_host, signed, kitchen):
    host = open_host()
    host.deploy(signed())
    with pytest.raises(TrustError):
        host.deploy(kitchen("2"))
    assert current(host) == "1"
    assert [version.version for version in host.apps()[0].versions] == ["1"]


def test_a_store_that_appears_counts_at_once(open_host, tmp_path, kitchen, key):
    host = open_host()
    host.deploy(kitchen())
    change_store(
        tmp_path / "data" / "trust.json",
        lambda old: old.with_key("acme", TrustedKey(public=key.public)),
    )
    with pytest.raises(TrustError, match="is not signed"):
        host.deploy(kitchen("2"))


# What was deployed before is judged again, whenever it is to run again


def brought_back(open_host):
    with open_host() as host:
        running = [app.name for app in host.running]
        return running, " ".join(host.warnings)


def test_a_host_that_starts_again_brings_back_what_is_signed(store, open_host, signed):
    with open_host() as host:
        host.deploy(signed())
    assert brought_back(open_host) == (["acme.kitchen"], "")


def test_a_host_that_starts_again_leaves_away_what_a_revoked_key_has_signed(
    store, open_host, marked, mark, key
):
    sign_image(marked, key)
    with open_host() as host:
        host.deploy(marked)
    mark.unlink()
    revoke(store, key)
    running, warnings = brought_back(open_host)
    assert running == []
    assert "was revoked" in warnings
    assert not mark.exists()


def test_a_host_that_starts_again_brings_back_what_came_before_the_key_expired(store, open_host, signed, key):
    with open_host() as host:
        host.deploy(signed())
    until = time.time()
    change_store(store, lambda old: old.with_key("acme", TrustedKey(public=key.public, expires=until)))
    for _ in range(2):
        with open_host() as host:
            assert current(host) == "1"
            with pytest.raises(TrustError, match="expired"):
                host.deploy(signed("2"))
            with pytest.raises(TrustError, match="expired"):
                host.deploy(signed("1"))


def test_a_host_that_starts_again_refuses_what_came_before_it_had_a_store(open_host, kitchen, key, tmp_path):
    image = kitchen()
    with open_host() as host:
        host.deploy(image)
    change_store(
        tmp_path / "data" / "trust.json",
        lambda old: old.with_key("acme", TrustedKey(public=key.public)),
    )
    running, warnings = brought_back(open_host)
    assert running == []
    assert "is not signed" in warnings
    sign_image(image, key)
    with open_host() as host:
        assert host.deploy(image).name == "1"
    assert brought_back(open_host) == (["acme.kitchen"], "")


def test_a_host_that_starts_again_refuses_an_image_that_was_replaced_in_its_store(
    store, open_host, signed, marked, mark, tmp_path
):
    with open_host() as host:
        host.deploy(signed())
    (kept,) = (tmp_path / "data" / "images").iterdir()
    shutil.copy(marked, kept)
    running, warnings = brought_back(open_host)
    assert running == []
    assert "expected" in warnings
    assert not mark.exists()


def test_a_host_that_starts_again_refuses_an_image_whose_signatures_were_taken_away(
    store, open_host, signed, tmp_path
):
    image = signed()
    with open_host() as host:
        host.deploy(image)
    (kept,) = (tmp_path / "data" / "images").iterdir()
    with open_image(kept) as opened:
        attrs.evolve(opened, signatures=None).save(kept)
    running, warnings = brought_back(open_host)
    assert running == []
    assert "is not signed" in warnings


def test_a_host_whose_store_is_damaged_starts_and_brings_nothing_back(store, open_host, signed):
    with open_host() as host:
        host.deploy(signed())
    store.write_text("{")
    running, warnings = brought_back(open_host)
    assert running == []
    assert "the trust store" in warnings


def test_a_version_beside_is_not_activated_after_its_key_was_revoked(store, open_host, signed, kitchen, key):
    host = open_host()
    other = SigningKey.generate()
    change_store(store, lambda old: old.with_key("acme", TrustedKey(public=other.public)))
    first = kitchen("1")
    sign_image(first, other)
    host.deploy(first)
    host.deploy(signed("2"), activate=False)
    revoke(store, key)
    with pytest.raises(TrustError, match="was revoked"):
        host.activate("acme.kitchen", "2")
    assert current(host) == "1"


def test_a_version_is_not_rolled_back_to_after_its_key_was_revoked(store, open_host, signed, kitchen, key):
    host = open_host()
    other = SigningKey.generate()
    change_store(store, lambda old: old.with_key("acme", TrustedKey(public=other.public)))
    host.deploy(signed("1"))
    second = kitchen("2")
    sign_image(second, other)
    host.deploy(second)
    revoke(store, key)
    with pytest.raises(TrustError, match="was revoked"):
        host.rollback("acme.kitchen")
    assert current(host) == "2"


def test_rolling_back_keeps_the_day_on_which_a_version_came(store, open_host, signed, key):
    host = open_host()
    host.deploy(signed("1"))
    came = host.apps()[0].versions[0].deployed_at
    host.deploy(signed("2"))
    host.rollback("acme.kitchen")
    assert {one.version: one.deployed_at for one in host.apps()[0].versions}["1"] == came


def test_an_unsigned_copy_takes_no_signature_away(store, open_host, signed, kitchen):
    """A rule that permits unsigned images must not make signed ones unsigned."""
    change_store(store, lambda old: attrs.evolve(old, unsigned=Rule.ISOLATED))
    image = signed()
    with open_host() as host:
        host.deploy(image)
        with open_image(image) as opened:
            attrs.evolve(opened, signatures=None).save(image)
        host.deploy(image)
    assert brought_back(open_host) == (["acme.kitchen"], "")


# What was verified is what is loaded


EARLY = ("compile", "load the plugins")


@pytest.mark.parametrize("how", ["replaced", "overwritten"])
@pytest.mark.parametrize("step", ["compile", "load the plugins", "open partition"])
def test_a_file_that_is_swapped_meanwhile_is_not_what_is_loaded(
    store, open_host, signed, marked, mark, how, step
):
    image = signed()
    swapped = []

    def swap(told):
        if told.startswith(step) and not swapped:
            swapped.append(told)
            if how == "replaced":
                shutil.copy(marked, image.with_suffix(".other"))
                image.with_suffix(".other").replace(image)
            else:
                shutil.copy(marked, image)

    with open_image(marked) as other:
        evil = other.digest
    host = open_host()
    # Whoever overwrites the file in its place is found out where more of it is read; a new one is not seen.
    with pytest.raises(StateholdError) if how == "overwritten" and step in EARLY else nullcontext():
        assert host.deploy(image, progress=swap).digest != evil
    assert swapped
    assert not mark.exists()


def test_an_image_that_is_swapped_before_it_is_verified_is_judged_itself(
    store, open_host, signed, marked, mark
):
    image = signed()

    def swap(told):
        if told.startswith("verify"):
            shutil.copy(marked, image)

    with pytest.raises(TrustError, match="is not signed"):
        open_host().deploy(image, progress=swap)
    assert not mark.exists()


def test_a_link_that_is_turned_to_another_image_meanwhile_leads_to_the_one_that_was_verified(
    store, open_host, signed, marked, mark, tmp_path
):
    image, link = signed(), tmp_path / "link.shi"
    link.symlink_to(image)
    with open_image(image) as opened:
        digest = opened.digest

    def swap(told):
        if told.startswith("compile"):
            (tmp_path / "other").symlink_to(marked)
            (tmp_path / "other").replace(link)

    assert open_host().deploy(link, progress=swap).digest == digest
    assert link.resolve() == marked.resolve()
    assert not mark.exists()


@pytest.mark.parametrize("step", ["verify", *EARLY])
def test_a_folder_that_is_changed_meanwhile_is_what_was_verified_or_is_refused(host, kitchen, mark, step):
    """Where a host has no trust store: with one, a folder is refused anyway."""
    root = kitchen.source()
    plugin = root / "image/pkg/example.com/kitchen/storages/kitchen_devices/__init__.py"
    text = plugin.read_text()

    def change(told):
        if told.startswith(step):
            plugin.write_text(MARKED.format(str(mark)) + "\n" + text)

    with open_image(root) as opened:
        before = opened.digest
    version = host.deploy(root, progress=change)
    # Before it is verified, it is another folder; later, nothing of it is read but what was verified.
    assert (version.digest == before) is not mark.exists()
    assert (step == "verify") is mark.exists()


def plugin_files(tmp_path):
    return [path for path in (tmp_path / "data" / "storages").iterdir() if not path.name.startswith(".")]


def evil_plugin(kitchen, mark, tmp_path):
    """Return the plugin file of another image, which leaves a mark when it is imported."""
    with open_image(kitchen("9", code=MARKED.format(str(mark)))) as opened:
        (plugin,) = opened.plugins
        return opened.read(plugin.path)


@pytest.mark.parametrize("how", ["overwritten", "replaced", "linked"])
def test_a_copy_of_a_plugin_that_was_tampered_with_is_not_loaded_by_a_host_that_starts(
    store, open_host, signed, kitchen, mark, tmp_path, how
):
    with open_host() as host:
        host.deploy(signed())
    (copy,) = plugin_files(tmp_path)
    evil = evil_plugin(kitchen, mark, tmp_path)
    tamper(copy, evil, how, tmp_path)
    assert brought_back(open_host) == (["acme.kitchen"], "")
    assert not mark.exists()
    (copy,) = plugin_files(tmp_path)
    assert copy.read_bytes() != evil
    assert not copy.is_symlink()


@pytest.mark.parametrize("how", ["overwritten", "replaced", "linked"])
def test_a_copy_of_a_plugin_that_is_tampered_with_right_after_it_was_checked_is_not_loaded(
    store, open_host, signed, kitchen, mark, tmp_path, monkeypatch, how
):
    """Between the copy into the host's store and the load from there."""
    evil = evil_plugin(kitchen, mark, tmp_path)
    add = PluginFiles.add
    tampered = []

    def add_and_tamper(files, data, **options):
        copy = add(files, data, **options)
        tamper(copy, evil, how, tmp_path)
        tampered.append(copy)
        return copy

    monkeypatch.setattr(PluginFiles, "add", add_and_tamper)
    with pytest.raises(DeployError, match="is not the one expected"):
        open_host().deploy(signed())
    assert tampered
    assert not mark.exists()


def tamper(path, data, how, tmp_path):
    other = tmp_path / "other-plugin"
    other.write_bytes(data)
    if how == "overwritten":
        path.chmod(0o644)
        path.write_bytes(data)
    elif how == "replaced":
        other.replace(path)
    else:
        path.unlink()
        path.symlink_to(other)


def test_an_archive_that_has_a_file_twice_is_refused(store, open_host, signed, marked, mark):
    """Of two files of one name, one could be verified and the other loaded."""
    image = signed()
    with open_image(image) as opened, open_image(marked) as other:
        (plugin,) = other.plugins
        data = other.read(plugin.path)
        name = opened.plugins[0].path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(image, "a") as archive:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    host = open_host()
    with pytest.raises(ImageError, match="twice"):
        host.deploy(image)
    assert host.apps() == ()
    assert not mark.exists()


def test_a_member_twice_in_the_signatures_is_refused(store, open_host, signed):
    image = signed()
    text = signatures_of(image).dump().decode()
    stamp(image, text.replace('"digest":', '"digest": "' + "0" * 64 + '",\n  "digest":', 1).encode())
    refused(open_host(), image, "digest")


# Owners whose unsigned images are taken isolated


@pytest.fixture
def isolated(store):
    change_store(store, lambda old: old.with_owner("lab", OwnerTrust(unsigned=Rule.ISOLATED)))
    return store


def test_an_unsigned_image_may_run_no_python_in_this_process(isolated, open_host, kitchen, mark):
    image = kitchen(app="lab.kitchen", code=MARKED.format(str(mark)))
    with pytest.raises(DeployError) as caught:
        open_host().deploy(image)
    problems = " ".join(caught.value.problems)
    assert "Storages.kitchen.Scada.isolation: expected sidecar, got none" in problems
    assert "extensions in Python run in the host's process" in problems
    assert not mark.exists()


def test_an_unsigned_image_may_not_ask_for_this_process(isolated, open_host, kitchen, mark):
    storages = {"kitchen.Scada": {"isolation": "inprocess"}}
    image = kitchen(app="lab.kitchen", code=MARKED.format(str(mark)), Storages=storages)
    with pytest.raises(DeployError, match="expected sidecar, got inprocess"):
        open_host().deploy(image)
    assert not mark.exists()


@pytest.mark.parametrize("storage", ["kitchen.Scada", "sys.Http"])
def test_an_unsigned_image_may_not_allow_itself_hosts(isolated, open_host, kitchen, mark, storage):
    storages = {"kitchen.Scada": {"isolation": "sidecar"}}
    storages[storage] = {**storages.get(storage, {}), "allow": {"network": ["127.0.0.1"]}}
    image = kitchen(app="lab.kitchen", code=MARKED.format(str(mark)), Storages=storages)
    with pytest.raises(DeployError) as caught:
        open_host().deploy(image)
    assert f"Storages.{storage}.allow: nobody has signed the image" in " ".join(caught.value.problems)
    assert not mark.exists()


def test_an_unsigned_image_without_python_runs(isolated, open_host, tmp_path):
    root = tmp_path / "lab.plain"
    package = root / "image/pkg/example.com/plain"
    package.mkdir(parents=True)
    (package / "plain.vsql").write_text("APPLICATION plain();")
    (root / "descriptor.json").write_text('{"Version": "1"}')
    assert open_host().deploy(root).name == "1"


def test_a_signed_image_of_such_an_owner_runs_as_any(isolated, open_host, kitchen):
    other = SigningKey.generate()
    change_store(isolated, lambda old: old.with_key("lab", TrustedKey(public=other.public)))
    image = kitchen(app="lab.kitchen")
    sign_image(image, other)
    assert open_host().deploy(image).name == "1"
