"""Recipients that routes may name: the deployment's own topics, and those that the environment's settings permit."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlparse

from deploy.alerting.runtime.routes import Recipient, Routes
from deploy.kit.names import Names
from deploy.settings import Environment

_REMEDY = "add it to {field} of environment {environment} (environments.toml) and deploy"


class RecipientNotPermittedError(ValueError):
    """Routes name recipients without permission; the message lists them with the setting to change."""


@dataclass(frozen=True)
class RecipientPolicy:
    """ARN patterns, in IAM's syntax, of permitted recipients and secrets."""

    environment: str
    recipients: Sequence[str]
    secrets: Sequence[str]

    @classmethod
    def of(cls, environment: Environment, names: Names, account: str) -> RecipientPolicy:
        """The policy of a deployment in an account."""
        topics = f"arn:aws*:sns:{environment.region}:{account}:"
        own = (f"{topics}{names.prefix}-people", f"{topics}{names.prefix}-people.fifo")
        return cls(environment.name, (*own, *environment.recipients), environment.secrets)

    def check(self, routes: Routes) -> None:
        """Raise RecipientNotPermittedError if routes name a recipient or secret without permission."""
        if faults := [fault for recipient in routes.recipients.values() for fault in self._faults(recipient)]:
            raise RecipientNotPermittedError("; ".join(faults))

    def _faults(self, recipient: Recipient) -> Iterator[str]:
        needed = [("recipients", recipient.sns or queue_arn(recipient.sqs), self.recipients)]
        if recipient.secret.startswith("arn:"):
            needed.append(("secrets", recipient.secret, self.secrets))
        for field, arn, patterns in needed:
            if arn and not any(_matches(arn, pattern) for pattern in patterns):
                remedy = _REMEDY.format(field=field, environment=self.environment)
                yield f"recipient {recipient.name!r}: no permission to use {arn}: {remedy}"


def queue_arn(url: str) -> str:
    """The ARN of a queue URL, https://sqs.<region>.amazonaws.com/<account>/<name>; any other URL unchanged."""
    parsed = urlparse(url)
    region = re.match(r"(?:sqs\.)([a-z0-9-]+)\.amazonaws\.com", parsed.netloc)
    parts = parsed.path.strip("/").split("/")
    if region is None or len(parts) != 2:
        return url
    return f"arn:aws:sqs:{region[1]}:{parts[0]}:{parts[1]}"


def _matches(arn: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(arn, pattern.replace("[", "[[]"))
