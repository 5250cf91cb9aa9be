"""Builds code folders of Lambda functions: a unit's runtime, shared parts of the project, locked wheels."""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.kit.locks import exclusive
from deploy.kit.wheels import EPOCH, PROJECT, download, wheel_files

BUILD = PROJECT / "build" / "functions"
#: Suffixes of the files in a shared folder that are bundled.
BUNDLED = (".py", ".sql")


@dataclass(frozen=True)
class Code:
    """Code of a unit's functions.

    The folder `runtime` becomes package `name`. `parts` of the project (files or folders) keep their paths.
    `requirements` is a lock file with hashes.
    """

    name: str
    runtime: Path
    requirements: Path
    parts: Sequence[str] = ()

    def sources(self) -> list[tuple[str, Path]]:
        """Pairs of path in the bundle and source file."""
        own = [(f"{self.name}/{path.name}", path) for path in sorted(self.runtime.glob("*.py"))]
        files = [p for part in self.parts for p in _files(PROJECT / part)]
        return own + [(path.relative_to(PROJECT).as_posix(), path) for path in files]


_ERRORS = (
    "deploy/__init__.py",
    "deploy/kit/__init__.py",
    "deploy/kit/errors.py",
    "flink_job/__init__.py",
    "flink_job/sentry.py",
)
_SHARED = (*_ERRORS, "deploy/kit/access.py", "deploy/kit/documents.py", "deploy/kit/tenants.py")
_LOCK = PROJECT / "requirements/functions.txt"
ALERTING = Code("alerting", PROJECT / "deploy/alerting/runtime", _LOCK, _SHARED)
_ATHENA = "deploy/kit/athena.py"
_QUERIES = ("flink_job/lake/__init__.py", "flink_job/lake/queries")
API = Code("queries", PROJECT / "deploy/api/runtime", _LOCK, (*_SHARED, _ATHENA, *_QUERIES))
_METERING = (*_ERRORS, "flink_job/errors.py", "flink_job/tenants.py", "flink_job/metering")
_SNAPSHOT = ("flink_job/io/__init__.py", "flink_job/io/contract_snapshot.py")
CONTRACTS = Code("contracts", PROJECT / "deploy/contracts/runtime", _LOCK, (*_METERING, *_SNAPSHOT))
CANARY = Code("canary", PROJECT / "deploy/canary/runtime", _LOCK, (*_METERING, _ATHENA))
LAST_VALUES = Code("last_values", PROJECT / "deploy/lake/runtime", _LOCK, _METERING)


def build(code: Code) -> Path:
    """Build the folder of a function's code if its sources have changed; returns its path. Raises PackageError."""
    folder = BUILD / code.name
    with exclusive(folder):
        stamp, fingerprint = folder.with_suffix(".sha256"), _fingerprint(code)
        if stamp.is_file() and stamp.read_text() == fingerprint:
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        for name, path in code.sources():
            _write(folder / name, path.read_bytes())
        for name, content in wheel_files(wheels(code.requirements)):
            _write(folder / name, content)
        stamp.write_text(fingerprint)
    return folder


def wheels(requirements: Path) -> list[Path]:
    """Wheels of a lock file, downloaded once."""
    folder = PROJECT / "build" / f"wheels-{requirements.stem}"
    with exclusive(folder):
        stamp, digest = folder / ".lock", hashlib.sha256(requirements.read_bytes()).hexdigest()
        if not stamp.is_file() or stamp.read_text() != digest:
            download(folder, requirements)
            stamp.write_text(digest)
    return sorted(folder.glob("*.whl"))


def _files(path: Path) -> list[Path]:
    """A file, or the modules and SQL files of a folder."""
    return sorted(p for p in path.rglob("*") if p.suffix in BUNDLED) if path.is_dir() else [path]


def _fingerprint(code: Code) -> str:
    digest = hashlib.sha256(code.requirements.read_bytes())
    for name, path in code.sources():
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def zipped(folder: Path) -> bytes:
    """The folder as a reproducible zip archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            info.external_attr = 0o644 << 16
            archive.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return content.getvalue()
