"""Which recipients the alerting functions may reach: the environment's own topics, and those that its settings name."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlparse

from deploy.alerting.runtime.routes import Recipient, Routes
from deploy.kit.names import Names
from deploy.settings import Environment

_NAMED = "name it in {field} of environment {environment} (environments.toml) and deploy"


class UnreachableError(ValueError):
    """Routes to recipients that the functions' role may not reach; the message names each and what to change."""


@dataclass(frozen=True)
class Reach:
    """ARN patterns, as IAM has them, of what messages may be sent to and of secrets that may be read."""

    environment: str
    recipients: Sequence[str]
    secrets: Sequence[str]

    @classmethod
    def of(cls, environment: Environment, names: Names, account: str) -> Reach:
        """The reach of a deployment in an account."""
        topics = f"arn:aws*:sns:{environment.region}:{account}:"
        own = (f"{topics}{names.prefix}-people", f"{topics}{names.prefix}-people.fifo")
        return cls(environment.name, (*own, *environment.recipients), environment.secrets)

    def check(self, routes: Routes) -> None:
        """Raises UnreachableError where the role may not reach what routes name."""
        if faults := [fault for recipient in routes.recipients.values() for fault in self._faults(recipient)]:
            raise UnreachableError("; ".join(faults))

    def _faults(self, recipient: Recipient) -> Iterator[str]:
        needed = [("recipients", recipient.sns or queue_arn(recipient.sqs), self.recipients)]
        if recipient.secret.startswith("arn:"):
            needed.append(("secrets", recipient.secret, self.secrets))
        for field, arn, patterns in needed:
            if arn and not any(_matches(arn, pattern) for pattern in patterns):
                cure = _NAMED.format(field=field, environment=self.environment)
                yield f"recipient {recipient.name!r}: the functions may not reach {arn}: {cure}"


def queue_arn(url: str) -> str:
    """The ARN of a queue's URL, https://sqs.<region>.amazonaws.com/<account>/<name>; the URL itself for any other."""
    parsed = urlparse(url)
    region = re.match(r"(?:sqs\.)([a-z0-9-]+)\.amazonaws\.com", parsed.netloc)
    parts = parsed.path.strip("/").split("/")
    if region is None or len(parts) != 2:
        return url
    return f"arn:aws:sqs:{region[1]}:{parts[0]}:{parts[1]}"


def _matches(arn: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(arn, pattern.replace("[", "[[]"))
