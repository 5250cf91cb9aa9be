"""The application on Managed Flink: what state it has, snapshots, starting, waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from deploy.stream_job.properties import DEPLOYMENT, RELEASE

STARTED_S, SNAPSHOT_S, SETTLED_S, POLL_S = 900.0, 1800.0, 1800.0, 5.0
#: Statuses that the service leaves by itself. A job that is being scaled or maintained has state to save.
PASSING = frozenset(
    {"AUTOSCALING", "FORCE_STOPPING", "MAINTENANCE", "ROLLING_BACK", "STARTING", "STOPPING", "UPDATING"}
)


class ApplicationError(RuntimeError):
    """The application is not as it must be; the message says what to do."""


class StateChangedError(ApplicationError):
    """The new version keeps other state than the one that is deployed."""


class RolledBackError(ApplicationError):
    """The service went back to the version before."""


class Application:
    """One application by name; `client` is boto3's kinesisanalyticsv2. `wait` is called between two looks."""

    def __init__(self, client: Any, name: str, wait: Callable[[float], None] = time.sleep) -> None:
        self._client, self.name, self._wait = client, name, wait

    def detail(self) -> dict[str, Any] | None:
        """What the service says of it; None where there is none."""
        try:
            found: dict[str, Any] = self._client.describe_application(ApplicationName=self.name)["ApplicationDetail"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        return found

    def status(self) -> str:
        """READY (stopped), STARTING, RUNNING, ...; ABSENT where there is none."""
        detail = self.detail()
        return str(detail["ApplicationStatus"]) if detail else "ABSENT"

    def deployed_state(self) -> str | None:
        """The state that the deployed version keeps; None where nothing is deployed."""
        return self._noted("state")

    def check_release(self, expected: str) -> None:
        """Raises RolledBackError where another release runs than the one that was deployed."""
        found = self._noted(RELEASE)
        if found != expected:
            version = (self.detail() or {}).get("ApplicationVersionId")
            raise RolledBackError(
                f"{self.name} runs release {found or 'of an unknown name'} (version {version} of the application), not "
                f"{expected}: the service has rolled the update back. Its log says why the new version did not start "
                "(docs/runbook.md#downtime); the version before goes on with its state"
            )

    def _noted(self, key: str) -> str | None:
        """What the deployment has noted in the application's properties; None where it has not."""
        detail = self.detail()
        value = groups_of(detail).get(DEPLOYMENT, {}).get(key) if detail else None
        return None if value is None else str(value)

    def check_state(self, new: str) -> None:
        """Raises StateChangedError where the state that is deployed would not fit."""
        deployed = self.deployed_state()
        if deployed is not None and deployed != new:
            raise StateChangedError(
                f"{self.name} keeps state {deployed}, this version keeps {new}: its snapshots would not fit, and what "
                "it knows (readings seen, bills so far) would be lost. See CHANGELOG.md for what has changed and "
                "docs/operate.md#state-that-does-not-fit for how to go on; then deploy with --drop-state"
            )

    def snapshot(self, at: datetime) -> str | None:
        """Take a snapshot of a running application and wait for it; None where it does not run.

        One that is being scaled, updated or maintained is waited for first.
        """
        if self._settled() != "RUNNING":
            return None
        name = f"before-{at:%Y%m%dT%H%M%S}"
        self._client.create_application_snapshot(ApplicationName=self.name, SnapshotName=name)

        def taken() -> bool:
            found = self._client.describe_application_snapshot(ApplicationName=self.name, SnapshotName=name)
            status = found["SnapshotDetails"]["SnapshotStatus"]
            if status == "FAILED":
                raise ApplicationError(f"snapshot {name} failed: the job is not well; see docs/operate.md")
            return bool(status == "READY")

        self._until(taken, SNAPSHOT_S, f"snapshot {name} was not ready")
        return name

    def start(self, restore: str) -> None:
        """Start it where it is stopped, from what `restore` says, and wait until it runs."""
        if self.status() == "READY":
            self._client.start_application(
                ApplicationName=self.name,
                RunConfiguration={"ApplicationRestoreConfiguration": {"ApplicationRestoreType": restore}},
            )

        def runs() -> bool:
            status = self.status()
            if status in ("ABSENT", "DELETING", "ROLLED_BACK"):
                raise ApplicationError(f"{self.name} is {status}; its log says why (docs/runbook.md#downtime)")
            return status == "RUNNING"

        self._until(runs, STARTED_S, f"{self.name} was not running")

    def stop(self) -> None:
        """Stop it where it runs, with a snapshot."""
        if self._settled() == "RUNNING":
            self._client.stop_application(ApplicationName=self.name)
            self._until(lambda: self.status() == "READY", STARTED_S, f"{self.name} was not stopped")

    def _settled(self) -> str:
        """The status once it is none that the service leaves by itself."""
        seen = [""]

        def settled() -> bool:
            seen.append(self.status())
            return seen[-1] not in PASSING

        self._until(settled, SETTLED_S, f"{self.name} was neither running nor stopped")
        return seen[-1]

    def _until(self, condition: Callable[[], bool], limit_s: float, what: str) -> None:
        waited = 0.0
        while not condition():
            if waited >= limit_s:
                raise ApplicationError(f"{what} within {limit_s:.0f} s")
            self._wait(POLL_S)
            waited += POLL_S


def groups_of(detail: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The property groups of a described application."""
    described = detail["ApplicationConfigurationDescription"].get("EnvironmentPropertyDescriptions") or {}
    return {g["PropertyGroupId"]: g["PropertyMap"] for g in described.get("PropertyGroupDescriptions", ())}
