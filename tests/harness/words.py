"""Retired words of the glossary, and the prose in which they are searched."""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = ROOT / "docs" / "reference" / "glossary.md"
#: Files whose whole text is prose or reads like it; of Python files only comments and strings are.
SUFFIXES = (".md", ".sql", ".java", ".yaml", ".yml", ".toml", ".in")
NAMES = ("Makefile", "Dockerfile")
#: The history of releases is not rewritten; the glossary lists the words.
EXCLUDED = ("CHANGELOG.md", "docs/reference/glossary.md", "tests/unit/docs/test_words.py")
_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`[^`\n]*`")


class Use(NamedTuple):
    """A retired word in a file."""

    path: str
    line: int
    word: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word!r}"


def retired(text: str) -> dict[str, str]:
    """Replacement by retired word, from the last table of the glossary."""
    table = text.partition("## Retired words")[2]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE)
    return {word.strip(): use.strip() for words, use in rows[2:] for word in words.split(",")}


def pattern(words: dict[str, str]) -> re.Pattern[str]:
    """Match any of the words as a whole word. Parts of identifiers (`told_at`, `x.told`) do not match."""
    alternatives = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(rf"(?<![\w.`/-])({alternatives})(?![\w`(/=-])", re.IGNORECASE)


def uses(found: re.Pattern[str], path: str, text: str) -> list[Use]:
    """Every use of a retired word in the prose of a file."""
    return [
        Use(path, line + prose[: match.start()].count("\n"), match.group(1))
        for line, prose in _prose(path, text)
        for match in found.finditer(prose)
    ]


def _prose(path: str, text: str) -> Iterator[tuple[int, str]]:
    """(first line, text) of the passages of a file that people read."""
    if path.endswith(".py"):
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in (tokenize.COMMENT, tokenize.STRING):
                yield token.start[0], _without(_SPAN, token.string)
    else:
        yield 1, _without(_SPAN, _without(_FENCE, text)) if path.endswith(".md") else text


def _without(code: re.Pattern[str], text: str) -> str:
    """The text with code blanked out, line by line as before."""
    return code.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def files() -> Iterator[tuple[str, str]]:
    """(path, text) of every tracked file with prose."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for path in listed.splitlines():
        is_prose = path.endswith((".py", *SUFFIXES)) or Path(path).name in NAMES
        if is_prose and path not in EXCLUDED and (ROOT / path).is_file():
            yield path, (ROOT / path).read_text(encoding="utf-8")
