"""The bucket of backups, encrypted with its own key: backups stay readable when the data key is lost."""

from __future__ import annotations

from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from deploy.kit.buckets import data_bucket
from deploy.kit.deployment import removal
from deploy.kit.names import Names
from deploy.settings import Environment

#: Days for which a deleted or overwritten object of a backup can be recovered.
NONCURRENT_DAYS = 90


class Backups(Construct):
    """The bucket and its key. Only operators have access; no role of the deployment is granted any."""

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
