"""The application on Managed Flink: status, deployed state and release, snapshots, start and stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from deploy.errors import DeployError
from deploy.stream_job.properties import DEPLOYMENT, RELEASE

STARTED_S, SNAPSHOT_S, SETTLED_S, POLL_S = 900.0, 1800.0, 1800.0, 5.0
#: Transient statuses. An application that is being scaled or maintained has state to save.
PASSING = frozenset(
    {"AUTOSCALING", "FORCE_STOPPING", "MAINTENANCE", "ROLLING_BACK", "STARTING", "STOPPING", "UPDATING"}
)
#: Statuses in which the application can be updated.
SETTLED = frozenset({"ABSENT", "READY", "RUNNING"})
#: Statuses in which the service accepts a forced stop.
FORCED = frozenset({"AUTOSCALING", "RUNNING", "STARTING", "STOPPING", "UPDATING"})
_LOOK = "check it in the console of Managed Service for Apache Flink"
_WAYS_OUT = {
    "DELETING": "wait until it is deleted, then deploy again",
    "ROLLED_BACK": "see its log for the reason (docs/use/runbook.md#downtime); `down --force` removes it",
}


class ApplicationError(DeployError, RuntimeError):
    """The application is not in the required status; the message says what to do."""


class StateChangedError(ApplicationError):
    """The state of the new version differs from the deployed one."""


class StuckError(ApplicationError):
    """The application is in a status that it does not leave by itself, or in an unknown one."""


class RolledBackError(ApplicationError):
    """The service rolled back to the previous version."""


class Application:
    """One application by name; `client` is boto3's kinesisanalyticsv2, `wait` is called between two polls."""

    def __init__(self, client: Any, name: str, wait: Callable[[float], None] = time.sleep) -> None:
        self._client, self.name, self._wait = client, name, wait

    @property
    def client(self) -> Any:
        """The boto3 client of Managed Flink."""
        return self._client

    def detail(self) -> dict[str, Any] | None:
        """The description of the application; None if it does not exist."""
        try:
            found: dict[str, Any] = self._client.describe_application(ApplicationName=self.name)["ApplicationDetail"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        return found

    def status(self) -> str:
        """READY (stopped), STARTING, RUNNING, ...; ABSENT if it does not exist."""
        detail = self.detail()
        return str(detail["ApplicationStatus"]) if detail else "ABSENT"

    def deployed_state(self) -> str | None:
        """Hash of the deployed version's state (deploy/stream_job/state.py); None if nothing is deployed."""
        return self._property("state")

    def deployed_release(self) -> str | None:
        """The deployed release; None if nothing is deployed."""
        return self._property(RELEASE)

    def check_release(self, expected: str) -> None:
        """Raises RolledBackError if the deployed release is not the expected one."""
        found = self.deployed_release()
        if found != expected:
            version = (self.detail() or {}).get("ApplicationVersionId")
            raise RolledBackError(
                f"{self.name} runs release {found or 'unknown'} (version {version} of the application), not "
                f"{expected}: the service rolled back the update. See its log for the reason "
                "(docs/use/runbook.md#downtime); the previous version continues with its state"
            )

    def check_running(self, release: str) -> None:
        """Raises StuckError if the application is not running, RolledBackError if it runs another release."""
        status = self._settled()
        if status != "RUNNING":
            raise StuckError(
                f"{self.name} is {status}, not RUNNING; see its log for the reason (docs/use/runbook.md#downtime)"
            )
        self.check_release(release)

    def _property(self, key: str) -> str | None:
        """A property of the group `deployment`; None if it is not set."""
        detail = self.detail()
        value = groups_of(detail).get(DEPLOYMENT, {}).get(key) if detail else None
        return None if value is None else str(value)

    def check_state(self, new: str) -> None:
        """Raises StateChangedError if the deployed state does not fit the state `new`."""
        deployed = self.deployed_state()
        if deployed is not None and deployed != new:
            raise StateChangedError(
                f"{self.name} has state {deployed}, this version has {new}: snapshots do not fit, and the retained "
                "state (readings seen, bills so far) would be lost. See CHANGELOG.md for the change and "
                "docs/use/operate.md#state-that-does-not-fit for the procedure; then deploy with --drop-state"
            )

    def snapshot(self, at: datetime, name: str = "") -> str | None:
        """Take a snapshot of a running application and wait for it; returns its name, or None if it is not running.

        The default name is `before-` and the time. Waits first for scaling, an update or maintenance to end.
        """
        if self._settled() != "RUNNING":
            return None
        name = name or f"before-{at:%Y%m%dT%H%M%S}"
        self._client.create_application_snapshot(ApplicationName=self.name, SnapshotName=name)

        def is_ready() -> bool:
            found = self._client.describe_application_snapshot(ApplicationName=self.name, SnapshotName=name)
            status = found["SnapshotDetails"]["SnapshotStatus"]
            if status == "FAILED":
                raise ApplicationError(f"snapshot {name} failed: check the job's checkpoints; see docs/use/operate.md")
            return bool(status == "READY")

        self._until(is_ready, SNAPSHOT_S, f"snapshot {name} was not ready")
        return name

    def start(self, restore: str, snapshot: str = "") -> None:
        """Start the application if it is stopped, and wait until it is running.

        `restore` is a restore type of Managed Flink; `snapshot` names the snapshot for CUSTOM.
        """
        if self.status() == "READY":
            origin = {"ApplicationRestoreType": restore, **({"SnapshotName": snapshot} if snapshot else {})}
            self._client.start_application(
                ApplicationName=self.name, RunConfiguration={"ApplicationRestoreConfiguration": origin}
            )

        seen: set[str] = set()

        def is_running() -> bool:
            status = self.status()
            seen.add(status)
            stopped_again = status == "READY" and "STARTING" in seen
            if stopped_again or status not in PASSING | SETTLED - {"ABSENT"}:
                raise StuckError(f"{self.name} is {status}; see its log for the reason (docs/use/runbook.md#downtime)")
            return status == "RUNNING"

        self._until(is_running, STARTED_S, f"{self.name} was not running")

    def stop(self, force: bool = False) -> None:
        """Stop a running application with a snapshot; with `force` immediately, in any status, without a snapshot."""
        status = self.status() if force else self._settled()
        if status in FORCED if force else status == "RUNNING":
            self._client.stop_application(ApplicationName=self.name, Force=force)
            self._until(lambda: self.status() in ("READY", "ABSENT"), STARTED_S, f"{self.name} was not stopped")

    def _settled(self) -> str:
        """Wait for a status of SETTLED and return it. Raises StuckError for any other lasting status."""
        seen = [""]

        def is_settled() -> bool:
            seen.append(self.status())
            return seen[-1] not in PASSING

        self._until(is_settled, SETTLED_S, f"{self.name} was neither running nor stopped")
        if seen[-1] not in SETTLED:
            raise StuckError(
                f"{self.name} is {seen[-1]}, neither running nor stopped: {_WAYS_OUT.get(seen[-1], _LOOK)}"
            )
        return seen[-1]

    def _until(self, condition: Callable[[], bool], limit_s: float, what: str) -> None:
        waited = 0.0
        while not condition():
            if waited >= limit_s:
                raise ApplicationError(f"{what} within {limit_s:.0f} s")
            self._wait(POLL_S)
            waited += POLL_S


def groups_of(detail: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Property groups in the description of an application."""
    described = detail["ApplicationConfigurationDescription"].get("EnvironmentPropertyDescriptions") or {}
    return {g["PropertyGroupId"]: g["PropertyMap"] for g in described.get("PropertyGroupDescriptions", ())}
