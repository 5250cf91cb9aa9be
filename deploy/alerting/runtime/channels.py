"""Channels of messages: SNS, SQS, signed webhooks. A message carries its id, so that receivers recognise copies.

FIFO topics and queues drop a second message of the same id within five minutes; webhooks send the id in the header
`Idempotency-Key`. Standard topics (email, text messages) have no deduplication: if a function fails between sending a
message and deleting it, these recipients get it twice.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from dataclasses import dataclass
from typing import Any

from .routes import CHECK, Recipient
from .webhook import WebhookError, Webhooks

_QUEUE = re.compile(r"https://sqs\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/\d{12}/[A-Za-z0-9_-]{1,80}(\.fifo)?")


class SendError(RuntimeError):
    """A message that a channel did not accept; the message names the address and the reason."""


@dataclass(frozen=True)
class Message:
    """A message to one recipient. `rows` are its changes; messages of one `group` are delivered in order."""

    message_id: str
    subject: str
    text: str
    short: str
    group: str
    rows: list[dict[str, Any]]

    def document(self) -> str:
        """The message as JSON, for receivers that are programs."""
        return json.dumps(
            {"message_id": self.message_id, "subject": self.subject, "text": self.text, "alerts": self.rows}
        )


class Channels:
    """Sends messages with the clients of the services. `any_queue` (tests only) permits queue URLs outside AWS."""

    def __init__(self, sns: Any, sqs: Any, webhooks: Webhooks, any_queue: bool = False) -> None:
        self.sns, self.sqs, self.webhooks, self._any_queue = sns, sqs, webhooks, any_queue

    def send(self, recipient: Recipient, message: Message) -> None:
        """Send a message to a recipient. Raises SendError, or the error of the AWS service."""
        if recipient.sns:
            self._publish(recipient.sns, message)
        elif recipient.sqs:
            # The smoke check uses the deployment's own queue, which no routes document can name.
            self._queue(recipient.sqs, message, self._any_queue or recipient.name == CHECK)
        else:
            self._post(recipient.webhook, recipient.secret, message)

    def _publish(self, topic: str, message: Message) -> None:
        if topic.endswith(".fifo"):
            self.sns.publish(TopicArn=topic, Message=message.document(), **_once(message))
            return
        forms = {"default": message.text, "sms": message.short, "sqs": message.document()}
        self.sns.publish(TopicArn=topic, Subject=message.subject, Message=json.dumps(forms), MessageStructure="json")

    def _queue(self, queue: str, message: Message, anywhere: bool) -> None:
        if not (anywhere or _QUEUE.fullmatch(queue)):
            raise SendError(
                f"{queue!r} is not the URL of an SQS queue: use https://sqs.<region>.amazonaws.com/<account>/<name>"
            )
        self.sqs.send_message(
            QueueUrl=queue, MessageBody=message.document(), **(_once(message) if queue.endswith(".fifo") else {})
        )

    def _post(self, url: str, secret: str, message: Message) -> None:
        content = message.document().encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": message.message_id,
            "X-Signature": sign(secret, int(time.time()), content),
        }
        try:
            self.webhooks.post(url, content, headers)
        except WebhookError as error:
            raise SendError(str(error)) from None


def sign(secret: str, at_s: int, content: bytes) -> str:
    """The signature `t=...,v1=...`: HMAC-SHA256 of `t.content`. Receivers can reject old times."""
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + content, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def _once(message: Message) -> dict[str, str]:
    return {"MessageGroupId": message.group, "MessageDeduplicationId": message.message_id}
