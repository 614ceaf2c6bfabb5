from __future__ import annotations

import json
import shutil

import pytest


@pytest.fixture
def two(samples, tmp_path):
    """Make the sample a second time, with a part of its declarations replaced."""

    def make(*replaced, name="acme.bills"):
        folder = tmp_path / "new" / name
        shutil.copytree(samples / "acme.bills", folder)
        path = folder / "image" / "pkg" / "acme.example" / "bills" / "bills.vsql"
        text = path.read_text()
        for old, new in replaced:
            assert text.count(old) == 1
            text = text.replace(old, new)
        path.write_text(text)
        return samples / "acme.bills", folder

    return make


AT = ("VALUE (Reading float64, At int64)", "VALUE (Reading float64)")
MORE = ("  -- The menu\n", "  TABLE Guest2 INHERITS sys.CDoc (Name varchar);\n  -- The menu\n")


def test_nothing_has_changed_between_a_folder_and_itself(machine, statehold, samples):
    found = machine("diff", samples / "acme.bills", samples / "acme.bills")
    assert (found["breaking"], found["changes"]) == (0, [])
    assert "nothing has changed" in statehold("diff", samples / "acme.bills", samples / "acme.bills")


def test_a_compatible_change_is_told_and_is_no_error(machine, statehold, two):
    old, new = two(MORE)
    (change,) = machine("diff", old, new)["changes"]
    assert (change["code"], change["subject"], change["breaks"]) == (
        "table-added",
        "table bills.Guest2",
        None,
    )
    assert change["old"] is None
    assert change["new"]["path"].endswith("bills.vsql")
    assert "compatible: 1 compatible change" in statehold("diff", old, new)


def test_a_breaking_change_is_an_error_with_its_place(machine, statehold, two):
    old, new = two(AT, MORE)
    found = machine("diff", old, new, code=1)
    assert found["breaking"] == 1
    change = next(one for one in found["changes"] if one["breaking"])
    assert (change["code"], change["subject"], change["breaks"]) == (
        "field-removed",
        "storage bills.Scada",
        "data",
    )
    text = (new / "image/pkg/acme.example/bills/bills.vsql").read_text().split("\n")
    assert "STORAGE Scada" in text[change["new"]["line"] - 1]
    shown = statehold("diff", old, new, code=1)
    assert "breaking: storage bills.Scada: value field At is gone [field-removed, breaks data]" in shown
    assert f"bills.vsql:{change['new']['line']}:{change['new']['column']}" in shown
    assert "1 breaking change, 1 compatible change" in shown


def test_images_are_compared_with_images_and_with_folders(machine, two, tmp_path):
    old, new = two(AT)
    machine("build", old, "-o", tmp_path / "old.shi")
    machine("build", new, "-o", tmp_path / "new.shi", "--version", "9")
    for pair in ((tmp_path / "old.shi", tmp_path / "new.shi"), (tmp_path / "old.shi", new)):
        assert machine("diff", *pair, code=1)["breaking"] == 1
    assert machine("diff", tmp_path / "old.shi", old)["changes"] == []


def test_single_files_are_compared(machine, tmp_path):
    for name, text in (("old", "TYPE"), ("new", "TYPE")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.vsql").write_text(
            f"WORKSPACE W (\n  {text} T (A int32);\n  EXTENSION ENGINE PYTHON (COMMAND {name}(T););\n);\n"
        )
    found = machine("diff", tmp_path / "old" / "a.vsql", tmp_path / "new" / "a.vsql", code=1)
    assert "command-removed" in {change["code"] for change in found["changes"]}


def test_what_has_errors_is_not_compared(machine, statehold, two):
    old, new = two(("APPLICATION bills();", "APPLICATION bills(;"))
    assert machine("diff", old, new, code=1)["error"]["type"] == "CompileError"
    assert "cannot be compared" in statehold("diff", old, new, code=1)


def test_the_second_version_of_the_sample_is_compatible(machine, samples, tmp_path):
    first = samples / "acme.bills"
    folder = tmp_path / "acme.bills"
    shutil.copytree(first, folder)
    shutil.copytree(first / "version-2", folder, dirs_exist_ok=True)
    assert machine("diff", first, folder)["breaking"] == 0


def test_deploy_refuses_what_breaks_and_takes_it_where_that_is_accepted(machine, two, tmp_path, monkeypatch):
    old, new = two(("  PUBLISHED ROLE Cook;", "  ROLE Cook;"))
    monkeypatch.setenv("STATEHOLD_SECRET_SCADA_PASSWORD", "x")
    monkeypatch.setenv("STATEHOLD_SECRET_RATES_URL", "http://127.0.0.1:9")
    data = ("--data", tmp_path / "data")
    machine("deploy", old, *data)
    machine("build", new, "-o", tmp_path / "new.shi", "--version", "9")
    error = machine("deploy", tmp_path / "new.shi", *data, code=1)["error"]
    assert error["problems"] == ["role bills.Cook: is not PUBLISHED any more (breaks clients)"]
    assert "--accept-breaking" in error["hint"]
    assert machine("deploy", tmp_path / "new.shi", *data, "--accept-breaking")["version"] == "9"


def test_activate_refuses_what_breaks_and_was_not_compared_with_what_is_current(
    machine, two, tmp_path, monkeypatch
):
    old, new = two(("  PUBLISHED ROLE Cook;", "  ROLE Cook;"))
    monkeypatch.setenv("STATEHOLD_SECRET_SCADA_PASSWORD", "x")
    monkeypatch.setenv("STATEHOLD_SECRET_RATES_URL", "http://127.0.0.1:9")
    data = ("--data", tmp_path / "data")
    machine("build", new, "-o", tmp_path / "new.shi", "--version", "9")
    machine("deploy", tmp_path / "new.shi", "--beside", *data)
    machine("deploy", old, *data)
    error = machine("activate", "acme.bills", "9", *data, code=1)["error"]
    assert error["problems"] == ["role bills.Cook: is not PUBLISHED any more (breaks clients)"]
    activated = machine("activate", "acme.bills", "9", *data, "--accept-breaking")
    assert activated["current"] == "9"


def test_descriptors_are_compared_where_both_have_one(machine, statehold, two, tmp_path):
    old, new = two(MORE)
    descriptor = json.loads((new / "descriptor.json").read_text())
    storages = {**descriptor.get("Storages", {}), "bills.Scada": {"allow": {"network": ["scada.example"]}}}
    (new / "descriptor.json").write_text(json.dumps({**descriptor, "Storages": storages, "NumParts": 7}))
    found = machine("diff", old, new, code=1)
    codes = {one["code"]: one["breaks"] for one in found["changes"]}
    assert codes["descriptor-partitions"] == "data"
    assert codes["descriptor-allow-added"] == "operator"
    assert codes["table-added"] is None
    shown = statehold("diff", old, new, code=1)
    assert "breaking: descriptor.json: Storages.bills.Scada.allow.network: has scada.example" in shown
    assert "[descriptor-allow-added, breaks operator]" in shown
    packed = [
        machine("build", folder, "-o", tmp_path / f"{folder.parent.name}.shi")["path"]
        for folder in (old, new)
    ]
    assert machine("diff", *packed, code=1)["breaking"] == found["breaking"] == 2
