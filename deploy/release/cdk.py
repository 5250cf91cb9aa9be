"""CDK's own command line, from npm, run with the Node of the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from deploy.settings import Environment
from deploy.stream_job.properties import RESTORE

PROJECT = Path(__file__).resolve().parents[2]
MANIFEST = PROJECT / "deploy" / "cdk_cli"
OUT = PROJECT / "build" / "deployed"
INSTALLED = PROJECT / "build" / "cdk_cli"
#: Where the package says that Node is (deploy/__init__.py).
NODE = Path(os.environ["JSII_NODE"]).parent


class CdkError(RuntimeError):
    """CDK ended with an error, which it has printed."""


class Cdk:
    """CDK for an environment of an account, over templates that are synthesised once."""

    def __init__(self, environment: Environment, account: str, restore: str = RESTORE) -> None:
        from deploy.app import synthesize

        self._environment, self._account = environment, account
        try:
            self._assembly = synthesize([environment], OUT / environment.name, restore=restore)
        except RuntimeError as error:
            raise CdkError(f"the templates cannot be made:\n{error}") from None

    def run(self, *arguments: str) -> None:
        """`cdk <arguments>`. Raises CdkError."""
        line = [str(NODE / "node"), str(_installed()), *arguments, "--app", str(self._assembly)]
        variables = {
            **os.environ,
            "AWS_REGION": self._environment.region,
            "CDK_DEFAULT_ACCOUNT": self._account,
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
