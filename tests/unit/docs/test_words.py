"""Code, SQL, help texts and pages keep to the glossary: none of its retired words is used."""

from __future__ import annotations

import re

import pytest

from tests.harness.words import GLOSSARY, Use, files, pattern, retired, uses

WORDS = retired(GLOSSARY.read_text(encoding="utf-8"))
PATTERN = pattern(WORDS)


def test_the_glossary_lists_retired_words() -> None:
    assert WORDS["deed"] == "action"
    assert len(WORDS) > 15


def test_no_retired_word_is_used() -> None:
    found = [use for path, text in files() for use in uses(PATTERN, path, text)]
    assert [f"{use}: use {WORDS[use.word.lower()]}" for use in found] == [], "see docs/reference/glossary.md"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", 'def f():\n    """Whoever asks."""\n'),
        ("a.py", "x = 1\nx = 2  # a deed\n"),
        ("a.py", 'print(f"people were told {x}")\n'),
        ("a.sql", "SELECT 1\n-- reckoned anew\n"),
        ("a.md", "A page.\nAnd what `x` is told.\n"),
        ("Makefile", "help: ## an independent reckoning\n"),
    ],
)
def test_a_retired_word_is_found(path: str, text: str) -> None:
    assert uses(PATTERN, path, text)


def test_its_line_is_named() -> None:
    assert uses(PATTERN, "a.md", "A\nB\ntold\n") == [Use("a.md", 3, "told")]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "told = 1\nrow.told = 2\n"),
        ("a.py", 'row["told_at"]\n'),
        ("a.md", "Column `told` was renamed.\n```\ntold\n```\n"),
    ],
)
def test_identifiers_and_code_are_no_prose(path: str, text: str) -> None:
    assert not uses(PATTERN, path, text)


def test_no_docstring_begins_with_a_question_word() -> None:
    opening = re.compile(r'^\s*"""(What|Whoever|Whatever|Where|How|Which)\b', re.MULTILINE)
    found = [
        f"{path}: {m.group().strip()}" for path, text in files() if path.endswith(".py") for m in opening.finditer(text)
    ]
    assert found == [], "begin with a noun or a verb"
