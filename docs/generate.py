"""Write the generated reference pages: `python -m docs.generate`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docs.generator import commands, settings, tables

REFERENCE = Path(__file__).parent / "reference"
#: Text of each generated page, by its path.
PAGES: dict[Path, Callable[[], str]] = {
    REFERENCE / "tables.md": tables.page,
    REFERENCE / "cli.md": commands.page,
    REFERENCE / "settings.md": settings.page,
}

if __name__ == "__main__":
    for path, text in PAGES.items():
        path.write_text(text(), encoding="utf-8")
