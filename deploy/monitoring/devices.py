"""Alarms on the security of devices."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.kit.names import Names
from deploy.monitoring.alarm import DEVICES, Alarm, Measure, one
from deploy.settings import Environment

#: Threshold of refused connections and messages in five minutes.
REFUSED = 20
#: Metrics of refused MQTT requests. AWS IoT reports them for all devices of the account and region.
_METRICS = ("Connect.AuthError", "PublishIn.AuthError", "Subscribe.AuthError")


def device_alarms(names: Names, environment: Environment) -> Iterator[Alarm]:
    """Alarms on devices that try what they may not, and on findings of the daily audit."""
    measures = {f"m{n}": Measure("AWS/IoT", name, {"Protocol": "MQTT"}, "Sum") for n, name in enumerate(_METRICS)}
    yield Alarm(
        "DevicesRefused", "IoT: refused connections and messages",
        "Devices try to connect, publish or subscribe as something that they are not.", measures, REFUSED,
        expression=f"SUM([{', '.join(measures)}])", period_s=300, periods=1, owner=DEVICES,
    )  # fmt: skip
    if environment.device_audit:
        # The audit reports once a day, with several combinations of dimensions.
        sql = f"""SELECT MAX(NonCompliantResources) FROM "AWS/IoT" WHERE ScheduledAuditName = '{names.audit}'"""
        yield Alarm(
            "DeviceAudit", "IoT audit: resources with findings",
            "The daily audit has findings in certificates or policies of devices.", one(Measure("", sql)), 0,
            period_s=300, periods=1, owner=DEVICES,
        )  # fmt: skip
