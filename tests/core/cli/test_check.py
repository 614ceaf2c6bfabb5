from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

_GOOD = """APPLICATION shop();
STATESTORAGE ENGINE BUILTIN (
  STORAGE Notes (GET SCOPE(QUERIES), INSERT SCOPE(COMMANDS))
  KEY (Subject text NOT NULL) VALUE (Body text) WITH PROVIDER=Table;
)
WORKSPACE ShopWS (
  TYPE P (A varchar);
  EXTENSION ENGINE PYTHON (
    QUERY Ask(P) STATE(Notes) RETURNS P;
  );
);
"""
_BAD = _GOOD.replace("QUERY Ask(P) STATE(Notes) RETURNS P", "COMMAND Ask(P) STATE(Notes)")


@pytest.fixture
def shop(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "shop.vsql").write_text(_GOOD)
    return folder


def test_a_sound_package_is_counted(statehold, shop):
    assert statehold("check", shop) == "✓ no errors: 1 file, 1 storage, 1 extension\n"


def test_an_error_shows_its_line_and_a_caret(statehold, shop):
    (shop / "shop.vsql").write_text(_BAD)
    lines = statehold("check", shop, code=1).splitlines()
    assert lines[0].startswith("error: ")
    assert lines[1].strip() == f"--> {shop / 'shop.vsql'}:9:26"
    assert lines[2] == "9 |     COMMAND Ask(P) STATE(Notes);"
    assert lines[3] == "  |                          ^^^^^"
    assert lines[-1] == "✗ 1 error, 0 warnings in 1 file"


def test_a_machine_gets_the_position(machine, shop):
    (shop / "shop.vsql").write_text(_BAD)
    document = machine("check", shop, code=1)
    (found,) = document["diagnostics"]
    assert (found["line"], found["column"]) == (9, 26)
    assert found["path"] == str(shop / "shop.vsql")
    assert document["errors"] == 1


def test_files_of_a_package_are_checked_together(statehold, shop):
    (shop / "more.vsql").write_text("WORKSPACE MoreWS ( TYPE T (A varchar); );")
    assert "2 files" in statehold("check", shop / "shop.vsql", shop / "more.vsql")


def test_a_package_without_an_application_is_checked_as_it_is(statehold, shop):
    (shop / "shop.vsql").write_text(_GOOD.replace("APPLICATION shop();\n", ""))
    assert "no errors" in statehold("check", shop)
    (shop / "shop.vsql").write_text(_BAD.replace("APPLICATION shop();\n", ""))
    assert statehold("check", shop, code=1).count("error:") == 1


def test_packages_given_together_may_import_each_other(statehold, shop, tmp_path):
    other = tmp_path / "stock"
    other.mkdir()
    (other / "stock.vsql").write_text("ABSTRACT WORKSPACE StockWS ( TYPE T (A varchar); );")
    text = _GOOD.replace("shop()", "shop(USE stock)").replace("Ask(P)", "Ask(stock.T)")
    text = text.replace("WORKSPACE ShopWS", "WORKSPACE ShopWS INHERITS stock.StockWS")
    (shop / "shop.vsql").write_text(f"IMPORT SCHEMA 'stock';\n{text}")
    assert "no errors: 2 files" in statehold("check", shop, other)
    assert "stock" in statehold("check", shop, code=1)


def test_the_samples_are_sound_as_folder_as_package_and_as_image(statehold, samples, tmp_path):
    for name in ("acme.bills", "acme.hello"):
        assert "no errors" in statehold("check", samples / name)
        package = next((samples / name).glob("image/pkg/*/*"))
        assert "no errors" in statehold("check", package)
        statehold("build", samples / name, "-o", tmp_path / f"{name}.shi")
        assert "no errors" in statehold("check", tmp_path / f"{name}.shi")


@pytest.mark.parametrize("name", ["Http", "Table", "Event"])
def test_a_storage_of_the_image_may_be_named_like_one_of_the_host(statehold, tmp_path, name):
    statehold("new", "app", "you.shop", "--into", tmp_path)
    root = tmp_path / "you.shop"
    package = root / "image/pkg/you/shop"
    for path in (package / "shop.vsql", *package.glob("storages/**/*.*")):
        path.write_text(path.read_text().replace("Counter", name))
    statehold("build", root, "--output", tmp_path)
    image = tmp_path / "you.shop-1.shi"
    for target in (root, package, package / "shop.vsql", image):
        assert "no errors" in statehold("check", target)
    data = ("--data", tmp_path / "data")
    assert "is current" in statehold("deploy", image, *data)
    shown = statehold("matrix", "you.shop", *data)
    assert f"shop.{name} " in shown
    assert statehold("matrix", image) == shown


def test_what_is_wrong_with_an_application_folder_is_told_with_its_declarations(machine, tmp_path):
    folder = tmp_path / "acme.shop"
    package = folder / "image/pkg/acme/shop"
    package.mkdir(parents=True)
    (folder / "descriptor.json").write_text('{"NumParst": 1}')
    (package / "shop.vsql").write_text(_BAD)
    document = machine("check", folder, code=1)
    assert "NumParst" in document["problems"][0]
    assert len(document["diagnostics"]) == 1
    assert document["errors"] == 2


def test_a_file_that_is_no_utf_8_has_a_diagnostic(machine, shop):
    (shop / "shop.vsql").write_bytes(_GOOD.encode() + b"-- \xff\xfe\n\xff")
    assert machine("check", shop, code=1)["diagnostics"]


def test_a_folder_without_declarations_is_wrong_usage(statehold, tmp_path):
    assert "no .vsql file" in statehold("check", tmp_path, code=2)


def test_a_path_that_is_not_there_is_wrong_usage(statehold, tmp_path):
    assert "does not exist" in statehold("check", tmp_path / "nowhere", code=2)


@pytest.mark.parametrize("module", ["rich", "dataset", "sqlalchemy", "httpx", "lark", "pytest", "cachebox"])
def test_a_check_takes_nothing_heavy_with_it(shop, module):
    program = "import sys; from statehold.cli import run; code = run(['check', sys.argv[1]])"
    program += "; sys.exit(code or sys.argv[2] in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, shop, module], check=False, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_where_storages_cannot_run_is_told_without_running_them(statehold, samples, tmp_path):
    folder = tmp_path / "acme.bills"
    shutil.copytree(samples / "acme.bills", folder)
    descriptor = json.loads((folder / "descriptor.json").read_text())
    descriptor["Storages"] |= {"bills.Scada": {"isolation": "wasm"}, "bills.Guest": {"isolation": "sidecar"}}
    (folder / "descriptor.json").write_text(json.dumps(descriptor))
    told = statehold("check", folder, code=1)
    assert "storage bills.Scada is PYPLUGIN, and Python does not run as wasm" in told
    assert "Storages.bills.Guest: the app has no such storage. Did you mean 'bills.Guests'?" in told
    assert "2 errors" in told
