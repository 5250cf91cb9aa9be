"""Templates with resolved references, and whether a service has its permissions."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from tests.deploy.conftest import Templates

ACCOUNT, REGION = "111122223333", "eu-west-1"
_PSEUDO = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}
_NAMES = (
    "TopicName", "QueueName", "FunctionName", "DeliveryStreamName", "TableName", "StateMachineName", "RuleName",
    "ApplicationName", "ScheduledAuditName",
)  # fmt: skip


class Account:
    """The stacks of one environment as one account has them."""

    def __init__(self, templates: Templates, prefix: str) -> None:
        self.prefix = prefix
        self.stacks = {name: t for name, t in templates.items() if name.startswith(f"{prefix}-")}
        self._exports = {
            output["Export"]["Name"]: (stack, output["Value"])
            for stack, template in self.stacks.items()
            for output in template.get("Outputs", {}).values()
            if "Export" in output
        }

    def of_kind(self, kind: str) -> dict[tuple[str, str], dict[str, Any]]:
        """Properties of the resources of a kind, by stack and logical id."""
        return {
            (stack, name): resource.get("Properties", {})
            for stack, template in self.stacks.items()
            for name, resource in template["Resources"].items()
            if resource["Type"] == kind
        }

    def name(self, stack: str, logical: str) -> str:
        """The name of a resource: its own, else one that stands for what CloudFormation would give it."""
        properties = self.stacks[stack]["Resources"][logical].get("Properties", {})
        kind = self.stacks[stack]["Resources"][logical]["Type"]
        if kind == "AWS::Kinesis::Stream":
            return self.text(stack, properties["Name"])
        for key in _NAMES:
            if key in properties:
                return self.text(stack, properties[key])
        if kind == "AWS::IoT::TopicRule":
            return str(properties["RuleName"])
        return f"<{stack}/{logical}>"

    def text(self, stack: str, value: Any) -> str:
        """A value with its references followed, into other stacks too."""
        if not isinstance(value, dict):
            return str(value)
        [(function, given)] = value.items()
        if function == "Ref":
            return self._ref(stack, given)
        if function == "Fn::Join":
            return str(given[0].join(self.text(stack, part) for part in given[1]))
        if function == "Fn::GetAtt":
            return (
                f"arn:{self.name(stack, given[0])}" if given[1] == "Arn" else f"{self.name(stack, given[0])}.{given[1]}"
            )
        if function == "Fn::ImportValue":
            return self.text(*self._exports[given])
        raise NotImplementedError(function)

    def _ref(self, stack: str, name: str) -> str:
        if name in _PSEUDO:
            return _PSEUDO[name]
        parameter = self.stacks[stack].get("Parameters", {}).get(name)
        if parameter is None:
            return self.name(stack, name)
        for (other, _), properties in self.of_kind("AWS::SSM::Parameter").items():
            if properties["Name"] == parameter["Default"]:
                return self.text(other, properties["Value"])
        raise KeyError(f"{stack}: nobody writes parameter {parameter['Default']}")


def allows(account: Account, stack: str, document: Any, service: str, action: str, context: Mapping[str, str]) -> bool:
    """Whether a resource's policy lets a service do an action, in a request that carries `context`."""
    matching = [
        statement
        for statement in document["Statement"]
        if _named(statement.get("Principal"), service)
        and any(fnmatch.fnmatchcase(action.lower(), a.lower()) for a in _list(statement["Action"]))
        and _met(account, stack, statement.get("Condition", {}), context)
    ]
    return bool(matching) and all(s["Effect"] == "Allow" for s in matching)


def _named(principal: Any, service: str) -> bool:
    return isinstance(principal, dict) and service in _list(principal.get("Service", ()))


def _met(account: Account, stack: str, conditions: Any, context: Mapping[str, str]) -> bool:
    for operator, wanted in conditions.items():
        for key, values in wanted.items():
            allowed = [account.text(stack, value) for value in _list(values)]
            given = context.get(key)
            if given is None:
                return False
            if operator == "StringEquals" and given not in allowed:
                return False
            if operator == "ArnLike" and not any(fnmatch.fnmatchcase(given, pattern) for pattern in allowed):
                return False
            if operator not in ("StringEquals", "ArnLike"):
                raise NotImplementedError(operator)
    return True


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
