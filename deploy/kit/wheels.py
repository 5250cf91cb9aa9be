"""Wheels for the services' platform, whatever machine builds the package. No Docker is needed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PLATFORM, PYTHON = "manylinux2014_x86_64", "3.11"
#: Timestamp of every zip entry, so that equal files make equal archives. The zip format starts in 1980.
EPOCH = (1980, 1, 1, 0, 0, 0)


class PackageError(RuntimeError):
    """A package that would not run; the message says what is wrong with it."""


def download(folder: Path, requirements: Path) -> list[Path]:
    """Wheels of the locked requirements for the service's platform, whatever this machine is."""
    shutil.rmtree(folder, ignore_errors=True)
    line = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes",
        "--no-deps", "--only-binary=:all:", f"--platform={PLATFORM}", f"--python-version={PYTHON}",
        "--implementation=cp", "-r", str(requirements), "-d", str(folder),
    ]  # fmt: skip
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"wheels for {PLATFORM} could not be had:\n{done.stderr.strip()}")
    return sorted(folder.glob("*.whl"))


def wheel_files(wheels: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """(path, content) of what wheels install, without what they say of themselves."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if not name.endswith("/") and ".dist-info/RECORD" not in name and ".data/" not in name:
                    yield name, archive.read(name)
