"""Smoke test of the job: publishes a test reading to Kinesis and waits for its cost in Athena.

Managed Flink may report RUNNING although the Flink job has failed; only a cost shows that the job works.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.errors import DeployError
from deploy.kit.athena import AnswerError, AthenaClient, literal
from deploy.kit.names import TARIFFS, Names

SITE = "smoke-check"
INTERVAL_S = 300
ENERGY_KWH = 1
#: Time limit: start of the job and Firehose's buffer interval.
LIMIT_S, POLL_S = 1500.0, 10.0
COST = "SELECT meter_id, energy_kwh, cost, currency, tariff_id FROM costs WHERE meter_id = ? AND event_date = ?"
RESEND_S, ANSWER_S = 60.0, 120.0


class SmokeError(DeployError, RuntimeError):
    """No cost arrived; the message says where to look."""


@dataclass(frozen=True)
class Clients:
    """boto3 clients of one region."""

    kinesis: Any
    s3: Any
    athena: Any


def check(
    clients: Clients,
    names: Names,
    now: datetime,
    limit_s: float = LIMIT_S,
    poll_s: float = POLL_S,
    wait: Callable[[float], None] = time.sleep,
    source: Names | None = None,
) -> dict[str, str | None]:
    """Publish a reading of a new meter and return its cost row; the rows stay in the lake under site `smoke-check`.

    `source` has the streams and tariffs that the job reads, if they are another environment's.
    Raises SmokeError.
    """
    meter = f"{SITE}-{now:%Y%m%dT%H%M%S}"
    start = (now - timedelta(seconds=INTERVAL_S)).replace(microsecond=0)
    read = source or names
    _put(clients.kinesis, read.contracts, meter, _contract(meter, _tariff(clients.s3, read)))
    athena, waited, sent = AthenaClient(clients.athena, names.prefix, names.database), 0.0, -RESEND_S
    while waited < limit_s:
        if waited - sent >= RESEND_S:
            # Sent again, the reading is a duplicate; its arrival releases a first one that arrived before its contract.
            _put(clients.kinesis, read.readings, meter, _reading(meter, start))
            sent = waited
        if found := _cost(athena, meter, start, wait):
            return found
        wait(poll_s)
        waited += poll_s
    raise SmokeError(
        f"the application is running, but the cost of meter {meter} did not arrive within {limit_s:.0f} s. Check its "
        f"log (filter on PythonDriver), then s3://{names.lake}/errors/ (docs/use/runbook.md#downtime)"
    )


def _tariff(s3: Any, names: Names) -> str:
    """Id of a flat tariff of the default tenant; of any of its tariffs if it has none."""
    found = s3.list_objects_v2(Bucket=names.registry, Prefix=TARIFFS, Delimiter="/")
    keys = [o["Key"] for o in found.get("Contents", ()) if o["Key"].endswith(".json")]
    if not keys:
        raise SmokeError(
            f"s3://{names.registry}/{TARIFFS} is empty: upload tariffs (`python -m deploy registry --help`)"
        )
    chosen = next((key for key in keys if "flat" in key), keys[0])
    document = json.loads(s3.get_object(Bucket=names.registry, Key=chosen)["Body"].read())
    return str(document["tariff_id"])


def _contract(meter: str, tariff: str) -> dict[str, Any]:
    return {
        "meter_id": meter,
        "site_path": f"{SITE}/check/check/{meter}",
        "timezone": "UTC",
        "assignments": [{"tariff_id": tariff, "valid_from": "2020-01-01"}],
    }


def _reading(meter: str, start: datetime) -> dict[str, Any]:
    return {
        "meter_id": meter,
        "interval_start": start.astimezone(UTC).isoformat(),
        "interval_s": INTERVAL_S,
        "energy_kwh": ENERGY_KWH,
    }


def _put(kinesis: Any, stream: str, meter: str, document: dict[str, Any]) -> None:
    kinesis.put_record(StreamName=stream, Data=json.dumps(document).encode(), PartitionKey=meter)


def _cost(
    athena: AthenaClient, meter: str, start: datetime, wait: Callable[[float], None]
) -> dict[str, str | None] | None:
    day = f"{start.astimezone(UTC):%Y-%m-%d}"
    parameters = [literal(meter), literal(day)]
    try:
        rows = athena.answer(COST, parameters, f"{meter}-{time.monotonic_ns():032d}", ANSWER_S, wait)
    except AnswerError as error:
        raise SmokeError(f"Athena: {error}") from None
    return rows[0] if rows else None
