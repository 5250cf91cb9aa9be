"""Links, anchors, commands and paths on the pages exist."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from deploy.__main__ import app as deploy_app
from flink_job.__main__ import app as job_app
from tests.harness.documents import (
    ROOT,
    Command,
    anchors,
    commands,
    fault_of_aws,
    fault_of_make,
    fault_of_python,
    links,
    pages,
    spans,
)

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SOURCES = [path for folder in ("deploy", "flink_job", "udfs") for path in sorted((ROOT / folder).rglob("*.py"))]


def fault(command: Command) -> str:
    if command.words[0] == "python":
        return fault_of_python(command)
    return fault_of_aws(command) if command.words[0] == "aws" else fault_of_make(command, MAKEFILE)


@pytest.mark.parametrize(("name", "text"), pages().items(), ids=lambda value: value if len(value) < 30 else "")
def test_links_lead_somewhere(name: str, text: str) -> None:
    for path, anchor in links(name, text):
        assert path.exists(), f"{name}: {path}"
        if anchor and path.suffix == ".md":
            assert anchor in anchors(path.read_text(encoding="utf-8")), f"{name}: {path.name}#{anchor}"


def test_paths_on_the_pages_exist() -> None:
    folders = r"(?:flink_job|udfs|deploy|tests|docs|sample_data|requirements)/[\w./-]+"
    found = [(name, span) for name, text in pages().items() for span in spans(text) if re.fullmatch(folders, span)]
    assert len(found) > 50
    assert [f"{name}: {span}" for name, span in found if not (ROOT / span).exists()] == []


def test_messages_name_sections_that_exist() -> None:
    known = {name: anchors(text) for name, text in pages().items()}
    for path in SOURCES:
        for page, anchor in re.findall(r"(docs/[\w/-]+\.md)(?:#([a-z-]+))?", path.read_text(encoding="utf-8")):
            assert page in known, f"{path}: {page}"
            assert not anchor or anchor in known[page], f"{path}: {page}#{anchor}"


def test_documented_commands_exist_with_their_options() -> None:
    found = [command for name, text in pages().items() for command in commands(name, text)]
    assert len(found) > 100
    assert [f"{command}: {problem}" for command in found if (problem := fault(command))] == []


@pytest.mark.parametrize(
    "line",
    [
        "python -m deploy fly --env dev",
        "python -m deploy up --wings",
        "python -m flink_job alerts dance",
        "python -m deploy.nowhere",
        "aws kms enable-keys --key-id x",
        "aws kms enable-key --key x",
        "make gold",
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    [command] = commands("page", f"`{line}`")
    assert fault(command)


@pytest.mark.parametrize(("module", "app"), [("deploy", deploy_app), ("flink_job", job_app)])
def test_the_commands_of_the_runbook_answer(module: str, app: object) -> None:
    runbook = pages()["docs/use/runbook.md"]
    found = {c.words[3:] for c in commands("runbook", runbook) if c.words[:3] == ("python", "-m", module)}
    assert found
    for words in sorted({tuple(w for w in words[:1]) for words in found}):
        answer = CliRunner().invoke(app, [*words, "--help"])  # type: ignore[arg-type]
        assert answer.exit_code == 0, (words, answer.output)
