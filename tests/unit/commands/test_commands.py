"""Help texts: a line for each command, and examples that can be pasted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from deploy.__main__ import app as deploy_app
from deploy.local.__main__ import app as local_app
from flink_job.__main__ import app
from flink_job.version import version
from tests.harness.documents import Command, commands, fault_of_python

#: Longest summary of a command [letters]: the list of commands shows it whole in a terminal of 80 columns.
LONGEST = 50
APPS = {"flink_job": app, "deploy": deploy_app, "deploy.local": local_app}


def leaves(found: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(words, command) of every command, groups among them."""
    for name, command in getattr(found, "commands", {}).items():
        if command.hidden:  # another name of a command
            continue
        yield (*path, name), command
        yield from leaves(command, (*path, name))


COMMANDS = [
    pytest.param(module, words, command, id=" ".join((module, *words)))
    for module, root in APPS.items()
    for words, command in leaves(get_command(root))
]


def shown(module: str, words: tuple[str, ...]) -> str:
    answer = CliRunner().invoke(APPS[module], [*words, "--help"], terminal_width=80)
    assert answer.exit_code == 0
    return answer.output


@pytest.mark.parametrize(("module", "words", "command"), COMMANDS)
def test_a_command_has_a_summary_that_fits(module: str, words: tuple[str, ...], command: Any) -> None:
    summary = command.help.split("\n\n")[0].strip()
    assert 0 < len(summary) <= LONGEST, "a docstring begins with a summary of at most 50 letters and an empty line"
    assert summary.endswith(".")
    # In the list of its group it stands whole.
    assert f"{words[-1]} " in shown(module, words[:-1])
    assert summary in shown(module, words[:-1])


@pytest.mark.parametrize(("module", "words", "command"), COMMANDS)
def test_examples_can_be_pasted(module: str, words: tuple[str, ...], command: Any) -> None:
    lines = re.findall(r"^  .*$", command.help, re.MULTILINE)
    if lines:
        said = [line.strip() for line in shown(module, words).splitlines()]
        assert [line for line in lines if line.strip() not in said] == []
    text = "\n".join(line.strip() for line in lines)
    examples = list(commands("help", f"```sh\n{text}\n```"))
    assert [problem for example in examples if (problem := fault_of_python(example))] == []


@pytest.mark.parametrize(
    ("module", "plain"), [("flink_job", {"tariffs schema", "alerts schema", "deploy"}), ("deploy", set())]
)
def test_commands_have_examples(module: str, plain: set[str]) -> None:
    without = {
        " ".join(words)
        for words, command in leaves(get_command(APPS[module]))
        if not hasattr(command, "commands") and f"python -m {module} {' '.join(words)}" not in command.help
    }
    assert without == plain


def test_the_version_is_shown() -> None:
    answer = CliRunner().invoke(app, ["--version"])
    assert (answer.exit_code, answer.output) == (0, f"meter-costing {version()}\n")
    assert re.fullmatch(r"\d+\.\d+\.\d+", version())


def test_deploy_is_a_group_of_the_command() -> None:
    answer = CliRunner().invoke(app, ["deploy", "contracts", "--help"])
    assert answer.exit_code == 0
    assert "deploy contracts [OPTIONS]" in answer.output
    assert CliRunner().invoke(app, ["deploy", "fly"]).exit_code != 0


def test_an_example_that_is_broken_would_be_found() -> None:
    assert fault_of_python(Command("help", ("python", "-m", "flink_job", "rate", "--tarif", "x")))
