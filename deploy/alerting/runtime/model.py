"""Changes of alerts: the records of the alerts stream."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.kit.documents import read_document
from deploy.kit.tenants import DEFAULT_TENANT, is_tenant

SEVERITIES = ("info", "minor", "major", "critical", "emergency")
#: The state of the notification that an alert was closed by hand; the job does not emit it.
CLOSED = "closed"
STATES = ("raised", "escalated", "eased", "flapping", "cleared", "latched", CLOSED)
ENDED = ("cleared", "latched", CLOSED)
LINE_DEPTH = 3
#: Size of a record of the stream; lengths and numbers that fit into the keys of the table.
MAX_RECORD, MAX_NAME, MAX_NUMBER = 1_048_576, 500, 999_999


class ChangeError(ValueError):
    """A record that is not a valid change of an alert; the message names the field."""


@dataclass(frozen=True)
class Change:
    """A row of the alerts stream. Times are epoch ms; `row` is the unaltered record."""

    alert_id: str
    number: int
    state: str
    severity: str
    rule_id: str
    entity: str
    site_path: str
    tags: str
    event_ms: int
    historical: bool
    muted: bool
    inhibited_by: tuple[str, ...]
    row: dict[str, Any]
    tenant: str = DEFAULT_TENANT

    @property
    def site(self) -> str:
        """The factory, by which access to the alert is controlled."""
        return self.site_path.split("/")[0]

    @property
    def line(self) -> str:
        """The site path down to the line: notifications of a line are grouped."""
        return "/".join(self.site_path.split("/")[:LINE_DEPTH])

    @property
    def has_ended(self) -> bool:
        """True if the alert has cleared, latched or been closed."""
        return self.state in ENDED


def read_change(data: bytes) -> Change:
    """Parse a record of the alerts stream. Raises ChangeError or DocumentError, both ValueErrors."""
    row = read_document(data, MAX_RECORD)
    if not isinstance(row, dict):
        raise ChangeError("a change must be a JSON object")
    number = row.get("change_number")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= MAX_NUMBER:
        raise ChangeError(f"change_number must be a whole number from 0 to {MAX_NUMBER}")
    tenant = row.get("tenant") or DEFAULT_TENANT
    if not isinstance(tenant, str) or not is_tenant(tenant):
        raise ChangeError("tenant is not a valid tenant name: use 1 to 32 of a-z, 0-9 and -")
    event_time = _text(row, "event_time")
    _text(row, "title", MAX_RECORD)
    return Change(
        _text(row, "alert_id"),
        number,
        _one_of(row, "state", STATES),
        _one_of(row, "severity", SEVERITIES),
        _text(row, "rule_id"),
        _text(row, "entity"),
        _text(row, "site_path"),
        _text(row, "tags", MAX_RECORD, may_be_empty=True),
        to_ms(event_time),
        bool(row.get("historical")),
        bool(row.get("muted")),
        tuple(name for name in _text(row, "inhibited_by", MAX_RECORD, may_be_empty=True).split(",") if name),
        row,
        tenant,
    )


def _text(row: dict[str, Any], name: str, max_bytes: int = MAX_NAME, may_be_empty: bool = False) -> str:
    value = row.get(name)
    if value is None and may_be_empty:
        return ""
    if not isinstance(value, str) or not (value or may_be_empty) or len(value.encode()) > max_bytes:
        raise ChangeError(f"{name} must be a text of at most {max_bytes} bytes")
    return value


def _one_of(row: dict[str, Any], name: str, names: tuple[str, ...]) -> str:
    value = row.get(name)
    if not isinstance(value, str) or value not in names:
        raise ChangeError(f"{name} must be one of {', '.join(names)}")
    return value


def to_ms(text: str) -> int:
    """Convert a SQL timestamp in UTC to epoch ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
