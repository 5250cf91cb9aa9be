"""Notifier: records each change of the alerts stream with its notifications, then sends the due messages.

A record that cannot be recorded is returned as a partial batch failure, with all later records of its shard, so that
order is preserved. If the stream itself has reordered records, the state of an alert is still that of its last change.
A message that a channel does not accept does not fail the batch: it is stored, and the sweeper sends it.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord
from botocore.exceptions import ClientError

from deploy.kit.errors import reported

from . import context, metrics
from .dispatcher import dispatch_all
from .messages import body, short, subject
from .model import Change, read_change
from .routes import Recipient

logger = Logger(service="notifier")
processor = BatchProcessor(event_type=EventType.KinesisDataStreams)
#: No message is started after this time, because the next records wait; the sweeper sends the rest.
LIMIT_S = 5.0
#: DynamoDB's error codes for an item that it will never accept.
PERMANENT = {"ValidationException", "ItemCollectionSizeLimitExceededException"}


@reported
def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
    """Lambda entry point."""
    notified: dict[tuple[str, str], Recipient] = {}

    def handle(record: KinesisStreamRecord) -> None:
        for recipient in record_change(record.kinesis.data_as_bytes()):
            notified[recipient.tenant, recipient.name] = recipient

    answer = process_partial_response(event=event, record_handler=handle, processor=processor, context=lambda_context)
    dispatch_all(notified.values(), lambda_context, LIMIT_S)
    return dict(answer)


def record_change(data: bytes) -> list[Recipient]:
    """Record one change; return its recipients. An invalid record is logged, counted and skipped."""
    try:
        change = _validated(data)
    except Exception as error:
        return _skip(data, error)
    try:
        return context.outbox(change.tenant).record(change, context.now_ms())
    except ClientError as error:
        reasons = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons") or ()}
        if error.response["Error"]["Code"] in PERMANENT or "ValidationError" in reasons:
            return _skip(data, error)
        raise


def _validated(data: bytes) -> Change:
    """Parse a record and check that its messages can be rendered."""
    change = read_change(data)
    subject([change.row]), body([change.row], ""), short(change.row)
    return change


def _skip(data: bytes, error: Exception) -> list[Recipient]:
    metrics.count(metrics.UNREADABLE)
    logger.error(
        "not a valid change of an alert: skipped",
        extra={"error": str(error), "data": data[:1000].decode(errors="replace")},
    )
    return []
