"""CloudFormation resource types that ministack lacks; accepted as no-ops."""

from __future__ import annotations

KINDS = ("AWS::Athena::NamedQuery", "AWS::Cognito::ManagedLoginBranding", "AWS::Budgets::Budget", "AWS::EC2::FlowLog")
ALARM = "AWS::CloudWatch::Alarm"


def install(handlers: dict) -> None:
    """Accept templates with these types, and alarms on metric expressions."""

    def create(logical_id: str, properties: dict, stack: str) -> tuple:
        name = f"{stack}-{logical_id}"
        return name, {"Arn": f"arn:aws:unsupported:::{name}"}

    def delete(physical_id: str, properties: dict) -> None:
        return None

    for kind in KINDS:
        handlers.setdefault(kind, {"create": create, "delete": delete})
    alarm, remove = handlers[ALARM]["create"], handlers[ALARM]["delete"]

    def create_alarm(logical_id: str, properties: dict, stack: str) -> tuple:
        return (create if "Metrics" in properties else alarm)(logical_id, properties, stack)

    def remove_alarm(physical_id: str, properties: dict) -> None:
        return (delete if "Metrics" in properties else remove)(physical_id, properties)

    handlers[ALARM] |= {"create": create_alarm, "delete": remove_alarm}
