"""Hash of source files by name and content, to rebuild outputs when their sources change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def fingerprint(root: Path, parts: Iterable[str], without: Path | None = None) -> str:
    """Hash of the files in `parts` (files or folders relative to `root`), except those under `without`."""
    digest = hashlib.sha256()
    for part in parts:
        place = root / part
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and "__pycache__" not in path.parts and without not in path.parents:
                digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
