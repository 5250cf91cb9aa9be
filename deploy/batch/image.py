"""The container image for uploaded files; its tag is a hash of its sources, so each version is pushed once."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deploy.errors import DeployError
from deploy.kit.fingerprint import fingerprint

PROJECT = Path(__file__).resolve().parents[2]
DOCKERFILE = PROJECT / "deploy" / "batch" / "Dockerfile"
PARTS = ("flink_job", "udfs", "requirements.txt", "pom.xml", "deploy/batch/Dockerfile")


class ImageError(DeployError, RuntimeError):
    """The image could not be built or pushed; the message has the reason."""


def image_tag(root: Path = PROJECT) -> str:
    """Tag of the image: a hash of its sources."""
    return fingerprint(root, PARTS)[:16]


def is_pushed(ecr: Any, repository: str) -> bool:
    """True if the repository has the image of the current sources."""
    try:
        found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": image_tag()}])
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ImageNotFoundException", "RepositoryNotFoundException"):
            return False
        raise
    return bool(found["imageDetails"])


def push(ecr: Any, repository: str) -> str:
    """Build the image with Docker and push it; returns its name. Raises ImageError."""
    if shutil.which("docker") is None:
        raise ImageError(
            "Docker is not installed: uploaded files are not published until `python -m deploy image` has run elsewhere"
        )
    uri = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]["repositoryUri"]
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    name = f"{uri}:{image_tag()}"
    _docker("login", "--username", user, "--password-stdin", uri.split("/")[0], stdin=password)
    _docker("build", "--platform", "linux/amd64", "--file", str(DOCKERFILE), "--tag", name, str(PROJECT))
    _docker("push", name)
    return name


def _docker(*arguments: str, stdin: str = "") -> None:
    done = subprocess.run(["docker", *arguments], input=stdin, text=True, capture_output=True, check=False)
    if done.returncode:
        raise ImageError(f"docker {arguments[0]}: {done.stderr.strip()[-2000:]}")
