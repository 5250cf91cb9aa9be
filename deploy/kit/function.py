"""A Lambda function as this project has them: a role of its own, a log group that is kept as long as told, tracing."""

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

#: What Lambda asks of the role of a function that polls a stream. It documents kinesis:SubscribeToShard as well, which
#: acts on a registered consumer (enhanced fan-out), and there is none.
#: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
POLLING = (
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
)
_STREAMS = "A function makes streams in its own log group."
#: The whole project runs on this one, as Managed Flink does; the functions are tested on it.
PYTHON = lambda_.Runtime.PYTHON_3_11


class Function(Construct):
    """A function named `<prefix>-<name>`, with code of a unit. What it may do is granted where units meet."""

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
        accept(self, "AwsSolutions-L1", "One Python for the whole project, 3.11 as Managed Flink has it.")
        tracing = "X-Ray's PutTraceSegments and PutTelemetryRecords know no resources."
        accept(self.role, "AwsSolutions-IAM5[Resource::*]", tracing)

    def _errors(self, deployment: Deployment) -> dict[str, str]:
        """Where errors are reported (deploy/kit/errors.py), where the settings say so."""
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
        """Let the function read a stream from its beginning. A batch that fails is halved and tried again; where what
        is left fails `retries` times, where it lies in the stream is told to `dead`.
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
