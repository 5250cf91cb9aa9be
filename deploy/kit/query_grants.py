"""Permissions to run Athena queries in one workgroup, limited to the tables and views that the queries read."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from deploy.kit.grants import OBJECTS, allow, deliver_objects, read_objects
from deploy.kit.lineage import reads_of
from deploy.kit.names import Names

RESULTS = "athena-results/"
_ACTIONS = ("GetQueryExecution", "GetQueryResults", "StartQueryExecution")


def grant_queries(role: iam.IRole, names: Names, workgroup: str, *statements: str, may_stop: bool = False) -> None:
    """Grant a role to run `statements` and read their results and, if `may_stop`, to stop queries."""
    stack, reads = Stack.of(role), reads_of(*statements)
    arn = stack.format_arn(service="athena", resource="workgroup", resource_name=workgroup)
    for action in (*_ACTIONS, *(["StopQueryExecution"] if may_stop else [])):
        allow(role, [f"athena:{action}"], arn)
    _read_catalog(role, names.database, sorted(reads.relations))
    read_objects(role, names.lake, *reads.prefixes)
    deliver_objects(role, names.lake, RESULTS)
    results = f"arn:{stack.partition}:s3:::{names.lake}/{RESULTS}*"
    allow(role, ["s3:ListMultipartUploadParts"], results, because=OBJECTS)


def _read_catalog(role: iam.IRole, database: str, relations: list[str]) -> None:
    """Grant reading the definitions of tables and views. Athena always reads the database `default` too.

    https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
    """
    stack = Stack.of(role)

    def arn(kind: str, name: str | None = None) -> str:
        return stack.format_arn(service="glue", resource=kind, resource_name=name)

    allow(role, ["glue:GetDatabase"], arn("catalog"), arn("database", "default"), arn("database", database))
    tables = [arn("table", f"{database}/{name}") for name in relations]
    actions = ["glue:GetPartition", "glue:GetPartitions", "glue:GetTable"]
    allow(role, actions, arn("catalog"), arn("database", database), *tables)
