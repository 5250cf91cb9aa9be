"""The sizing knows what is deployed: every resource type of prod is a row of its bill or free for a reason."""

from __future__ import annotations

from typing import Any

from deploy.sizing.kinds import FREE, ROWS
from deploy.sizing.prices import figures
from tests.deploy.conftest import Templates

CHARGED = {kind for kinds in ROWS.values() for kind in kinds}
#: Made outside of the templates, and only named by the settings.
OUTSIDE = {"AWS::SecretsManager::Secret"}
#: Only where operators are named, or a setting is on.
OPTIONAL = {
    "AWS::Budgets::Budget",
    "AWS::IoT::AccountAuditConfiguration",
    "AWS::IoT::ScheduledAudit",
}


def _prod(templates: Templates) -> list[dict[str, Any]]:
    stacks = [template for name, template in templates.items() if name.startswith("metering-prod-")]
    assert len(stacks) == 4
    return [resource for stack in stacks for resource in stack["Resources"].values()]


def test_every_resource_type_is_a_row_or_free(templates: Templates) -> None:
    kinds = {resource["Type"] for resource in _prod(templates)}
    assert kinds - CHARGED - set(FREE) == set(), "add these to deploy/sizing/kinds.py"
    assert CHARGED - kinds - OPTIONAL == OUTSIDE
    assert set(FREE) - kinds <= OPTIONAL


def test_what_has_a_monthly_fee_is_counted(templates: Templates) -> None:
    resources = _prod(templates)

    def of(kind: str) -> list[dict[str, Any]]:
        return [resource["Properties"] for resource in resources if resource["Type"] == kind]

    alarms = of("AWS::CloudWatch::Alarm")
    # An alarm on an expression is charged for by the metrics in it.
    metrics = sum(sum("MetricStat" in part for part in alarm.get("Metrics", [])) or 1 for alarm in alarms)
    counted = {
        "alarm_metrics": metrics,
        "dashboards": len(of("AWS::CloudWatch::Dashboard")),
        "keys": len(of("AWS::KMS::Key")),
        "interface_endpoints": sum(e.get("VpcEndpointType") == "Interface" for e in of("AWS::EC2::VPCEndpoint")),
    }
    said = {name: count for name, count in figures()["deployed"].items() if name in counted}
    assert said == counted, "write these counts into deploy/sizing/figures.json, `deployed`"
