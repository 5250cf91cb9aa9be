"""Where backups lie: a bucket with a key of its own, so that the loss of the data's key does not take them along."""

from __future__ import annotations

from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from deploy.kit.buckets import data_bucket
from deploy.kit.deployment import removal
from deploy.kit.names import Names
from deploy.settings import Environment

#: How long a part of a backup that was deleted or overwritten can be brought back.
NONCURRENT_DAYS = 90


class Backups(Construct):
    """The bucket and its key. Only operators use them: no role of the deployment is granted anything."""

    def __init__(
        self, scope: Construct, id: str, names: Names, environment: Environment, access_logs: s3.IBucket
    ) -> None:
        super().__init__(scope, id)
        self.key = kms.Key(
            self,
            "Key",
            alias=f"alias/{names.prefix}-backups",
            enable_key_rotation=True,
            removal_policy=removal(environment),
        )
        self.bucket = data_bucket(
            self,
            "Bucket",
            names.backups,
            self.key,
            environment,
            access_logs,
            log_prefix="backups/",
            noncurrent_days=NONCURRENT_DAYS,
        )
