"""Errors to Sentry, of the job's program, its Python workers, functions and containers, where a DSN is set.

An event has the type of an exception and where it was raised, in which part of which deployment: no message, variable
or request, for these may hold a person's data or a record's bytes. The log of the part has all of that.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentry_sdk._types import Event, Hint

    from flink_job.config import Settings

log = logging.getLogger(__name__)
LEFT_OUT = "left out; the log has it"
FLUSH_S = 5.0
_KEPT = ("event_id", "timestamp", "level", "platform", "release", "environment", "sdk", "tags")
_FRAME = ("filename", "module", "function", "lineno", "in_app")


@dataclass(frozen=True)
class Destination:
    """Where errors go: `dsn`, or what the secret (an ARN) in Secrets Manager says; nowhere without either."""

    dsn: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)

    @property
    def is_set(self) -> bool:
        return bool(self.dsn or self.secret)

    def found(self) -> str:
        """The DSN; empty where there is none or the secret cannot be read, which is logged and stops nothing."""
        if self.dsn or not self.secret:
            return self.dsn
        import boto3

        try:
            # arn:aws:secretsmanager:<region>:<account>:secret:<name>
            secrets = boto3.client("secretsmanager", region_name=self.secret.split(":")[3])
            return str(secrets.get_secret_value(SecretId=self.secret)["SecretString"])
        except Exception as error:
            log.warning("no Sentry: the secret cannot be read", extra={"secret": self.secret, "error": str(error)})
            return ""


def destination_of(settings: Settings) -> Destination:
    """Where the job's errors go."""
    return Destination(settings.job.sentry_dsn, settings.job.sentry_secret)


def destination_here() -> Destination:
    """Where errors go of a program that has no settings but its environment's variables."""
    return Destination(os.environ.get("SENTRY_DSN", ""), os.environ.get("SENTRY_SECRET", ""))


@contextlib.contextmanager
def report_errors(dsn: str, part: str = "") -> Iterator[None]:
    """Report an exception that passes, and let it pass; `part` is a tag. Without a DSN nothing is loaded."""
    is_on = connect(dsn)
    try:
        yield
    except Exception as error:
        if is_on:
            report(error, part)
        raise


def connect(dsn: str) -> bool:
    """Make this process one that reports, once. False without a usable DSN."""
    if not dsn:
        return False
    import sentry_sdk
    from sentry_sdk.utils import BadDsn

    if sentry_sdk.get_client().dsn == dsn:
        return True
    try:
        sentry_sdk.init(
            dsn=dsn,
            # The default ones read requests, arguments, modules and logs.
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            send_default_pii=False,
            send_client_reports=False,
            include_local_variables=False,
            include_source_context=False,
            max_breadcrumbs=0,
            server_name="",
            environment=os.environ.get("DEPLOYMENT") or None,
            before_send=scrubbed,
        )
    except BadDsn:
        log.warning("no Sentry: the DSN cannot be used")
        return False
    return True


def report(error: BaseException, part: str) -> None:
    """Send an exception with the part that raised it as a tag, and wait: the process may end with it."""
    import sentry_sdk

    with sentry_sdk.new_scope() as scope:
        scope.set_tag("part", part)
        sentry_sdk.capture_exception(error)
    sentry_sdk.flush(timeout=FLUSH_S)


def scrubbed(event: Event, hint: Hint) -> Event:
    """What may be sent of an event: what is named here, and nothing that the SDK may add some day."""
    kept: dict[str, Any] = {name: event[name] for name in _KEPT if name in event}  # type: ignore[literal-required]
    values = (event.get("exception") or {}).get("values") or []
    kept["exception"] = {"values": [_exception(value) for value in values]}
    return kept  # type: ignore[return-value]


def _exception(value: Mapping[str, Any]) -> dict[str, Any]:
    frames = (value.get("stacktrace") or {}).get("frames") or []
    return {
        "type": value.get("type"),
        "module": value.get("module"),
        "value": LEFT_OUT,
        "stacktrace": {"frames": [{name: frame[name] for name in _FRAME if name in frame} for frame in frames]},
    }
