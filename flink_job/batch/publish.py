"""Publishes a file of readings, or an export, once, and writes its receipt."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urlparse

import msgspec

from flink_job.batch.receipt import PUBLISHED, REFUSED, Receipt, ReceiptError, read_receipt, write_object
from flink_job.batch.upload import LISTED_REFUSALS, Checked, Published, Refusal, check, publish_file
from flink_job.batch.upload_map import NO_MAP, StatedMap
from flink_job.config import Job
from flink_job.imports.frames import Said
from flink_job.imports.isolated import Records, UnreadableError, isolated_records
from flink_job.imports.questions import in_map
from flink_job.imports.write import refused_csv
from flink_job.io.records import InputError, open_input


class Origin(NamedTuple):
    """A file: its name, digest and tenant, and the map by which it is read."""

    file: str
    sha256: str
    tenant: str
    map: str = ""


class Target(NamedTuple):
    """Stream and tenant that readings are published to, at most `pace` per second, and the place of receipts."""

    stream: str
    tenant: str
    receipts: str
    pace: int
    job: Job = Job()


def publish_once(
    file: str, tenant: str, job: Job, stream: str, receipts: str, pace: int, stated: StatedMap = NO_MAP
) -> tuple[Receipt, bool]:
    """Publish a file unless it is already published. Returns (receipt, whether it is new).

    `stated` is the map of an export. The receipt is written under `receipts`, and refused rows beside it. Raises
    InputError and PublishError. After a PublishError the file may be published again: its readings that are already in
    the stream become duplicates.
    """
    target = Target(stream, tenant, receipts, pace, job)
    with _local(file) as path:
        origin = Origin(file, _digest(path), tenant, stated.uri)

        def publish() -> tuple[Receipt, list[Refusal]]:
            try:
                with isolated_records(path, stated=stated.text) as (records, said):
                    return _published(records, said, origin, target)
            except UnreadableError as error:
                return _receipt(origin, Checked(0, why=str(error)), [], error.said), []

        return _once(origin, stated.with_digest(origin.sha256), target, publish)


def publish_readings(
    origin: Origin, records: Callable[[], Records], said: Said, answers: str, target: Target
) -> tuple[Receipt, bool]:
    """Publish the readings of an export that has been read with `answers`; else as `publish_once`."""
    digest = StatedMap("", answers).with_digest(origin.sha256)
    return _once(origin, digest, target, lambda: _published(records, said, origin, target))


def _once(
    origin: Origin, digest: str, target: Target, publish: Callable[[], tuple[Receipt, list[Refusal]]]
) -> tuple[Receipt, bool]:
    """Publish unless there is a receipt of a published file with this digest, and write the receipt."""
    place = f"{target.receipts.rstrip('/')}/{target.tenant}/{Path(origin.file).name}.{digest[:16]}"
    try:
        earlier = read_receipt(f"{place}.json")
    except ReceiptError:
        earlier = None
    if earlier and earlier.status == PUBLISHED:
        return earlier, False
    receipt, refused = publish()
    if refused:
        rows = refused_csv((row.line, row.reason, row.detail) for row in refused)
        write_object(f"{place}.refused.csv", rows)
    write_object(f"{place}.json", msgspec.json.encode(receipt))
    return receipt, True


def _published(
    records: Callable[[], Records], said: Said, origin: Origin, target: Target
) -> tuple[Receipt, list[Refusal]]:
    """Check and publish records. Returns the receipt and the refused rows."""
    now_ms = int(time.time() * 1000)
    job, tenant = target.job, origin.tenant
    published: list[Published] = []
    checked = check(records(), tenant, job, now_ms)
    refused = (Refusal(str(line), reason, text) for line, reason, text in said.refused)
    checked.refuse(refused, said.more_refused)
    if not checked.taken and said.notes:
        checked.why = f"{checked.why}: {'; '.join(said.notes)}"
    if not checked.why:
        for round_ in publish_file(records(), tenant, job, now_ms, target.stream, target.pace):
            published += round_
    return _receipt(origin, checked, published, said), checked.refusals


def _receipt(origin: Origin, checked: Checked, records: Sequence[Published], said: Said) -> Receipt:
    return Receipt(
        file=origin.file,
        sha256=origin.sha256,
        tenant=origin.tenant,
        status=REFUSED if checked.why else PUBLISHED,
        why=checked.why,
        rows=checked.rows,
        taken=checked.taken,
        refused=dict(checked.reasons),
        refused_rows=checked.refusals[:LISTED_REFUSALS],
        published=sum(record.readings for record in records),
        earliest=_moment(checked.earliest_ms),
        latest=_moment(checked.latest_ms),
        first=records[0] if records else None,
        last=records[-1] if records else None,
        records=list(records),
        written_at=datetime.now(UTC),
        map=origin.map,
        understood=said.understood,
        notes=[*said.notes, *checked.doubts],
        questions={question: in_map(answer) for question, answer in said.questions.items()},
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
