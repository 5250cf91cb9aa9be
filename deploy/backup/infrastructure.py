"""Where backups lie: a bucket with a key of its own, so that the loss of the data's key does not take them along."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from deploy.names import Names
from deploy.settings import Environment

#: How long a part of a backup that was deleted or overwritten can be brought back.
NONCURRENT_DAYS = 90


class Backups(Construct):
    """The bucket and its key. Only operators use them: no role of the deployment is granted anything."""

    def __init__(
        self, scope: Construct, id: str, names: Names, environment: Environment, access_logs: s3.IBucket
    ) -> None:
        super().__init__(scope, id)
        removal = RemovalPolicy.RETAIN if environment.retain else RemovalPolicy.DESTROY
        self.key = kms.Key(
            self, "Key", alias=f"alias/{names.prefix}-backups", enable_key_rotation=True, removal_policy=removal
        )
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            bucket_name=names.backups,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self.key,
            bucket_key_enabled=True,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                    noncurrent_version_expiration=Duration.days(NONCURRENT_DAYS),
                )
            ],
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix="backups/",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            removal_policy=removal,
        )
