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
#: Statuses in which the application can be updated.
SETTLED = frozenset({"ABSENT", "READY", "RUNNING"})
#: Statuses in which the service takes a forced stop.
FORCED = frozenset({"AUTOSCALING", "RUNNING", "STARTING", "STOPPING", "UPDATING"})
_LOOK = "look at it in the console of Managed Service for Apache Flink"
_WAYS_OUT = {
    "DELETING": "wait until it is gone, then deploy again",
    "ROLLED_BACK": "its log says why the update failed (docs/use/runbook.md#downtime); `down --force` removes it",
}


class ApplicationError(RuntimeError):
    """The application is not as it must be; the message says what to do."""


class StateChangedError(ApplicationError):
    """The new version keeps other state than the one that is deployed."""


class StuckError(ApplicationError):
    """The application is in a status that it does not leave by itself, or in one that is not known."""


class RolledBackError(ApplicationError):
    """The service went back to the version before."""


class Application:
    """One application by name; `client` is boto3's kinesisanalyticsv2. `wait` is called between two looks."""

    def __init__(self, client: Any, name: str, wait: Callable[[float], None] = time.sleep) -> None:
        self._client, self.name, self._wait = client, name, wait

    @property
    def client(self) -> Any:
        """boto3's client of Managed Flink."""
        return self._client

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

    def deployed_release(self) -> str | None:
        """The release that runs; None where nothing is deployed."""
        return self._noted(RELEASE)

    def check_release(self, expected: str) -> None:
        """Raises RolledBackError where another release runs than the one that was deployed."""
        found = self.deployed_release()
        if found != expected:
            version = (self.detail() or {}).get("ApplicationVersionId")
            raise RolledBackError(
                f"{self.name} runs release {found or 'of an unknown name'} (version {version} of the application), not "
                f"{expected}: the service has rolled the update back. Its log says why the new version did not start "
                "(docs/use/runbook.md#downtime); the version before goes on with its state"
            )

    def check_running(self, release: str) -> None:
        """Raises StuckError where the application does not run, RolledBackError where it runs another release."""
        status = self._settled()
        if status != "RUNNING":
            raise StuckError(f"{self.name} is {status}, not RUNNING; its log says why (docs/use/runbook.md#downtime)")
        self.check_release(release)

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
                "docs/use/operate.md#state-that-does-not-fit for how to go on; then deploy with --drop-state"
            )

    def snapshot(self, at: datetime, name: str = "") -> str | None:
        """Take a snapshot of a running application and wait for it; None where it does not run. `name` is its name, by
        default `before-` and the time.

        One that is being scaled, updated or maintained is waited for first.
        """
        if self._settled() != "RUNNING":
            return None
        name = name or f"before-{at:%Y%m%dT%H%M%S}"
        self._client.create_application_snapshot(ApplicationName=self.name, SnapshotName=name)

        def taken() -> bool:
            found = self._client.describe_application_snapshot(ApplicationName=self.name, SnapshotName=name)
            status = found["SnapshotDetails"]["SnapshotStatus"]
            if status == "FAILED":
                raise ApplicationError(f"snapshot {name} failed: the job is not well; see docs/use/operate.md")
            return bool(status == "READY")

        self._until(taken, SNAPSHOT_S, f"snapshot {name} was not ready")
        return name

    def start(self, restore: str, snapshot: str = "") -> None:
        """Start it where it is stopped, from what `restore` says, and wait until it runs. `snapshot` is the name of the
        one to start from where `restore` is CUSTOM.
        """
        if self.status() == "READY":
            origin = {"ApplicationRestoreType": restore, **({"SnapshotName": snapshot} if snapshot else {})}
            self._client.start_application(
                ApplicationName=self.name, RunConfiguration={"ApplicationRestoreConfiguration": origin}
            )

        seen: set[str] = set()

        def runs() -> bool:
            status = self.status()
            seen.add(status)
            stopped_again = status == "READY" and "STARTING" in seen
            if stopped_again or status not in PASSING | SETTLED - {"ABSENT"}:
                raise StuckError(f"{self.name} is {status}; its log says why (docs/use/runbook.md#downtime)")
            return status == "RUNNING"

        self._until(runs, STARTED_S, f"{self.name} was not running")

    def stop(self, force: bool = False) -> None:
        """Stop it where it runs, with a snapshot; with `force` at once and without one, whatever it is doing."""
        status = self.status() if force else self._settled()
        if status in FORCED if force else status == "RUNNING":
            self._client.stop_application(ApplicationName=self.name, Force=force)
            self._until(lambda: self.status() in ("READY", "ABSENT"), STARTED_S, f"{self.name} was not stopped")

    def _settled(self) -> str:
        """RUNNING, READY or ABSENT, once the service has done what it is doing. Raises StuckError for other ones."""
        seen = [""]

        def settled() -> bool:
            seen.append(self.status())
            return seen[-1] not in PASSING

        self._until(settled, SETTLED_S, f"{self.name} was neither running nor stopped")
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
    """The property groups of a described application."""
    described = detail["ApplicationConfigurationDescription"].get("EnvironmentPropertyDescriptions") or {}
    return {g["PropertyGroupId"]: g["PropertyMap"] for g in described.get("PropertyGroupDescriptions", ())}
