"""The job on Managed Flink: application, package, properties, role and log."""

from __future__ import annotations

from typing import Any

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kinesisanalyticsv2 as flink
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from deploy.kit.deployment import Deployment
from deploy.kit.grants import allow, read_objects, service, use_key, use_key_by_alias, write_objects
from deploy.kit.logs import log_group, log_stream_arn
from deploy.kit.names import RULES, SNAPSHOT, TARIFFS, Names
from deploy.stream_job.package import PACKAGE
from deploy.stream_job.properties import RESTORE, SKIP, property_groups, release_of
from flink_job.tariffs.registry import COPY_SUFFIX

RUNTIME = "FLINK-1_20"
CHECKPOINT_MS, PAUSE_MS = 60_000, 5_000
#: Actions of the Kinesis source connector.
READ_STREAM = ("kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards")
#: CDK context (`-c restore=...`) with the restore type of an updated application.
RESTORE_CONTEXT = "restore"


class StreamJob(Construct):
    """The application. CloudFormation creates it stopped; `make deploy` starts it."""

    def __init__(self, scope: Construct, id: str, deployment: Deployment, fingerprint: str) -> None:
        super().__init__(scope, id)
        names, environment, key = deployment.names, deployment.environment, deployment.key
        self._names, self._environment = names, environment
        self.package = assets.Asset(self, "Package", path=str(PACKAGE))
        # Without log group and stream the service logs nothing and reports no error, so they are created first.
        self.log = log_group(self, "Log", deployment, f"/aws/kinesis-analytics/{names.application}")
        stream = logs.LogStream(self, "LogStream", log_group=self.log, removal_policy=RemovalPolicy.DESTROY)
        self.role = iam.Role(self, "Role", assumed_by=service("kinesisanalytics.amazonaws.com", self))
        self._allow(stream, key)
        self.application = flink.CfnApplication(
            self,
            "Application",
            application_name=names.application,
            application_description="Costs of electricity readings, which add up to the bill",
            runtime_environment=RUNTIME,
            application_mode="STREAMING",
            service_execution_role=self.role.role_arn,
            application_configuration=self._configuration(fingerprint),
            run_configuration=_run_configuration(self),
        )
        self.application.node.add_dependency(self.role)
        option = flink.CfnApplicationCloudWatchLoggingOption(
            self,
            "LoggingOption",
            application_name=names.application,
            cloud_watch_logging_option={"logStreamArn": log_stream_arn(self.log, stream)},
        )
        option.add_resource_dependency(self.application)

    def _configuration(self, fingerprint: str) -> dict[str, Any]:
        environment = self._environment
        groups = property_groups(
            self._names, environment, Stack.of(self).region, fingerprint, release_of(PACKAGE, environment, fingerprint)
        )
        return {
            "applicationCodeConfiguration": {
                "codeContentType": "ZIPFILE",
                "codeContent": {
                    "s3ContentLocation": {
                        "bucketArn": f"arn:{Stack.of(self).partition}:s3:::{self.package.s3_bucket_name}",
                        "fileKey": self.package.s3_object_key,
                    }
                },
            },
            "environmentProperties": {
                "propertyGroups": [
                    {"propertyGroupId": name, "propertyMap": dict(values)} for name, values in groups.items()
                ]
            },
            "flinkApplicationConfiguration": {
                "checkpointConfiguration": {
                    "configurationType": "CUSTOM",
                    "checkpointingEnabled": True,
                    "checkpointInterval": CHECKPOINT_MS,
                    "minPauseBetweenCheckpoints": PAUSE_MS,
                },
                "monitoringConfiguration": {
                    "configurationType": "CUSTOM",
                    "metricsLevel": "APPLICATION",
                    "logLevel": "INFO",
                },
                "parallelismConfiguration": {
                    "configurationType": "CUSTOM",
                    "parallelism": environment.parallelism,
                    "parallelismPerKpu": environment.parallelism_per_kpu,
                    "autoScalingEnabled": environment.autoscaling,
                },
            },
            "applicationSnapshotConfiguration": {"snapshotsEnabled": True},
            "applicationSystemRollbackConfiguration": {"rollbackEnabled": True},
        }

    def _allow(self, stream: logs.LogStream, key: kms.IKey) -> None:
        package = f"arn:{Stack.of(self).partition}:s3:::{self.package.s3_bucket_name}/{self.package.s3_object_key}"
        allow(self.role, ["s3:GetObject", "s3:GetObjectVersion"], package)
        use_key(self.role, key)
        allow(self.role, ["logs:PutLogEvents"], log_stream_arn(self.log, stream))
        allow(self.role, ["logs:DescribeLogStreams"], self.log.log_group_arn, because="Streams of one log group.")
        groups = Stack.of(self).format_arn(
            service="logs", resource="log-group", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        allow(
            self.role,
            ["logs:DescribeLogGroups"],
            groups,
            because="The service looks up the log group of the application.",
        )
        if self._environment.sentry_secret_arn:
            allow(self.role, ["secretsmanager:GetSecretValue"], self._environment.sentry_secret_arn)

    def read(self, stream: kinesis.IStream) -> None:
        """Grant the actions of the Kinesis source connector on a stream."""
        allow(self.role, READ_STREAM, stream.stream_arn)

    def write(self, stream: kinesis.IStream) -> None:
        """Grant the actions of the Kinesis sink on a stream."""
        allow(self.role, ["kinesis:PutRecords"], stream.stream_arn)

    def deliver(self, delivery_stream_arn: str) -> None:
        """Grant the actions of the Firehose sink on a delivery stream."""
        allow(self.role, ["firehose:PutRecordBatch"], delivery_stream_arn)

    def read_registry(self, registry: str) -> None:
        """Grant reading tariffs, rules and the contract snapshot in a registry bucket."""
        read_objects(self.role, registry, TARIFFS, RULES, SNAPSHOT)

    def write_copies(self, registry: str) -> None:
        """Grant writing copies of tariffs in a registry bucket."""
        write_objects(self.role, registry, f"{TARIFFS}*{COPY_SUFFIX}")

    def read_inputs(self, source: Names) -> None:
        """Grant reading the streams and the registry of another environment, which another key encrypts."""
        stack = Stack.of(self)
        for name in (source.readings, source.contracts):
            arn = stack.format_arn(service="kinesis", resource="stream", resource_name=name)
            allow(self.role, READ_STREAM, arn)
        self.read_registry(source.registry)
        use_key_by_alias(self.role, source.prefix)


def _run_configuration(scope: Construct) -> dict[str, Any]:
    restore = scope.node.try_get_context(RESTORE_CONTEXT) or RESTORE
    return {
        "applicationRestoreConfiguration": {"applicationRestoreType": restore},
        "flinkRunConfiguration": {"allowNonRestoredState": restore == SKIP},
    }
