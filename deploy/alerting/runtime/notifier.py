"""The alerts stream to people: each record is noted with its notices, then what is due is sent.

A record that cannot be noted is handed back (partial batch failure), and all after it in its shard: order is kept.
Where the stream itself has changed it, the state of an alert is that after its last change all the same. A message that
is not taken is no failure of the batch: it is stored, and the sweeper sends it.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord
from botocore.exceptions import ClientError

from deploy.kit.errors import reported

from . import context, metrics
from .dispatcher import send_due
from .messages import body, short, subject
from .model import Change, read_change
from .routes import Recipient

logger = Logger(service="notifier")
processor = BatchProcessor(event_type=EventType.KinesisDataStreams)
#: No message is begun after this time: the next records wait. The sweeper sends the rest.
PATIENCE_S = 5.0
#: DynamoDB's answers to an item that it will never take.
NEVER = {"ValidationException", "ItemCollectionSizeLimitExceededException"}


@reported
def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
    """Entry of the function."""
    told: dict[tuple[str, str], Recipient] = {}

    def note(record: KinesisStreamRecord) -> None:
        for recipient in take_in(record.kinesis.data_as_bytes()):
            told[recipient.tenant, recipient.name] = recipient

    answer = process_partial_response(event=event, record_handler=note, processor=processor, context=lambda_context)
    send_due(told.values(), lambda_context, PATIENCE_S)
    return dict(answer)


def take_in(data: bytes) -> list[Recipient]:
    """Note one record. One that can never be noted is logged, counted and passed over."""
    try:
        change = _readable(data)
    except Exception as error:
        return _pass_over(data, error)
    try:
        return context.outbox(change.tenant).take_in(change, context.now_ms())
    except ClientError as error:
        reasons = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons") or ()}
        if error.response["Error"]["Code"] in NEVER or "ValidationError" in reasons:
            return _pass_over(data, error)
        raise


def _readable(data: bytes) -> Change:
    """The change in a record from which messages can be made."""
    change = read_change(data)
    subject([change.row]), body([change.row], ""), short(change.row)
    return change


def _pass_over(data: bytes, error: Exception) -> list[Recipient]:
    metrics.count(metrics.UNREADABLE)
    logger.error("no change of an alert", extra={"error": str(error), "data": data[:1000].decode(errors="replace")})
    return []
