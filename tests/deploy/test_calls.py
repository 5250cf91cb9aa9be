"""Permissions follow the code: each role of the templates may do what its code, connectors or service call, no more.

What code calls is found in its source (tests/harness/aws_calls.py), what services do is documented by AWS
(tests/deploy/documented.py).
"""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.api.runtime.parameters import QUERIES
from deploy.kit import bundling as functions
from deploy.kit.lineage import reads_of
from deploy.kit.query_grants import RESULTS
from flink_job.dataflow.environment import PROJECT
from tests.deploy import documented as aws
from tests.deploy.conftest import Templates, of_kind
from tests.deploy.iam import granted
from tests.harness.aws_calls import Call, Code

PIPELINE = "metering-all-pipeline"
CODES = {code.name: code for code in vars(functions).values() if isinstance(code, functions.Code)}
FLINK = sorted([*(PROJECT / "flink_job").rglob("*.py"), *(PROJECT / "udfs").rglob("*.py")])
JAR = PROJECT / "build" / "flink-dependencies.jar"


def test_each_role_may_do_what_is_done_in_it_and_no_more(everything: Templates) -> None:
    faults = []
    for stack, template in everything.items():
        for role, actions in granted(template).items():
            needed = expected(template, role)
            faults += [f"{stack} {role} lacks {action}, {needed[action]}" for action in needed.keys() - actions.keys()]
            faults += [f"{stack} {role} does not need {action}" for action in actions.keys() - needed.keys()]
    assert not faults, "\n".join(sorted(faults))


def test_the_walk_sees_every_service(everything: Templates) -> None:
    """The test above can fail: what it compares with is not empty, and names what is called."""
    found = {
        action for template in everything.values() for role in granted(template) for action in expected(template, role)
    }
    assert {"sns:Publish", "athena:StartQueryExecution", "dynamodb:BatchWriteItem", "firehose:PutRecord"} <= found
    assert {"secretsmanager:GetSecretValue", "s3:PutObject", "kinesis:PutRecords", "kinesis:PutRecord"} <= found


def test_questions_reach_what_their_views_read_and_no_more(everything: Templates) -> None:
    [role] = [
        actions for name, actions in granted(everything[PIPELINE]).items() if name.startswith("Queriesqueriesapi")
    ]
    reads = reads_of(*(question.sql for question in QUERIES.values()))
    tables = {arn.rsplit("/", 1)[1] for arn in role["glue:GetTable"] if ":table/" in arn}
    assert tables == reads.relations
    prefixes = {arn.split("<AWS::Region>/")[1] for arn in role["s3:GetObject"]}
    assert prefixes == {f"{name}/*" for name in reads.tables} | {f"{RESULTS}*"}
    databases = {arn.rsplit("/", 1)[1] for arn in role["glue:GetDatabase"] if ":database/" in arn}
    assert databases == {"default", "metering_all"}


@pytest.mark.parametrize("name", aws.CONNECTORS)
def test_connectors_call_what_is_written_down(name: str) -> None:
    """In the jar that is deployed: an upgrade that calls something else is seen."""
    operations = {"describeStream", "describeStreamSummary", "getRecords", "getShardIterator", "listShards"}
    operations |= {"putRecord", "putRecords", "putRecordBatch", "registerStreamConsumer", "subscribeToShard"}
    with zipfile.ZipFile(JAR) as jar:
        content = jar.read(f"{name}.class")
    # A name in a class's constants: a tag, its length, its bytes. KinesisProxy has methods of the same names.
    called = {op for op in operations if b"\x01" + len(op).to_bytes(2, "big") + op.encode() in content}
    written = {action.split(":")[1] for action in aws.CONNECTORS[name]}
    assert {op[0].upper() + op[1:] for op in called} == written


def expected(template: Mapping[str, Any], role: str) -> dict[str, str]:
    """Actions that a role needs, each with what needs it."""
    [principal] = _principals(template["Resources"][role])
    by_service = {
        "lambda.amazonaws.com": _function,
        "kinesisanalytics.amazonaws.com": _job,
        "ecs-tasks.amazonaws.com": _task,
        "iot.amazonaws.com": _rule,
        "firehose.amazonaws.com": lambda *_: dict.fromkeys(aws.FIREHOSE, "Firehose"),
        "vpc-flow-logs.amazonaws.com": lambda *_: dict.fromkeys(aws.FLOW_LOGS, "flow logs"),
        "states.amazonaws.com": _machine,
        "scheduler.amazonaws.com": lambda *_: dict.fromkeys(aws.RULE_TARGET, "EventBridge Scheduler"),
        "events.amazonaws.com": lambda *_: dict.fromkeys(aws.RULE_TARGET, "EventBridge"),
    }
    assert principal in by_service, f"{role}: say what {principal} does in it (tests/deploy/documented.py)"
    return by_service[principal](template, role)


def _function(template: Mapping[str, Any], role: str) -> dict[str, str]:
    [(name, function)] = _with_role(template, "AWS::Lambda::Function", role)
    code, module, entry = function["Handler"].split(".")
    assert code in CODES, f"{name}: its code is not in deploy/kit/bundling.py"
    source = Code(path for _, path in CODES[code].sources() if path.suffix == ".py")
    needed = dict.fromkeys(aws.FUNCTION, "any function")
    needed |= actions_of(source.calls(CODES[code].runtime / f"{module}.py", entry))
    for mapping in of_kind(dict(template), "AWS::Lambda::EventSourceMapping").values():
        if mapping["FunctionName"] == {"Ref": name}:
            needed |= dict.fromkeys(aws.POLLED_STREAM, "its event source")
            needed |= dict.fromkeys(_done("sqs:SendMessage"), "its event source's dead-letter queue")
    return needed


def _job(template: Mapping[str, Any], role: str) -> dict[str, str]:
    source = Code(FLINK)
    entries = {path: _functions_of(path) for path in FLINK if path.is_relative_to(PROJECT / "udfs")}
    calls = source.calls(PROJECT / "flink_job" / "main.py", "main")
    for path, names in entries.items():
        calls |= source.calls(path, *names)
    connected = {action: name for name, actions in aws.CONNECTORS.items() for action in actions}
    return dict.fromkeys(aws.MANAGED_FLINK, "Managed Flink") | connected | actions_of(calls)


def _task(template: Mapping[str, Any], role: str) -> dict[str, str]:
    [(_, task)] = [
        (name, task)
        for name, task in of_kind(dict(template), "AWS::ECS::TaskDefinition").items()
        if {"Fn::GetAtt": [role, "Arn"]} in (task["TaskRoleArn"], task["ExecutionRoleArn"])
    ]
    if task["ExecutionRoleArn"] == {"Fn::GetAtt": [role, "Arn"]}:
        return dict.fromkeys(aws.TASK_EXECUTION, "ECS")
    [container] = task["ContainerDefinitions"]
    name, entry = ("settle", "settle") if "settle" in container.get("Command", ()) else ("uploads", "publish")
    return actions_of(Code(FLINK).calls(PROJECT / "flink_job" / "commands" / f"{name}.py", entry, registered=False))


def _machine(template: Mapping[str, Any], role: str) -> dict[str, str]:
    [(_, machine)] = [
        found
        for found in of_kind(dict(template), "AWS::StepFunctions::StateMachine").items()
        if found[1]["RoleArn"] == {"Fn::GetAtt": [role, "Arn"]}
    ]
    definition = str(machine["DefinitionString"])
    needed = dict.fromkeys(aws.STATE_MACHINE, "Step Functions")
    return needed | {action: name for name, action in aws.INTEGRATIONS.items() if name in definition}


def _rule(template: Mapping[str, Any], role: str) -> dict[str, str]:
    needed: dict[str, str] = {}
    for audit in of_kind(dict(template), "AWS::IoT::AccountAuditConfiguration").values():
        if audit["RoleArn"] == {"Fn::GetAtt": [role, "Arn"]}:
            needed |= dict.fromkeys(aws.AUDIT, "the audit of devices")
    for rule in of_kind(dict(template), "AWS::IoT::TopicRule").values():
        payload = rule["TopicRulePayload"]
        for action in (*payload["Actions"], payload["ErrorAction"]):
            [(kind, described)] = action.items()
            if described["RoleArn"] == {"Fn::GetAtt": [role, "Arn"]}:
                needed |= dict.fromkeys(aws.IOT_ACTIONS[kind], f"the rule's action {kind}")
    return needed


def actions_of(calls: Iterable[Call]) -> dict[str, str]:
    """IAM's actions of calls and what they imply, each with where it is called."""
    found: dict[str, str] = {}
    for call in sorted(calls):
        prefix = aws.PREFIXES.get(call.service, call.service)
        name = f"{prefix}:{call.operation}"
        for action in _done(aws.RENAMED.get(name, name)):
            found.setdefault(action, call.place)
    return found


def _done(action: str) -> set[str]:
    """An action and what is done with it."""
    return {action, *aws.IMPLIED.get(action, ())}


def _principals(role: Mapping[str, Any]) -> Iterator[str]:
    for statement in role["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
        yield statement["Principal"]["Service"]


def _with_role(template: Mapping[str, Any], kind: str, role: str) -> list[tuple[str, dict[str, Any]]]:
    found = of_kind(dict(template), kind).items()
    return [(name, properties) for name, properties in found if properties["Role"] == {"Fn::GetAtt": [role, "Arn"]}]


def _functions_of(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
