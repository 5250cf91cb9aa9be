"""Delivery from the job to the lake: Glue catalog, a delivery stream per table, Athena workgroup."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_logs as logs
from constructs import Construct

from deploy.kit.deployment import Deployment
from deploy.kit.grants import allow, deliver_objects, use_key
from deploy.kit.logs import log_group, log_stream_arn
from deploy.kit.names import Names
from deploy.lake.catalog import DELIVERED, TABLES, glue_table, glue_view, view_columns, views
from flink_job.columns import Table
from flink_job.dataflow.wire import wire_names
from flink_job.lake.queries import saved_queries
from flink_job.schemas import EVENT_DATE

GB = 1_000_000_000


class Catalog(Construct):
    """Glue database with a table for each output, and the views for analysts."""

    def __init__(self, scope: Construct, id: str, names: Names) -> None:
        super().__init__(scope, id)
        account = Stack.of(self).account
        self.database = glue.CfnDatabase(
            self, "Database", catalog_id=account, database_input={"name": names.database}, database_name=names.database
        )
        for name, table in TABLES.items():
            self._table(account, names, f"Rows-{name}", glue_table(table, names.lake))
        columns = view_columns()
        for name, sql in views():
            self._table(account, names, f"View-{name}", glue_view(name, sql, columns[name], names.database))

    def _table(self, account: str, names: Names, id: str, described: dict[str, object]) -> None:
        table = glue.CfnTable(self, id, catalog_id=account, database_name=names.database, table_input=_camel(described))
        table.add_resource_dependency(self.database)


class Delivery(Construct):
    """A Firehose delivery stream per table: JSON to Parquet, partitioned by event date; failures to `errors/`."""

    def __init__(self, scope: Construct, id: str, deployment: Deployment) -> None:
        super().__init__(scope, id)
        names, environment, key = deployment.names, deployment.environment, deployment.key
        self._names, self._environment, self._key = names, environment, key
        self._log = log_group(self, "Log", deployment)
        self.streams = {name: self._stream(table) for name, table in DELIVERED.items()}

    def arn(self, output: str) -> str:
        return self.streams[output].attr_arn

    def _stream(self, table: Table) -> firehose.CfnDeliveryStream:
        log = logs.LogStream(self, f"Log-{table.name}", log_group=self._log, removal_policy=RemovalPolicy.DESTROY)
        role = self._role(table, log)
        stream = firehose.CfnDeliveryStream(
            self,
            f"Stream-{table.name}",
            delivery_stream_name=self._names.delivery(table.name),
            delivery_stream_type="DirectPut",
            delivery_stream_encryption_configuration_input={
                "keyType": "CUSTOMER_MANAGED_CMK",
                "keyArn": self._key.key_arn,
            },
            extended_s3_destination_configuration=self._destination(table, role, log),
        )
        # Firehose checks the role's policy when the stream is created.
        stream.node.add_dependency(role)
        return stream

    def _destination(
        self, table: Table, role: iam.Role, log: logs.LogStream
    ) -> firehose.CfnDeliveryStream.ExtendedS3DestinationConfigurationProperty:
        partition = f"{EVENT_DATE.name}=!{{partitionKeyFromQuery:{EVENT_DATE.name}}}"
        return firehose.CfnDeliveryStream.ExtendedS3DestinationConfigurationProperty(
            bucket_arn=f"arn:{Stack.of(self).partition}:s3:::{self._names.lake}",
            role_arn=role.role_arn,
            prefix=f"{table.name}/{partition}/",
            error_output_prefix=f"errors/{table.name}/!{{firehose:error-output-type}}/!{{timestamp:yyyy-MM-dd}}/",
            buffering_hints={"sizeInMBs": self._environment.buffer_mb, "intervalInSeconds": self._environment.buffer_s},
            cloud_watch_logging_options={
                "enabled": True,
                "logGroupName": self._log.log_group_name,
                "logStreamName": log.log_stream_name,
            },
            dynamic_partitioning_configuration={"enabled": True},
            processing_configuration=_rows_by_date(table),
            data_format_conversion_configuration={
                "enabled": True,
                "inputFormatConfiguration": {
                    "deserializer": {"openXJsonSerDe": {"columnToJsonKeyMappings": wire_names(table)}}
                },
                "outputFormatConfiguration": {"serializer": {"parquetSerDe": {"compression": "SNAPPY"}}},
                "schemaConfiguration": {
                    "databaseName": self._names.database,
                    "tableName": glue_table(table, "")["Name"],
                    "region": Stack.of(self).region,
                    "roleArn": role.role_arn,
                },
            },
        )

    def _role(self, table: Table, log: logs.LogStream) -> iam.Role:
        role = iam.Role(self, f"Role-{table.name}", assumed_by=iam.ServicePrincipal("firehose.amazonaws.com"))
        deliver_objects(role, self._names.lake, f"{table.name}/", f"errors/{table.name}/")
        use_key(role, self._key)
        stack, rows = Stack.of(self), glue_table(table, "")["Name"]
        catalog = [
            stack.format_arn(service="glue", resource="catalog"),
            stack.format_arn(service="glue", resource="database", resource_name=self._names.database),
            stack.format_arn(service="glue", resource="table", resource_name=f"{self._names.database}/{rows}"),
        ]
        allow(role, ["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"], *catalog)
        allow(role, ["logs:PutLogEvents"], log_stream_arn(self._log, log))
        return role


class Athena(Construct):
    """A workgroup that limits the data scanned per query, and the saved queries of the library."""

    def __init__(self, scope: Construct, id: str, deployment: Deployment) -> None:
        super().__init__(scope, id)
        names, environment, key = deployment.names, deployment.environment, deployment.key
        self.name = names.prefix
        workgroup = athena.CfnWorkGroup(
            self,
            "WorkGroup",
            name=self.name,
            recursive_delete_option=True,
            work_group_configuration={
                "enforceWorkGroupConfiguration": True,
                "publishCloudWatchMetricsEnabled": True,
                "bytesScannedCutoffPerQuery": environment.scan_limit_gb * GB,
                "engineVersion": {"selectedEngineVersion": "Athena engine version 3"},
                "resultConfiguration": {
                    "outputLocation": f"s3://{names.lake}/athena-results/",
                    "encryptionConfiguration": {"encryptionOption": "SSE_KMS", "kmsKey": key.key_arn},
                },
            },
        )
        for query in saved_queries().values():
            named = athena.CfnNamedQuery(
                self,
                query.id,
                name=query.title,
                description=query.description,
                database=names.database,
                query_string=query.sql,
                work_group=self.name,
            )
            named.add_resource_dependency(workgroup)


def _rows_by_date(table: Table) -> dict[str, object]:
    """Processing: de-aggregate the rows of a record; partition by the first ten characters of the event time."""
    query = f"{{{EVENT_DATE.name}: .{wire_names(table)[table.event_time]}[0:10]}}"
    return {
        "enabled": True,
        "processors": [
            {
                "type": "RecordDeAggregation",
                "parameters": [{"parameterName": "SubRecordType", "parameterValue": "JSON"}],
            },
            {
                "type": "MetadataExtraction",
                "parameters": [
                    {"parameterName": "MetadataExtractionQuery", "parameterValue": query},
                    {"parameterName": "JsonParsingEngine", "parameterValue": "JQ-1.6"},
                ],
            },
        ],
    }


def _camel(described: dict[str, object]) -> dict[str, object]:
    """Lower the first letter of keys, as CDK properties require; keys in `Parameters` are unchanged."""

    def turn(value: object) -> object:
        if isinstance(value, dict):
            return {
                key[0].lower() + key[1:]: inner if key == "Parameters" else turn(inner) for key, inner in value.items()
            }
        return [turn(v) for v in value] if isinstance(value, list) else value

    turned = turn(described)
    assert isinstance(turned, dict)
    return turned
