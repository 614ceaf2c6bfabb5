from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from _pages import ROOT, Block, blocks, commands, matches, run_page

from statehold.loading import installed
from statehold_vsql import compile_app

# Pages of others have tests of their own beside what they describe.
OTHERS = {"inprocess.md", "conformance.md", "storages.md"}
PAGES = sorted((ROOT / "docs").glob("*.md"))
OURS = [page for page in PAGES if page.name not in OTHERS]
READMES = sorted((ROOT / "app_images").glob("*/README.md"))
DECLARATIONS = [
    pytest.param(block.text, id=f"{page.stem}-{block.line}")
    for page in [*PAGES, *READMES]
    for block in blocks(page)
    if block.kind == "sql"
]


@pytest.mark.parametrize("page", [*OURS, *READMES], ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_the_examples_of_a_page_do_what_it_says(page, tmp_path):
    folder = tmp_path / "page"
    folder.mkdir()
    run_page(page, folder)


@pytest.mark.parametrize("text", DECLARATIONS)
def test_the_declarations_on_a_page_compile(text):
    application = "" if "APPLICATION" in text else "APPLICATION app();\n"
    catalog = installed()
    packages = {**catalog.packages(), "example/bills": {"bills.vsql": application + text}}
    compiled = compile_app(packages, contracts=catalog.contracts())
    assert not compiled.diagnostics


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md", *READMES], ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_the_index_lists_every_page():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if f"({page.name})" not in index and page.name != "index.md"] == []


def test_a_console_block_is_commands_with_output_and_exit_code():
    block = Block("console", "", "$ cat <<'END'\n> a\n>\n> END\na\n...\n$ false\n(exit code 1)\n", 1)
    first, second = commands(block)
    assert (first.text, first.output, first.code) == ("cat <<'END'\na\n\nEND", "a\n...", 0)
    assert (second.text, second.output, second.code) == ("false", "", 1)


def test_three_dots_stand_for_any_text():
    assert matches("a ... c", "a b\nb c")
    assert not matches("a ... c", "a b")


def test_the_page_of_the_command_line_is_what_its_help_says():
    # In a process of its own: commands keep what was their option for help when they were first run.
    command = [sys.executable, Path(__file__).parent / "cli_page.py"]
    page = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == page, (
        "python tests/docs/cli_page.py > docs/cli.md"
    )


def test_the_documents_for_machines_have_what_the_page_says(tmp_path, monkeypatch, capsys):
    from cli_page import DOCUMENTS

    from statehold.cli import run

    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "app_images" / "acme.hello", "acme.hello")
    row = ["--key", '{"Language": "en"}', "--scope", "COMMANDS"]
    greeting = ["--args", '{"Language": "en", "Text": "Hello"}']
    runs = (
        ("new plugin", ["a"]),
        ("new app", ["a.b"]),
        ("stubs", ["acme.hello"]),
        ("check", ["acme.hello"]),
        ("build", ["acme.hello"]),
        ("inspect", ["acme.hello"]),
        ("verify", ["acme.hello"]),
        ("diff", ["acme.hello", "acme.hello"]),
        ("keygen", ["acme.key"]),
        ("sign", ["acme.hello-1.shi", "--key", "acme.key"]),
        ("trust add", ["acme", "acme.key.pub", "--trust", "trust.json"]),
        ("trust rule", ["acme", "isolated", "--trust", "trust.json"]),
        ("trust list", ["--trust", "trust.json"]),
        ("trust revoke", ["acme.key.pub", "--trust", "trust.json"]),
        ("deploy", ["acme.hello"]),
        ("apps", []),
        ("matrix", ["acme.hello"]),
        ("call", ["acme.hello", "hello.Greetings", "GET", *row]),
        ("exec", ["acme.hello", "hello.Learn", *greeting]),
        ("exec", ["acme.hello", "hello.Greet", "--args", "{}"]),
        ("token", ["acme.hello"]),
        ("workspace make", ["acme.hello", "sys.UserProfileWS", "Ann"]),
        ("workspace list", ["acme.hello"]),
        ("activate", ["acme.hello", "1"]),
        ("quarantine list", []),
        ("undeploy", ["acme.hello"]),
        ("storages", []),
        ("demo", []),
        ("completion", ["fish"]),
        ("aos migrate", ["aos.db"]),
        ("aos services", ["aos.db"]),
    )
    found = {}
    for name, arguments in runs:
        assert run([*name.split(), *arguments, "--json"]) == 0
        keys = json.loads(capsys.readouterr().out)
        found[name] = tuple(dict.fromkeys((*found.get(name, ()), *keys)))
    del DOCUMENTS["rollback"]  # as `activate`; there is nothing here to roll back to
    del DOCUMENTS["upgrade"]  # has steps before it; its own tests look at them
    del DOCUMENTS["conformance"]  # runs the kit; it has tests of its own
    del DOCUMENTS["quarantine lift"]  # nothing leaks here; it has tests of its own
    del DOCUMENTS["serve"]  # it goes on until a signal comes; its own tests send one
    del DOCUMENTS["zdb serve"]  # likewise
    for name in [name for name in DOCUMENTS if name.startswith(("qsfs ", "zos ", "zstor "))]:
        del DOCUMENTS[name]  # need a machine that mounts, or backends; their own tests have some
    del DOCUMENTS["aos doctor"]  # how it ends depends on the machine; it has tests of its own
    del DOCUMENTS["aos demo"]  # takes half a minute; it has a test of its own
    for name in ("push", "reject", "accept", "list"):
        del DOCUMENTS[f"aos cloud {name}"]  # ask a cloud that runs; its own tests have one
    assert found == {name: ("ok", *keys) for name, keys in DOCUMENTS.items()}
