"""Contents of the pages: sections, links, queries and commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
#: Commands of the AWS command line that are no operations of an API.
CUSTOMIZED = {("cloudformation", "deploy"), ("s3", "cp"), ("s3", "ls"), ("s3", "sync"), ("s3", "rm"), ("s3", "mv")}
GLOBAL = {"--region", "--output", "--query", "--profile", "--endpoint-url"}
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A command of a page, in words."""

    page: str
    words: tuple[str, ...] = field(default_factory=tuple)

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"

    @property
    def options(self) -> set[str]:
        return {word.partition("=")[0] for word in self.words if re.match(r"--[a-z]", word)}


def pages() -> dict[str, str]:
    """Text by name, of every page that people write."""
    paths = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md")))
    found = {path.relative_to(ROOT).as_posix(): path for path in paths}
    return {name: path.read_text(encoding="utf-8") for name, path in found.items()}


def anchors(text: str) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    plain = _FENCE.sub("", text)
    headings = (re.sub(r"[`*]", "", line.lstrip("#").strip()) for line in plain.splitlines() if re.match(r"#+ ", line))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(name: str, text: str) -> Iterator[tuple[Path, str]]:
    """(file, anchor) of each link to a file of the project."""
    plain = _FENCE.sub("", text)
    for target in re.findall(r"\]\(([^)\s]+)\)", plain):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            yield ((ROOT / name).parent / file if file else ROOT / name), anchor


def fences(text: str) -> list[tuple[str, str]]:
    """(language, body) of each fenced block."""
    return _FENCE.findall(text)


def spans(text: str) -> list[str]:
    """Code spans outside of blocks, each on one line."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", _FENCE.sub("", text))]


def _joined(body: str) -> str:
    """A shell block with each command on one line: continued with a backslash, or within quotes."""
    lines = [""]
    for line in body.replace("\\\n", " ").splitlines():
        is_open = lines[-1].count('"') % 2 == 1
        lines[-1:] = [f"{lines[-1]} {line.strip()}"] if is_open else [lines[-1], line]
    return "\n".join(lines)


def commands(name: str, text: str) -> Iterator[Command]:
    """Commands in shell blocks and in code spans: `python -m`, `aws` and `make`."""
    blocks = [_joined(body) for language, body in fences(text) if language == "sh"]
    for line in (*(line for body in blocks for line in body.splitlines()), *spans(text)):
        words = _words(line)
        if words and (words[0] in ("aws", "make") or words[:2] == ("python", "-m")):
            yield Command(name, words)


def _words(line: str) -> tuple[str, ...]:
    try:
        words = shlex.split(line.replace(" ...", ""), comments=True)
    except ValueError:
        return ()
    if words and words[0].endswith("bin/python"):
        words[0] = "python"
    return tuple(words)


def fault_of_python(command: Command) -> str:
    """Why `python -m package ...` is not a command of the project; empty where it is."""
    _, _, module, *rest = command.words
    try:
        found: Any = get_command(import_module(f"{module}.__main__").app)
    except (ModuleNotFoundError, AttributeError):
        return "" if (ROOT / f"{module.replace('.', '/')}.py").is_file() or _is_package(module) else f"no {module}"
    while hasattr(found, "commands"):
        if not rest or rest == ["--help"]:
            return ""
        if rest[0] not in found.commands:
            return f"{module} has no command {rest[0]}"
        found, rest = found.commands[rest[0]], rest[1:]
    known = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = command.options - known - {"--help"}
    return f"{found.name} has no {', '.join(sorted(unknown))}" if unknown else ""


def _is_package(module: str) -> bool:
    return (ROOT / module.replace(".", "/") / "__main__.py").is_file()


def fault_of_aws(command: Command) -> str:
    """Why `aws service operation ...` is not one of the AWS command line; empty where it is."""
    if len(command.words) < 3:
        return ""
    _, service, name, *_ = command.words
    if (service, name) in CUSTOMIZED:
        return ""
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        return f"no service {service}"
    model = session.get_service_model(service)
    operation = next((o for o in model.operation_names if xform_name(o, "-") == name), None)
    if operation is None:
        return f"{service} has no {name}"
    shape = model.operation_model(operation).input_shape
    known = {f"--{xform_name(member, '-')}" for member in (shape.members if shape else ())}
    unknown = command.options - known - {f"--no-{o[2:]}" for o in known} - GLOBAL
    return f"{name} has no {', '.join(sorted(unknown))}" if unknown else ""


def fault_of_make(command: Command, makefile: str) -> str:
    """Why `make target ...` is not in the Makefile; empty where it is."""
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    unknown = [word for word in command.words[1:] if "=" not in word and word not in targets]
    return f"no target {', '.join(unknown)}" if unknown else ""
