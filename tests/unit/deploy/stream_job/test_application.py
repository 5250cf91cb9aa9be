"""The application between versions: snapshots are waited for, failures said, a state that does not fit is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy.kit.names import Names
from deploy.release.smoke import Clients, SmokeError, check
from deploy.settings import Environment
from deploy.stream_job.application import Application, ApplicationError, RolledBackError, StateChangedError, StuckError
from deploy.stream_job.properties import release_of

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)


class Service:
    """Plays Managed Flink: statuses and snapshot statuses come in the order given, the last one stays."""

    def __init__(self, statuses: list[str], snapshots: tuple[str, ...] = ("READY",), state: str = "s1") -> None:
        self.statuses, self.snapshots, self.state = statuses, list(snapshots), state
        self.calls: list[tuple[str, Any]] = []

    def describe_application(self, ApplicationName: str) -> dict[str, Any]:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status == "ABSENT":
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "DescribeApplication")
        groups = [{"PropertyGroupId": "deployment", "PropertyMap": {"state": self.state, "release": "r1"}}]
        properties = {"EnvironmentPropertyDescriptions": {"PropertyGroupDescriptions": groups}}
        described = {"ApplicationVersionId": 7, "ApplicationConfigurationDescription": properties}
        return {"ApplicationDetail": {"ApplicationStatus": status, **described}}

    def create_application_snapshot(self, **given: str) -> None:
        self.calls.append(("snapshot", given["SnapshotName"]))

    def describe_application_snapshot(self, **given: str) -> dict[str, Any]:
        status = self.snapshots.pop(0) if len(self.snapshots) > 1 else self.snapshots[0]
        return {"SnapshotDetails": {"SnapshotStatus": status}}

    def start_application(self, **given: Any) -> None:
        restored = given["RunConfiguration"]["ApplicationRestoreConfiguration"]["ApplicationRestoreType"]
        self.calls.append(("start", restored))

    def stop_application(self, ApplicationName: str, Force: bool) -> None:
        self.calls.append(("force stop" if Force else "stop", ApplicationName))


def application(service: Service) -> Application:
    return Application(service, "job", wait=lambda seconds: None)


def test_a_running_job_has_a_snapshot_taken_and_waited_for() -> None:
    service = Service(["RUNNING"], ("CREATING", "CREATING", "READY"))
    assert application(service).snapshot(NOON) == "before-20260328T120000"
    assert service.calls == [("snapshot", "before-20260328T120000")]
    assert service.snapshots == ["READY"]


@pytest.mark.parametrize("status", ["AUTOSCALING", "MAINTENANCE", "UPDATING", "STARTING", "ROLLING_BACK"])
def test_a_job_that_the_service_works_on_is_waited_for(status: str) -> None:
    """It has state: a deployment without a snapshot of it could lose what it knows."""
    service = Service([status, status, "RUNNING"])
    assert application(service).snapshot(NOON) == "before-20260328T120000"
    with pytest.raises(ApplicationError, match="neither running nor stopped within 1800 s"):
        application(Service([status])).snapshot(NOON)


def test_a_release_that_was_rolled_back_is_no_success() -> None:
    """The previous version passes all other checks; only its name differs."""
    application(Service(["RUNNING"])).check_release("r1")
    with pytest.raises(RolledBackError, match=r"runs release r1 \(version 7 .*\), not r2"):
        application(Service(["RUNNING"])).check_release("r2")
    with pytest.raises(RolledBackError, match="not r2"):
        application(Service(["ABSENT"])).check_release("r2")


def test_a_release_is_of_its_package_settings_and_state(tmp_path: Path) -> None:
    package = tmp_path / "app.zip"
    package.write_bytes(b"one")
    first = release_of(package, Environment("dev"), "s1")
    assert first == release_of(package, Environment("dev"), "s1")
    others = [
        release_of(package, Environment("dev", parallelism=2), "s1"),
        release_of(package, Environment("dev"), "s2"),
    ]
    package.write_bytes(b"two")
    others.append(release_of(package, Environment("dev"), "s1"))
    assert len({first, *others}) == 4


@pytest.mark.parametrize("status", ["READY", "ABSENT"])
def test_what_does_not_run_has_no_snapshot(status: str) -> None:
    service = Service([status])
    assert application(service).snapshot(NOON) is None
    assert service.calls == []


def test_a_snapshot_that_fails_stops_the_deployment() -> None:
    with pytest.raises(ApplicationError, match="failed"):
        application(Service(["RUNNING"], ("CREATING", "FAILED"))).snapshot(NOON)


def test_a_stopped_job_is_started_from_its_snapshot_and_a_running_one_is_left() -> None:
    service = Service(["READY", "STARTING", "RUNNING"])
    application(service).start("RESTORE_FROM_LATEST_SNAPSHOT")
    assert service.calls == [("start", "RESTORE_FROM_LATEST_SNAPSHOT")]
    running = Service(["RUNNING"])
    application(running).start("RESTORE_FROM_LATEST_SNAPSHOT")
    assert running.calls == []


def test_a_job_that_does_not_come_up_is_no_success() -> None:
    with pytest.raises(ApplicationError, match="was not running within 900 s"):
        application(Service(["STARTING"])).start("RESTORE_FROM_LATEST_SNAPSHOT")
    with pytest.raises(ApplicationError, match="ROLLED_BACK"):
        application(Service(["UPDATING", "ROLLED_BACK"])).start("RESTORE_FROM_LATEST_SNAPSHOT")


def test_stopping_waits_until_it_has_stopped() -> None:
    service = Service(["RUNNING", "STOPPING", "READY"])
    application(service).stop()
    assert service.calls == [("stop", "job")]


@pytest.mark.parametrize("status", ["DELETING", "ROLLED_BACK", "A_NEW_STATUS"])
def test_a_job_that_is_stuck_is_neither_updated_nor_stopped(status: str) -> None:
    """Waiting would not help, and going on without a snapshot would lose what the job knows."""
    service = Service(["UPDATING", status])
    for act in (lambda: application(service).snapshot(NOON), application(service).stop):
        with pytest.raises(StuckError, match=f"job is {status}, neither running nor stopped"):
            act()
    assert service.calls == []


@pytest.mark.parametrize("status", ["RUNNING", "STARTING", "UPDATING", "AUTOSCALING", "STOPPING"])
def test_a_job_is_stopped_at_once_where_that_is_asked_for(status: str) -> None:
    service = Service([status, "FORCE_STOPPING", "READY"])
    application(service).stop(force=True)
    assert service.calls == [("force stop", "job")]


@pytest.mark.parametrize("status", ["ROLLED_BACK", "DELETING", "READY", "ABSENT"])
def test_what_cannot_be_stopped_does_not_keep_an_environment_from_being_removed(status: str) -> None:
    service = Service([status])
    application(service).stop(force=True)
    assert service.calls == []


def test_a_job_that_stops_again_while_it_starts_is_reported_at_once() -> None:
    service = Service(["READY", "READY", "STARTING", "READY"])
    with pytest.raises(StuckError, match="job is READY; see its log"):
        application(service).start("RESTORE_FROM_LATEST_SNAPSHOT")


def test_an_update_that_is_rolled_back_during_the_checks_is_no_success() -> None:
    application(Service(["RUNNING"])).check_running("r1")
    with pytest.raises(RolledBackError, match="not r2"):
        application(Service(["ROLLING_BACK", "RUNNING"])).check_running("r2")
    with pytest.raises(StuckError, match="job is READY, not RUNNING"):
        application(Service(["READY"])).check_running("r1")


def test_only_a_state_that_fits_is_deployed_over() -> None:
    application(Service(["RUNNING"], state="s1")).check_state("s1")
    application(Service(["ABSENT"])).check_state("s2")
    with pytest.raises(StateChangedError, match="has state s1, this version has s2"):
        application(Service(["RUNNING"], state="s1")).check_state("s2")


def test_the_check_says_that_the_registry_is_empty() -> None:
    class Empty:
        def list_objects_v2(self, **given: str) -> dict[str, Any]:
            return {}

    with pytest.raises(SmokeError, match="upload tariffs"):
        check(Clients(None, Empty(), None), Names("metering-dev"), NOON)
