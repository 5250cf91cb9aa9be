"""All alarms of a deployment. docs/use/runbook.md has an entry for each kind."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.kit.names import Names
from deploy.monitoring.alarm import Alarm, Measure, one
from deploy.monitoring.canary import canary_alarms
from deploy.monitoring.devices import device_alarms
from deploy.monitoring.job import job_alarms
from deploy.monitoring.services import (
    delivery_alarms,
    edge_alarms,
    function_alarms,
    queue_alarms,
    stream_alarms,
    table_alarms,
)
from deploy.monitoring.settlement import settlement_alarms
from deploy.settings import Environment

#: The alarm that `python -m deploy drill` raises; its metric has no data.
DRILL = "Drill"


def alarms(
    names: Names,
    environment: Environment,
    queues: Sequence[str],
    api_id: str = "",
    machine_arn: str = "",
    settlement_arn: str = "",
) -> list[Alarm]:
    """All alarms of a deployment; `queues` are its dead-letter queues, the ARNs those of its state machines."""
    return [
        *job_alarms(names, environment),
        *stream_alarms(names, environment),
        *delivery_alarms(names),
        *function_alarms(names, environment),
        *canary_alarms(names, environment),
        *table_alarms(names),
        *settlement_alarms(names, environment, settlement_arn),
        *edge_alarms(names, api_id, machine_arn),
        *device_alarms(names, environment),
        *queue_alarms(names, queues),
        Alarm(
            DRILL, "Drill", "This is a drill; no action is needed.",
            one(Measure(f"Metering/{names.prefix}", "Drill")), 0, periods=1,
        ),
    ]  # fmt: skip
