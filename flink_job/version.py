"""The version of the project, from pyproject.toml."""

from __future__ import annotations

import tomllib
from importlib.metadata import version as installed_version
from pathlib import Path

NAME = "meter-costing"


def version() -> str:
    """Return the version of the checkout that contains this package, or of the installed distribution."""
    project = Path(__file__).resolve().parent.parent / "pyproject.toml"
    if not project.is_file():
        return installed_version(NAME)
    return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
