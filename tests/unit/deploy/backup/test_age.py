"""`backup --list --max-age-h` fails if the newest full backup is overdue, so a schedule that stopped is noticed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deploy.backup.parts import BUCKETS, TABLES
from deploy.backup.store import BackupError, Bucket, Manifest, Table
from deploy.commands.backup import check_age

NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)


def backup(hours_ago: float, parts: tuple[str, ...] = (*BUCKETS, *TABLES)) -> Manifest:
    at = NOW - timedelta(hours=hours_ago)
    buckets = tuple(Bucket(part, "bucket", 0, 0, "") for part in BUCKETS if part in parts)
    tables = tuple(Table(part, "table", 0, 0, "") for part in TABLES if part in parts)
    return Manifest("id", "prod", "", "", at, at, None, buckets, tables)


def test_a_full_backup_within_the_limit_is_enough() -> None:
    check_age([backup(50), backup(26)], NOW, 26)
    check_age([], NOW, 0)


@pytest.mark.parametrize(
    ("backups", "problem"),
    [
        ([], "there is no full backup"),
        ([backup(26.5)], r"finished at 2026-03-27 09:30 UTC, but one must be at most 26 h old"),
        ([backup(26.5), backup(1, ("lake",))], r"finished at 2026-03-27 09:30 UTC"),
    ],
    ids=["none", "too old", "a newer one of a part only"],
)
def test_an_overdue_backup_is_an_error(backups: list[Manifest], problem: str) -> None:
    """26.5 hours before 12:00 on the 28th it is 09:30 on the 27th."""
    with pytest.raises(BackupError, match=problem):
        check_age(backups, NOW, 26)
