"""Creates the synthesized templates at a local endpoint, so that tests and `make run` use the templates for AWS.

Differences are in `adapted`, each with its reason. Resource types that the endpoint lacks are in
emulator/unsupported.py.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.kit.bundling import zipped
from deploy.kit.fingerprint import fingerprint
from deploy.kit.locks import exclusive
from deploy.kit.names import Names
from deploy.local.endpoint import CREDENTIALS
from flink_job.dataflow.environment import PROJECT
from flink_job.io.kinesis import client

REGION, ACCOUNT = "us-east-1", "000000000000"
TEMPLATES = PROJECT / "build" / "local-templates"
#: Sources of the templates.
SOURCES = (
    "deploy",
    "flink_job/columns.py",
    "flink_job/schemas.py",
    "flink_job/lake",
    "flink_job/config.py",
    "flink_job/metering",
    "requirements/functions.txt",
    "requirements.txt",
    "cdk.json",
)
HERE = Path(__file__).resolve().parent
PREFIX = "metering-local"
DEPLOYED_S = 120
BUFFER_S = 2


class StackError(RuntimeError):
    """The endpoint failed to create a stack; the message is its reason."""


class Stacks:
    """Stacks of a deployment named by `names` at an endpoint, and their outputs."""

    def __init__(self, names: Names, endpoint: str, adapt: Callable[[dict[str, Any]], None] | None = None) -> None:
        self.names, self.endpoint = names, endpoint
        self.outputs: dict[str, str] = {}
        self._adapt = adapt
        self._cloudformation = client("cloudformation", endpoint)

    def create(self, *stacks: str) -> Stacks:
        """Create stacks in the order given. Raises StackError."""
        folder = templates()
        for stack in stacks:
            content = (folder / f"{PREFIX}-{stack}.template.json").read_text(encoding="utf-8")
            template = json.loads(self._renamed(content))
            self._upload_assets(folder, stack)
            adapted(template, self.endpoint)
            if self._adapt:
                self._adapt(template)
            self._create(f"{self.names.prefix}-{stack}", template)
        return self

    def _renamed(self, content: str) -> str:
        """The template with the names of this deployment, also within views."""
        names, database = self.names, PREFIX.replace("-", "_")

        def view(found: re.Match[str]) -> str:
            text = base64.b64decode(found[1]).decode().replace(database, names.database)
            return f"/* Presto View: {base64.b64encode(text.encode()).decode()} */"

        content = re.sub(r"/\* Presto View: ([A-Za-z0-9+/=]+) \*/", view, content)
        return content.replace(PREFIX, names.prefix).replace(database, names.database)

    def _upload_assets(self, folder: Path, stack: str) -> None:
        """Upload the assets of a template. The job's package is an empty object: the endpoint does not run it."""
        s3 = client("s3", self.endpoint)
        manifest = json.loads((folder / f"{PREFIX}-{stack}.assets.json").read_text(encoding="utf-8"))
        for asset in manifest["files"].values():
            for destination in asset["destinations"].values():
                bucket = _known(destination["bucketName"])
                source = folder / asset["source"]["path"]
                if source.suffix == ".json":
                    continue
                s3.create_bucket(Bucket=bucket)
                body = zipped(source) if source.is_dir() else b""
                s3.put_object(Bucket=bucket, Key=_known(destination["objectKey"]), Body=body)

    def _create(self, name: str, template: dict[str, Any]) -> None:
        cloudformation = self._cloudformation
        capabilities = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
        url = self._uploaded(name, template)
        cloudformation.create_stack(StackName=name, TemplateURL=url, Capabilities=capabilities)
        deadline = time.monotonic() + DEPLOYED_S
        while True:
            stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
            if stack["StackStatus"] == "CREATE_COMPLETE":
                break
            if "FAILED" in stack["StackStatus"] or "ROLLBACK" in stack["StackStatus"] or time.monotonic() > deadline:
                raise StackError(f"stack {name}: {stack['StackStatus']}: {self._reason(name)}")
            time.sleep(0.1)
        for output in stack.get("Outputs", ()):
            if output["OutputKey"].startswith("Out"):
                self.outputs[output["OutputKey"].removeprefix("Out")] = output["OutputValue"]

    def _uploaded(self, name: str, template: dict[str, Any]) -> str:
        """Upload a template and return its URL: it exceeds the size limit of a request."""
        s3, bucket, key = client("s3", self.endpoint), f"{self.names.prefix}-templates", f"{name}.json"
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(template).encode())
        return f"{self.endpoint}/{bucket}/{key}"

    def _reason(self, name: str) -> str:
        events = self._cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        return "; ".join(
            f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
            for event in events
            if "FAILED" in event["ResourceStatus"] and event.get("ResourceStatusReason")
        )


def adapted(template: dict[str, Any], endpoint: str) -> None:
    """Apply the differences of a local endpoint to a template."""
    resources = template["Resources"]
    template.pop("Rules", None)
    template.get("Parameters", {}).pop("BootstrapVersion", None)
    for resource in resources.values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::Function":
            # Functions call the endpoint instead of AWS, by the standard variable AWS_ENDPOINT_URL.
            variables = properties.setdefault("Environment", {}).setdefault("Variables", {})
            variables |= local_variables(endpoint)
        elif resource["Type"] == "AWS::KinesisFirehose::DeliveryStream":
            # Deliver rows after seconds instead of a minute.
            hints = properties["ExtendedS3DestinationConfiguration"]["BufferingHints"]
            hints["IntervalInSeconds"] = BUFFER_S


def local_variables(endpoint: str) -> dict[str, str]:
    """Environment variables of functions at the endpoint."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "POWERTOOLS_LOG_LEVEL": "WARNING",
        **{name: os.environ.get(name, value) for name, value in CREDENTIALS.items() if "KEY" in name},
    }


def templates() -> Path:
    """Folder of the synthesized templates of environment `local`; synthesized again if a source has changed."""
    with exclusive(TEMPLATES):
        stamp, found = TEMPLATES / "sources.sha256", fingerprint(PROJECT, SOURCES, without=HERE)
        if not stamp.is_file() or stamp.read_text() != found:
            from deploy.app import synthesize
            from deploy.settings import environment_named
            from deploy.stream_job.package import PACKAGE, build

            if not PACKAGE.is_file():
                build()
            TEMPLATES.parent.mkdir(parents=True, exist_ok=True)
            synthesize([environment_named("local")], TEMPLATES, checked=False)
            stamp.write_text(found)
    return TEMPLATES


def _known(text: str) -> str:
    return text.replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION)
