"""A Lambda function with its own role, a log group (log retention from the environment's settings) and tracing."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from deploy.kit import bundling as functions
from deploy.kit.deployment import Deployment
from deploy.kit.grants import allow, use_key
from deploy.kit.logs import log_group
from deploy.kit.nag import accept

#: Actions that Lambda needs to poll a stream. It also documents kinesis:SubscribeToShard, which is only for enhanced
#: fan-out consumers.
#: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
POLLING = (
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
)
_STREAMS = "A function creates log streams in its own log group."
#: The Python version of Managed Flink, with which the whole project is tested.
PYTHON = lambda_.Runtime.PYTHON_3_11


class Function(Construct):
    """A function named `<prefix>-<id>` with the code of a unit. Access to other units is granted in the stacks."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        deployment: Deployment,
        code: functions.Code,
        handler: str,
        variables: Mapping[str, str],
        timeout_s: int = 60,
        memory_mb: int = 256,
    ) -> None:
        super().__init__(scope, id)
        names, key = deployment.names, deployment.key
        name = f"{names.prefix}-{id}"
        log = log_group(self, "Log", deployment, f"/aws/lambda/{name}")
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        allow(self.role, ["logs:CreateLogStream", "logs:PutLogEvents"], log.log_group_arn, because=_STREAMS)
        use_key(self.role, key)
        variables = {"POWERTOOLS_LOG_LEVEL": "INFO", **variables, **self._errors(deployment)}
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=name,
            runtime=PYTHON,
            architecture=lambda_.Architecture.X86_64,
            code=lambda_.Code.from_asset(str(functions.build(code))),
            handler=f"{code.name}.{handler}",
            environment=dict(variables),
            environment_encryption=key,
            role=self.role,
            log_group=log,
            timeout=Duration.seconds(timeout_s),
            memory_size=memory_mb,
            tracing=lambda_.Tracing.ACTIVE,
        )
        accept(self, "AwsSolutions-L1", "The whole project uses Python 3.11, the version of Managed Flink.")
        tracing = "X-Ray's PutTraceSegments and PutTelemetryRecords support no resource-level permissions."
        accept(self.role, "AwsSolutions-IAM5[Resource::*]", tracing)

    def _errors(self, deployment: Deployment) -> dict[str, str]:
        """Variables of error reports (deploy/kit/errors.py); empty if the settings name no secret."""
        secret = deployment.environment.sentry_secret_arn
        if not secret:
            return {}
        allow(self.role, ["secretsmanager:GetSecretValue"], secret)
        return {"SENTRY_SECRET": secret, "DEPLOYMENT": deployment.names.prefix}

    def listen(
        self,
        stream: kinesis.IStream,
        dead: sqs.IQueue,
        batch: int,
        retries: int,
        window_s: int = 0,
        answers_by_record: bool = False,
    ) -> None:
        """Invoke the function with batches of a stream, from the stream's beginning.

        A failed batch is bisected and retried. After `retries` attempts its position in the stream is sent to `dead`.
        With `answers_by_record` the function reports failed records instead of failing the batch.
        """
        allow(self.role, POLLING, stream.stream_arn)
        allow(self.role, ["sqs:SendMessage"], dead.queue_arn)
        mapping = lambda_.CfnEventSourceMapping(
            self,
            f"Reads-{stream.node.id}",
            function_name=self.function.function_name,
            event_source_arn=stream.stream_arn,
            starting_position="TRIM_HORIZON",
            batch_size=batch,
            maximum_batching_window_in_seconds=window_s,
            bisect_batch_on_function_error=True,
            maximum_retry_attempts=retries,
            function_response_types=["ReportBatchItemFailures"] if answers_by_record else None,
            destination_config={"onFailure": {"destination": dead.queue_arn}},
        )
        mapping.node.add_dependency(self.role)
