"""Functions reach the tables that their variables name, each by what its code calls there, and the streams and queues
of their event sources: no permission is on another resource, and none is missing on one of several.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.kit.grants import shown
from tests.deploy.conftest import EVERYTHING, Templates, of_kind
from tests.deploy.iam import granted
from tests.deploy.test_calls import CODES, PIPELINE
from tests.harness.aws_calls import Code
from tests.harness.call_variables import variables_by_line

#: A resource as `shown` writes it: of this stack, or imported from another.
_NAME = re.compile(r"<(\w+?)(?:\.Arn)?>|ExportsOutput(?:Ref|FnGetAtt)(\w+?)(?:Arn)?[0-9A-F]{8}\"")


@pytest.fixture(scope="module")
def functions(everything: Templates) -> list[tuple[str, dict[str, Any], dict[str, set[str]]]]:
    """(logical id, properties, what its role may do) of every function."""
    template = everything[PIPELINE]
    roles = granted(template)
    found = of_kind(template, "AWS::Lambda::Function").items()
    return [(name, function, roles[function["Role"]["Fn::GetAtt"][0]]) for name, function in found]


def test_each_table_is_reached_as_it_is_used(functions: list[tuple[str, dict[str, Any], dict[str, set[str]]]]) -> None:
    for name, function, actions in functions:
        allowed = {
            (action, resource(arn.split("/index/")[0]))
            for action, arns in actions.items()
            if action.startswith("dynamodb:")
            for arn in arns
        }
        assert allowed == set(used_tables(function)), name


def test_each_stream_and_queue_is_that_of_the_event_source(
    everything: Templates, functions: list[tuple[str, dict[str, Any], dict[str, set[str]]]]
) -> None:
    mappings = of_kind(everything[PIPELINE], "AWS::Lambda::EventSourceMapping").values()
    seen = 0
    for name, _, actions in functions:
        own = [mapping for mapping in mappings if mapping["FunctionName"] == {"Ref": name}]
        streams = {shown(mapping["EventSourceArn"]) for mapping in own}
        dead = {shown(mapping["DestinationConfig"]["OnFailure"]["Destination"]) for mapping in own}
        assert actions.get("kinesis:GetRecords", set()) == streams
        channels = {arn for arn in actions.get("sqs:SendMessage", ()) if arn.startswith("<Channels")}
        assert actions.get("sqs:SendMessage", set()) - set(EVERYTHING.recipients) - channels == dead
        assert not channels or "sns:Publish" in actions, "only functions that notify people may send to these queues"
        seen += len(own)
    assert seen == len(mappings)


def used_tables(function: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(action, table) of each call of DynamoDB in a function's code."""
    name, module, entry = function["Handler"].split(".")
    files = [path for _, path in CODES[name].sources() if path.suffix == ".py"]
    by_line = variables_by_line(files)
    for call in Code(files).calls(CODES[name].runtime / f"{module}.py", entry):
        if call.service == "dynamodb":
            variables = function["Environment"]["Variables"]
            tables = [shown(variables[variable]) for variable in by_line[call.place] if variable in variables]
            named = {resource(table) for table in tables if _NAME.search(table)}
            assert named, (
                f"{call.place}: which table is it? Say it by a variable, os.environ[...], where its class is made"
            )
            yield from ((f"dynamodb:{call.operation}", table) for table in named)


def resource(text: str) -> str:
    """The logical id in a reference to a resource."""
    found = _NAME.search(text)
    assert found, text
    return found[1] or found[2]
