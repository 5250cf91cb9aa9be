"""SQS queues, encrypted with the deployment's key."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from deploy.kit.nag import accept

RETENTION = Duration.days(14)


def queue(
    scope: Construct, id: str, key: kms.IKey, name: str, dead: sqs.IQueue | None = None, retention: Duration = RETENTION
) -> sqs.Queue:
    """An encrypted queue; FIFO if the name ends in `.fifo`. Without `dead` it is itself a dead-letter queue."""
    fifo = name.endswith(".fifo")
    made = sqs.Queue(
        scope,
        id,
        queue_name=name,
        fifo=True if fifo else None,
        encryption=sqs.QueueEncryption.KMS,
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=retention,
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=10) if dead else None,
    )
    if dead is None:
        accept(made, "AwsSolutions-SQS3", "It is a dead-letter queue itself; an alarm reports messages in it.")
    return made
