"""Receipts of published files: accepted and refused rows, reasons, and positions of the records in the stream."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from urllib.parse import urlparse

import duckdb
import msgspec
from botocore.exceptions import ClientError

from flink_job.batch.upload import Published, Refusal
from flink_job.errors import MeteringError
from flink_job.io.kinesis import client
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
    `interval_start`. Times are UTC. Of an export: the `map` by which it was read, or empty; what was `understood`, by
    subject, with `notes`; and the `questions` that it leaves open, with the keys of a map that answer them.
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
    map: str = ""
    understood: dict[str, str] = {}
    notes: list[str] = []
    questions: dict[str, str] = {}


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


def write_object(uri: str, content: bytes) -> None:
    """Write a file or an S3 object."""
    parsed = urlparse(uri)
    if parsed.scheme == "s3":
        client("s3").put_object(Bucket=parsed.netloc, Key=parsed.path.lstrip("/"), Body=content)
        return
    Path(uri).parent.mkdir(parents=True, exist_ok=True)
    Path(uri).write_bytes(content)
