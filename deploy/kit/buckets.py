"""S3 buckets: private and TLS only; data buckets are also encrypted, versioned and logged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from deploy.kit.deployment import removal
from deploy.settings import Environment


def data_bucket(
    scope: Construct,
    id: str,
    name: str,
    key: kms.IKey,
    environment: Environment,
    access_logs: s3.IBucket,
    *,
    log_prefix: str,
    noncurrent_days: int,
    rules: Sequence[s3.LifecycleRule] = (),
) -> s3.Bucket:
    """A bucket for data. Deleted and overwritten objects can be recovered for `noncurrent_days`.

    `rules` are further lifecycle rules.
    """
    return s3.Bucket(
        scope,
        id,
        bucket_name=name,
        encryption=s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=True,
        versioned=True,
        lifecycle_rules=[
            *rules,
            s3.LifecycleRule(
                abort_incomplete_multipart_upload_after=Duration.days(7),
                noncurrent_version_expiration=Duration.days(noncurrent_days),
            ),
        ],
        server_access_logs_bucket=access_logs,
        server_access_logs_prefix=log_prefix,
        **private(environment),
    )


def private(environment: Environment) -> dict[str, Any]:
    """Properties of every bucket."""
    return {
        "block_public_access": s3.BlockPublicAccess.BLOCK_ALL,
        "enforce_ssl": True,
        "minimum_tls_version": 1.2,
        "object_ownership": s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        "removal_policy": removal(environment),
    }
