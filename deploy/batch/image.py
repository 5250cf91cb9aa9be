"""The image for uploaded files: its tag says what is in it, so that it is pushed once and a task names its own."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deploy.kit.fingerprint import fingerprint

PROJECT = Path(__file__).resolve().parents[2]
DOCKERFILE = PROJECT / "deploy" / "batch" / "Dockerfile"
PARTS = ("flink_job", "udfs", "requirements.txt", "pom.xml", "deploy/batch/Dockerfile")


class ImageError(RuntimeError):
    """The image could not be made; the message says why."""


def tag(root: Path = PROJECT) -> str:
    """The tag of the image of these sources."""
    return fingerprint(root, PARTS)[:16]


def is_pushed(ecr: Any, repository: str) -> bool:
    """True when the repository has the image of these sources."""
    try:
        found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag()}])
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ImageNotFoundException", "RepositoryNotFoundException"):
            return False
        raise
    return bool(found["imageDetails"])


def push(ecr: Any, repository: str) -> str:
    """Build the image with Docker and push it; returns its name. Raises ImageError."""
    if shutil.which("docker") is None:
        raise ImageError("no docker here: files that are uploaded cannot be run until `python -m deploy image` is done")
    uri = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]["repositoryUri"]
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    name = f"{uri}:{tag()}"
    _docker("login", "--username", user, "--password-stdin", uri.split("/")[0], said=password)
    _docker("build", "--platform", "linux/amd64", "--file", str(DOCKERFILE), "--tag", name, str(PROJECT))
    _docker("push", name)
    return name


def _docker(*arguments: str, said: str = "") -> None:
    done = subprocess.run(["docker", *arguments], input=said, text=True, capture_output=True, check=False)
    if done.returncode:
        raise ImageError(f"docker {arguments[0]}: {done.stderr.strip()[-2000:]}")
