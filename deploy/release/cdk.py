"""CDK's own command line, from npm, run with the Node of the wheel."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from deploy.npm import NODE, NpmError, installed
from deploy.settings import Environment
from deploy.stream_job.properties import RESTORE

PROJECT = Path(__file__).resolve().parents[2]
MANIFEST = PROJECT / "deploy" / "cdk_cli"
OUT = PROJECT / "build" / "deployed"
INSTALLED = PROJECT / "build" / "cdk_cli"


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
    """CDK's entry. Raises CdkError."""
    try:
        return installed(MANIFEST, INSTALLED, "aws-cdk") / "bin" / "cdk"
    except NpmError as error:
        raise CdkError(str(error)) from None
