"""Reports errors of the job, its Python workers, Lambda functions and containers to Sentry, if a DSN is set.

An event contains the type of an exception, its stack frames, the component and the deployment. It contains no message,
variable or request, because these may hold personal data or bytes of a record; the component's log has the details.
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
REDACTED = "redacted; see the log"
FLUSH_S = 5.0
_EVENT = ("event_id", "timestamp", "level", "platform", "release", "environment", "sdk", "tags")
_FRAME = ("filename", "module", "function", "lineno", "in_app")


@dataclass(frozen=True)
class Destination:
    """Sentry's DSN: `dsn`, or the value of `secret` (ARN in Secrets Manager). Without both, nothing is reported."""

    dsn: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)

    @property
    def is_set(self) -> bool:
        """Whether a DSN or a secret is set."""
        return bool(self.dsn or self.secret)

    def resolve_dsn(self) -> str:
        """Return the DSN. It is empty if none is set, or if the secret cannot be read, which is logged."""
        if self.dsn or not self.secret:
            return self.dsn
        import boto3

        try:
            # arn:aws:secretsmanager:<region>:<account>:secret:<name>
            secrets = boto3.client("secretsmanager", region_name=self.secret.split(":")[3])
            return str(secrets.get_secret_value(SecretId=self.secret)["SecretString"])
        except Exception as error:
            log.warning(
                "errors are not reported to Sentry: its secret cannot be read",
                extra={"secret": self.secret, "error": str(error)},
            )
            return ""


def destination_from_settings(settings: Settings) -> Destination:
    """Return the destination in the settings of the job."""
    return Destination(settings.job.sentry_dsn, settings.job.sentry_secret)


def destination_from_environment() -> Destination:
    """Return the destination in the environment variables SENTRY_DSN and SENTRY_SECRET."""
    return Destination(os.environ.get("SENTRY_DSN", ""), os.environ.get("SENTRY_SECRET", ""))


@contextlib.contextmanager
def report_errors(dsn: str, part: str = "") -> Iterator[None]:
    """Report an exception of the block with the tag `part` and raise it again. Without a DSN nothing is imported."""
    is_on = initialise(dsn)
    try:
        yield
    except Exception as error:
        if is_on:
            report(error, part)
        raise


def initialise(dsn: str) -> bool:
    """Initialise the Sentry SDK once per process. Returns False without a valid DSN."""
    if not dsn:
        return False
    import sentry_sdk
    from sentry_sdk.utils import BadDsn

    if sentry_sdk.get_client().dsn == dsn:
        return True
    try:
        sentry_sdk.init(
            dsn=dsn,
            # The default integrations read requests, arguments, modules and logs.
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
            before_send=redacted,
        )
    except BadDsn:
        log.warning("errors are not reported to Sentry: its DSN is invalid")
        return False
    return True


def report(error: BaseException, part: str) -> None:
    """Send an exception with the component as tag `part`, and wait, because the process may end soon."""
    import sentry_sdk

    with sentry_sdk.new_scope() as scope:
        scope.set_tag("part", part)
        sentry_sdk.capture_exception(error)
    sentry_sdk.flush(timeout=FLUSH_S)


def redacted(event: Event, hint: Hint) -> Event:
    """Reduce an event to an allow list, so that fields that the SDK adds in future are never sent."""
    reduced: dict[str, Any] = {name: event[name] for name in _EVENT if name in event}  # type: ignore[literal-required]
    values = (event.get("exception") or {}).get("values") or []
    reduced["exception"] = {"values": [_exception(value) for value in values]}
    return reduced  # type: ignore[return-value]


def _exception(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the type, module and stack frames of an exception, without its message."""
    frames = (value.get("stacktrace") or {}).get("frames") or []
    return {
        "type": value.get("type"),
        "module": value.get("module"),
        "value": REDACTED,
        "stacktrace": {"frames": [{name: frame[name] for name in _FRAME if name in frame} for frame in frames]},
    }
