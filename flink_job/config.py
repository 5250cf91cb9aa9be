"""Settings: one frozen object per property group. All faults are reported together, before the job starts.

The format is that of Managed Flink: a JSON list of {"PropertyGroupId": ..., "PropertyMap": {key: text}}.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flink_job.errors import MeteringError
from flink_job.metering.bounds import MAX_FUTURE_S, MAX_RECORD_BYTES
from flink_job.tenants import DEFAULT, RIGHT, is_tenant

#: Path of the application properties on Managed Flink; the environment variable overrides it in tests and local runs.
PROPERTIES_PATH = "/etc/flink/application_properties.json"
PROPERTIES_VARIABLE = "APPLICATION_PROPERTIES"
#: Property groups that the job ignores: those of the service and of the deployment.
SERVICE_GROUPS = frozenset({"kinesis.analytics.flink.run.options", "deployment"})

#: Connector options that may be set as `connector.<option>`. The connectors ignore misspelled `scan.*`, `aws.*` and
#: `sink.*` options, so they are validated here.
SOURCE_OPTIONS = frozenset(
    {
        "scan.shard-assigner",
        "scan.shard.discovery.intervalmillis",
        "scan.shard.getrecords.maxrecordcount",
        "scan.shard.getrecords.intervalmillis",
        "scan.shard.getrecords.maxretries",
        "scan.shard.getrecords.backoff.base",
        "scan.shard.getrecords.backoff.max",
        "scan.shard.adaptivereads",
        "scan.stream.recordpublisher",
        "scan.stream.efo.consumername",
        "scan.stream.efo.registration",
        "aws.credentials.provider",
        "aws.credentials.role.arn",
        "aws.credentials.role.sessionName",
        "aws.credentials.role.externalId",
        "aws.trust.all.certificates",
    }
)
SINK_OPTIONS = frozenset(
    {
        "sink.batch.max-size",
        "sink.requests.max-inflight",
        "sink.requests.max-buffered",
        "sink.flush-buffer.size",
        "sink.flush-buffer.timeout",
        "sink.fail-on-error",
        "sink.http-client.protocol.version",
        "sink.http-client.max-concurrency",
        "packed.max-bytes",
        "packed.max-rows",
        "packed.linger",
        "aws.credentials.provider",
        "aws.credentials.role.arn",
        "aws.trust.all.certificates",
    }
)


class ConfigError(MeteringError, ValueError):
    """Invalid settings; `problems` lists all faults, each with its group and key."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("invalid settings:\n  " + "\n  ".join(problems))
        self.problems = problems


def _setting(default: Any, check: Callable[[Any], bool] | None = None, right: str = "") -> Any:
    return field(default=default, metadata={"check": check, "right": right})


def _at_least(low: float) -> Callable[[Any], bool]:
    return lambda number: bool(number >= low)


_NOT_EMPTY: Callable[[Any], bool] = bool


@dataclass(frozen=True)
class StreamSource:
    """A Kinesis stream to read, from `initial_position` if there is no state to restore.

    `tenant`: tenant of records without one.
    """

    stream: str = _setting("", _NOT_EMPTY, "the stream's name")
    region: str = _setting("us-east-1", _NOT_EMPTY, "an AWS region")
    endpoint: str = ""
    initial_position: str = _setting(
        "TRIM_HORIZON",
        lambda p: p in ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"),
        "TRIM_HORIZON, LATEST or AT_TIMESTAMP",
    )
    initial_timestamp: str = ""
    tenant: str = _setting(DEFAULT, is_tenant, RIGHT)
    connector: Mapping[str, str] = field(default_factory=dict, metadata={"options": SOURCE_OPTIONS})


@dataclass(frozen=True)
class ContractSource(StreamSource):
    """The stream of contracts, and a snapshot of the newest contract of each meter.

    `snapshot_uri`: path or s3://bucket/key of the snapshot, with region and endpoint as for tariffs; "" for none. A job
    without state reads it before any reading.
    `snapshot_is_complete`: whether it has every contract; then readings do not wait for the stream of contracts.
    """

    snapshot_uri: str = ""
    snapshot_is_complete: bool = False


@dataclass(frozen=True)
class Outputs:
    """Firehose delivery streams by output, and the Kinesis stream of alerts ("" for none).

    `lake`: s3://bucket that the delivery streams write to; used by `redrive` and `gaps`, not by the job.
    """

    costs: str = _setting("", _NOT_EMPTY, "a delivery stream")
    kpis: str = _setting("", _NOT_EMPTY, "a delivery stream")
    alerts: str = _setting("", _NOT_EMPTY, "a delivery stream")
    rejected: str = _setting("", _NOT_EMPTY, "a delivery stream")
    unpriced: str = _setting("", _NOT_EMPTY, "a delivery stream")
    duplicates: str = _setting("", _NOT_EMPTY, "a delivery stream")
    measurements: str = _setting("", _NOT_EMPTY, "a delivery stream")
    register_reads: str = _setting("", _NOT_EMPTY, "a delivery stream")
    contract_changes: str = _setting("", _NOT_EMPTY, "a delivery stream")
    alerts_stream: str = ""
    lake: str = ""
    region: str = _setting("us-east-1", _NOT_EMPTY, "an AWS region")
    endpoint: str = ""
    connector: Mapping[str, str] = field(default_factory=dict, metadata={"options": SINK_OPTIONS})


@dataclass(frozen=True)
class Tariffs:
    """Locations of tariff documents (folder or s3://bucket/prefix) and of alert rules (file or s3://bucket/key)."""

    uri: str = _setting("", _NOT_EMPTY, "a folder or s3://bucket/prefix")
    refresh_s: float = _setting(300.0, _at_least(1), "at least 1")
    keep_copies: bool = True
    rules_uri: str = ""
    rules_refresh_s: float = _setting(60.0, _at_least(1), "at least 1")
    region: str = _setting("us-east-1", _NOT_EMPTY, "an AWS region")
    endpoint: str = ""


@dataclass(frozen=True)
class Job:
    """Settings of the job itself.

    `watermark_delay_s`: out-of-orderness bound of the watermark.
    `idle_timeout_s`: time without records after which a shard is idle and no longer holds back the watermark.
    `contracts_idle_s`: time without contracts after which their stream has been read up to its head. Readings wait for
    that at every start.
    `max_future_s`: how far `interval_start` may be after arrival.
    `state_days`: TTL of the accumulators of intervals, demand and bills, from their last reading. A duplicate that
    arrives later is costed again. Contracts have no TTL.
    `silence_s`: default time without readings after which a `no_data` rule raises an alert; it should be longer than
    the interval of the readings.
    `require_devices`: reject readings of a device if the contract of the meter lists no `devices`; otherwise such a
    meter accepts every device of its tenant.
    `sentry_dsn`, `sentry_secret`: Sentry DSN, or the ARN of its secret in Secrets Manager.
    `request_tuning`: set RocksDB options and Python bundle sizes. Managed Flink may refuse a program that does, so it
    is false there until AWS Support has enabled it. Local runs are always tuned.
    """

    name: str = _setting("meter-costing", _NOT_EMPTY, "a name")
    parallelism: int = _setting(1, _at_least(1), "at least 1")
    max_parallelism: int = _setting(128, lambda n: 1 <= n <= 32768, "between 1 and 32768")
    watermark_delay_s: int = _setting(120, _at_least(0), "at least 0")
    idle_timeout_s: int = _setting(30, _at_least(1), "at least 1")
    contracts_idle_s: int = _setting(10, _at_least(1), "at least 1")
    max_future_s: int = _setting(MAX_FUTURE_S, _at_least(0), "at least 0")
    max_record_bytes: int = _setting(MAX_RECORD_BYTES, lambda n: 256 <= n <= 700_000, "between 256 and 700000")
    silence_s: int = _setting(600, _at_least(1), "at least 1")
    state_days: int = _setting(100, _at_least(1), "at least 1")
    checkpoint_s: int = _setting(60, _at_least(1), "at least 1")
    python_bundle_size: int = _setting(10_000, _at_least(1), "at least 1")
    python_bundle_ms: int = _setting(200, _at_least(1), "at least 1")
    request_tuning: bool = False
    require_devices: bool = False
    sentry_dsn: str = field(default="", repr=False, metadata={"secret": True})
    sentry_secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class Settings:
    """All property groups."""

    readings: StreamSource
    contracts: ContractSource
    outputs: Outputs
    tariffs: Tariffs
    job: Job


_GROUPS = typing.get_type_hints(Settings)


def properties_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the properties file: from the environment variable, else that of Managed Flink."""
    return Path(environment.get(PROPERTIES_VARIABLE, PROPERTIES_PATH))


def load_settings(path: Path) -> Settings:
    """Load the settings of a properties file. Raises ConfigError with all faults."""
    try:
        groups = {g["PropertyGroupId"]: g["PropertyMap"] for g in json.loads(path.read_text(encoding="utf-8"))}
    except FileNotFoundError:
        raise ConfigError([f"{path} does not exist; set {PROPERTIES_VARIABLE} to the properties file"]) from None
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError([f"{path} must be a JSON list of {{PropertyGroupId, PropertyMap}}: {error}"]) from None
    return read_settings(groups)


def read_settings(groups: Mapping[str, Mapping[str, str]]) -> Settings:
    """Read the settings from property groups. Raises ConfigError with all faults."""
    problems = [
        _unknown("property group", name, _GROUPS) for name in groups if name not in _GROUPS.keys() | SERVICE_GROUPS
    ]
    parsed = {name: _read_group(name, kind, groups.get(name, {}), problems) for name, kind in _GROUPS.items()}
    if problems:
        raise ConfigError(problems)
    return Settings(**parsed)


def _read_group(group: str, kind: Any, given: Mapping[str, str], problems: list[str]) -> Any:
    fields = {f.name: f for f in dataclasses.fields(kind)}
    kinds = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, text in given.items():
        if key.startswith("connector.") and "connector" in fields:
            option = key.removeprefix("connector.")
            known = fields["connector"].metadata["options"]
            if option not in known:
                problems.append(_unknown(f"{group}: connector option", option, known))
            values.setdefault("connector", {})[option] = text
        elif key not in fields or key == "connector":
            problems.append(_unknown(f"{group}: key", key, set(fields) - {"connector"}))
        else:
            try:
                values[key] = _flag(text) if kinds[key] is bool else kinds[key](text)
            except ValueError:
                problems.append(f"{group}: {key} is {_shown(fields[key], text)}; it must be {_kind_name(kinds[key])}")
    for key, described in fields.items():
        value = values.get(key, described.default)
        check = described.metadata.get("check")
        if check is not None and isinstance(value, kinds[key]) and not check(value):
            problems.append(f"{group}: {key} is {_shown(described, value)}; it must be {described.metadata['right']}")
    return kind(**{k: v for k, v in values.items() if k in fields}) if not problems else None


def _flag(text: str) -> bool:
    """Parse true or false. Raises ValueError for any other text."""
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _unknown(what: str, name: str, known: typing.Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"{what} {name!r} is unknown" + (
        f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(sorted(known))}"
    )


def _shown(described: Any, value: object) -> str:
    return "(hidden)" if described.metadata.get("secret") else repr(value)


def _kind_name(kind: type) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, "text")
