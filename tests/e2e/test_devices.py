"""Messages of devices reach the stream unchanged, with the name of their thing."""

from __future__ import annotations

import json
import time
from pathlib import Path

import boto3
import pytest

from deploy.ingest.devices import rule_sql
from deploy.local.endpoint import endpoint
from flink_job.metering.envelope import Enclosed, opened

READING = b'{"meter_id": "m", "tenant": "victim", "interval_s": 900}'
WAIT_S = 20


def test_the_rule_puts_any_message_into_an_envelope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with endpoint(tmp_path / "endpoint.log") as url:
        kinesis, iot, data = (boto3.client(name, endpoint_url=url) for name in ("kinesis", "iot", "iot-data"))
        kinesis.create_stream(StreamName="readings", ShardCount=1)
        kinesis.get_waiter("stream_exists").wait(StreamName="readings")
        trust = {"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = boto3.client("iam", endpoint_url=url).create_role(
            RoleName="rule", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )
        action = {
            "roleArn": role["Role"]["Arn"],
            "streamName": "readings",
            "partitionKey": "${topic(3)}",
        }
        iot.create_topic_rule(
            ruleName="readings",
            topicRulePayload={
                "sql": rule_sql("metering"),
                "awsIotSqlVersion": "2016-03-23",
                "actions": [{"kinesis": action}],
            },
        )
        messages = {"acme:g-1": READING, "acme:g-2": bytes(range(256)), "lone": b"{"}
        for thing, payload in messages.items():
            data.publish(topic=f"metering/readings/{thing}", qos=1, payload=payload)
        shard = kinesis.list_shards(StreamName="readings")["Shards"][0]["ShardId"]
        start = kinesis.get_shard_iterator(StreamName="readings", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        until, records = time.monotonic() + WAIT_S, []
        while len(records) < len(messages) and time.monotonic() < until:
            records = kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]
            time.sleep(0.2)
    assert {record["PartitionKey"]: opened(record["Data"]) for record in records} == {
        "acme:g-1": Enclosed(READING, "acme", "acme:g-1"),
        "acme:g-2": Enclosed(bytes(range(256)), "acme", "acme:g-2"),
        "lone": Enclosed(b"{", "default", "lone"),
    }
    assert all("principal" in json.loads(record["Data"]) for record in records)
