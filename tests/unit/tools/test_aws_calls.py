"""The walk that finds calls of AWS: what it follows, and what it does not take for a call."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.harness.aws_calls import AmbiguousError, Code
from tests.harness.call_variables import variables_by_line

MAIN = """
    import os
    import boto3
    from store import Store, unused

    def handler(event, context):
        store().keep(event)
        for page in boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket="b"):
            print(page)

    def store():
        return Store(boto3.client("dynamodb"), os.environ["TABLE"])

    @app.get("/")
    def registered():
        boto3.client("sqs").send_message(QueueUrl="q", MessageBody="m")

    def never():
        boto3.client("sns").publish(TopicArn="t", Message="m")
"""
STORE = """
    class Store:
        def __init__(self, dynamodb, name):
            self.dynamodb, self.name = dynamodb, name

        def keep(self, event):
            self.dynamodb.transact_write_items(TransactItems=[{"Put": event}, {"Delete": event}])
            return self.query("key")

        def query(self, key):
            return self.dynamodb.query(**{"TableName": self.name})

    class Other:
        def keep(self, event):
            self.dynamodb.scan(TableName="t")

    def unused():
        boto3.client("dynamodb").delete_table(TableName="t")
"""


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    for name, text in {"main.py": MAIN, "store.py": STORE}.items():
        (tmp_path / name).write_text(dedent(text))
    return [tmp_path / "main.py", tmp_path / "store.py"]


def called(files: list[Path], **options: bool) -> set[str]:
    return {f"{call.service}:{call.operation}" for call in Code(files).calls(files[0], "handler", **options)}


def test_calls_are_followed_through_functions_and_classes(files: list[Path]) -> None:
    assert called(files, registered=False) == {
        "dynamodb:PutItem",
        "dynamodb:DeleteItem",
        "dynamodb:Query",
        "s3:ListObjectsV2",
    }


def test_what_a_framework_calls_is_an_entry_too(files: list[Path]) -> None:
    assert called(files) - called(files, registered=False) == {"sqs:SendMessage"}


def test_a_call_that_may_be_of_two_services_has_to_be_said(tmp_path: Path) -> None:
    path = tmp_path / "main.py"
    path.write_text(
        'a, b = client("sns"), client("sqs")\ndef handler():\n    x.tag_resource(**given)\n    a.publish(**x)\n'
    )
    assert {call.operation for call in Code([path]).calls(path, "handler")} >= {"Publish"}
    path.write_text('a, b = client("sns"), client("dynamodb")\ndef handler():\n    x.tag_resource(**given)\n')
    with pytest.raises(AmbiguousError, match=r"main.py:3: tag_resource of dynamodb, sns"):
        Code([path]).calls(path, "handler")


def test_a_call_is_known_by_the_variable_that_names_its_resource(files: list[Path]) -> None:
    by_line = variables_by_line(files)
    [query] = [call for call in Code(files).calls(files[0], "handler") if call.operation == "Query"]
    assert by_line[query.place] == {"TABLE"}
