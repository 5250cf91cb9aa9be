"""A restore rehearsal: the stacks of data and job at the endpoint are filled, backed up, emptied and restored."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.__main__ import FAILURES, app
from deploy.backup.parts import buckets, tables
from deploy.backup.restore import NotEmptyError
from deploy.backup.store import BackupError, DamagedError, Store
from deploy.commands.backup import restore_into
from deploy.kit.names import Names
from deploy.local.endpoint import CREDENTIALS, endpoint, free_port
from deploy.local.stacks import ACCOUNT, PREFIX, REGION, Stacks, templates
from deploy.release.empty import empty_buckets
from deploy.release.imports import IDENTIFIERS, Account, plan
from deploy.stream_job.application import Application
from flink_job.io.kinesis import client

NAMES = Names(PREFIX, f"{ACCOUNT}-{REGION}")
BUCKETS, TABLES = buckets(NAMES), tables(NAMES)
#: Keys that have to be escaped on the way, an empty object, and bytes that are no text.
OBJECTS = {
    "lake": {
        f"costs/event_date=2026-03-{day:02d}/part-{n}.parquet": bytes([day, n]) * 999 for day in (1, 2) for n in (1, 2)
    },
    "registry": {"tariffs/año 2026+1%.json": b"{}", "rules/empty.yaml": b"", "rules/routes.json": b'{"routes": []}'},
    "uploads": {"inbox/" + "deep/" * 190 + "file?versionId=1.csv.gz": b"\x1f\x8b\x00\xff"},
}
Things = tuple[dict[str, dict[str, bytes]], dict[str, list[str]]]


class Place:
    """The deployment at the endpoint."""

    def __init__(self, url: str) -> None:
        self.s3, self.dynamodb = client("s3", url), client("dynamodb", url)
        self.application = Application(client("kinesisanalyticsv2", url), NAMES.application)

    def fill(self) -> None:
        for part, found in OBJECTS.items():
            for key, content in found.items():
                self.s3.put_object(Bucket=BUCKETS[part], Key=key, Body=b"replaced", ContentType="text/x-before")
                self.s3.put_object(Bucket=BUCKETS[part], Key=key, Body=content, ContentType="text/x-meter")
        self.s3.put_object(Bucket=NAMES.lake, Key="athena-results/q.csv", Body=b"of a query")
        self.s3.put_object(Bucket=NAMES.lake, Key="costs/deleted", Body=b"gone")
        self.s3.delete_object(Bucket=NAMES.lake, Key="costs/deleted")
        # More than one page of a scan, and more than one batch of writes.
        for n in range(60):
            document = json.dumps({"meter_id": f"m{n}", "note": "ü" * 20_000})
            item = {"meter_id": {"S": f"m{n}"}, "tenant": {"S": "default"}, "document": {"S": document}}
            self.dynamodb.put_item(TableName=TABLES["contracts"], Item=item)
        item = {
            "pk": {"S": "alert"},
            "sk": {"S": "1"},
            "expires_s": {"N": "1790000000.000000000000000000000001"},
            "B": {"B": b"\x00\xff"},
            "many": {
                "L": [{"BS": [b"a", b"\x01"]}, {"NULL": True}, {"M": {"B": {"S": "text"}, "x": {"NS": ["1", "2"]}}}]
            },
        }
        self.dynamodb.put_item(TableName=TABLES["alert-state"], Item=item)

    def empty(self) -> None:
        empty_buckets(self.s3, BUCKETS.values())
        for name in TABLES.values():
            keys = [key["AttributeName"] for key in self.dynamodb.describe_table(TableName=name)["Table"]["KeySchema"]]
            for page in self.dynamodb.get_paginator("scan").paginate(TableName=name):
                for item in page["Items"]:
                    self.dynamodb.delete_item(TableName=name, Key={key: item[key] for key in keys})

    def holds(self) -> Things:
        objects: dict[str, dict[str, bytes]] = {}
        for part, bucket in BUCKETS.items():
            listed = self.s3.list_objects_v2(Bucket=bucket).get("Contents", ())
            found = {one["Key"]: self.s3.get_object(Bucket=bucket, Key=one["Key"]) for one in listed}
            objects[part] = {key: answer["Body"].read() for key, answer in found.items() if "athena" not in key}
        items = {}
        for part, name in TABLES.items():
            pages = self.dynamodb.get_paginator("scan").paginate(TableName=name)
            # Attributes have no order.
            items[part] = sorted(repr(sorted(item.items())) for page in pages for item in page["Items"])
        return objects, items

    def run(self, *arguments: str) -> str:
        """Return the output of a command. Raises its error."""
        done = CliRunner().invoke(app, arguments, catch_exceptions=not FAILURES)
        if done.exception:
            raise done.exception
        return " ".join(done.stdout.split())

    def back_up(self, *arguments: str) -> str:
        """Make a backup; returns its id."""
        return self.run("backup", "--env", "local", "--settle-s", "0", *arguments).rpartition("--from ")[2].split()[0]

    def restore(self, id: str, *arguments: str) -> str:
        return self.run("restore", "--env", "local", "--from", id, "--yes", *arguments)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        with endpoint(tmp_path_factory.mktemp("endpoint") / "endpoint.log", free_port()) as url:
            patch.setenv("AWS_ENDPOINT_URL", url)
            Stacks(NAMES, url).create("data", "job")
            found = Place(url)
            found.application.start("SKIP_RESTORE_FROM_SNAPSHOT")
            found.fill()
            yield found


@pytest.fixture(scope="module")
def first(place: Place) -> tuple[str, Things]:
    """(id of the first backup, what was there then)"""
    before = place.holds()
    assert all(all(part.values()) or part for part in before)
    return place.back_up(), before


def test_everything_comes_back_as_it_was(place: Place, first: tuple[str, Things]) -> None:
    id, before = first
    place.empty()
    assert place.holds() == ({part: {} for part in BUCKETS}, {part: [] for part in TABLES})
    said = place.restore(id)
    assert place.holds() == before
    assert before[0] == OBJECTS
    key = next(iter(OBJECTS["lake"]))
    assert place.s3.head_object(Bucket=NAMES.lake, Key=key)["ContentType"] == "text/x-meter"
    assert "contracts: 60 written" in said
    snapshot = f"backup-{id}"
    assert f"job: running from snapshot {snapshot}" in said
    detail = place.application.detail()
    assert detail
    started = detail["ApplicationConfigurationDescription"]["RunConfigurationDescription"]
    restored = started["ApplicationRestoreConfigurationDescription"]
    assert restored["SnapshotName"] == snapshot


def test_a_new_environment_is_made_from_a_backup(place: Place, first: tuple[str, Things]) -> None:
    """`up --restore` between the data stack and the others."""
    id, before = first
    place.empty()
    restore_into("local", f"s3://{NAMES.backups}/backups/{id}")
    assert place.holds() == before
    with pytest.raises(BackupError, match="is not the URI of a backup"):
        restore_into("local", f"s3://{NAMES.backups}/{id}")


def test_a_later_backup_copies_only_what_is_new(place: Place, first: tuple[str, Things]) -> None:
    store = Store(place.s3, NAMES.backups)
    before = copies(place)
    place.s3.put_object(Bucket=NAMES.lake, Key="costs/new.parquet", Body=b"new")
    second = store.manifest(place.back_up("--part", "lake"))
    [lake] = second.buckets
    assert lake.objects == len(OBJECTS["lake"]) + 1
    # Restored objects are versions of their own, which the first backup could not have.
    third = store.manifest(place.back_up("--part", "lake"))
    assert len(copies(place)) == len(before) + lake.objects
    assert third.buckets[0].sha256 == lake.sha256
    assert place.run("backup", "--env", "local", "--list").count("objects,") == 3


def test_what_is_not_empty_is_written_over_only_when_asked(place: Place, first: tuple[str, Things]) -> None:
    id, before = first
    key = next(iter(OBJECTS["lake"]))
    place.s3.put_object(Bucket=NAMES.lake, Key=key, Body=b"wrong")
    with pytest.raises(NotEmptyError, match=rf"{NAMES.lake}.*{NAMES.contract_store}.*--overwrite"):
        place.restore(id)
    assert place.holds()[0]["lake"][key] == b"wrong"
    assert "job: not changed" in place.restore(id, "--part", "lake", "--overwrite")
    # What the backup does not have stays.
    assert place.holds()[0]["lake"] == before[0]["lake"] | {"costs/new.parquet": b"new"}


def test_a_damaged_backup_is_refused_by_name_before_anything_is_written(place: Place) -> None:
    id = place.back_up()
    before = place.holds()
    store = Store(place.s3, NAMES.backups)
    bucket = next(b for b in store.manifest(id).buckets if b.part == "lake")
    entries = [json.loads(line) for line in store.read(id, "lake", bucket.sha256)]
    victim = entries[0]
    name = store.object_name("lake", victim["key"], victim["version"])
    for damage, found in (
        (lambda: place.s3.put_object(Bucket=NAMES.backups, Key=name, Body=b"x" * victim["size"]), "checksum differs"),
        (lambda: place.s3.delete_object(Bucket=NAMES.backups, Key=name), "is missing"),
    ):
        damage()
        with pytest.raises(DamagedError, match=rf"lake object '{victim['key']}'.* {found}"):
            place.restore(id, "--overwrite")
    place.s3.put_object(Bucket=NAMES.backups, Key=f"backups/{id}/contracts.ndjson.gz", Body=b"")
    with pytest.raises(DamagedError, match=rf"backups/{id}/contracts\.ndjson\.gz .*checksum differs"):
        place.restore(id, "--verify", "--part", "contracts")
    manifest = place.s3.get_object(Bucket=NAMES.backups, Key=f"backups/{id}/manifest.json")["Body"].read()
    place.s3.put_object(
        Bucket=NAMES.backups, Key=f"backups/{id}/manifest.json", Body=manifest.replace(b"lake", b"like")
    )
    with pytest.raises(DamagedError, match=r"manifest\.json .*checksum differs"):
        place.restore(id)
    assert f"backups/{id}/manifest.json is damaged" in place.run("backup", "--env", "local", "--list")
    assert place.holds() == before
    place.s3.put_object(Bucket=NAMES.backups, Key=f"backups/{id}/manifest.json", Body=manifest)


def test_the_next_backup_replaces_a_damaged_copy(place: Place) -> None:
    store = Store(place.s3, NAMES.backups)
    id = place.back_up("--part", "registry")
    [registry] = store.manifest(id).buckets
    victim = json.loads(next(store.read(id, "registry", registry.sha256)))
    name = store.object_name("registry", victim["key"], victim["version"])
    place.s3.put_object(Bucket=NAMES.backups, Key=name, Body=b"damaged")
    later = place.back_up("--part", "registry")
    assert "is complete" in place.restore(later, "--verify", "--part", "registry")


def test_a_snapshot_that_is_gone_does_not_keep_the_data_from_coming_back(place: Place) -> None:
    id = place.back_up("--part", "job", "--part", "registry")
    [snapshot] = [
        s
        for s in place.application.client.list_application_snapshots(ApplicationName=NAMES.application)[
            "SnapshotSummaries"
        ]
        if s["SnapshotName"] == f"backup-{id}"
    ]
    place.application.client.delete_application_snapshot(
        ApplicationName=NAMES.application,
        SnapshotName=snapshot["SnapshotName"],
        SnapshotCreationTimestamp=snapshot["SnapshotCreationTimestamp"],
    )
    said = place.restore(id, "--overwrite")
    assert "was deleted (setting keep_snapshots)" in said
    assert place.application.status() == "RUNNING"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--from", "20000101T000000Z"), "has no complete backup '20000101T000000Z'"),
        (("--at", "2000-01-01T00:00:00Z"), "no complete backup finished by 2000-01-01 00:00:00 UTC"),
        (("--at", "yesterday"), "not an ISO 8601 time"),
        (("--from", "x", "--part", "lakes"), "unknown part lakes"),
        ((), "--from ID or --at TIME"),
    ],
)
def test_what_cannot_be_restored_is_said(place: Place, arguments: tuple[str, ...], problem: str) -> None:
    with pytest.raises(BackupError, match=problem):
        place.run("restore", "--env", "local", *arguments)


def test_old_backups_are_removed_and_the_others_stay_whole(place: Place) -> None:
    store = Store(place.s3, NAMES.backups)
    store_before = set(store.ids())
    place.s3.put_object(Bucket=NAMES.registry, Key="rules/rules.yaml", Body=b"old")
    place.back_up()
    place.s3.delete_object(Bucket=NAMES.registry, Key="rules/rules.yaml")
    kept, partial = place.back_up(), place.back_up("--part", "registry")
    before = copies(place)
    newest = place.back_up("--keep", "2")
    assert store.ids() == sorted([kept, partial, newest])
    assert len(store_before) > 2
    assert copies(place) < before
    for id in (kept, newest):
        assert "is complete" in place.restore(id, "--verify")


def test_retained_resources_are_found_where_they_are(place: Place) -> None:
    template = json.loads((templates() / f"{PREFIX}-data.template.json").read_text(encoding="utf-8"))
    kept = [r for r in template["Resources"].values() if r["Type"] in IDENTIFIERS]
    for resource in kept:
        resource["DeletionPolicy"] = "Retain"
    url = os.environ["AWS_ENDPOINT_URL"]
    kms = client("kms", url)
    keys = {alias: kms.describe_key(KeyId=f"alias/{alias}")["KeyMetadata"] for alias in (PREFIX, f"{PREFIX}-backups")}
    for bucket in (*BUCKETS.values(), NAMES.backups):
        # The endpoint's CloudFormation makes buckets without the encryption of the template.
        key = keys[f"{PREFIX}-backups" if bucket == NAMES.backups else PREFIX]["Arn"]
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
        place.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    found = plan(template, Account(ACCOUNT, REGION, place.s3, client("cognito-idp", url)))
    assert len(found) == len(kept)
    values = {value for entry in found.values() for value in entry.values()}
    assert values >= {key["KeyId"] for key in keys.values()}
    pools = client("cognito-idp", url).list_user_pools(MaxResults=60)["UserPools"]
    assert [pool["Id"] for pool in pools if pool["Id"] in values]
    assert values >= {*BUCKETS.values(), *TABLES.values(), NAMES.readings}


def copies(place: Place) -> set[str]:
    found: Any = place.s3.list_objects_v2(Bucket=NAMES.backups, Prefix="objects/").get("Contents", ())
    return {one["Key"] for one in found}
