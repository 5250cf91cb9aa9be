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

from . import context
from .model import Recipient, read_change

logger = Logger(service="notifier")
processor = BatchProcessor(event_type=EventType.KinesisDataStreams)


def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
    """Entry of the function."""
    told: dict[str, Recipient] = {}

    def note(record: KinesisStreamRecord) -> None:
        for recipient in take_in(record.kinesis.data_as_bytes()):
            told[recipient.name] = recipient

    answer = process_partial_response(event=event, record_handler=note, processor=processor, context=lambda_context)
    for recipient in told.values():
        send_due(recipient)
    return dict(answer)


def take_in(data: bytes) -> list[Recipient]:
    """Note one record. One that is no change can never be noted: it is logged and passed over."""
    try:
        change = read_change(data)
    except (ValueError, KeyError, TypeError) as error:
        logger.error("no change of an alert", extra={"error": str(error), "data": data[:1000].decode(errors="replace")})
        return []
    return context.outbox().take_in(change, context.now_ms())


def send_due(recipient: Recipient) -> None:
    """Send what is due; a channel that fails is left for the sweeper."""
    try:
        context.outbox().dispatch(recipient, context.now_ms())
    except Exception as error:
        logger.warning("not sent, kept for later", extra={"recipient": recipient.name, "error": str(error)})
