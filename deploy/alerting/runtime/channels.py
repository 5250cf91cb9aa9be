"""Sending: SNS, SQS, signed webhooks. A message carries its id, so that sending it again is recognised.

FIFO topics and queues drop a second message of one id within five minutes; a webhook's receiver is told the id in
`Idempotency-Key`. Standard topics (email, text messages) cannot tell: there, a function that dies in the moment between
sending and noting it sends again.
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
    """A message that was not taken."""


@dataclass(frozen=True)
class Message:
    """What goes out at once to one recipient. `rows` are the changes it tells of, `group` what keeps its order."""

    message_id: str
    subject: str
    text: str
    short: str
    group: str
    rows: list[dict[str, Any]]

    def document(self) -> str:
        """For programs."""
        return json.dumps(
            {"message_id": self.message_id, "subject": self.subject, "text": self.text, "alerts": self.rows}
        )


class Channels:
    """Clients of the services, made once. `any_queue` (for tests only) permits queues at other addresses than AWS's."""

    def __init__(self, sns: Any, sqs: Any, webhooks: Webhooks, any_queue: bool = False) -> None:
        self.sns, self.sqs, self.webhooks, self._any_queue = sns, sqs, webhooks, any_queue

    def send(self, recipient: Recipient, message: Message) -> None:
        """Send a message. Raises what the service raises, or SendError."""
        if recipient.sns:
            self._publish(recipient.sns, message)
        elif recipient.sqs:
            # The check's queue is the deployment's own; no document can name it.
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
            raise SendError(f"{queue!r} is no queue of SQS: https://sqs.<region>.amazonaws.com/<account>/<name>")
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
    """`t=...,v1=...`: HMAC-SHA256 of `t.content`; the time lets a receiver refuse old ones."""
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + content, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def _once(message: Message) -> dict[str, str]:
    return {"MessageGroupId": message.group, "MessageDeduplicationId": message.message_id}
