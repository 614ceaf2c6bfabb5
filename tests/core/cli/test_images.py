from __future__ import annotations

import json
import shutil
import zipfile


def test_an_image_is_built_inspected_and_verified(machine, samples, tmp_path):
    built = machine("build", samples / "acme.bills", "-o", tmp_path)
    assert built["path"] == str(tmp_path / "acme.bills-1.shi")
    inspected = machine("inspect", built["path"])
    assert inspected["packages"]["acme.example/bills"]["plugins"][0]["name"] == "storages-1.whl"
    verified = machine("verify", built["path"])
    assert verified["digest"] == inspected["digest"] == built["digest"]
    assert verified["problems"] == []


def test_building_twice_gives_the_same_bytes(statehold, samples, tmp_path):
    for name in ("a.shi", "b.shi"):
        statehold("build", samples / "acme.bills", "-o", tmp_path / name)
    assert (tmp_path / "a.shi").read_bytes() == (tmp_path / "b.shi").read_bytes()


def test_the_version_can_be_given(statehold, samples, tmp_path):
    assert "acme.hello-7.shi" in statehold("build", samples / "acme.hello", "-o", tmp_path, "--version", "7")


def test_an_image_for_a_folder_that_is_not_there_is_wrong_usage(statehold, samples, tmp_path):
    assert "there is no folder" in statehold("build", samples / "acme.hello", "-o", tmp_path / "x/y", code=2)


def test_a_folder_that_is_no_application_is_refused(statehold, tmp_path):
    assert "error:" in statehold("build", tmp_path, code=1)


def test_a_tampered_image_is_refused_by_name(machine, statehold, samples, tmp_path):
    statehold("build", samples / "acme.hello", "-o", tmp_path / "good.shi")
    with zipfile.ZipFile(tmp_path / "good.shi") as good, zipfile.ZipFile(tmp_path / "bad.shi", "w") as bad:
        for name in good.namelist():
            bad.writestr(name, good.read(name) + (b"-- x\n" if name.endswith(".vsql") else b""))
    assert "hello.vsql" in statehold("verify", tmp_path / "bad.shi", code=1)
    assert machine("verify", tmp_path / "bad.shi", code=1)["problems"]


def test_a_file_that_is_no_image_is_refused(statehold, machine, tmp_path):
    (tmp_path / "x.shi").write_bytes(b"no zip at all")
    assert "is refused" in statehold("verify", tmp_path / "x.shi", code=1)
    assert machine("inspect", tmp_path / "x.shi", code=1)["error"]["type"] == "ImageError"


def test_inspect_lists_files_on_request(statehold, samples):
    assert "hello.vsql" in statehold("inspect", samples / "acme.hello", "--files")


def test_inspect_shows_what_the_operator_sets_for_storages_and_extensions(
    statehold, machine, samples, tmp_path
):
    app = tmp_path / "acme.hello"
    shutil.copytree(samples / "acme.hello", app)
    settings = json.loads((app / "descriptor.json").read_text())
    settings["Extensions"] = {"hello": {"limits": {"memory_mib": 32, "seconds": {"QUERIES": 2}}}}
    (app / "descriptor.json").write_text(json.dumps(settings))
    said = statehold("inspect", app)
    assert "extensions hello: limits memory_mib = 32, seconds (QUERIES = 2)" in said
    found = machine("inspect", app)["descriptor"]["Extensions"]
    assert found == {"hello": {"limits": {"memory_mib": 32, "seconds": {"QUERIES": 2}}}}
