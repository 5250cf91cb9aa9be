"""Snapshots of the application: which are kept, and the calls that delete the others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from deploy.settings import Environment, SettingsError
from deploy.stream_job.application import Application
from deploy.stream_job.snapshots import prune, surplus

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
#: A version of the application that started with a snapshot of its own name.
NAMED = {"ApplicationRestoreType": "RESTORE_FROM_CUSTOM_SNAPSHOT", "SnapshotName": "before-1"}


def snapshot(name: str, number: int, version: int = 7, status: str = "READY") -> dict[str, Any]:
    taken = NOON + timedelta(hours=number)
    summary = {"SnapshotName": name, "SnapshotStatus": status, "ApplicationVersionId": version}
    return summary | {"SnapshotCreationTimestamp": taken}


def detail(version: int = 7, restored: dict[str, str] | None = None) -> dict[str, Any]:
    configuration: dict[str, Any] = {}
    if restored:
        configuration = {"RunConfigurationDescription": {"ApplicationRestoreConfigurationDescription": restored}}
    return {
        "ApplicationARN": "arn:aws:kinesisanalytics:eu-west-1:000000000000:application/job",
        "ApplicationName": "job",
        "RuntimeEnvironment": "FLINK-1_20",
        "ApplicationStatus": "RUNNING",
        "ApplicationVersionId": version,
        "ApplicationConfigurationDescription": configuration,
    }


def deleted(found: list[dict[str, Any]], keep: int, **described: Any) -> list[str]:
    return [s["SnapshotName"] for s in surplus(found, keep, detail(**described))]


def test_the_newest_are_kept_and_what_runs() -> None:
    # The newest first; version 7 runs, and started from the last snapshot of version 6.
    found = [snapshot(f"before-{n}", n, 7 if n > 3 else 6) for n in range(9, 0, -1)]
    assert deleted(found, 2) == ["before-7", "before-6", "before-5", "before-4", "before-2", "before-1"]
    assert deleted(found, 2, restored=NAMED) == ["before-7", "before-6", "before-5", "before-4", "before-2"]
    assert deleted(found, 9) == []
    assert deleted(found, 1, version=10) == [f"before-{n}" for n in range(8, 0, -1)]


def test_backups_are_counted_apart() -> None:
    found = [snapshot(f"{kind}-{n}", n) for n in range(4, 0, -1) for kind in ("backup", "before")]
    assert deleted(found, 3) == ["backup-1", "before-1"]


def test_what_failed_is_not_kept_and_what_is_being_taken_is() -> None:
    found = [
        snapshot("before-4", 4, status="CREATING"),
        snapshot("before-3", 3, status="FAILED"),
        snapshot("before-2", 2),
        snapshot("before-1", 1),
        snapshot("before-0", 0, status="DELETING"),
    ]
    assert deleted(found, 1) == ["before-3", "before-1"]


@pytest.fixture
def service() -> Iterator[tuple[Any, Stubber]]:
    """A client of Managed Flink whose calls and answers are checked against the service's model."""
    credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client = boto3.client("kinesisanalyticsv2", region_name="eu-west-1", **credentials)
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def test_surplus_snapshots_are_deleted_from_every_page(service: tuple[Any, Stubber]) -> None:
    client, stubber = service
    named = {"ApplicationName": "job"}
    stubber.add_response("describe_application", {"ApplicationDetail": detail()}, named)
    pages = [[snapshot("a", 1), snapshot("b", 2)], [snapshot("c", 3)]]
    stubber.add_response("list_application_snapshots", {"SnapshotSummaries": pages[0], "NextToken": "2"}, named)
    stubber.add_response("list_application_snapshots", {"SnapshotSummaries": pages[1]}, named | {"NextToken": "2"})
    for name, number in (("b", 2), ("a", 1)):
        at = {"SnapshotCreationTimestamp": NOON + timedelta(hours=number)}
        stubber.add_response("delete_application_snapshot", {}, named | {"SnapshotName": name} | at)
    assert prune(Application(client, "job"), 1) == ["b", "a"]


def test_an_application_that_is_not_there_has_none(service: tuple[Any, Stubber]) -> None:
    client, stubber = service
    stubber.add_client_error("describe_application", "ResourceNotFoundException", http_status_code=400)
    assert prune(Application(client, "job"), 1) == []


@pytest.mark.parametrize("keep", [0, 401])
def test_a_number_that_would_lose_state_or_exceed_the_quota_is_refused(keep: int) -> None:
    with pytest.raises(SettingsError, match="keep_snapshots"):
        Environment("x", keep_snapshots=keep)
