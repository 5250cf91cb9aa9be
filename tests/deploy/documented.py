"""Permissions as AWS documents them: the action of each operation, calls made on behalf of the caller, and calls that a
service makes in a role. Each with its page.
"""

from __future__ import annotations

#: IAM's prefix where it is not boto3's name of the service.
PREFIXES = {"stepfunctions": "states", "kinesisanalyticsv2": "kinesisanalytics"}
#: IAM's action where it is not the operation's name.
#: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html (and HeadObject), Permissions
RENAMED = {
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjects": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:HeadBucket": "s3:ListBucket",
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html, Permissions
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "lambda:Invoke": "lambda:InvokeFunction",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sns:PublishBatch": "sns:Publish",
}
_KEY = frozenset({"kms:Decrypt", "kms:GenerateDataKey"})
#: What an operation does beside itself with its caller's permissions.
IMPLIED = {
    # Queries read the catalog and the data, and write the result, in parts where it is large:
    # https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
    # https://docs.aws.amazon.com/athena/latest/ug/s3-permissions.html
    # https://docs.aws.amazon.com/athena/latest/ug/encryption.html
    "athena:StartQueryExecution": {
        "glue:GetDatabase",
        "glue:GetPartition",
        "glue:GetPartitions",
        "glue:GetTable",
        "s3:AbortMultipartUpload",
        "s3:GetBucketLocation",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
        *_KEY,
    },
    # https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html
    "athena:GetQueryResults": {"s3:GetObject", "kms:Decrypt"},
    # Without s3:ListBucket an object that is not there is answered with 403:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    "s3:GetObject": {"s3:ListBucket", "kms:Decrypt"},
    # boto3 aborts an upload in parts that fails; encryption:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    "s3:PutObject": {"s3:AbortMultipartUpload", *_KEY},
    # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    "sns:Publish": _KEY,
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    "sqs:SendMessage": _KEY,
}
#: A function that logs, is traced (https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html), and whose
#: variables are encrypted by a customer managed key, as are the tables, queues and topics that it uses.
FUNCTION = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
    *_KEY,
}
#: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html (SubscribeToShard is for consumers with
#: enhanced fan-out, which have an ARN of their own)
POLLED_STREAM = {
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
}
#: https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3 and #using-iam-glue
FIREHOSE = {
    "glue:GetTable",
    "glue:GetTableVersion",
    "glue:GetTableVersions",
    "logs:PutLogEvents",
    "s3:AbortMultipartUpload",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:PutObject",
    *_KEY,
}
#: https://docs.aws.amazon.com/iot/latest/developerguide/kinesis-rule-action.html, sqs-rule-action.html
IOT_ACTIONS = {"Kinesis": {"kinesis:PutRecord", *_KEY}, "Sqs": {"sqs:SendMessage", *_KEY}}
#: https://docs.aws.amazon.com/iot-device-defender/latest/devguide/device-defender-audit.html: of the role
#: AWSIoTDeviceDefenderAudit what the enabled checks read.
AUDIT = {
    "iot:DescribeCACertificate",
    "iot:DescribeCertificate",
    "iot:GetEffectivePolicies",
    "iot:GetPolicy",
    "iot:ListCACertificates",
    "iot:ListCertificates",
    "iot:ListPolicies",
}
#: https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html; the group is there already.
FLOW_LOGS = {"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"}
#: https://docs.aws.amazon.com/step-functions/latest/dg/connect-ecs.html (a task that is waited for), cw-logs.html,
#: concepts-xray-tracing.html
STATE_MACHINE = {
    "ecs:DescribeTasks",
    "ecs:RunTask",
    "ecs:StopTask",
    "events:DescribeRule",
    "events:PutRule",
    "events:PutTargets",
    "iam:PassRole",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}
#: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html, and of a schedule:
#: https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html#setting-up-execution-role
RULE_TARGET = {"states:StartExecution"}
#: Integration of a state with an operation of AWS: the operation's permission, by the name in the definition.
#: https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
INTEGRATIONS = {"aws-sdk:sfn:listExecutions": "states:ListExecutions"}
#: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
TASK_EXECUTION = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
}
#: https://docs.aws.amazon.com/managed-flink/latest/java/cloudwatch-logs.html, how-zeppelin-appendix-iam.html
MANAGED_FLINK = {
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
    "s3:GetObject",
    "s3:GetObjectVersion",
    *_KEY,
}
#: Operations that the connectors call, as `javap -c` shows them: class in the jar of connectors, and its calls.
CONNECTORS = {
    "org/apache/flink/streaming/connectors/kinesis/proxy/KinesisProxy": {
        "kinesis:DescribeStream",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    },
    "org/apache/flink/connector/kinesis/sink/KinesisStreamsSinkWriter": {"kinesis:PutRecords"},
    "org/apache/flink/connector/firehose/sink/KinesisFirehoseSinkWriter": {"firehose:PutRecordBatch"},
}
