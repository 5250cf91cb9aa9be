"""Downloads wheels for the platform of Lambda and Managed Flink, on any build machine and without Docker."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PLATFORM, PYTHON = "manylinux2014_x86_64", "3.11"
#: Timestamp of zip entries, for reproducible archives: the earliest time of the zip format.
EPOCH = (1980, 1, 1, 0, 0, 0)


class PackageError(RuntimeError):
    """A package that cannot be built or would not run; the message has the reasons."""


def download(folder: Path, requirements: Path) -> list[Path]:
    """Download the wheels of locked requirements for PLATFORM; returns their paths. Raises PackageError."""
    shutil.rmtree(folder, ignore_errors=True)
    line = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes",
        "--no-deps", "--only-binary=:all:", f"--platform={PLATFORM}", f"--python-version={PYTHON}",
        "--implementation=cp", "-r", str(requirements), "-d", str(folder),
    ]  # fmt: skip
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackageError(f"wheels for {PLATFORM} could not be downloaded:\n{done.stderr.strip()}")
    return sorted(folder.glob("*.whl"))


def wheel_files(wheels: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of the files that wheels install, without their records."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if not name.endswith("/") and ".dist-info/RECORD" not in name and ".data/" not in name:
                    yield name, archive.read(name)
