"""Receipts of published files: accepted and refused rows, reasons, and positions of the records in the stream."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlparse

import duckdb
import msgspec
from botocore.exceptions import ClientError

from flink_job.batch.upload import Checked, Published, Refusal, check, publish_file
from flink_job.config import Job
from flink_job.errors import MeteringError
from flink_job.io.isolated import isolated_records
from flink_job.io.kinesis import client
from flink_job.io.records import InputError, open_input
from flink_job.lake.database import each_record_once
from flink_job.schemas import ACCOUNTED, OUTPUTS

PUBLISHED, REFUSED = "published", "refused"
#: Outcome of the readings that were unpriced first, and priced after they had been published again.
PRICED_LATER = "priced later"


class ReceiptError(MeteringError, ValueError):
    """A receipt that is missing or invalid."""


class Receipt(msgspec.Struct, kw_only=True):
    """Result of publishing a file.

    `rows` is the sum of `taken` (accepted readings) and of `refused`, the number of refused rows by reason code;
    `refused_rows` has the first of them. `records` are the stream records of the file, with their `first` and `last`.
    `why` is the reason if the file was refused as a whole, or empty. `earliest` and `latest` are the first and last
    `interval_start`. Times are UTC.
    """

    file: str
    sha256: str
    tenant: str
    status: str
    why: str
    rows: int
    taken: int
    refused: dict[str, int]
    refused_rows: list[Refusal]
    published: int
    earliest: datetime | None
    latest: datetime | None
    first: Published | None
    last: Published | None
    records: list[Published]
    written_at: datetime


def publish_once(file: str, tenant: str, job: Job, stream: str, receipts: str, pace: int) -> tuple[Receipt, bool]:
    """Publish a file unless it is already published. Returns (receipt, whether it is new).

    The receipt is written under `receipts`. Raises InputError and PublishError. After a PublishError the file may be
    published again: its readings that are already in the stream become duplicates.
    """
    with _local(file) as path:
        digest = _digest(path)
        target = f"{receipts.rstrip('/')}/{tenant}/{Path(file).name}.{digest[:16]}.json"
        try:
            earlier = read_receipt(target)
        except ReceiptError:
            earlier = None
        if earlier and earlier.status == PUBLISHED:
            return earlier, False
        now_ms = int(time.time() * 1000)
        published: list[Published] = []
        with isolated_records(path) as records:
            checked = check(records(), tenant, job, now_ms)
            if not checked.why:
                for round_ in publish_file(records(), tenant, job, now_ms, stream, pace):
                    published += round_
        receipt = _receipt(file, digest, tenant, checked, published)
        _write(target, msgspec.json.encode(receipt))
        return receipt, True


def read_receipt(uri: str) -> Receipt:
    """Read a receipt from a file or S3. Raises ReceiptError."""
    parsed = urlparse(uri)
    try:
        if parsed.scheme == "s3":
            answer = client("s3").get_object(Bucket=parsed.netloc, Key=parsed.path.lstrip("/"))
            return msgspec.json.decode(answer["Body"].read(), type=Receipt)
        return msgspec.json.decode(Path(uri).read_bytes(), type=Receipt)
    except (ClientError, OSError) as error:
        raise ReceiptError(f"{uri}: {error}") from None
    except msgspec.DecodeError as error:
        raise ReceiptError(f"{uri} is no receipt: {error}") from None


def outcomes(receipt: Receipt, lake: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the number of published readings in each of the tables that account for every reading.

    PRICED_LATER is absent if there are none of these.
    """
    lake.execute("CREATE TEMPORARY TABLE sent (shard VARCHAR, place VARCHAR)")
    if receipt.records:
        lake.executemany("INSERT INTO sent VALUES (?, ?)", [[r.shard, r.position] for r in receipt.records])
    found = {}
    unpriced = f"({each_record_once(OUTPUTS['unpriced'])})"
    for table, source in {**{name: name for name in ACCOUNTED}, PRICED_LATER: unpriced}.items():
        counted = OUTPUTS[table].counted_where if table in OUTPUTS else "TRUE"
        sql = f"SELECT shard, split_part(record_position, '.', 1) AS place FROM {source} AS records WHERE {counted}"
        [[found[table]]] = lake.execute(
            f"SELECT COUNT(*) FROM ({sql}) AS rows SEMI JOIN sent USING (shard, place)"
        ).fetchall()
    if not (later := found.pop(PRICED_LATER) - found["unpriced"]):
        return found
    return {**found, PRICED_LATER: later}


def _receipt(file: str, digest: str, tenant: str, checked: Checked, records: Sequence[Published]) -> Receipt:
    return Receipt(
        file=file,
        sha256=digest,
        tenant=tenant,
        status=REFUSED if checked.why else PUBLISHED,
        why=checked.why,
        rows=checked.rows,
        taken=checked.taken,
        refused=dict(checked.reasons),
        refused_rows=checked.refusals,
        published=sum(record.readings for record in records),
        earliest=_moment(checked.earliest_ms),
        latest=_moment(checked.latest_ms),
        first=records[0] if records else None,
        last=records[-1] if records else None,
        records=list(records),
        written_at=datetime.now(UTC),
    )


def _moment(epoch_ms: int | None) -> datetime | None:
    return None if epoch_ms is None else datetime.fromtimestamp(epoch_ms / 1000, UTC)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _local(file: str) -> Iterator[Path]:
    """Yield the path of a file, or of a copy of an S3 object. Raises InputError.

    The copy ensures that the published content is the checked content.
    """
    parsed = urlparse(file)
    if parsed.scheme != "s3":
        if not Path(file).is_file():
            raise InputError(f"{file}: no such file")
        yield Path(file)
        return
    with TemporaryDirectory(prefix="upload-") as folder:
        copy = Path(folder) / Path(parsed.path).name
        with open_input(file) as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
        yield copy


def _write(uri: str, content: bytes) -> None:
    parsed = urlparse(uri)
    if parsed.scheme == "s3":
        client("s3").put_object(Bucket=parsed.netloc, Key=parsed.path.lstrip("/"), Body=content)
        return
    Path(uri).parent.mkdir(parents=True, exist_ok=True)
    Path(uri).write_bytes(content)
